/* Deallocating: what is refused, batches, and how little of the file it touches. */
#include "scratch.h"
#include "v3file.h"

#include <stdlib.h>
#include <string.h>

static void free_refuses_with_the_right_error(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    free_one(t->store, 5);
    pin_one(t->store, 7);
    assert_ok(pf_page_hold(t->store, 8));
    assert_pf(PF_E_RESERVED, pf_page_free(t->store, 0, NULL));
    assert_pf(PF_E_RESERVED, pf_page_free(t->store, 1, NULL));
    assert_pf(PF_E_ALREADY_FREE, pf_page_free(t->store, 5, NULL));
    assert_pf(PF_E_PINNED, pf_page_free(t->store, 7, NULL));
    assert_pf(PF_E_HELD, pf_page_free(t->store, 8, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_free(t->store, 20, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_free(t->store, UINT64_MAX, NULL));
    assert_counts(t->store, 20, 1, 2);
    assert_u64(1, stats_of(t->store).deallocations);
    assert_u64(5, pf_free_list_head(t->store));
    pf_page_unhold(t->store, 8);
}

static void a_double_free_is_refused_after_a_reopen_too(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    free_one(t->store, 5);
    scratch_reopen(t);
    assert_pf(PF_E_ALREADY_FREE, pf_page_free(t->store, 5, NULL));
    assert_counts(t->store, 20, 1, 0);
}

struct refusal {
    const char *what;
    struct pf_range ranges[3];
    size_t count;
    pf_err err;
    uint64_t bad_id;
};

static const struct refusal refusals[] = {
    {"already free", {{10, 3}, {5, 1}}, 2, PF_E_ALREADY_FREE, 5},
    {"pinned", {{10, 3}, {6, 2}}, 2, PF_E_PINNED, 7},
    {"reserved 1", {{10, 3}, {1, 2}}, 2, PF_E_RESERVED, 1},
    {"reserved 0", {{10, 3}, {0, 1}}, 2, PF_E_RESERVED, 0},
    {"past the end", {{15, 6}}, 1, PF_E_NO_PAGE, 20},
    {"far past the end", {{10, 1}, {1ULL << 40, 1}}, 2, PF_E_NO_PAGE, 1ULL << 40},
    {"to the last u64", {{10, UINT64_MAX - 9}}, 1, PF_E_NO_PAGE, 20},
    {"wraps around", {{10, UINT64_MAX}}, 1, PF_E_NO_PAGE, 20},
    {"same page twice", {{10, 1}, {11, 1}, {10, 1}}, 3, PF_E_ALREADY_FREE, 10},
    {"overlapping", {{10, 5}, {14, 2}}, 2, PF_E_ALREADY_FREE, 14},
    {"the first of several", {{10, 1}, {7, 1}, {5, 1}}, 3, PF_E_PINNED, 7},
};

static void a_batch_with_one_bad_page_frees_nothing_and_names_it(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    free_one(t->store, 5);
    pin_one(t->store, 7);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *r = &refusals[i];
        uint64_t bad_id = 999;
        const pf_err err = pf_pages_free(t->store, r->ranges, r->count, &bad_id, NULL);

        if (err != r->err || bad_id != r->bad_id)
            fail_msg("%s: %s, page %llu", r->what, pf_err_name(err),
                     (unsigned long long)bad_id);
        assert_counts(t->store, 20, 1, 1);
        for (uint64_t id = 10; id < 20; id++)
            assert_int_equal(state_of(t->store, id), PF_STATE_ALLOCATED);
    }
    scratch_reopen(t);
    assert_counts(t->store, 20, 1, 0);
    assert_u64(5, alloc_one(t->store));
    assert_u64(20, alloc_one(t->store));
}

static void a_batch_is_freed_in_the_order_given(void **state)
{
    const struct pf_range ranges[] = {{10, 2}, {5, 1}, {14, 3}};
    static const uint64_t expected[] = {16, 15, 14, 5, 11, 10};
    struct scratch *t = *state;

    scratch_create(t, 20);
    assert_ok(pf_pages_free(t->store, ranges, 3, NULL, NULL));
    assert_counts(t->store, 20, 6, 0);
    for (size_t i = 0; i < 6; i++)
        assert_u64(expected[i], alloc_one(t->store));
    assert_u64(20, alloc_one(t->store));
}

/* One call, exact LIFO, and the file changes in its trunks and header only. */
static void freeing_100000_pages_changes_about_200(void **state)
{
    enum { COUNT = 100000, TRUNKS = (COUNT + 505) / 506 };
    struct scratch *t = *state;
    struct v3_image before;
    struct v3_image after;
    size_t listed;

    v3_make_pages(t->db, COUNT + 2);
    v3_image_read(t->db, &before);
    scratch_open(t, NULL);
    free_range(t->store, 2, COUNT);
    assert_counts(t->store, COUNT + 2, COUNT, 0);
    scratch_close(t);

    v3_image_read(t->db, &after);
    assert_u64(before.size, after.size);
    assert_int_equal(v3_image_differences(&before, &after), TRUNKS + 1);
    v3_image_free(&before);

    uint64_t *ids = v3_free_list(t->db, &listed);
    assert_int_equal(listed, COUNT);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_u64(COUNT + 1 - i, ids[i]);
    free(ids);

    scratch_open(t, NULL);
    ids = calloc(COUNT, sizeof(*ids));
    assert_non_null(ids);
    assert_ok(pf_pages_alloc(t->store, COUNT, ids, NULL));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_u64(COUNT + 1 - i, ids[i]);
    free(ids);
    assert_counts(t->store, COUNT + 2, 0, 0);
    assert_u64(COUNT + 2, alloc_one(t->store));
    scratch_close(t);
    v3_image_read(t->db, &before);
    assert_true(v3_image_differences(&before, &after) <= TRUNKS + 2);
    v3_image_free(&before);
    v3_image_free(&after);
}

/* The same pages, one at a time, in an order without runs: the same file. */
static void leaves_of_the_free_list_keep_every_byte(void **state)
{
    enum { TOTAL = 1200 };
    struct scratch *t = *state;
    struct v3_image before;
    struct v3_image after;
    uint8_t page[PF_PAGE_SIZE];
    size_t changed = 0;

    v3_make_pages(t->db, TOTAL);
    for (uint64_t id = 2; id < TOTAL; id++) {
        memset(page, (int)(id % 251 + 1), sizeof(page));
        v3_poke(t->db, v3_offset(id), page, sizeof(page));
    }
    v3_image_read(t->db, &before);
    scratch_open(t, NULL);
    for (uint64_t i = 0; i < TOTAL - 2; i++)
        free_one(t->store, 2 + (i * 7) % (TOTAL - 2));
    for (uint64_t id = 2; id < TOTAL; id++) {
        struct pf_page info;

        assert_ok(pf_page_get(t->store, id, &info));
        changed += info.trunk;
    }
    assert_int_equal(changed, 3); /* 1198 pages in blocks of 506 */
    scratch_close(t);
    v3_image_read(t->db, &after);
    assert_int_equal(v3_image_differences(&before, &after), 3 + 1);
    v3_image_free(&before);
    v3_image_free(&after);
}

static void the_free_list_can_be_read_from_any_index(void **state)
{
    struct scratch *t = *state;
    uint64_t ids[700];
    size_t count = 99;

    scratch_create(t, 2000);
    free_range(t->store, 100, 1200);
    for (uint64_t index = 0; index < 1200; index += 97) {
        assert_ok(pf_freelist_get(t->store, index, 700, ids, &count));
        assert_int_equal(count, index + 700 <= 1200 ? 700 : 1200 - index);
        for (size_t i = 0; i < count; i++)
            assert_u64(1299 - index - i, ids[i]);
    }
    assert_ok(pf_freelist_get(t->store, 1200, 700, ids, &count));
    assert_int_equal(count, 0);
    assert_ok(pf_freelist_get(t->store, UINT64_MAX, 700, ids, &count));
    assert_int_equal(count, 0);
    assert_ok(pf_freelist_load(t->store));
    assert_true(pf_freelist_loaded(t->store));
}

/* Where the last reader was is remembered, and pages above it go and come. */
static void the_free_list_is_read_right_after_it_changed(void **state)
{
    struct scratch *t = *state;
    uint64_t id;
    size_t count;

    scratch_create(t, 2000);
    free_range(t->store, 100, 1200);
    for (uint64_t taken = 1; taken < 10; taken++) {
        assert_ok(pf_freelist_get(t->store, 1000, 1, &id, &count));
        alloc_one(t->store);
        assert_ok(pf_freelist_get(t->store, 1000, 1, &id, &count));
        assert_u64(1299 - 1000 - taken, id);
    }
    free_one(t->store, 50);
    assert_ok(pf_freelist_get(t->store, 1000, 1, &id, &count));
    assert_u64(1299 - 1000 - 8, id);
}

static void a_run_ends_where_the_state_or_the_trunk_flag_changes(void **state)
{
    struct scratch *t = *state;
    static const struct {
        uint64_t first, end;
        pf_state state;
        bool trunk;
    } runs[] = {
        {0, 10, PF_STATE_ALLOCATED, false}, {10, 11, PF_STATE_FREE, true},
        {11, 20, PF_STATE_FREE, false},     {20, 25, PF_STATE_ALLOCATED, false},
        {25, 26, PF_STATE_PINNED, false},   {26, 50, PF_STATE_ALLOCATED, false},
    };
    struct pf_page page;
    uint64_t end = 0;

    scratch_create(t, 50);
    free_range(t->store, 10, 10);
    pin_one(t->store, 25);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        uint64_t at = runs[i].first;

        while (at < runs[i].end) { /* a run may be cut, but never runs over */
            assert_ok(pf_page_run(t->store, at, &page, &end));
            assert_int_equal(page.state, runs[i].state);
            assert_int_equal(page.trunk, runs[i].trunk);
            assert_true(end > at && end <= runs[i].end);
            at = end;
        }
    }
    assert_pf(PF_E_NO_PAGE, pf_page_run(t->store, 50, &page, &end));
    assert_pf(PF_E_NO_PAGE, pf_page_get(t->store, 50, &page));
    assert_pf(PF_E_NO_PAGE, pf_page_get(t->store, UINT64_MAX, &page));
}

