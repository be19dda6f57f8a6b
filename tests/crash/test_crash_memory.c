/* Every allocation of core fails, once or from then on, while a store works on a disk of
 * the crash harness. The answer is PF_E_NO_MEMORY; a store that goes on is as if the
 * operation had never been asked for, one that does not lost nothing acknowledged; so it
 * is when memory is short at the next open, too.
 *
 * PF_CRASH_FAULT="seed part allocation forever 0 0" repeats one. */
#include <stdio.h>

#include "failing.h"
#include "onefault.h"
#include "scratch.h"
#include "store.h"

static void complain(struct onefault *t, const char *what, pf_err err)
{
    char text[128];

    failing_stop();
    snprintf(text, sizeof(text), "%s (%s)", what, pf_err_name(err));
    onefault_say(t, text);
}

static void check_answer(struct onefault *t, pf_err err)
{
    if (err != PF_E_NO_MEMORY)
        complain(t, "memory was short, but the answer is another one", err);
}

static void check_failure(struct onefault *t)
{
    check_answer(t, t->run.error);
}

static void check_success(struct onefault *t, char letter, uint64_t faults_before)
{
    (void)t; /* what needs memory only to be faster does without */
    (void)letter;
    (void)faults_before;
}

static void check_stopped(struct onefault *t)
{
    uint64_t id = 0;

    if (pf_page_alloc(t->run.store, &id, NULL) == PF_OK)
        complain(t, "allocated after a failure that is final", PF_OK);
}

/* ---- memory is short at the next open, too ---- */

/* False: there is no such allocation. */
static bool fail_one_open(struct onefault *t, const struct fd_image *image, bool write,
                          uint64_t at, bool forever)
{
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;

    arena_reset(t->arena);
    faultdisk_load(&t->second, image);
    failing_start(FAILING_MEMORY, at, forever, 0);
    const pf_err err = store_open(faultdisk_db(&t->second), faultdisk_place(&t->second),
                                  write, false, reason, &store);
    failing_stop();
    t->opens += failing.faults > 0;
    if (err == PF_OK && !write && !script_shows_state(&t->run, store))
        complain(t, "an open that ran out of memory shows another state", err);
    if (err == PF_OK)
        store_delete(store);
    else
        check_answer(t, err);
    if (!write && t->second.changes > 0)
        complain(t, "a read-only open changed the disk", err);
    if (write)
        onefault_judge_second(t, "an open ran out of memory, and power was cut");
    return failing.faults > 0;
}

static void fail_opens(struct onefault *t, const struct fd_image *image)
{
    for (int kind = 0; kind < 4; kind++)
        for (uint64_t at = 0; !judge_is_done(&t->judge); at++)
            if (!fail_one_open(t, image, kind % 2 == 0, at, kind / 2 == 1))
                break;
}

static bool wants_failing_opens(const struct onefault *t)
{
    return t->plan.call % 4 == 0;
}

/* ---- one failure ---- */

static void arm(struct onefault *t)
{
    failing_start(FAILING_MEMORY, t->plan.call, t->plan.forever, 0);
}

static void disarm(struct onefault *t)
{
    (void)t;
    failing_stop();
}

static uint64_t faults(const struct onefault *t)
{
    (void)t;
    return failing.faults;
}

static void play_part(struct onefault *t, uint64_t seed, unsigned part)
{
    const uint64_t step = scaled(3, 1) * (built_with_sanitizer() ? 3 : 1);

    for (int forever = 0; forever < 2; forever++) {
        struct fault_plan plan = {
            .seed = seed, .part = part, .call = part % step, .forever = forever == 1};

        while (onefault_play(t, &plan) && !judge_is_done(&t->judge))
            plan.call += step;
    }
}

static void a_failing_allocation_loses_nothing_acknowledged(void **state)
{
    const struct fault_kind kind = {.name = "out of memory",
                                    .seeds = figure(1, 1, 8),
                                    .crashes = 3,
                                    .arm = arm,
                                    .disarm = disarm,
                                    .faults = faults,
                                    .play_part = play_part,
                                    .check_success = check_success,
                                    .check_failure = check_failure,
                                    .check_stopped = check_stopped,
                                    .wants_failing_opens = wants_failing_opens,
                                    .fail_opens = fail_opens};

    (void)state;
    onefault_test(&kind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_allocation_loses_nothing_acknowledged),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
