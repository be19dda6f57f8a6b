/* Every allocation of core fails, once or from then on, while a store works on a disk of
 * the crash harness. The answer is PF_E_NO_MEMORY; a store that goes on is as if the
 * operation had never been asked for, one that does not lost nothing acknowledged; so it
 * is when memory is short at the next open, too.
 *
 * PF_CRASH_FAULT="seed part allocation forever" repeats one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing.h"
#include "scratch.h"
#include "script.h"
#include "store.h"

struct plan {
    uint64_t seed, at;
    unsigned part;
    bool forever;
};

struct figures {
    uint64_t points, refused, latched, unnoticed, opens;
};

struct test {
    struct judge judge;
    struct run run;
    struct script script;
    struct arena *arena; /* of `second` */
    struct faultdisk second;
    struct crash crash;
    struct figures figures;
};

static void complain(struct run *run, const char *what, pf_err err)
{
    failing_stop();
    run->judge->where = run->where;
    judge_say(run->judge, "%s (%s)", what, pf_err_name(err));
    run->judge->where = NULL;
}

static void check_answer(struct run *run, pf_err err)
{
    if (err != PF_E_NO_MEMORY)
        complain(run, "memory was short, but the answer is another one", err);
}

/* Open the disk as it is now while memory is short. False: there is no such allocation.
 */
static bool fail_one_open(struct test *t, const struct fd_image *image, bool write,
                          uint64_t at, bool forever)
{
    const struct model *allowed[RUN_STATES];
    struct run *run = &t->run;
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;

    arena_reset(t->arena);
    faultdisk_load(&t->second, image);
    failing_start(FAILING_MEMORY, at, forever, 0);
    const pf_err err = store_open(faultdisk_db(&t->second), faultdisk_place(&t->second),
                                  write, false, reason, &store);
    failing_stop();
    t->figures.opens += failing.faults > 0;
    if (err == PF_OK && !write && !script_shows_state(run, store))
        complain(run, "an open that ran out of memory shows another state", err);
    if (err == PF_OK)
        store_delete(store);
    else
        check_answer(run, err);
    if (!write && t->second.changes > 0)
        complain(run, "a read-only open changed the disk", err);
    for (size_t i = 0; i < run->state_count; i++)
        allowed[i] = &run->states[i];
    if (write)
        judge_crashes(&t->judge, &t->second, 3, allowed, run->state_count,
                      "an open ran out of memory, and power was cut");
    return failing.faults > 0;
}

static void fail_opens_of(struct test *t, const struct fd_image *image)
{
    for (int kind = 0; kind < 4; kind++)
        for (uint64_t at = 0; !judge_is_done(&t->judge); at++)
            if (!fail_one_open(t, image, kind % 2 == 0, at, kind / 2 == 1))
                break;
}

/* After a power cut the journal matters: the database may lack what is in it. */
static void fail_opens(struct test *t)
{
    struct fd_image image = {0};
    struct arena *arena = arena_new();

    crash_begin(&t->crash, &t->run.disk, 3, t->run.disk.changes);
    while (crash_next(&t->crash) && !judge_is_done(&t->judge)) {
        crash_keep(&t->crash, arena, &image);
        fail_opens_of(t, &image);
    }
    fd_image_clear(&image);
    arena_delete(arena);
}

/* Close, judge, open again with memory. */
static bool go_on(struct test *t, bool fail_again)
{
    struct run *run = &t->run;
    uint64_t id = 0;

    if (run->store != NULL) {
        if (pf_page_alloc(run->store, &id, NULL) == PF_OK)
            complain(run, "allocated after a failure that is final", PF_OK);
        (void)pf_close(run->store); /* memory may still be short */
        run->store = NULL;
    }
    failing_stop();
    run->expect_cut = false;
    run_judge(run, 6);
    if (fail_again)
        fail_opens(t);
    return !judge_is_done(run->judge) && run_open(run);
}

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

static bool after_failure(struct test *t, const struct plan *plan)
{
    struct run *run = &t->run;

    check_answer(run, run->error);
    if (run->store != NULL && pf_writable(run->store)) {
        t->figures.refused++;
        if (plan->forever) /* memory comes back */
            failing_stop();
        return nothing_happened(run);
    }
    t->figures.latched++;
    return go_on(t, plan->at % 4 == 0);
}

