/* Every call to the disk fails once, in each way that calls fail, or from then on. What
 * was acknowledged stays; what failed happened wholly or not; a store that goes on is as
 * if the failed operation had never been asked for; one that does not changes nothing any
 * more, and the next open finds one of the two states, with or without a power cut, and
 * also when it fails itself before one succeeds.
 *
 * PF_CRASH_FAULT="seed part call forever error applied" repeats one. */
#include <errno.h>
#include <stdio.h>

#include "onefault.h"
#include "scratch.h"
#include "store.h"

/* ---- what failed: may the store go on? ---- */

/* Before the first record is written nothing is final; after that every failed change of
 * the database or the journal is. A journal that is made or grows can fail either way of
 * that line. */
static void check_finality(struct onefault *t)
{
    const struct run *run = &t->run;
    const enum fd_call kind = run->disk.failed.kind;
    const bool writable = pf_writable(run->store);
    const bool is_change = kind == FD_WRITE || kind == FD_TRUNCATE || kind == FD_SYNC;

    if (kind == FD_RESERVE || run->disk.failed.stream == 2) {
        if (!writable)
            onefault_say(t, "a failure that changed nothing is final");
    } else if (is_change && run->disk.failed.stream == 0) {
        if (writable)
            onefault_say(t, "a failed change of the database is not final");
    } else if (is_change && run->store->journal.file == NULL && !writable) {
        onefault_say(t, "a journal that could not be made is final");
    }
}

static pf_err error_of(int error)
{
    return error == ENOSPC ? PF_E_NO_SPACE : error == EDQUOT ? PF_E_QUOTA : PF_E_IO;
}

/* The answer tells a full disk from a broken one, as long as that is true. */
static void check_answer(struct onefault *t)
{
    const struct run *run = &t->run;
    const bool exact = run->disk.failed.kind == FD_RESERVE;
    const pf_err want = exact ? error_of(t->plan.error) : PF_E_IO;
    char text[128];

    if (run->error == want || (!exact && pf_writable(run->store)))
        return;
    snprintf(text, sizeof(text), "the answer is %s instead of %s",
             pf_err_name(run->error), pf_err_name(want));
    onefault_say(t, text);
}

static void expect_refusal(struct onefault *t, pf_err err, const char *what)
{
    char text[64];

    if (err != PF_OK)
        return;
    snprintf(text, sizeof(text), "%s after a failure", what);
    onefault_say(t, text);
}

/* The store stopped: whatever is asked of it now fails and changes nothing. */
static void check_latch(struct onefault *t)
{
    const struct run *run = &t->run;
    static const uint8_t byte[1];
    const struct pf_range range = {3, 1};
    const uint64_t changes = run->disk.changes;
    struct pf_stats stats;
    uint64_t id = 0;

    expect_refusal(t, pf_page_alloc(run->store, &id, NULL), "allocated");
    expect_refusal(t, pf_pages_alloc_contiguous(run->store, 2, &id, NULL), "allocated");
    expect_refusal(t, pf_page_take(run->store, 2, NULL), "took a page");
    expect_refusal(t, pf_page_free(run->store, 2, NULL), "freed a page");
    expect_refusal(t, pf_page_write(run->store, 2, 0, byte, 1, NULL), "wrote");
    expect_refusal(t, pf_pages_pin(run->store, &range, 1, NULL), "pinned");
    expect_refusal(t, pf_shrink(run->store, &id), "shrank");
    expect_refusal(t, pf_freelist_rebuild(run->store), "rebuilt the list");
    expect_refusal(t, pf_checkpoint(run->store), "made a checkpoint");
    if (run->disk.changes != changes)
        onefault_say(t, "changed the disk after a failure");
    pf_stats_get(run->store, &stats);
    if (stats.allocated_pages + stats.free_pages != stats.total_pages)
        onefault_say(t, "the counts do not add up after a failure");
}

static void check_failure(struct onefault *t)
{
    if (t->run.store == NULL)
        return;
    check_finality(t);
    check_answer(t);
}

/* Only calls that were broken off are begun again; everything else that should have
 * changed the disk, or made changes durable, is in somebody's answer. (A group answers
 * for its last operation only.) */
