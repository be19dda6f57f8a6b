#include "checks.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "events.h"
#include "findings.h"
#include "report.h"
#include "worker.h"

enum { CHANGES_KEPT = 256 };

struct checks {
    struct job job;
    struct findings *findings;
    struct pf_progress progress;
    atomic_bool cancel;
    pthread_mutex_t lock;                  /* guards what follows */
    bool running;                          /* or queued */
    struct pf_range changes[CHANGES_KEPT]; /* while it runs, by time */
    size_t change_count;
    uint64_t changes_left_out;
};

struct checks *checks_new(void)
{
    struct checks *const c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->findings = findings_new();
    if (c->findings == NULL) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void checks_free(struct checks *checks)
{
    if (checks == NULL)
        return;
    findings_free(checks->findings);
    pthread_mutex_destroy(&checks->lock);
    free(checks);
}

/* ---- what changes meanwhile ---- */

static bool is_noted_locked(const struct checks *c, const struct pf_range *range)
{
    for (size_t i = 0; i < c->change_count; i++) {
        if (range->first >= c->changes[i].first &&
            range->first - c->changes[i].first < c->changes[i].count &&
            range->count <= c->changes[i].count - (range->first - c->changes[i].first))
            return true;
    }
    return false;
}

static void note_change_locked(struct checks *c, const struct pf_range *range)
{
    struct pf_range *const last =
        c->change_count > 0 ? &c->changes[c->change_count - 1] : NULL;

    if (last != NULL && range->first == last->first + last->count)
        last->count += range->count;
    else if (c->change_count < CHANGES_KEPT)
        c->changes[c->change_count++] = *range;
    else
        c->changes_left_out++;
}

void checks_pages_changed(struct checks *checks, uint64_t first, uint64_t count)
{
    const struct pf_range range = {first, count};

    pthread_mutex_lock(&checks->lock);
    if (checks->running && !is_noted_locked(checks, &range))
        note_change_locked(checks, &range);
    pthread_mutex_unlock(&checks->lock);
}

static void report_changes_locked(struct checks *c)
{
    char line[128];

    for (size_t i = 0; i < c->change_count; i++) {
        const uint64_t first = c->changes[i].first;
        const uint64_t last = first + (c->changes[i].count - 1);
        if (first == last)
            snprintf(line, sizeof(line), "page %" PRIu64 ": changed during the check",
                     first);
        else
            snprintf(line, sizeof(line),
                     "pages %" PRIu64 "-%" PRIu64 ": changed during the check", first,
                     last);
        findings_note(c->findings, line);
    }
    if (c->changes_left_out > 0) {
        snprintf(line, sizeof(line), "%" PRIu64 " more changes during the check",
                 c->changes_left_out);
        findings_note(c->findings, line);
    }
}

/* ---- the check ---- */

static void on_finding(void *ctx, const struct pf_finding *finding)
{
    const struct checks *const checks = ctx;

    findings_add(checks->findings, finding);
}

static void check_run(struct fsctx *ctx, struct job *job)
{
    struct checks *const c = (struct checks *)job;
    static const struct actor nobody = {0, "?"};
    const struct pf_watch watch = {on_finding, c, &c->progress, &c->cancel};
    struct pf_check_summary summary;
    const pf_err err = pf_check(ctx->store, &watch, &summary);

    if (err != PF_OK) {
        char line[128];
        snprintf(line, sizeof(line), "the check did not end: %s", pf_err_text(err));
        findings_note(c->findings, line);
    }
    report_line(ctx, "checked", EVENT_NO_PAGE, &nobody, err);
    pthread_mutex_lock(&c->lock);
    report_changes_locked(c);
    findings_end(c->findings);
    c->running = false;
    pthread_mutex_unlock(&c->lock);
}

static pf_err start_locked(struct checks *c)
{
    if (c->running)
        return PF_E_CHECKING;
    const pf_err err = findings_restart(c->findings);
    if (err != PF_OK)
        return err;
    c->running = true;
    c->change_count = 0;
    c->changes_left_out = 0;
    c->job.run = check_run;
    atomic_store(&c->cancel, false);
    atomic_store(&c->progress.done, 0);
    atomic_store(&c->progress.total, 0);
    return PF_OK;
}

pf_err checks_begin(struct fsctx *ctx)
{
    struct checks *const c = ctx->checks;

    pthread_mutex_lock(&c->lock);
    const pf_err err = start_locked(c);
    pthread_mutex_unlock(&c->lock);
    if (err == PF_OK)
        worker_submit(ctx->checker, &c->job);
    return err;
}

void checks_cancel(struct checks *checks)
{
    if (checks != NULL)
        atomic_store(&checks->cancel, true);
}

bool checks_running(struct checks *checks)
{
    pthread_mutex_lock(&checks->lock);
    const bool running = checks->running;
    pthread_mutex_unlock(&checks->lock);
    return running;
}

void checks_progress(struct checks *checks, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = atomic_load(&checks->progress.done);
    *out_total = atomic_load(&checks->progress.total);
}

struct findings *checks_findings(struct checks *checks)
{
    return checks->findings;
}
