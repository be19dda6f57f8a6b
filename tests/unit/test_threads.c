/* Many threads on one store: nothing is handed out twice, counts add up. Under
 * ThreadSanitizer this is also where races show. Assertions run in the main thread only;
 * workers count what went wrong. */
#include "scratch.h"
#include "v3file.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 16, WATCHERS = 2, HOARD = 64, BATCH = 8, PAGES_MAX = 1 << 16 };

/* Pages of operations that have begun, and of those that have ended well. Whoever counts
 * in between must find a number in between. */
struct interval {
    atomic_uint_least64_t begun, ended;
};

struct shared {
    pf_store *store;
    atomic_int owner[PAGES_MAX]; /* 0 = nobody, else thread + 1 */
    struct interval allocs, frees, pins, unpins;
    atomic_int finished;
    atomic_int violations;
    atomic_int where; /* line of the first one */
    atomic_uint_least64_t looks;
    unsigned operations; /* a thread */
    bool durable;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    int number;
    uint64_t rng;
    uint64_t held[HOARD];
    size_t held_count;
};

static void violation(struct shared *s, int line)
{
    int none = 0;

    atomic_compare_exchange_strong(&s->where, &none, line);
    atomic_fetch_add(&s->violations, 1);
}

/* Not an assertion: those belong to the main thread. */
#define must(s, condition) ((condition) ? (void)0 : violation((s), __LINE__))

static void begin(struct interval *interval, uint64_t pages)
{
    atomic_fetch_add(&interval->begun, pages);
}

static void end(struct interval *interval, uint64_t pages)
{
    atomic_fetch_add(&interval->ended, pages);
}

/* ---- taking and giving pages: the owner table ---- */

/* Right after the store has given it to us. */
static void own(struct worker *w, uint64_t id)
{
    struct shared *s = w->shared;

    if (id < 2 || id >= PAGES_MAX) {
        violation(s, __LINE__);
        return;
    }
    must(s, atomic_exchange(&s->owner[id], w->number + 1) == 0);
    w->held[w->held_count++] = id;
}

/* Right before the store gets it back. */
static uint64_t disown(struct worker *w, size_t at)
{
    struct shared *s = w->shared;
    const uint64_t id = w->held[at];

    w->held[at] = w->held[--w->held_count];
    must(s, atomic_exchange(&s->owner[id], 0) == w->number + 1);
    return id;
}

static bool holds(const struct worker *w, uint64_t id)
{
    for (size_t i = 0; i < w->held_count; i++)
        if (w->held[i] == id)
            return true;
    return false;
}

static uint64_t one_of_mine(struct worker *w)
{
    return w->held[rng_below(&w->rng, w->held_count)];
}

/* One, several, or several in a row. */
static void take_pages(struct worker *w, uint64_t count, bool contiguous)
{
    struct shared *s = w->shared;
    uint64_t ids[BATCH] = {0};
    uint64_t lsn = 0;
    pf_err err;

    begin(&s->allocs, count);
    if (contiguous)
        err = pf_pages_alloc_contiguous(s->store, count, ids, &lsn);
    else if (count == 1)
        err = pf_page_alloc(s->store, ids, &lsn);
    else
        err = pf_pages_alloc(s->store, count, ids, &lsn);
    must(s, err == PF_OK);
    if (err != PF_OK)
        return;
    end(&s->allocs, count);
    for (uint64_t i = 0; i < count; i++)
        own(w, contiguous ? ids[0] + i : ids[i]);
    if (s->durable)
        must(s, pf_wait(s->store, lsn) == PF_OK);
}

/* A page that is free now; somebody may be faster. */
static void take_this_page(struct worker *w)
{
    struct shared *s = w->shared;
    uint64_t id = 0;
    size_t count = 0;

    must(s, pf_freelist_get(s->store, rng_below(&w->rng, 50), 1, &id, &count) == PF_OK);
    if (count == 0)
        return;
    begin(&s->allocs, 1);
    const pf_err err = pf_page_take(s->store, id, NULL);
    if (err == PF_OK) {
        end(&s->allocs, 1);
        own(w, id);
        return;
    }
    must(s, err == PF_E_ALREADY_ALLOC || err == PF_E_ALREADY_PINNED ||
                err == PF_E_NO_PAGE); /* given back to the file system */
}

static void give_one(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = disown(w, (size_t)rng_below(&w->rng, w->held_count));

    begin(&s->frees, 1);
    must(s, pf_page_free(s->store, id, NULL) == PF_OK);
    end(&s->frees, 1);
}

