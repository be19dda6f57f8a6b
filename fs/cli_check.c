/* cli_check.c: pagefs check [--repair ...] DB: all that is wrong with a file, without a
 * mount. */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check_advice.h"
#include "check_output.h"
#include "message.h"
#include "opening.h"
#include "options.h"
#include "progress.h"

/* Of e2fsck; a status is a sum of them. */
enum check_status {
    CHECK_REPAIRED = 1,
    CHECK_LEFT = 4,
    CHECK_FAILED = 8,
    CHECK_USAGE = 16,
    CHECK_CANCELLED = 32,
};

enum flag { REPAIR, DRY_RUN, FREE_LEAKED, DISCARD_JOURNAL, JSON };

static const struct cli_command command = {
    .name = "check",
    .help =
        "usage: pagefs check [--repair [--dry-run] [--free-leaked] [--discard-journal]]\n"
        "                    [--json] DB\n"
        "\n"
        "Reads the header, the graph, the free list and the journal, and prints all "
        "that\n"
        "is wrong, a page a line, with what was expected and found and how the page is\n"
        "reached; then the counts, and what to do. It changes nothing.\n"
        "\n"
        "  --repair           then make the file fit for writing: raise a total_pages\n"
        "                     that is too low, write a broken free list anew, take "
        "pages\n"
        "                     that are in use off it; and check again. The graph's "
        "pages\n"
        "                     are never written\n"
        "  --free-leaked      with --repair: put the leaked pages on the free list, if\n"
        "                     the graph is sound. Only where no other program keeps\n"
        "                     pages that it has allocated for itself\n"
        "  --discard-journal  with --repair: rename a journal that does not belong to\n"
        "                     the file to DB-journal.refused\n"
        "  --dry-run          with --repair: print each change, make none\n"
        "  --json             print one JSON object\n"
        "\n"
        "SIGUSR1 prints how far it is. Exit status, a sum: 0 nothing wrong, 1 repaired,\n"
        "4 something is wrong still, 8 cannot be checked or repaired, 16 usage,\n"
        "32 cancelled. Leaked pages alone are nothing wrong, unless --free-leaked was "
        "to\n"
        "free them. While the database is mounted read-write it cannot be checked from\n"
        "outside.\n",
    .expected = "expected a file: pagefs check [--repair] [--json] DB",
    .flags = {[REPAIR] = "repair",
              [DRY_RUN] = "dry-run",
              [FREE_LEAKED] = "free-leaked",
              [DISCARD_JOURNAL] = "discard-journal",
              [JSON] = "json"},
    .min_operands = 1,
    .max_operands = 1,
};

struct check {
    const char *shown; /* the database as the user calls it */
    const struct cli_line *line;
    struct progress *progress;
    struct check_output out;
    struct pf_check_summary summary; /* of the last check */
    uint64_t changes;                /* of the repair */
    const char *error;               /* said on stderr; NULL = none */
    char reason[PF_REASON_SIZE];     /* that `error` may point to */
};

/* ---- what comes from the core's thread, which is ours ---- */

static void on_finding(void *ctx, const struct pf_finding *finding)
{
    struct check *const check = ctx;

    progress_pause(check->progress);
    check->out.format->finding(&check->out, finding);
    progress_resume(check->progress);
}

static void on_change(void *ctx, const char *change)
{
    struct check *const check = ctx;

    progress_pause(check->progress);
    check->out.format->change(&check->out, change);
    progress_resume(check->progress);
}

/* ---- the parts ---- */

static int fail(struct check *check, const char *what, pf_err err)
{
    check->error = check->reason[0] != '\0' ? check->reason : pf_err_text(err);
    if (err == PF_E_CANCELLED) {
        message(check->shown, "cancelled");
        return CHECK_CANCELLED;
    }
    message(check->shown, "%s: %s%s", what, check->error,
            err == PF_E_NEEDS_WRITE ? "; settle that and try again" : "");
    return CHECK_FAILED;
}

/* 0: `summary` is filled in. */
static int look(struct check *check)
{
    struct pf_watch watch = progress_watch(check->progress);
    pf_store *store = NULL;
    char *path = NULL;
    int status = 0;

    watch.finding = on_finding;
    watch.finding_ctx = check;
    check->out.format->check_begin(&check->out);
    if (opening_look(check->shown, &path, &store) != 0) {
        check->error = "the file cannot be opened as a database";
        status = CHECK_FAILED;
    } else {
        progress_phase(check->progress,
                       check->out.repairing ? "checking again" : "checking");
        const pf_err err = pf_check(store, &watch, &check->summary);
        progress_phase(check->progress, NULL);
        if (err != PF_OK)
            status = fail(check, "cannot be checked", err);
        (void)pf_close(store); /* nothing was written */
    }
    free(path);
    check->out.format->check_end(&check->out, status == 0 ? &check->summary : NULL);
    return status;
}

