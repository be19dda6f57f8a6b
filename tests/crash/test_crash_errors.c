/* Every call to the disk fails once, in each way that calls fail, or from then on. What
 * was acknowledged stays; what failed happened wholly or not; a store that goes on is as
 * if the failed operation had never been asked for; one that does not changes nothing any
 * more, and the next open finds one of the two states, with or without a power cut, and
 * also when it fails itself before one succeeds.
 *
 * PF_CRASH_FAULT="seed part call forever error applied" repeats one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "script.h"
#include "store.h"

struct fault_plan {
    uint64_t seed, call;
    unsigned part;
    bool forever;
    int error;
    enum fd_applied applied;
};

struct figures {
    uint64_t points, refused, latched, unnoticed;
    uint64_t recoveries; /* that failed after a failure */
};

struct test {
    struct judge judge;
    struct run run;
    struct script script;
    struct arena *arena; /* of what follows */
    struct faultdisk second;
    struct crash crash;
    struct figures figures;
};

static void complain(struct run *run, const char *what)
{
    run->judge->where = run->where;
    judge_say(run->judge, "%s", what);
    run->judge->where = NULL;
}

/* ---- what failed: may the store go on? ---- */

/* Before the first record is written nothing is final; after that every failed change of
 * the database or the journal is. A journal that is made or grows can fail either way of
 * that line. */
static void check_finality(struct run *run)
{
    const enum fd_call kind = run->disk.failed.kind;
    const bool writable = pf_writable(run->store);
    const bool is_change = kind == FD_WRITE || kind == FD_TRUNCATE || kind == FD_SYNC;

    if (kind == FD_RESERVE || run->disk.failed.stream == 2) {
        if (!writable)
            complain(run, "a failure that changed nothing is final");
    } else if (is_change && run->disk.failed.stream == 0) {
        if (writable)
            complain(run, "a failed change of the database is not final");
    } else if (is_change && run->store->journal.file == NULL && !writable) {
        complain(run, "a journal that could not be made is final");
    }
}

static pf_err error_of(int error)
{
    return error == ENOSPC ? PF_E_NO_SPACE : error == EDQUOT ? PF_E_QUOTA : PF_E_IO;
}

/* The answer tells a full disk from a broken one, as long as that is true. */
static void check_answer(struct run *run, const struct fault_plan *plan)
{
    const bool exact = run->disk.failed.kind == FD_RESERVE;
    const pf_err want = exact ? error_of(plan->error) : PF_E_IO;
    char text[128];

    if (run->error == want || (!exact && pf_writable(run->store)))
        return;
    snprintf(text, sizeof(text), "the answer is %s instead of %s",
             pf_err_name(run->error), pf_err_name(want));
    complain(run, text);
}

static void expect_refusal(struct run *run, pf_err err, const char *what)
{
    char text[64];

    if (err != PF_OK)
        return;
    snprintf(text, sizeof(text), "%s after a failure", what);
    complain(run, text);
}

/* The store stopped: whatever is asked of it now fails and changes nothing. */
static void check_latch(struct run *run)
{
    static const uint8_t byte[1];
    const struct pf_range range = {3, 1};
    const uint64_t changes = run->disk.changes;
    struct pf_stats stats;
    uint64_t id = 0;

    expect_refusal(run, pf_page_alloc(run->store, &id, NULL), "allocated");
    expect_refusal(run, pf_pages_alloc_contiguous(run->store, 2, &id, NULL), "allocated");
    expect_refusal(run, pf_page_take(run->store, 2, NULL), "took a page");
    expect_refusal(run, pf_page_free(run->store, 2, NULL), "freed a page");
    expect_refusal(run, pf_page_write(run->store, 2, 0, byte, 1, NULL), "wrote");
    expect_refusal(run, pf_pages_pin(run->store, &range, 1, NULL), "pinned");
    expect_refusal(run, pf_shrink(run->store, &id), "shrank");
    expect_refusal(run, pf_freelist_rebuild(run->store), "rebuilt the list");
    expect_refusal(run, pf_checkpoint(run->store), "made a checkpoint");
    if (run->disk.changes != changes)
        complain(run, "changed the disk after a failure");
    pf_stats_get(run->store, &stats);
    if (stats.allocated_pages + stats.free_pages != stats.total_pages)
        complain(run, "the counts do not add up after a failure");
}

/* ---- failures after failures ---- */

static void judge_second(struct test *t)
{
    struct run *run = &t->run;
    const struct model *allowed[RUN_STATES];

    for (size_t i = 0; i < run->state_count; i++)
        allowed[i] = &run->states[i];
    judge_crashes(&t->judge, &t->second, 3, allowed, run->state_count,
                  "recovery failed, and power was cut");
}

