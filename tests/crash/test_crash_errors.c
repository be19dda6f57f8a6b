/* Every call to the disk fails once, in each way that calls fail, or from then on. What
 * was acknowledged stays; what failed happened wholly or not; a store that goes on is as
 * if the failed operation had never been asked for; one that does not changes nothing any
 * more, and the next open finds one of the two states, with or without a power cut.
 *
 * PF_CRASH_FAULT="seed call forever error applied" repeats one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "scratch.h"
#include "store.h"

static const struct start_spec spec = {"errors", 24, 13, 3, 0};
static const char script[] = "afAwWtFcarkwsaAbFfWaxzacAFrgwkgFaAWtsbafr";
enum { JOURNAL = 12 * 1024 };

struct fault_plan {
    uint64_t seed, call;
    bool forever;
    int error;
    enum fd_applied applied;
};

struct figures {
    uint64_t points, refused, latched, unnoticed;
};

static unsigned figure(unsigned plain, unsigned full, unsigned most)
{
    const unsigned chosen = getenv("PF_TEST_SOAK") != NULL ? most : scaled(plain, full);

    return built_with_sanitizer() ? chosen * 6 : chosen;
}

/* The store stopped: whatever is asked of it now fails and changes nothing. */
static void check_latch(struct run *run)
{
    const uint64_t changes = run->disk.changes;
    uint64_t id = 0;
    pf_err err = pf_page_alloc(run->store, &id, NULL);

    if (err == PF_OK)
        judge_say(run->judge, "allocated page %" PRIu64 " after a failure", id);
    err = pf_page_free(run->store, 2, NULL);
    if (err == PF_OK)
        judge_say(run->judge, "freed a page after a failure");
    if (run->disk.changes != changes)
        judge_say(run->judge, "changed the disk after a failure");
}

/* Close what is left, repair the disk, cut the power, open: false = a violation. */
static bool go_on(struct run *run)
{
    if (run->store != NULL) {
        check_latch(run);
        (void)pf_close(run->store);
        run->store = NULL;
    }
    run->disk.fault = (struct fd_fault){0};
    run->expect_cut = false;
    run_judge(run, 6);
    return !judge_is_done(run->judge) && run_open(run);
}

/* A refused operation: the store works on, in the state before. */
static bool nothing_happened(struct run *run)
{
    const struct model *before = &run->states[0];
    char why[512];

    run->state_count = 1;
    if (judge_match(run->judge, &run->disk, &before, 1, why, sizeof(why)) >= 0)
        return true;
    judge_say(run->judge, "%s: refused, but: %s", run->where, why);
    return false;
}

/* False: there is no such call. */
static bool play(struct run *run, const struct judge_start *start,
                 const struct fault_plan *plan, struct figures *f)
{
    bool failed = false;

    snprintf(run->judge->label, sizeof(run->judge->label),
             "PF_CRASH_FAULT=\"%" PRIu64 " %" PRIu64 " %d %d %d\"", plan->seed,
             plan->call, plan->forever, plan->error, (int)plan->applied);
    if (!run_begin(run, start, plan->seed))
        return false;
    run->disk.fault = (struct fd_fault){.armed = true,
                                        .forever = plan->forever,
                                        .kinds = UINT32_MAX,
                                        .at = plan->call,
                                        .error = plan->error,
                                        .applied = plan->applied};
    run->expect_cut = true;
    for (size_t i = 0; script[i] != '\0' && !judge_is_done(run->judge); i++) {
        snprintf(run->where, sizeof(run->where), "operation %zu (%c)", i + 1, script[i]);
        if (run_operation(run, script[i]) != RUN_FAILED)
            continue;
        failed = true;
        if (run->store != NULL && pf_writable(run->store)) {
            f->refused++;
            if (!nothing_happened(run))
                break;
            if (plan->forever) /* it would be refused for ever */
                run->disk.fault = (struct fd_fault){0};
        } else {
            f->latched++;
            if (!go_on(run))
                break;
            run->expect_cut = false;
        }
    }
    const bool happened = run->disk.faults > 0 || failed;
    f->unnoticed += happened && !failed;
    run_end(run);
    return happened;
}

/* Calls that are broken off are begun again, so not for ever. */
static bool makes_sense(const struct fault_plan *plan)
{
    if (plan->error == EINTR)
        return !plan->forever && plan->applied == FD_NOTHING;
    return plan->error != FD_SHORT || plan->applied == FD_NOTHING;
}

static void play_all(struct run *run, const struct judge_start *start, uint64_t seed,
                     uint64_t step, struct figures *f)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EINTR, FD_SHORT};
    bool more = true;

    for (uint64_t call = 0; more && !judge_is_done(run->judge); call += step) {
        more = false;
        for (unsigned i = 0; i < 2 * 5 * 3 && !judge_is_done(run->judge); i++) {
            const struct fault_plan plan = {.seed = seed,
                                            .call = call,
                                            .forever = i % 2 == 1,
                                            .error = errors[i / 2 % 5],
                                            .applied = (enum fd_applied)(i / 10)};
            if (!makes_sense(&plan))
                continue;
            const bool happened = play(run, start, &plan, f);
            f->points += happened;
            more |= happened;
        }
    }
}

static void a_failing_call_loses_nothing_acknowledged(void **state)
{
    const char *only = getenv("PF_CRASH_FAULT");
    struct judge_start start;
    struct judge judge;
    struct run run;
    struct figures f = {0};

    (void)state;
    start_make(&start, &spec);
    judge_init(&judge);
    judge.checks = 0;
    run_init(&run, &judge);
    run.journal_size = judge.journal_size = JOURNAL;
    if (only != NULL) {
        struct fault_plan plan = {0};
        int forever = 0, applied = 0;

        assert_int_equal(sscanf(only, "%" SCNu64 " %" SCNu64 " %d %d %d", &plan.seed,
                                &plan.call, &forever, &plan.error, &applied),
                         5);
        plan.forever = forever != 0;
        plan.applied = (enum fd_applied)applied;
        f.points += play(&run, &start, &plan, &f);
    } else {
        for (uint64_t seed = 1; seed <= (getenv("PF_TEST_SOAK") != NULL ? 12 : 1); seed++)
            play_all(&run, &start, seed, figure(13, 1, 1), &f);
    }
    print_message("# I/O errors: %" PRIu64 " points, %" PRIu64
                  " failures latched, %" PRIu64 " operations refused, %" PRIu64
                  " not noticed\n",
                  f.points, f.latched, f.refused, f.unnoticed);
    run_clear(&run);
    start_clear(&start);
    const unsigned violations = judge.violations;
    judge_clear(&judge);
    if (violations > 0)
        fail_msg("%u violations", violations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_call_loses_nothing_acknowledged),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