/* Is what was asked for not so? */
static bool is_left(const struct check *check)
{
    return check_faults(&check->summary) > 0 ||
           (check->line->flags[FREE_LEAKED] && check->summary.leaked > 0);
}

static struct pf_repair_options repair_options(const bool *flags)
{
    return (struct pf_repair_options){.dry_run = flags[DRY_RUN],
                                      .free_leaked = flags[FREE_LEAKED],
                                      .discard_journal = flags[DISCARD_JOURNAL]};
}

/* 0: done, and the changes have been made, or would be. */
static int mend(struct check *check)
{
    const struct pf_repair_options options = repair_options(check->line->flags);
    const struct pf_watch watch = progress_watch(check->progress);
    struct pf_repair_result result = {0};
    int status = 0;

    check->out.repairing = true;
    check->out.format->repair_begin(&check->out);
    progress_phase(check->progress, "repairing");
    const pf_err err = opening_repair(check->shown, &options, &watch, on_change, check,
                                      &result, check->reason);
    progress_phase(check->progress, NULL);
    check->out.format->repair_end(&check->out, err == PF_OK ? &result : NULL);
    if (err != PF_OK)
        status = fail(check, "not repaired", err);
    check->changes = result.changes;
    return status;
}

static int run(struct check *check)
{
    int status = look(check);

    if (status != 0)
        return status;
    if (!check->line->flags[REPAIR] || !is_left(check))
        return is_left(check) ? CHECK_LEFT : 0;
    status = mend(check);
    if (status != 0)
        return status | CHECK_LEFT;
    if (check->line->flags[DRY_RUN] || check->changes == 0)
        return CHECK_LEFT;
    status = look(check);
    if (status == 0 && is_left(check))
        status = CHECK_LEFT;
    return status | CHECK_REPAIRED;
}

static void put_advice(struct check *check, int status)
{
    char advice[CHECK_ADVICE_SIZE];
    const struct pf_repair_options options = repair_options(check->line->flags);

    if (options.dry_run && check->changes > 0)
        check_advice_dry_run(&options, check->shown, advice);
    else
        check_advice(&check->summary, check->shown, advice);
    check->out.format->end(&check->out, check->error == NULL ? advice : NULL,
                           check->error, status);
}

/* ---- the command line ---- */

static bool flags_make_sense(const struct cli_line *line)
{
    static const enum flag need_repair[] = {DRY_RUN, FREE_LEAKED, DISCARD_JOURNAL};
    char option[32];

    for (size_t i = 0; i < sizeof(need_repair) / sizeof(need_repair[0]); i++) {
        if (line->flags[need_repair[i]] && !line->flags[REPAIR]) {
            snprintf(option, sizeof(option), "--%s", command.flags[need_repair[i]]);
            message(option, "needs --repair: without it nothing is ever changed");
            return false;
        }
    }
    return true;
}

/* A broken pipe must not end a repair half way; a check may end when nobody reads it. */
static void ignore_signals(const struct cli_line *line)
{
    if (line->flags[REPAIR])
        (void)signal(SIGPIPE, SIG_IGN);
}

int cli_check(int argc, char **argv)
{
    struct cli_line line;
    struct check check = {.line = &line};
    int status = cli_parse(&command, argc, argv, &line);

    if (status != -1)
        return status == EXIT_USAGE ? CHECK_USAGE : status == 0 ? 0 : CHECK_FAILED;
    if (!flags_make_sense(&line))
        return CHECK_USAGE;
    ignore_signals(&line);
    check.progress = progress_start();
    if (check.progress == NULL) {
        message(NULL, "%s", pf_err_text(PF_E_NO_MEMORY));
        return CHECK_FAILED;
    }
    check.shown = line.operands[0];
    check.out.format = line.flags[JSON] ? &check_json : &check_lines;
    check.out.dry_run = line.flags[DRY_RUN];
    check.out.format->begin(&check.out);
    status = run(&check);
    put_advice(&check, status);
    if (cli_flush() != 0) /* may wait long for its reader: signals are heard until then */
        status |= CHECK_FAILED;
    progress_stop(check.progress);
    return status;
}