/* Open this image with its `call`-th call failing. False: there is no such call. */
static bool fail_one_open(struct test *t, const struct fd_image *image, bool write,
                          uint64_t call, enum fd_applied applied)
{
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;

    arena_reset(t->arena);
    faultdisk_load(&t->second, image);
    t->second.fault = (struct fd_fault){
        .armed = true, .kinds = UINT32_MAX, .at = call, .error = EIO, .applied = applied};
    const pf_err err = store_open(faultdisk_db(&t->second), faultdisk_place(&t->second),
                                  write, false, reason, &store);
    const bool happened = t->second.faults > 0;
    t->second.fault = (struct fd_fault){0};
    if (err == PF_OK && !write && !script_shows_state(&t->run, store))
        complain(&t->run, "a read-only open with a failure shows another state");
    if (err == PF_OK)
        store_delete(store);
    if (!write && t->second.changes > 0)
        complain(&t->run, "a read-only open changed the disk");
    else if (happened)
        judge_second(t);
    t->figures.recoveries += happened;
    return happened;
}

/* The opens after a failure fail, too, in every place. */
static void fail_recoveries(struct test *t)
{
    struct fd_image image = {0};
    struct arena *arena = arena_new();

    crash_begin(&t->crash, &t->run.disk, 2, t->run.disk.changes);
    while (crash_next(&t->crash) && !judge_is_done(&t->judge)) {
        bool more = true;

        crash_keep(&t->crash, arena, &image);
        for (uint64_t call = 0; more && !judge_is_done(&t->judge); call++) {
            more = fail_one_open(t, &image, true, call, FD_NOTHING);
            if (more) {
                (void)fail_one_open(t, &image, true, call, FD_HALF);
                (void)fail_one_open(t, &image, true, call, FD_ALL);
            }
            more |= fail_one_open(t, &image, false, call, FD_NOTHING);
        }
    }
    fd_image_clear(&image);
    arena_delete(arena);
}

/* ---- one failure ---- */

/* Close what is left, repair the disk, cut the power, open: false = a violation. */
static bool go_on(struct test *t, bool fail_again)
{
    struct run *run = &t->run;

    if (run->store != NULL) {
        check_latch(run);
        (void)pf_close(run->store);
        run->store = NULL;
    }
    run->disk.fault = (struct fd_fault){0};
    run->expect_cut = false;
    run_judge(run, 6);
    if (fail_again)
        fail_recoveries(t);
    return !judge_is_done(run->judge) && run_open(run);
}

/* A refused operation: the store works on, in the state before. */
static bool nothing_happened(struct run *run)
{
    const struct model *before = &run->states[0];
    char why[512], text[600];

    run->state_count = 1;
    if (judge_match(run->judge, &run->disk, &before, 1, why, sizeof(why)) >= 0)
        return true;
    snprintf(text, sizeof(text), "refused, but: %s", why);
    complain(run, text);
    return false;
}

/* Only calls that were broken off are begun again; everything else that should have
 * changed the disk, or made changes durable, is in somebody's answer. (A group answers
 * for its last operation only.) */
static void check_silence(struct run *run, const struct fault_plan *plan, char letter,
                          uint64_t faults_before)
{
    const enum fd_call kind = run->disk.failed.kind;
    const bool goes_on =
        plan->error == FD_SHORT ||
        (plan->error == EINTR && (kind == FD_WRITE || kind == FD_TRUNCATE));

    if (run->disk.faults > faults_before && kind >= FD_WRITE && !goes_on && letter != 'g')
        complain(run, "a failed change of the disk is in nobody's answer");
}

static void arm(struct test *t, const struct fault_plan *plan)
{
    snprintf(t->judge.label, sizeof(t->judge.label),
             "PF_CRASH_FAULT=\"%" PRIu64 " %u %" PRIu64 " %d %d %d\"", plan->seed,
             plan->part, plan->call, plan->forever, plan->error, (int)plan->applied);
    t->run.disk.fault = (struct fd_fault){.armed = true,
                                          .forever = plan->forever,
                                          .kinds = UINT32_MAX,
                                          .at = plan->call,
                                          .error = plan->error,
                                          .applied = plan->applied};
    t->run.expect_cut = true;
}

/* An operation failed; false: do not go on. */
static bool after_failure(struct test *t, const struct fault_plan *plan)
{
    struct run *run = &t->run;
    const bool fail_again = plan->error == EIO && !plan->forever &&
                            plan->applied != FD_NOTHING &&
                            plan->call % scaled(4, 2) == plan->applied;

    if (run->store != NULL) {
        check_finality(run);
        check_answer(run, plan);
    }
    if (run->store != NULL && pf_writable(run->store)) {
        t->figures.refused++;
        if (plan->forever) /* it would be refused for ever */
            run->disk.fault = (struct fd_fault){0};
        return nothing_happened(run);
    }
    t->figures.latched++;
    return go_on(t, fail_again);
}

