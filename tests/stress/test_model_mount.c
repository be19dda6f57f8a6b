/* Random operations through the mount against a naive model of it: after each, the errno,
 * every page's state, the order of the free list, the counts and the event must be the
 * model's; at the end the file, read by other code.
 *
 * PF_TEST_SEED=n repeats one sequence. */
#include "crew.h"
#include "sequence.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 50 };

static int setup(void **state)
{
    return crew_setup(state, 0);
}

static void step_remount(struct sequence *q)
{
    const bool kill_it = rng_below(&q->rng, 2) == 0;

    snprintf(q->done, sizeof(q->done), "remount after %s",
             kill_it ? "kill -9" : "an unmount");
    if (kill_it) {
        assert_int_equal(kill(q->m->daemon, SIGKILL), 0);
        (void)mnt_wait(q->m);
    }
    sequence_end_holds(q);
    if (kill_it)
        mnt_unmount(q->m);
    else
        mnt_stop(q->m);
    naive_remount(&q->model);
    q->snapshot = false;
    mnt_start(q->m, NULL);
}

static void one_step(struct sequence *q)
{
    const uint64_t what = rng_below(&q->rng, 25 * 4);
    struct stat st;
    char path[160];

    snprintf(path, sizeof(path), "%s/events", q->m->point);
    assert_int_equal(stat(path, &st), 0);
    q->events = (uint64_t)st.st_size;
    if (what < 3)
        step_remount(q);
    else if (q->model.total + SEQUENCE_ALLOC_MOST < NAIVE_PAGES)
        sequence_step(q);
    compare_stats(q);
    compare_map(q);
    compare_freelist(q);
    for (int i = 0; i < 3; i++)
        compare_page(q, sequence_page(q));
    if (q->snapshot && q->step % 4 == 0)
        compare_diff(q);
}

static void run_seed(struct mnt *m, uint64_t seed)
{
    struct sequence *q = calloc(1, sizeof(*q));

    assert_non_null(q);
    q->m = m;
    q->seed = seed;
    q->rng = seed * 0x9E3779B97F4A7C15 + 1;
    for (unsigned i = 0; i < SEQUENCE_HOLDS; i++)
        q->holds[i].fd = -1;
    naive_init(&q->model, 2 + rng_below(&q->rng, 1500));
    v3_make_pages(m->t.db, q->model.total);
    mnt_start(m, NULL);
    for (q->step = 1; q->step <= STEPS; q->step++)
        one_step(q);
    sequence_end_holds(q);
    mnt_stop(m);
    snprintf(q->done, sizeof(q->done), "the end");
    compare_file(q);
    assert_int_equal(unlink(m->t.db), 0);
    free(q);
}

static void random_operations_through_the_mount_agree_with_a_naive_model(void **state)
{
    struct crew *c = *state;
    const char *const one = getenv("PF_TEST_SEED");
    const unsigned seeds = figure(20, 200, 5000);

    if (one != NULL) {
        run_seed(c->m, strtoull(one, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= seeds; seed++)
        run_seed(c->m, seed);
    print_message("#= seeds 1 to %u, %d operations each\n", seeds, STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            random_operations_through_the_mount_agree_with_a_naive_model, setup,
            crew_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