static void counters_count_pages_and_refusals(void **state)
{
    struct scratch *t = *state;
    struct pf_stats stats;

    scratch_create(t, 50);
    free_range(t->store, 10, 7);
    alloc_one(t->store);
    alloc_one(t->store);
    pin_one(t->store, 3);
    assert_ok(pf_page_unpin(t->store, 3));
    assert_pf(PF_E_RESERVED, pf_page_free(t->store, 1, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_free(t->store, 50, NULL));
    stats = stats_of(t->store);
    assert_u64(7, stats.deallocations);
    assert_u64(2, stats.allocations);
    assert_u64(1, stats.pins);
    assert_u64(1, stats.unpins);
    assert_u64(2, stats.refused);
    assert_true(stats.free_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(free_refuses_with_the_right_error),
        SCRATCH_TEST(a_double_free_is_refused_after_a_reopen_too),
        SCRATCH_TEST(a_batch_with_one_bad_page_frees_nothing_and_names_it),
        SCRATCH_TEST(a_batch_is_freed_in_the_order_given),
        SCRATCH_TEST(freeing_100000_pages_changes_about_200),
        SCRATCH_TEST(leaves_of_the_free_list_keep_every_byte),
        SCRATCH_TEST(the_free_list_can_be_read_from_any_index),
        SCRATCH_TEST(the_free_list_is_read_right_after_it_changed),
        SCRATCH_TEST(a_run_ends_where_the_state_or_the_trunk_flag_changes),
        SCRATCH_TEST(counters_count_pages_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