static void give_several(struct worker *w)
{
    struct shared *s = w->shared;
    struct pf_range ranges[BATCH];
    const size_t most = w->held_count < BATCH ? w->held_count : BATCH;
    const size_t count = 1 + (size_t)rng_below(&w->rng, most);
    uint64_t bad_id = 0;

    for (size_t i = 0; i < count; i++) {
        ranges[i].first = disown(w, (size_t)rng_below(&w->rng, w->held_count));
        ranges[i].count = 1;
    }
    begin(&s->frees, count);
    must(s, pf_pages_free(s->store, ranges, count, &bad_id, NULL) == PF_OK);
    end(&s->frees, count);
}

/* All or none: a page of ours beside one that cannot be freed stays ours. */
static void give_in_vain(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t mine = one_of_mine(w);
    const struct pf_range ranges[] = {{mine, 1}, {1, 1}};
    struct pf_page page;
    uint64_t bad_id = 0;

    must(s, pf_pages_free(s->store, ranges, 2, &bad_id, NULL) == PF_E_RESERVED);
    must(s, bad_id == 1);
    must(s,
         pf_page_get(s->store, mine, &page) == PF_OK && page.state == PF_STATE_ALLOCATED);
}

/* ---- a page of ours does what we say, whatever the others do ---- */

static void expect_page(struct worker *w, uint64_t id, pf_state state, uint32_t pins,
                        uint32_t holds_of_it)
{
    struct pf_page page;

    must(w->shared, pf_page_get(w->shared->store, id, &page) == PF_OK &&
                        page.state == state && page.pins == pins &&
                        page.holds == holds_of_it && !page.trunk);
}

static void pin_mine(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = one_of_mine(w);
    uint64_t seen = 0;

    begin(&s->pins, 2);
    must(s, pf_page_pin(s->store, id) == PF_OK);
    expect_page(w, id, PF_STATE_PINNED, 1, 0);
    must(s, pf_page_free(s->store, id, NULL) == PF_E_PINNED);
    must(s, pf_pages_pin(s->store, &(struct pf_range){id, 1}, 1, NULL) == PF_OK);
    end(&s->pins, 2);
    must(s, pf_pinned_next(s->store, id, &seen) && seen == id);
    begin(&s->unpins, 2);
    if (rng_below(&w->rng, 2) == 0) {
        must(s, pf_page_unpin_all(s->store, id) == PF_OK);
    } else {
        must(s, pf_page_unpin(s->store, id) == PF_OK);
        must(s, pf_pages_unpin(s->store, &(struct pf_range){id, 1}, 1, NULL) == PF_OK);
    }
    end(&s->unpins, 2);
    must(s, pf_page_unpin(s->store, id) == PF_E_NOT_PINNED);
    expect_page(w, id, PF_STATE_ALLOCATED, 0, 0);
}

static void hold_mine(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = one_of_mine(w);

    begin(&s->pins, 1);
    must(s, pf_page_hold(s->store, id) == PF_OK);
    end(&s->pins, 1);
    expect_page(w, id, PF_STATE_PINNED, 1, 1);
    must(s, pf_page_free(s->store, id, NULL) == PF_E_HELD);
    must(s, pf_page_unpin(s->store, id) == PF_E_HELD);
    begin(&s->unpins, 1);
    pf_page_unhold(s->store, id);
    end(&s->unpins, 1);
    expect_page(w, id, PF_STATE_ALLOCATED, 0, 0);
}

static void write_mine(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = one_of_mine(w);
    uint8_t mark[8];
    uint8_t page[PF_PAGE_SIZE];

    v3_put64(mark, rng_next(&w->rng));
    must(s, pf_page_write(s->store, id, 500, mark, sizeof(mark), NULL) == PF_OK);
    must(s, pf_page_read(s->store, id, page) == PF_OK);
    must(s, v3_get64(page + 500) == v3_get64(mark));
}

/* ---- looks at everything ---- */

/* A snapshot has our pages as they are: we do not change them meanwhile. */
static void snapshot_all(struct worker *w)
{
    struct shared *s = w->shared;
    pf_snapshot *snapshot = NULL;
    struct pf_stats stats;
    struct pf_change change;
    bool found = false;

    must(s, pf_snapshot_take(s->store, &snapshot) == PF_OK);
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < w->held_count; i++)
        must(s,
             pf_snapshot_next(s->store, snapshot, w->held[i], &change, &found) == PF_OK &&
                 (!found || change.page_id > w->held[i]));
    pf_snapshot_stats(snapshot, &stats);
    must(s, stats.allocated_pages + stats.free_pages == stats.total_pages);
    must(s, pf_snapshot_bytes(snapshot) > 0);
    pf_snapshot_drop(snapshot);
}

