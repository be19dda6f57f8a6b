/* Shrinking, rebuilding the free list, snapshots, scratch stores. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "v3file.h"

static uint64_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void shrink_gives_back_exactly_the_trailing_free_pages(void **state)
{
    struct scratch *t = *state;
    uint64_t count = 0;
    scratch_create(t, 1000);
    free_range(t->store, 400, 300); /* in the middle: stays */
    free_range(t->store, 900, 100);
    assert_ok(pf_trailing_free(t->store, &count));
    assert_u64(100, count);
    assert_ok(pf_shrink(t->store, &count));
    assert_u64(100, count);
    assert_counts(t->store, 900, 300, 0);
    assert_u64(112 + 899 * 4096, size_of(t->db));
    scratch_reopen(t);
    assert_counts(t->store, 900, 300, 0);
    for (uint64_t id = 699; id >= 400; id--)
        assert_u64(id, alloc_one(t->store));
    assert_u64(900, alloc_one(t->store));
}

static void a_shrink_counts_as_no_allocation(void **state)
{
    struct scratch *t = *state;
    uint64_t given_back = 0;

    scratch_create(t, 100);
    free_range(t->store, 90, 10);
    assert_ok(pf_shrink(t->store, &given_back));
    assert_u64(10, given_back);
    assert_u64(0, stats_of(t->store).allocations);
    assert_u64(10, stats_of(t->store).deallocations);
}

/* Against counting down, for runs of all lengths. */
static void trailing_free_pages_are_counted_right(void **state)
{
    struct scratch *t = *state;
    uint64_t rng = 7;

    scratch_create(t, 700);
    for (int round = 0; round < 60; round++) {
        const uint64_t run = rng_below(&rng, 690);
        uint64_t count, expected = 0;

        for (uint64_t id = 2; id < 700; id++) {
            const bool free_it = id >= 700 - run || rng_below(&rng, 3) > 0;
            if (free_it != (state_of(t->store, id) == PF_STATE_FREE) && free_it)
                free_one(t->store, id);
            else if (!free_it && state_of(t->store, id) == PF_STATE_FREE)
                assert_ok(pf_page_take(t->store, id, NULL));
        }
        while (expected < 698 && state_of(t->store, 699 - expected) == PF_STATE_FREE)
            expected++;
        assert_ok(pf_trailing_free(t->store, &count));
        assert_u64(expected, count);
    }
}

static void shrink_without_trailing_free_pages_changes_nothing(void **state)
{
    struct scratch *t = *state;
    uint64_t count = 1;
    scratch_create(t, 100);
    free_range(t->store, 50, 10);
    scratch_reopen(t);
    const uint64_t before = v3_hash(t->db);
    assert_ok(pf_shrink(t->store, &count));
    assert_u64(0, count);
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
}

/* A root that is free is damage already; outside the file it would end all writing. */
static void a_shrink_keeps_the_pages_that_the_header_names_as_roots(void **state)
{
    static const uint64_t places[] = {V3_AT_EDGE_ROOT, V3_AT_NODE_ROOT};
    struct scratch *t = *state;
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t count = 0;
        scratch_create(t, 50);
        free_range(t->store, 30, 20);
        scratch_close(t);
        v3_poke64(t->db, places[i], 40);
        scratch_reopen(t);
        assert_ok(pf_trailing_free(t->store, &count));
        assert_u64(9, count);
        assert_ok(pf_shrink(t->store, &count));
        assert_u64(9, count);
        scratch_reopen(t);
        assert_counts(t->store, 41, 11, 0);
        assert_ok(pf_page_alloc(t->store, &count, NULL)); /* read-write still */
        scratch_close(t);
        assert_int_equal(unlink(t->db), 0);
    }
}

static void a_database_can_shrink_to_its_two_reserved_pages(void **state)
{
    struct scratch *t = *state;
    uint64_t count = 0;
    scratch_create(t, 700);
    free_range(t->store, 2, 698);
    assert_ok(pf_shrink(t->store, &count));
    assert_u64(698, count);
    assert_counts(t->store, 2, 0, 0);
    scratch_reopen(t);
    assert_counts(t->store, 2, 0, 0);
    assert_u64(2, alloc_one(t->store));
}