/* False: there is no such call. */
static bool play(struct test *t, const struct fault_plan *plan)
{
    struct run *run = &t->run;
    const char *letters = script_part(plan->part);
    bool failed = false;

    if (!script_begin(&t->script, run, plan->part))
        return false;
    arm(t, plan);
    for (size_t i = 0; letters[i] != '\0' && !judge_is_done(run->judge); i++) {
        snprintf(run->where, sizeof(run->where), "operation %zu (%c)", i + 1, letters[i]);
        const uint64_t faults_before = run->disk.faults;
        const enum run_result result = script_operation(run, letters[i]);

        if (result == RUN_DONE)
            check_silence(run, plan, letters[i], faults_before);
        if (result == RUN_FAILED) {
            failed = true;
            if (!after_failure(t, plan))
                break;
        } else if (result == RUN_INVALID && run->disk.faults > 0) {
            run->disk.fault = (struct fd_fault){0}; /* all of a group was refused */
        }
    }
    const bool happened = run->disk.faults > 0 || failed;
    t->figures.unnoticed += happened && !failed;
    run_end(run);
    return happened;
}

/* Calls that are broken off are begun again, so not for ever; a short transfer is no
 * failure, so there is only one way of it. */
static bool makes_sense(const struct fault_plan *plan)
{
    if (plan->error == EINTR)
        return !plan->forever;
    return plan->error != FD_SHORT || plan->applied == FD_NOTHING;
}

static void play_part(struct test *t, uint64_t seed, unsigned part, uint64_t step)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EINTR, FD_SHORT};
    bool more = true;

    for (uint64_t call = part % step; more && !judge_is_done(&t->judge); call += step) {
        more = false;
        for (unsigned i = 0; i < 2 * 5 * 3 && !judge_is_done(&t->judge); i++) {
            const struct fault_plan plan = {.seed = seed,
                                            .part = part,
                                            .call = call,
                                            .forever = i % 2 == 1,
                                            .error = errors[i / 2 % 5],
                                            .applied = (enum fd_applied)(i / 10)};
            if (!makes_sense(&plan))
                continue;
            const bool happened = play(t, &plan);
            t->figures.points += happened;
            more |= happened;
        }
    }
}

static uint64_t step_between_calls(void)
{
    return scaled(11, 1) * (built_with_sanitizer() ? 6 : 1);
}

static void play_script(struct test *t, uint64_t seed)
{
    if (!script_prepare(&t->script, &t->run, seed))
        return;
    for (unsigned part = 0; part < SCRIPT_PARTS && !judge_is_done(&t->judge); part++)
        play_part(t, seed, part, step_between_calls());
    script_clear(&t->script);
}

static void play_only(struct test *t, const char *text)
{
    struct fault_plan plan = {0};
    int forever = 0, applied = 0;

    assert_int_equal(sscanf(text, "%" SCNu64 " %u %" SCNu64 " %d %d %d", &plan.seed,
                            &plan.part, &plan.call, &forever, &plan.error, &applied),
                     6);
    assert_in_range(plan.part, 0, SCRIPT_PARTS - 1);
    plan.forever = forever != 0;
    plan.applied = (enum fd_applied)applied;
    if (script_prepare(&t->script, &t->run, plan.seed))
        t->figures.points += play(t, &plan);
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
    crash_clear(&t->crash);
    faultdisk_clear(&t->second);
    arena_delete(t->arena);
    judge_clear(&t->judge);
}

static void print_figures(const struct figures *f)
{
    print_message("#= I/O errors: %" PRIu64
                  " points of a script of %d operations, %" PRIu64
                  " failures latched, %" PRIu64 " operations refused, %" PRIu64
                  " not noticed; %" PRIu64 " recoveries failed after a failure\n",
                  f->points, SCRIPT_OPERATIONS, f->latched, f->refused, f->unnoticed,
                  f->recoveries);
}

static void a_failing_call_loses_nothing_acknowledged(void **state)
{
    const char *only = getenv("PF_CRASH_FAULT");
    const uint64_t seeds = figure(1, 1, 4);
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

static void a_store_that_changed_nothing_leaves_the_disk_alone(void **state)
{
    struct test t;

    (void)state;
    test_init(&t);
    assert_true(script_prepare(&t.script, &t.run, 1));
    assert_true(script_begin(&t.script, &t.run, 0));
    assert_ok(pf_close(t.run.store));
    t.run.store = NULL;
    assert_u64(0, t.run.disk.changes);
    script_clear(&t.script);
    test_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_changed_nothing_leaves_the_disk_alone),
        cmocka_unit_test(a_failing_call_loses_nothing_acknowledged),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