/* A clone has them allocated, hands out others, and nothing of it reaches the store. */
static void clone_all(struct worker *w)
{
    struct shared *s = w->shared;
    pf_store *clone = NULL;
    struct pf_page page;

    must(s, pf_clone(s->store, &clone) == PF_OK);
    if (clone == NULL)
        return;
    for (int i = 0; i < 20; i++) {
        uint64_t id = 0;
        must(s, pf_page_alloc(clone, &id, NULL) == PF_OK && !holds(w, id));
    }
    for (size_t i = 0; i < w->held_count; i++) {
        must(s, pf_page_get(clone, w->held[i], &page) == PF_OK &&
                    page.state == PF_STATE_ALLOCATED);
        must(s, pf_page_free(clone, w->held[i], NULL) == PF_OK);
    }
    must(s, pf_close(clone) == PF_OK);
}

static void iterate_all(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t total = pf_total_pages(s->store);
    struct pf_page page;
    uint64_t next = 0;

    for (uint64_t id = 0; id < total; id = next) {
        const pf_err err = pf_page_run(s->store, id, &page, &next);

        if (err == PF_E_NO_PAGE) /* shrunk meanwhile */
            return;
        must(s, err == PF_OK && next > id);
        if (err != PF_OK || next <= id)
            return;
        for (size_t i = 0; i < w->held_count; i++)
            must(s, w->held[i] < id || w->held[i] >= next ||
                        page.state == PF_STATE_ALLOCATED);
    }
}

static void check_all(struct worker *w)
{
    struct shared *s = w->shared;
    struct pf_check_summary summary;

    must(s, pf_check(s->store, NULL, &summary) == PF_OK);
    must(s, pf_graph_walk(s->store, NULL) == PF_OK);
    must(s, !pf_page_is_used(s->store, one_of_mine(w))); /* there is no graph */
}

static void shrink(struct worker *w)
{
    uint64_t given_back = 0;

    must(w->shared, pf_shrink(w->shared->store, &given_back) == PF_OK);
}

static void look_around(struct worker *w)
{
    struct shared *s = w->shared;
    struct pf_header header;
    struct pf_info info;
    struct pf_page_use use;
    uint64_t trailing = 0;
    const uint64_t id = one_of_mine(w);

    pf_header_get(s->store, &header);
    must(s, header.total_pages > id && header.page_size == PF_PAGE_SIZE);
    pf_info_get(s->store, &info);
    must(s, info.mode == PF_MODE_RW && !info.failed);
    must(s, pf_trailing_free(s->store, &trailing) == PF_OK);
    must(s, pf_page_use_get(s->store, id, &use) == PF_OK && !use.used);
    must(s, !holds(w, pf_free_list_head(s->store)));
    must(s, pf_writable(s->store));
    (void)pf_checkpoint_due(s->store);
    pf_set_max_pages(s->store, rng_below(&w->rng, 2) == 0 ? 0 : PAGES_MAX);
}

/* ---- one operation in a thousand is a slow one ---- */

typedef void (*action)(struct worker *w);

static void sync_all(struct worker *w)
{
    must(w->shared, pf_sync(w->shared->store) == PF_OK);
}

static void checkpoint(struct worker *w)
{
    must(w->shared, pf_checkpoint(w->shared->store) == PF_OK);
}

static void rebuild(struct worker *w)
{
    must(w->shared, pf_freelist_rebuild(w->shared->store) == PF_OK);
}

static void seldom(struct worker *w)
{
    static const action actions[] = {snapshot_all, clone_all, iterate_all, check_all,
                                     shrink,       sync_all,  checkpoint,  rebuild};
    actions[rng_below(&w->rng, sizeof(actions) / sizeof(actions[0]))](w);
}

static void work_on_mine(struct worker *w)
{
    static const action actions[] = {pin_mine,     hold_mine,   write_mine,
                                     give_in_vain, look_around, give_several};
    actions[rng_below(&w->rng, sizeof(actions) / sizeof(actions[0]))](w);
}

static void *work(void *argument)
{
    struct worker *w = argument;

    for (unsigned i = 0; i < w->shared->operations; i++) {
        const uint64_t what = rng_below(&w->rng, 1000);
        const uint64_t several = 1 + rng_below(&w->rng, BATCH);

        if (w->held_count == 0)
            take_pages(w, 1, false);
        else if (what < 4)
            seldom(w);
        else if (what < 200)
            work_on_mine(w);
        else if (w->held_count + BATCH > HOARD || what < 600)
            give_one(w);
        else if (what < 900)
            take_pages(w, 1, false);
        else if (what < 930)
            take_this_page(w);
        else
            take_pages(w, several, what >= 970);
    }
    atomic_fetch_add(&w->shared->finished, 1);
    return NULL;
}

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
            violation(s, __LINE__);
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
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
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
        fail_msg("%d violations, the first in line %d", atomic_load(&s->violations),
                 atomic_load(&s->where));
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

/* ---- reading a page while it is written ---- */