static void pages_that_come_back_after_a_shrink_read_as_zeros(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE], zeros[PF_PAGE_SIZE] = {0};
    uint64_t count = 0;
    memset(page, 0xAB, sizeof page);
    scratch_create(t, 50);
    for (uint64_t id = 40; id < 50; id++)
        assert_ok(pf_page_write(t->store, id, 0, page, sizeof page, NULL));
    free_range(t->store, 40, 10);
    assert_ok(pf_shrink(t->store, &count));
    for (uint64_t id = 40; id < 50; id++) {
        assert_u64(id, alloc_one(t->store));
        assert_ok(pf_page_read(t->store, id, page));
        assert_memory_equal(page, zeros, sizeof page);
    }
}

static void
a_shrunk_database_opens_read_write_when_the_sector_at_its_end_was_cut(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];
    uint64_t count = 0;
    memset(page, 0xCD, sizeof page);
    scratch_create(t, 20);
    assert_ok(pf_page_write(t->store, 9, 0, page, sizeof page, NULL));
    assert_ok(pf_page_write(t->store, 10, 0, page, sizeof page, NULL));
    free_range(t->store, 10, 10);
    assert_ok(pf_shrink(t->store, &count));
    scratch_reopen(t);
    assert_true(pf_writable(t->store));
    memset(page, 0, sizeof page);
    assert_ok(pf_page_read(t->store, 9, page));
    for (size_t i = 0; i < sizeof page; i++)
        assert_int_equal(page[i], 0xCD);
}

static void rebuild_hands_out_the_lowest_page_first(void **state)
{
    struct scratch *t = *state;
    scratch_create(t, 3000);
    for (uint64_t id = 2; id < 2900; id += 2)
        free_one(t->store, id);
    free_range(t->store, 2900, 20);
    const uint64_t free_pages = stats_of(t->store).free_pages;
    assert_ok(pf_freelist_rebuild(t->store));
    scratch_reopen(t);
    assert_counts(t->store, 3000, free_pages, 0);
    uint64_t last = 0;
    for (uint64_t i = 0; i < free_pages; i++) {
        const uint64_t id = alloc_one(t->store);
        assert_true(id > last);
        last = id;
    }
    assert_u64(3000, alloc_one(t->store));
}

static void rebuild_of_an_empty_list_is_fine(void **state)
{
    struct scratch *t = *state;
    scratch_create(t, 10);
    assert_ok(pf_freelist_rebuild(t->store));
    assert_counts(t->store, 10, 0, 0);
    assert_u64(10, alloc_one(t->store));
}

/* The next difference, or a change with page_id 0 when there is none. */
static struct pf_change next_change(pf_store *store, const pf_snapshot *snapshot,
                                    uint64_t from)
{
    struct pf_change change = {0};
    bool found = false;
    assert_ok(pf_snapshot_next(store, snapshot, from, &change, &found));
    if (!found)
        change.page_id = 0;
    return change;
}

static void a_snapshot_names_every_page_that_changed_and_no_other(void **state)
{
    struct scratch *t = *state;
    pf_snapshot *snapshot = NULL;
    scratch_create(t, 10000);
    free_range(t->store, 5000, 100);
    assert_ok(pf_snapshot_take(t->store, &snapshot));
    assert_u64(0, next_change(t->store, snapshot, 0).page_id);

    free_one(t->store, 17);
    assert_u64(17, alloc_one(t->store)); /* there and back: no difference */
    pin_one(t->store, 30);
    free_one(t->store, 9000);
    assert_ok(pf_page_take(t->store, 5050, NULL));
    for (int i = 0; i < 101; i++) /* what is free, and one new page */
        (void)alloc_one(t->store);

    struct pf_change c = next_change(t->store, snapshot, 0);
    assert_u64(30, c.page_id);
    assert_int_equal(c.before, PF_STATE_ALLOCATED);
    assert_int_equal(c.after, PF_STATE_PINNED);
    for (uint64_t id = 5000; id < 5100; id++) {
        c = next_change(t->store, snapshot, c.page_id + 1);
        assert_u64(id, c.page_id);
        assert_int_equal(c.before, PF_STATE_FREE);
        assert_int_equal(c.after, PF_STATE_ALLOCATED);
    }
    c = next_change(t->store, snapshot, c.page_id + 1);
    assert_u64(10000, c.page_id);
    assert_false(c.existed);
    assert_true(c.exists);
    assert_u64(0, next_change(t->store, snapshot, 10001).page_id);
    pf_snapshot_drop(snapshot);
}