static void check_silence(struct onefault *t, char letter, uint64_t faults_before)
{
    const struct faultdisk *disk = &t->run.disk;
    const enum fd_call kind = disk->failed.kind;
    const int error = t->plan.error;
    const bool goes_on = error == FD_SHORT ||
                         (error == EINTR && (kind == FD_WRITE || kind == FD_TRUNCATE));

    if (disk->faults > faults_before && kind >= FD_WRITE && !goes_on && letter != 'g')
        onefault_say(t, "a failed change of the disk is in nobody's answer");
}

/* ---- failures after failures ---- */

/* Open this image with its `call`-th call failing. False: there is no such call. */
static bool fail_one_open(struct onefault *t, const struct fd_image *image, bool write,
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
        onefault_say(t, "a read-only open with a failure shows another state");
    if (err == PF_OK)
        store_delete(store);
    if (!write && t->second.changes > 0)
        onefault_say(t, "a read-only open changed the disk");
    else if (happened)
        onefault_judge_second(t, "recovery failed, and power was cut");
    t->opens += happened;
    return happened;
}

static void fail_opens(struct onefault *t, const struct fd_image *image)
{
    bool more = true;

    for (uint64_t call = 0; more && !judge_is_done(&t->judge); call++) {
        more = fail_one_open(t, image, true, call, FD_NOTHING);
        if (more) {
            (void)fail_one_open(t, image, true, call, FD_HALF);
            (void)fail_one_open(t, image, true, call, FD_ALL);
        }
        more |= fail_one_open(t, image, false, call, FD_NOTHING);
    }
}

/* After some of the failures only: it takes its time. */
static bool wants_failing_opens(const struct onefault *t)
{
    const struct fault_plan *plan = &t->plan;

    return plan->error == EIO && !plan->forever && plan->applied != FD_NOTHING &&
           plan->call % scaled(4, 2) == plan->applied;
}

/* ---- one failure ---- */

static void arm(struct onefault *t)
{
    t->run.disk.fault = (struct fd_fault){.armed = true,
                                          .forever = t->plan.forever,
                                          .kinds = UINT32_MAX,
                                          .at = t->plan.call,
                                          .error = t->plan.error,
                                          .applied = t->plan.applied};
}

static void disarm(struct onefault *t)
{
    t->run.disk.fault = (struct fd_fault){0};
}

static uint64_t faults(const struct onefault *t)
{
    return t->run.disk.faults;
}

/* Calls that are broken off are begun again, so not for ever; a short transfer is no
 * failure, so there is only one way of it. */
static bool makes_sense(const struct fault_plan *plan)
{
    if (plan->error == EINTR)
        return !plan->forever;
    return plan->error != FD_SHORT || plan->applied == FD_NOTHING;
}

static void play_part(struct onefault *t, uint64_t seed, unsigned part)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EINTR, FD_SHORT};
    const uint64_t step = scaled(11, 1) * (built_with_sanitizer() ? 6 : 1);
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
            if (makes_sense(&plan))
                more |= onefault_play(t, &plan);
        }
    }
}

static struct fault_kind failing_calls(void)
{
    return (struct fault_kind){.name = "I/O errors",
                               .seeds = figure(1, 1, 4),
                               .crashes = 2,
                               .arm = arm,
                               .disarm = disarm,
                               .faults = faults,
                               .play_part = play_part,
                               .check_success = check_silence,
                               .check_failure = check_failure,
                               .check_stopped = check_latch,
                               .wants_failing_opens = wants_failing_opens,
                               .fail_opens = fail_opens};
}

static void a_failing_call_loses_nothing_acknowledged(void **state)
{
    const struct fault_kind kind = failing_calls();

    (void)state;
    onefault_test(&kind);
}

static void a_store_that_changed_nothing_leaves_the_disk_alone(void **state)
{
    const struct fault_kind kind = failing_calls();
    struct onefault t;

    (void)state;
    onefault_init(&t, &kind);
    assert_true(script_prepare(&t.script, &t.run, 1));
    assert_true(script_begin(&t.script, &t.run, 0));
    assert_ok(pf_close(t.run.store));
    t.run.store = NULL;
    assert_u64(0, t.run.disk.changes);
    script_clear(&t.script);
    onefault_clear(&t);
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