enum { READERS = 3 };

struct rewriting {
    pf_store *store;
    uint64_t page_id;
    atomic_uint begun, ended; /* the page is filled with 1, 2, 3, ... */
    atomic_bool over;
    atomic_uint torn, stale, errors;
    atomic_uint reads;
};

/* 1024 times the same number, and none from before our time. */
static void *read_again_and_again(void *argument)
{
    struct rewriting *r = argument;
    uint8_t page[PF_PAGE_SIZE];

    while (!atomic_load(&r->over)) {
        const unsigned low = atomic_load(&r->ended);
        const pf_err err = pf_page_read(r->store, r->page_id, page);
        const unsigned high = atomic_load(&r->begun);
        const uint32_t first = v3_get32(page);
        bool torn = false;

        for (size_t at = 4; at < PF_PAGE_SIZE; at += 4)
            torn = torn || v3_get32(page + at) != first;
        atomic_fetch_add(&r->errors, err != PF_OK);
        atomic_fetch_add(&r->torn, torn);
        atomic_fetch_add(&r->stale, !torn && !between(low, first, high));
        atomic_fetch_add(&r->reads, 1);
    }
    return NULL;
}

static void rewrite(struct rewriting *r, unsigned times)
{
    uint8_t page[PF_PAGE_SIZE];
    uint64_t lsn = 0;

    for (uint32_t number = 1; number <= times; number++) {
        for (size_t at = 0; at < PF_PAGE_SIZE; at += 4)
            v3_put32(page + at, number);
        atomic_store(&r->begun, number);
        assert_ok(pf_page_write(r->store, r->page_id, 0, page, PF_PAGE_SIZE, &lsn));
        atomic_store(&r->ended, number);
        assert_ok(pf_wait(r->store, lsn)); /* without syncs: the file is written now */
    }
}

static void a_page_is_read_wholly_old_or_wholly_new(void **state)
{
    struct scratch *t = *state;
    pthread_t readers[READERS];
    struct rewriting r = {0};

    scratch_create(t, 10);
    r.store = t->store;
    r.page_id = 5;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_again_and_again, &r), 0);
    rewrite(&r, figure(2000, 20000, 500000));
    atomic_store(&r.over, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    print_message("# %u reads\n", atomic_load(&r.reads));
    if (atomic_load(&r.torn) + atomic_load(&r.stale) + atomic_load(&r.errors) != 0)
        fail_msg("of %u reads %u were torn, %u stale, %u failed", atomic_load(&r.reads),
                 atomic_load(&r.torn), atomic_load(&r.stale), atomic_load(&r.errors));
}

/* ---- reading pages that come and go ---- */

struct moving_end {
    pf_store *store;
    atomic_bool over;
    atomic_uint reads, missing, errors;
};

static void *read_at_the_end(void *argument)
{
    struct moving_end *e = argument;
    uint8_t page[PF_PAGE_SIZE];
    uint64_t id = 2;

    for (; !atomic_load(&e->over); id = id == 11 ? 2 : id + 1) {
        const pf_err err = pf_page_read(e->store, id, page);

        atomic_fetch_add(&e->reads, 1);
        atomic_fetch_add(&e->missing, err == PF_E_NO_PAGE);
        atomic_fetch_add(&e->errors, err != PF_OK && err != PF_E_NO_PAGE);
    }
    return NULL;
}

static void a_page_read_while_a_shrink_takes_it_is_there_or_not(void **state)
{
    struct scratch *t = *state;
    pthread_t readers[READERS];
    struct moving_end e = {0};
    uint64_t ids[10];
    uint64_t given_back = 0;

    scratch_create(t, 0);
    e.store = t->store;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_at_the_end, &e), 0);
    for (unsigned n = figure(300, 1000, 30000); n > 0; n--) {
        assert_ok(pf_pages_alloc(t->store, 10, ids, NULL));
        assert_ok(pf_sync(t->store));
        free_range(t->store, 2, 10);
        assert_ok(pf_shrink(t->store, &given_back));
        assert_u64(10, given_back);
    }
    atomic_store(&e.over, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    print_message("# %u reads, %u of pages that were not there\n", atomic_load(&e.reads),
                  atomic_load(&e.missing));
    assert_int_equal(atomic_load(&e.errors), 0);
    assert_true(pf_writable(t->store));
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
        SCRATCH_TEST(no_page_is_owned_by_two_threads),
        SCRATCH_TEST(no_page_is_owned_by_two_threads_that_wait_for_the_disk),
        SCRATCH_TEST(a_page_is_read_wholly_old_or_wholly_new),
        SCRATCH_TEST(a_page_read_while_a_shrink_takes_it_is_there_or_not),
        SCRATCH_TEST(of_many_frees_of_one_page_exactly_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