static void a_snapshot_keeps_its_counts_and_says_its_memory(void **state)
{
    struct scratch *t = *state;
    struct pf_stats stats;
    pf_snapshot *snapshot = NULL;
    scratch_create(t, 100000);
    free_range(t->store, 100, 50000);
    assert_ok(pf_snapshot_take(t->store, &snapshot));
    free_range(t->store, 60000, 100);
    pf_snapshot_stats(snapshot, &stats);
    assert_u64(50000, stats.free_pages);
    assert_in_range(pf_snapshot_bytes(snapshot), 50000 / 8, 50000 / 8 * 4);
    pf_snapshot_drop(snapshot);
}

static void pages_that_a_shrink_took_away_show_in_a_snapshot(void **state)
{
    struct scratch *t = *state;
    pf_snapshot *snapshot = NULL;
    uint64_t count;
    scratch_create(t, 100);
    assert_ok(pf_snapshot_take(t->store, &snapshot));
    free_range(t->store, 98, 2);
    assert_ok(pf_shrink(t->store, &count));
    const struct pf_change c = next_change(t->store, snapshot, 0);
    assert_u64(98, c.page_id);
    assert_true(c.existed);
    assert_false(c.exists);
    pf_snapshot_drop(snapshot);
}

static void scratch_does_everything_and_changes_no_byte(void **state)
{
    struct scratch *t = *state;
    const struct pf_options options = {.scratch = true};
    uint8_t page[PF_PAGE_SIZE];
    uint64_t count;
    struct pf_info info;
    struct pf_header header;
    scratch_copy_sample(t, "medium");
    const uint64_t before = v3_hash(t->db);
    scratch_open(t, &options);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_MEMORY);
    assert_string_equal(info.reason, "");
    assert_u64(1276, alloc_one(t->store));
    free_range(t->store, 1000, 276);
    memset(page, 0x11, sizeof page);
    assert_ok(pf_page_write(t->store, 5, 0, page, sizeof page, NULL));
    free_one(t->store, 1276);
    pf_header_get(t->store, &header);
    assert_ok(pf_shrink(t->store, &count)); /* what is behind the root of the edges */
    assert_u64(1276 - header.edge_data_offset, count);
    assert_ok(pf_sync(t->store));
    memset(page, 0, sizeof page);
    assert_ok(pf_page_read(t->store, 5, page));
    assert_int_equal(page[4095], 0x11);
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
}

static void two_scratch_stores_of_one_file_do_not_see_each_other(void **state)
{
    struct scratch *t = *state;
    const struct pf_options options = {.scratch = true};
    pf_store *other = NULL;
    scratch_copy_sample(t, "small");
    scratch_open(t, &options);
    assert_ok(pf_open(t->db, &options, &other, NULL));
    assert_u64(23, alloc_one(t->store));
    assert_u64(23, alloc_one(other));
    free_one(other, 10);
    assert_int_equal(state_of(t->store, 10), PF_STATE_ALLOCATED);
    assert_ok(pf_close(other));
}

static void scratch_on_a_file_that_must_not_be_written_is_read_only(void **state)
{
    struct scratch *t = *state;
    const struct pf_options options = {.scratch = true};
    struct pf_info info;
    scratch_copy_sample(t, "stale");
    scratch_open(t, &options);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_non_null(strstr(info.reason, "longer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(shrink_gives_back_exactly_the_trailing_free_pages),
        SCRATCH_TEST(a_shrink_counts_as_no_allocation),
        SCRATCH_TEST(trailing_free_pages_are_counted_right),
        SCRATCH_TEST(shrink_without_trailing_free_pages_changes_nothing),
        SCRATCH_TEST(a_shrink_keeps_the_pages_that_the_header_names_as_roots),
        SCRATCH_TEST(a_database_can_shrink_to_its_two_reserved_pages),
        SCRATCH_TEST(pages_that_come_back_after_a_shrink_read_as_zeros),
        SCRATCH_TEST(
            a_shrunk_database_opens_read_write_when_the_sector_at_its_end_was_cut),
        SCRATCH_TEST(rebuild_hands_out_the_lowest_page_first),
        SCRATCH_TEST(rebuild_of_an_empty_list_is_fine),
        SCRATCH_TEST(a_snapshot_names_every_page_that_changed_and_no_other),
        SCRATCH_TEST(a_snapshot_keeps_its_counts_and_says_its_memory),
        SCRATCH_TEST(pages_that_a_shrink_took_away_show_in_a_snapshot),
        SCRATCH_TEST(scratch_does_everything_and_changes_no_byte),
        SCRATCH_TEST(two_scratch_stores_of_one_file_do_not_see_each_other),
        SCRATCH_TEST(scratch_on_a_file_that_must_not_be_written_is_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