/* False: there is no such allocation. */
static bool play(struct test *t, const struct plan *plan)
{
    struct run *run = &t->run;
    const char *letters = script_part(plan->part);
    bool failed = false;

    snprintf(t->judge.label, sizeof(t->judge.label),
             "PF_CRASH_FAULT=\"%" PRIu64 " %u %" PRIu64 " %d\"", plan->seed, plan->part,
             plan->at, plan->forever);
    if (!script_begin(&t->script, run, plan->part))
        return false;
    run->expect_cut = true;
    failing_start(FAILING_MEMORY, plan->at, plan->forever, 0);
    for (size_t i = 0; letters[i] != '\0' && !judge_is_done(run->judge); i++) {
        snprintf(run->where, sizeof(run->where), "operation %zu (%c)", i + 1, letters[i]);
        const enum run_result result = script_operation(run, letters[i]);

        if (result == RUN_FAILED) {
            failed = true;
            if (!after_failure(t, plan))
                break;
        } else if (result == RUN_INVALID && failing.faults > 0) {
            failing_stop(); /* all of a group was refused */
        }
    }
    failing_stop();
    run_end(run);
    t->figures.unnoticed += failing.faults > 0 && !failed;
    return failing.faults > 0 || failed;
}

static void play_part(struct test *t, uint64_t seed, unsigned part, uint64_t step)
{
    for (int forever = 0; forever < 2; forever++) {
        struct plan plan = {
            .seed = seed, .part = part, .at = part % step, .forever = forever == 1};

        for (; play(t, &plan) && !judge_is_done(&t->judge); plan.at += step)
            t->figures.points++;
    }
}

static void play_only(struct test *t, const char *text)
{
    struct plan plan = {0};
    int forever = 0;

    assert_int_equal(sscanf(text, "%" SCNu64 " %u %" SCNu64 " %d", &plan.seed, &plan.part,
                            &plan.at, &forever),
                     4);
    assert_in_range(plan.part, 0, SCRIPT_PARTS - 1);
    plan.forever = forever != 0;
    if (script_prepare(&t->script, &t->run, plan.seed))
        t->figures.points += play(t, &plan);
    script_clear(&t->script);
}

static void play_script(struct test *t, uint64_t seed)
{
    const uint64_t step = scaled(3, 1) * (built_with_sanitizer() ? 3 : 1);

    if (!script_prepare(&t->script, &t->run, seed))
        return;
    for (unsigned part = 0; part < SCRIPT_PARTS && !judge_is_done(&t->judge); part++)
        play_part(t, seed, part, step);
    script_clear(&t->script);
}

static void test_init(struct test *t)
{
    memset(t, 0, sizeof(*t));
    judge_init(&t->judge);
    t->judge.checks = 0;
    run_init(&t->run, &t->judge);
    t->run.journal_size = t->judge.journal_size = SCRIPT_JOURNAL;
    t->arena = arena_new();
    faultdisk_init(&t->second, t->arena);
    crash_init(&t->crash);
}

static void test_clear(struct test *t)
{
    run_clear(&t->run);
    faultdisk_clear(&t->second);
    crash_clear(&t->crash);
    arena_delete(t->arena);
    judge_clear(&t->judge);
}

static void print_figures(const struct figures *f)
{
    print_message(
        "#= out of memory: %" PRIu64 " allocations of a script of %d operations "
        "failed: %" PRIu64 " operations refused, %" PRIu64 " failures latched, %" PRIu64
        " not noticed; %" PRIu64 " opens failed after a failure\n",
        f->points, SCRIPT_OPERATIONS, f->refused, f->latched, f->unnoticed, f->opens);
}

static void a_failing_allocation_loses_nothing_acknowledged(void **state)
{
    const char *only = getenv("PF_CRASH_FAULT");
    const uint64_t seeds = figure(1, 1, 8);
    struct test t;

    (void)state;
    test_init(&t);
    if (only != NULL)
        play_only(&t, only);
    else
        for (uint64_t seed = 1; seed <= seeds; seed++)
            play_script(&t, seed);
    print_figures(&t.figures);
    const unsigned violations = t.judge.violations;
    const bool enough = t.figures.points > 0;
    test_clear(&t);
    if (violations > 0)
        fail_msg("%u violations", violations);
    assert_true(enough);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_allocation_loses_nothing_acknowledged),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
