/* Random operations against a model that is too simple to be wrong (naive.h): the
 * engine's part. tests/stress has the same through a mount. PF_TEST_SEED=n repeats one.
 */
#include "naive.h"
#include "scratch.h"
#include "v3file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALLOC_MOST = 30, RANGES = 4, TAG_AT = 1000 };

struct walk { /* one sequence */
    struct scratch *t;
    struct naive model, before; /* before: of the snapshot */
    pf_snapshot *snapshot;
    uint64_t rng;
    uint64_t held; /* 0 = none */
};

static uint64_t any_page(struct walk *w)
{
    return rng_below(&w->rng, w->model.total + 2);
}

/* The model speaks as the mount does. */
static void expect_err(int expected, pf_err err, const char *what)
{
    if (pf_err_errno(err) != expected)
        fail_msg("%s gives %s, expected errno %d (%s)", what, pf_err_name(err), expected,
                 strerror(expected));
}

/* ---- comparing ---- */

static pf_state state_in(const struct naive *n, uint64_t id)
{
    return n->pages[id].free                            ? PF_STATE_FREE
           : n->pages[id].pins + n->pages[id].holds > 0 ? PF_STATE_PINNED
                                                        : PF_STATE_ALLOCATED;
}

static void compare_stats(const struct walk *w)
{
    const struct naive *n = &w->model;
    const struct pf_stats stats = stats_of(w->t->store);

    assert_u64(n->total, stats.total_pages);
    assert_u64(naive_allocated(n), stats.allocated_pages);
    assert_u64(n->depth, stats.free_pages);
    assert_u64(naive_pinned(n), stats.pinned_pages);
    assert_u64(n->depth > 0 ? n->stack[n->depth - 1] : 0, stats.free_list_head);
    assert_u64(n->allocations, stats.allocations);
    assert_u64(n->deallocations, stats.deallocations);
    assert_u64(n->pins, stats.pins);
    assert_u64(n->unpins, stats.unpins);
}

static void compare_page(struct walk *w, uint64_t id)
{
    struct naive_page *const page = &w->model.pages[id];
    struct pf_page info;
    uint8_t bytes[PF_PAGE_SIZE];

    assert_ok(pf_page_get(w->t->store, id, &info));
    if (info.state != state_in(&w->model, id))
        fail_msg("page %" PRIu64 " is in state %d, expected %d", id, (int)info.state,
                 (int)state_in(&w->model, id));
    assert_u64(page->pins + page->holds, info.pins);
    assert_u64(page->holds, info.holds);
    if (info.trunk) /* the free list has written there */
        page->tag_known = false;
    if (id < 2 || !page->tag_known)
        return;
    assert_ok(pf_page_read(w->t->store, id, bytes));
    assert_u64(page->tag, v3_get64(bytes + TAG_AT));
}

static void compare_trunks(struct walk *w)
{
    struct pf_page info;

    for (size_t i = 0; i < w->model.depth; i++) {
        assert_ok(pf_page_get(w->t->store, w->model.stack[i], &info));
        if (info.trunk)
            w->model.pages[w->model.stack[i]].tag_known = false;
    }
}

static void compare_freelist(const struct walk *w)
{
    const struct naive *n = &w->model;
    uint64_t ids[NAIVE_PAGES];
    size_t count = 0;

    assert_ok(pf_freelist_get(w->t->store, 0, NAIVE_PAGES, ids, &count));
    assert_int_equal(count, n->depth);
    for (size_t i = 0; i < count; i++)
        assert_u64(n->stack[n->depth - 1 - i], ids[i]);
}

static void compare_all(struct walk *w)
{
    compare_stats(w);
    compare_freelist(w);
    for (uint64_t id = 0; id < w->model.total; id++)
        compare_page(w, id);
}

/* ---- steps ---- */

static void do_alloc(struct walk *w)
{
    const uint64_t count = 1 + rng_below(&w->rng, ALLOC_MOST);
    uint64_t expected[ALLOC_MOST];
    uint64_t ids[ALLOC_MOST];
    const int error = naive_alloc(&w->model, count, expected);

    expect_err(error, pf_pages_alloc(w->t->store, count, ids, NULL), "pf_pages_alloc");
    for (uint64_t i = 0; i < count && error == 0; i++)
        assert_u64(expected[i], ids[i]);
}

static void do_contiguous(struct walk *w)
{
    const uint64_t count = 1 + rng_below(&w->rng, 12);
    uint64_t expected = 0;
    uint64_t first = 0;
    const int error = naive_alloc_contiguous(&w->model, count, &expected);

    expect_err(error, pf_pages_alloc_contiguous(w->t->store, count, &first, NULL),
               "pf_pages_alloc_contiguous");
    assert_u64(expected, first);
}

static void do_take(struct walk *w)
{
    uint64_t id = any_page(w);

    if (w->model.depth > 0 && rng_below(&w->rng, 2) == 0)
        id = w->model.stack[rng_below(&w->rng, w->model.depth)];
    if (id >= 2 && id < w->model.total && !w->model.pages[id].free)
        expect_err(EALREADY, pf_page_take(w->t->store, id, NULL), "pf_page_take");
    else
        expect_err(naive_state(&w->model, id, "allocated"),
                   pf_page_take(w->t->store, id, NULL), "pf_page_take");
}

