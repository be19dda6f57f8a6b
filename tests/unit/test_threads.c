/* Many threads on one store: nothing is handed out twice, counts add up. Under
 * ThreadSanitizer this is also where races show. */
#include "races.h"
#include "v3file.h"
#include "worker.h"

#include <inttypes.h>
#include <stdlib.h>

enum { THREADS = 16, WATCHERS = 2 };

/* ---- stats lie between what has ended before and what has begun after ---- */

struct counts {
    uint64_t allocs, frees, pins, unpins;
};

static struct counts ended(struct shared *s)
{
    return (struct counts){
        atomic_load(&s->allocs.ended),
        atomic_load(&s->frees.ended),
        atomic_load(&s->pins.ended),
        atomic_load(&s->unpins.ended),
    };
}

static struct counts begun(struct shared *s)
{
    return (struct counts){
        atomic_load(&s->allocs.begun),
        atomic_load(&s->frees.begun),
        atomic_load(&s->pins.begun),
        atomic_load(&s->unpins.begun),
    };
}

static bool between(uint64_t low, uint64_t value, uint64_t high)
{
    return low <= value && value <= high;
}

static void look_at_stats(struct shared *s)
{
    const struct counts low = ended(s);
    const struct pf_stats stats = stats_of(s->store);
    const struct counts high = begun(s);

    must(s, stats.allocated_pages + stats.free_pages == stats.total_pages);
    must(s, stats.pinned_pages <= stats.allocated_pages);
    must(s, between(low.allocs, stats.allocations, high.allocs));
    must(s, between(low.frees, stats.deallocations, high.frees));
    must(s, between(low.pins, stats.pins, high.pins));
    must(s, between(low.unpins, stats.unpins, high.unpins));
    must(s, stats.allocated_pages == 2 + stats.allocations - stats.deallocations);
    /* at most one pinned page a thread */
    must(s, stats.pinned_pages <= THREADS);
    atomic_fetch_add(&s->looks, 1);
}

static void *watch(void *argument)
{
    struct shared *s = argument;

    while (atomic_load(&s->finished) < THREADS) {
        uint64_t ids[32];
        size_t count;

        look_at_stats(s);
        if (pf_freelist_get(s->store, 0, 32, ids, &count) != PF_OK) {
            worker_violation(s, __FILE__, __LINE__);
            continue;
        }
        for (size_t i = 1; i < count; i++) /* one look: each page once */
            for (size_t j = 0; j < i; j++)
                must(s, ids[i] != ids[j]);
    }
    return NULL;
}

/* ---- the run ---- */

static uint64_t run_threads(struct shared *s, struct worker *workers)
{
    pthread_t watchers[WATCHERS];
    uint64_t held = 0;

    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch, s), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i].shared = s;
        workers[i].number = i;
        workers[i].rng = (uint64_t)i * 7919 + 1;
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, worker_work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        held += workers[i].held_count;
    }
    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(pthread_join(watchers[i], NULL), 0);
    return held;
}

/* In the open store, in the one that is opened again, and in the file. */
static void compare_with_owners(struct scratch *t, const struct shared *s)
{
    size_t free_count = 0;
    uint64_t free_expected = 0;

    for (int pass = 0; pass < 2; pass++) {
        free_expected = 0;
        for (uint64_t id = 2; id < pf_total_pages(t->store); id++) {
            const bool owned = atomic_load(&s->owner[id]) != 0;

            assert_int_equal(state_of(t->store, id),
                             owned ? PF_STATE_ALLOCATED : PF_STATE_FREE);
            free_expected += !owned;
        }
        if (pass == 0)
            scratch_reopen(t);
    }
    scratch_close(t);
    uint64_t *ids = v3_free_list(t->db, &free_count);
    assert_int_equal(free_count, free_expected);
    for (size_t i = 0; i < free_count; i++)
        assert_int_equal(atomic_load(&s->owner[ids[i]]), 0);
    free(ids);
}

static void hammer(struct scratch *t, unsigned operations, bool durable)
{
    struct shared *s = calloc(1, sizeof(*s));
    struct worker *workers = calloc(THREADS, sizeof(*workers));

    assert_non_null(s);
    assert_non_null(workers);
    s->store = t->store;
    s->operations = operations;
    s->durable = durable;
    const uint64_t held = run_threads(s, workers);
    if (atomic_load(&s->violations) != 0)
        fail_msg("%d violations, the first in %s", atomic_load(&s->violations), s->first);
    look_at_stats(s);
    assert_int_equal(atomic_load(&s->violations), 0);
    const struct pf_stats stats = stats_of(t->store);
    assert_u64(held + 2, stats.allocated_pages);
    assert_u64(0, stats.pinned_pages);
    assert_u64(atomic_load(&s->allocs.ended), stats.allocations);
    assert_u64(atomic_load(&s->frees.ended), stats.deallocations);
    print_message("#= %d threads x %u operations, %" PRIu64 " looks at the stats\n",
                  THREADS, operations, (uint64_t)atomic_load(&s->looks));
    compare_with_owners(t, s);
    free(workers);
    free(s);
}

static void no_page_is_owned_by_two_threads(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 0);
    hammer(t, figure(3000, 100000, 1000000), false);
}

static void no_page_is_owned_by_two_threads_that_wait_for_the_disk(void **state)
{
    const struct pf_options durable = {0};
    struct scratch *t = *state;

    assert_ok(pf_create(t->db, 0));
    scratch_open(t, &durable);
    hammer(t, figure(100, 500, 5000), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(no_page_is_owned_by_two_threads),
        SCRATCH_TEST(no_page_is_owned_by_two_threads_that_wait_for_the_disk),
        SCRATCH_TEST(a_page_is_read_wholly_old_or_wholly_new),
        SCRATCH_TEST(a_page_read_while_a_shrink_takes_it_is_there_or_not),
        SCRATCH_TEST(of_many_frees_of_one_page_exactly_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
