/* Many threads on one store: nothing is handed out twice, counts add up. Under
 * ThreadSanitizer this is also where races show. Assertions run in the main thread only;
 * workers count what went wrong. */
#include "scratch.h"
#include "v3file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 16, HOARD = 64, PAGES_MAX = 1 << 16 };

struct shared {
    pf_store *store;
    atomic_int owner[PAGES_MAX]; /* 0 = nobody, else thread + 1 */
    atomic_int violations;
    atomic_int finished;
    unsigned operations; /* a thread */
    bool durable;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    int number;
    uint64_t held[HOARD];
    size_t held_count;
};

static void violation(struct shared *s)
{
    atomic_fetch_add(&s->violations, 1);
}

static void take_one(struct worker *w)
{
    struct shared *s = w->shared;
    uint64_t id = 0;
    uint64_t lsn = 0;

    if (pf_page_alloc(s->store, &id, &lsn) != PF_OK || id < 2 || id >= PAGES_MAX ||
        atomic_exchange(&s->owner[id], w->number + 1) != 0) {
        violation(s);
        return;
    }
    if (s->durable && pf_wait(s->store, lsn) != PF_OK)
        violation(s);
    w->held[w->held_count++] = id;
}

static void give_one(struct worker *w, uint64_t *rng)
{
    struct shared *s = w->shared;
    const size_t at = (size_t)rng_below(rng, w->held_count);
    const uint64_t id = w->held[at];

    w->held[at] = w->held[--w->held_count];
    if (atomic_exchange(&s->owner[id], 0) != w->number + 1 ||
        pf_page_free(s->store, id, NULL) != PF_OK)
        violation(s);
}

/* A page of ours stays ours: pinned, it is pinned; written, it reads back. */
static void use_one(struct worker *w, uint64_t *rng)
{
    struct shared *s = w->shared;
    const uint64_t id = w->held[rng_below(rng, w->held_count)];
    uint8_t mark[8];
    uint8_t page[PF_PAGE_SIZE];
    struct pf_page info;

    v3_put64(mark, id << 8 | (unsigned)w->number);
    if (pf_page_pin(s->store, id) != PF_OK ||
        pf_page_free(s->store, id, NULL) != PF_E_PINNED ||
        pf_page_get(s->store, id, &info) != PF_OK || info.state != PF_STATE_PINNED ||
        pf_page_write(s->store, id, 500, mark, sizeof(mark), NULL) != PF_OK ||
        pf_page_read(s->store, id, page) != PF_OK ||
        v3_get64(page + 500) != v3_get64(mark) || pf_page_unpin(s->store, id) != PF_OK)
        violation(s);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    uint64_t rng = (uint64_t)w->number * 7919 + 1;

    for (unsigned i = 0; i < w->shared->operations; i++) {
        const uint64_t what = rng_below(&rng, 8);

        if (w->held_count < HOARD && (what < 4 || w->held_count == 0))
            take_one(w);
        else if (what < 7)
            give_one(w, &rng);
        else
            use_one(w, &rng);
    }
    atomic_fetch_add(&w->shared->finished, 1);
    return NULL;
}

/* Stats are consistent in themselves at every moment. */
static void *watch(void *argument)
{
    struct shared *s = argument;

    while (atomic_load(&s->finished) < THREADS) {
        const struct pf_stats stats = stats_of(s->store);
        uint64_t ids[32];
        size_t count;

        if (stats.allocated_pages + stats.free_pages != stats.total_pages ||
            stats.pinned_pages > stats.allocated_pages)
            violation(s);
        if (pf_freelist_get(s->store, 0, 32, ids, &count) != PF_OK)
            violation(s);
    }
    return NULL;
}

static void hammer(struct scratch *t, unsigned operations, bool durable)
{
    struct shared *s = calloc(1, sizeof(*s));
    struct worker *workers = calloc(THREADS, sizeof(*workers));
    pthread_t watcher;
    uint64_t held = 0;

    assert_non_null(s);
    assert_non_null(workers);
    s->store = t->store;
    s->operations = operations;
    s->durable = durable;
    assert_int_equal(pthread_create(&watcher, NULL, watch, s), 0);
    for (int i = 0; i < THREADS; i++) {
        workers[i].shared = s;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        held += workers[i].held_count;
    }
    assert_int_equal(pthread_join(watcher, NULL), 0);
    assert_int_equal(atomic_load(&s->violations), 0);
    const struct pf_stats stats = stats_of(t->store);
    assert_u64(held + 2, stats.allocated_pages);
    assert_u64(0, stats.pinned_pages);
    assert_u64(stats.allocations - stats.deallocations, held);
    scratch_reopen(t);
    for (uint64_t id = 2; id < pf_total_pages(t->store); id++)
        assert_int_equal(state_of(t->store, id), atomic_load(&s->owner[id]) != 0
                                                     ? PF_STATE_ALLOCATED
                                                     : PF_STATE_FREE);
    free(workers);
    free(s);
}

static void no_page_is_handed_to_two_threads(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 0);
    hammer(t, scaled(3000, 20000), false);
}

static void no_page_is_handed_to_two_threads_with_syncs(void **state)
{
    const struct pf_options durable = {0};
    struct scratch *t = *state;

    assert_ok(pf_create(t->db, 0));
    scratch_open(t, &durable);
    hammer(t, scaled(100, 500), true);
}

struct race {
    pf_store *store;
    uint64_t page_id;
    atomic_int successes, refusals, others;
};

static void *free_the_same(void *argument)
{
    struct race *r = argument;
    const pf_err err = pf_page_free(r->store, r->page_id, NULL);

    if (err == PF_OK)
        atomic_fetch_add(&r->successes, 1);
    else if (err == PF_E_ALREADY_FREE)
        atomic_fetch_add(&r->refusals, 1);
    else
        atomic_fetch_add(&r->others, 1);
    return NULL;
}

static void of_many_frees_of_one_page_exactly_one_succeeds(void **state)
{
    struct scratch *t = *state;
    pthread_t threads[8];

    scratch_create(t, 300);
    for (uint64_t id = 2; id < 300; id++) {
        struct race race = {.store = t->store, .page_id = id};

        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, free_the_same, &race), 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&race.successes), 1);
        assert_int_equal(atomic_load(&race.refusals), 7);
        assert_int_equal(atomic_load(&race.others), 0);
    }
    assert_counts(t->store, 300, 298, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(no_page_is_handed_to_two_threads),
        SCRATCH_TEST(no_page_is_handed_to_two_threads_with_syncs),
        SCRATCH_TEST(of_many_frees_of_one_page_exactly_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