static size_t some_ranges(struct walk *w, struct naive_range *ours,
                          struct pf_range *theirs, uint64_t longest)
{
    const size_t count = 1 + (size_t)rng_below(&w->rng, RANGES);

    for (size_t i = 0; i < count; i++) {
        const uint64_t span =
            rng_below(&w->rng, 3) == 0 ? rng_below(&w->rng, longest) : 0;

        ours[i].first = any_page(w);
        ours[i].last = ours[i].first + span;
        theirs[i] = (struct pf_range){ours[i].first, span + 1};
    }
    return count;
}

static void do_free(struct walk *w)
{
    struct naive_range ours[RANGES];
    struct pf_range theirs[RANGES];
    const size_t count = some_ranges(w, ours, theirs, 40);
    uint64_t bad_id = UINT64_MAX;
    const int error = naive_free(&w->model, ours, count);

    expect_err(error, pf_pages_free(w->t->store, theirs, count, &bad_id, NULL),
               "pf_pages_free");
    if (error != 0) { /* the one that was refused is one of those named, or the end */
        bool named = bad_id == w->model.total;
        for (size_t i = 0; i < count; i++)
            named = named || (ours[i].first <= bad_id && bad_id <= ours[i].last);
        assert_true(named);
    }
}

static void do_free_many(struct walk *w)
{
    const uint64_t first = 2 + rng_below(&w->rng, w->model.total - 1);
    const struct naive_range ours = {first, first + rng_below(&w->rng, 900)};
    const struct pf_range theirs = {first, ours.last - first + 1};

    expect_err(naive_free(&w->model, &ours, 1),
               pf_pages_free(w->t->store, &theirs, 1, NULL, NULL), "pf_pages_free");
}

static void do_free_tail(struct walk *w)
{
    const struct naive_range ours = naive_tail(&w->model, 1 + rng_below(&w->rng, 40));
    const struct pf_range theirs = {ours.first, ours.last - ours.first + 1};

    if (theirs.count == 0)
        return;
    expect_err(naive_free(&w->model, &ours, 1),
               pf_pages_free(w->t->store, &theirs, 1, NULL, NULL), "pf_pages_free");
}

static void do_pin(struct walk *w)
{
    struct naive_range ours[RANGES];
    struct pf_range theirs[RANGES];
    const size_t count = some_ranges(w, ours, theirs, 3);
    const uint64_t id = any_page(w);

    switch (rng_below(&w->rng, 4)) {
    case 0:
    case 1:
        expect_err(naive_pin(&w->model, ours, count),
                   pf_pages_pin(w->t->store, theirs, count, NULL), "pf_pages_pin");
        break;
    case 2:
        expect_err(naive_unpin(&w->model, ours, count),
                   pf_pages_unpin(w->t->store, theirs, count, NULL), "pf_pages_unpin");
        break;
    default:
        expect_err(naive_unpin_all(&w->model, id), pf_page_unpin_all(w->t->store, id),
                   "pf_page_unpin_all");
    }
}

static void do_hold(struct walk *w)
{
    const uint64_t id = any_page(w);

    if (w->held != 0) {
        naive_unhold(&w->model, w->held);
        pf_page_unhold(w->t->store, w->held);
        w->held = 0;
        return;
    }
    if (id < w->model.total && w->model.pages[id].free) { /* the mount says ENOENT */
        assert_pf(PF_E_IS_FREE, pf_page_hold(w->t->store, id));
        return;
    }
    const int error = naive_hold(&w->model, id);
    expect_err(error, pf_page_hold(w->t->store, id), "pf_page_hold");
    w->held = error == 0 ? id : 0;
}

static void do_write(struct walk *w)
{
    const uint64_t id = any_page(w);
    const uint64_t tag = rng_next(&w->rng);
    uint8_t bytes[8];

    v3_put64(bytes, tag);
    expect_err(naive_write(&w->model, id, tag),
               pf_page_write(w->t->store, id, TAG_AT, bytes, sizeof(bytes), NULL),
               "pf_page_write");
}

static void do_limit(struct walk *w)
{
    w->model.max_pages =
        rng_below(&w->rng, 2) == 0 ? 0 : w->model.total + rng_below(&w->rng, 60);
    pf_set_max_pages(w->t->store, w->model.max_pages);
}

static void do_care(struct walk *w)
{
    const uint64_t total = w->model.total;
    uint64_t given_back = 0;

    switch (rng_below(&w->rng, 4)) {
    case 0:
        naive_shrink(&w->model);
        assert_ok(pf_shrink(w->t->store, &given_back));
        assert_u64(total - w->model.total, given_back);
        break;
    case 1:
        naive_rebuild(&w->model);
        assert_ok(pf_freelist_rebuild(w->t->store));
        break;
    case 2:
        assert_ok(pf_checkpoint(w->t->store));
        break;
    default:
        assert_ok(pf_sync(w->t->store));
    }
}

/* All differences, and no others. */
static void compare_snapshot(struct walk *w)
{
    const struct naive *a = &w->before;
    const struct naive *b = &w->model;
    struct pf_change change = {0};
    bool found = true;

    for (uint64_t id = 0; id < a->total || id < b->total; id++) {
        const bool same =
            id < a->total && id < b->total && state_in(a, id) == state_in(b, id);
        if (same)
            continue;
        assert_ok(pf_snapshot_next(w->t->store, w->snapshot,
                                   change.page_id == 0 ? 0 : change.page_id + 1, &change,
                                   &found));
        assert_true(found);
        assert_u64(id, change.page_id);
        assert_int_equal(change.existed, id < a->total);
        assert_int_equal(change.exists, id < b->total);
        if (change.existed)
            assert_int_equal(change.before, state_in(a, id));
        if (change.exists)
            assert_int_equal(change.after, state_in(b, id));
    }
    assert_ok(pf_snapshot_next(w->t->store, w->snapshot,
                               change.page_id == 0 ? 0 : change.page_id + 1, &change,
                               &found));
    assert_false(found);
}

static void drop_snapshot(struct walk *w)
{
    pf_snapshot_drop(w->snapshot);
    w->snapshot = NULL;
}

static void do_snapshot(struct walk *w)
{
    if (w->snapshot != NULL) {
        compare_snapshot(w);
        drop_snapshot(w);
        return;
    }
    assert_ok(pf_snapshot_take(w->t->store, &w->snapshot));
    w->before = w->model;
    compare_snapshot(w);
}

/* A clone goes the same way, and its changes stay its own. */
static void do_clone(struct walk *w)
{
    static struct naive model;
    pf_store *clone = NULL;
    uint64_t expected[ALLOC_MOST];
    uint64_t ids[ALLOC_MOST];

    model = w->model;
    assert_ok(pf_clone(w->t->store, &clone));
    const int error = naive_alloc(&model, ALLOC_MOST, expected);
    expect_err(error, pf_pages_alloc(clone, ALLOC_MOST, ids, NULL), "of the clone");
    if (error == 0)
        assert_memory_equal(expected, ids, sizeof(ids));
    assert_ok(pf_close(clone));
}

static void do_reopen(struct walk *w)
{
    if (rng_below(&w->rng, 4) != 0)
        return;
    drop_snapshot(w);
    w->held = 0;
    scratch_reopen(w->t);
    naive_remount(&w->model);
}

static void step(struct walk *w)
{
    static void (*const steps[])(struct walk *) = {
        do_alloc, do_alloc,  do_alloc,      do_alloc,     do_free,     do_free,
        do_free,  do_free,   do_take,       do_take,      do_pin,      do_pin,
        do_hold,  do_hold,   do_write,      do_write,     do_limit,    do_care,
        do_clone, do_reopen, do_contiguous, do_free_many, do_snapshot, do_free_tail,
    };
    if (w->model.total + ALLOC_MOST < NAIVE_PAGES)
        steps[rng_below(&w->rng, sizeof(steps) / sizeof(steps[0]))](w);
}

static void compare_file(const struct walk *w)
{
    const struct naive *n = &w->model;
    size_t count;

    assert_u64(v3_nominal(n->total), v3_size(w->t->db));
    uint64_t *ids = v3_free_list(w->t->db, &count);
    assert_int_equal(count, n->depth);
    for (size_t i = 0; i < count; i++)
        assert_u64(n->stack[n->depth - 1 - i], ids[i]);
    free(ids);
}

static void run_seed(struct scratch *t, uint64_t seed, unsigned steps)
{
    struct walk *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    print_message("# seed %" PRIu64 "\n", seed);
    snprintf(t->db, sizeof(t->db), "%.90s/%" PRIu64 ".v3", t->dir, seed);
    w->t = t;
    w->rng = seed * 0x9E3779B97F4A7C15 + 1;
    naive_init(&w->model, 2 + rng_below(&w->rng, 1500));
    scratch_create(t, w->model.total);
    for (unsigned i = 0; i < steps; i++) {
        step(w);
        compare_stats(w);
        compare_trunks(w);
        if (i % 64 == 0)
            compare_all(w);
    }
    compare_all(w);
    drop_snapshot(w);
    scratch_close(t);
    compare_file(w);
    free(w);
    assert_int_equal(remove(t->db), 0);
}

static void random_operations_agree_with_a_naive_model(void **state)
{
    const char *one = getenv("PF_TEST_SEED");
    const unsigned seeds = figure(40, 200, 5000);

    if (one != NULL) {
        run_seed(*state, strtoull(one, NULL, 10), 400);
        return;
    }
    for (unsigned seed = 1; seed <= seeds; seed++)
        run_seed(*state, seed, 400);
    print_message("#= seeds 1 to %u, 400 operations each\n", seeds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(random_operations_agree_with_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
