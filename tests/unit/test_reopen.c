/* What a database remembers; the free list as an independent reader finds it. */
#include "scratch.h"
#include "v3file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void states_are_exact_after_a_reopen(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 2000);
    for (uint64_t id = 2; id < 2000; id += 3)
        free_one(t->store, id);
    scratch_reopen(t);
    assert_counts(t->store, 2000, 666, 0);
    for (uint64_t id = 0; id < 2000; id++)
        assert_int_equal(state_of(t->store, id),
                         id % 3 == 2 ? PF_STATE_FREE : PF_STATE_ALLOCATED);
}

static void frees_survive_and_are_reused_in_order_after_a_reopen(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 1276);
    assert_u64(1276, alloc_one(t->store));
    assert_u64(1277, alloc_one(t->store));
    assert_u64(1278, alloc_one(t->store));
    free_one(t->store, 1277);
    free_one(t->store, 1276);
    scratch_reopen(t);
    assert_pf(PF_E_ALREADY_FREE, pf_page_free(t->store, 1276, NULL));
    assert_u64(1276, pf_free_list_head(t->store));
    assert_u64(1276, alloc_one(t->store));
    assert_u64(1277, alloc_one(t->store));
    assert_u64(1279, alloc_one(t->store));
}

/* Allocation right after open does not wait for the walk of the free list. */
static void allocating_before_the_list_was_walked_gives_the_same_pages(void **state)
{
    enum { COUNT = 1300 };
    struct scratch *t = *state;
    uint64_t ids[COUNT];

    scratch_create(t, 3000);
    free_range(t->store, 1000, COUNT);
    scratch_reopen(t);
    assert_ok(pf_pages_alloc(t->store, 700, ids, NULL));
    free_one(t->store, ids[3]); /* needs the walk, after pages were popped */
    assert_u64(ids[3], alloc_one(t->store));
    assert_ok(pf_pages_alloc(t->store, 600, ids + 700, NULL));
    for (uint64_t i = 0; i < COUNT; i++)
        assert_u64(1000 + COUNT - 1 - i, ids[i]);
    assert_u64(3000, alloc_one(t->store));
}

static void an_independent_walk_finds_the_same_list(void **state)
{
    static const size_t depths[] = {0, 1, 2, 505, 506, 507, 1011, 1012, 1013, 1517, 1600};
    struct scratch *t = *state;

    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        size_t count = 77;

        snprintf(t->db, sizeof(t->db), "%.90s/%zu.v3", t->dir, depths[i]);
        scratch_create(t, 2000);
        for (uint64_t k = 0; k < depths[i]; k++)
            free_one(t->store, 2 + (k * 11) % 1998);
        scratch_close(t);
        uint64_t *ids = v3_free_list(t->db, &count);
        assert_int_equal(count, depths[i]);
        for (uint64_t k = 0; k < depths[i]; k++)
            assert_u64(2 + ((depths[i] - 1 - k) * 11) % 1998, ids[k]);
        free(ids);
    }
}

static void a_list_made_by_hand_is_read_exactly(void **state)
{
    static const uint64_t expected[] = {50, 5, 12, 40, 20, 30, 11};
    struct scratch *t = *state;

    v3_make_listed(t->db);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_counts(t->store, 60, 7, 0);
    assert_u64(50, pf_free_list_head(t->store));
    for (size_t i = 0; i < 7; i++)
        assert_u64(expected[i], alloc_one(t->store));
    assert_u64(60, alloc_one(t->store));
}

/* A stale head must never meet a valid old trunk. */
static void a_popped_trunk_loses_its_magic(void **state)
{
    struct scratch *t = *state;
    uint8_t magic[8];

    scratch_create(t, 20);
    free_one(t->store, 9);
    scratch_close(t);
    v3_peek(t->db, v3_offset(9), magic, sizeof(magic));
    assert_memory_equal(magic, "PFTRUNK\1", 8);
    scratch_open(t, NULL);
    assert_u64(9, alloc_one(t->store));
    scratch_close(t);
    v3_peek(t->db, v3_offset(9), magic, sizeof(magic));
    assert_memory_not_equal(magic, "PFTRUNK", 7);
}

static void a_taken_trunk_loses_its_magic(void **state)
{
    struct scratch *t = *state;
    uint8_t magic[8];

    scratch_create(t, 20);
    free_range(t->store, 9, 3);
    scratch_reopen(t); /* so that it is on the disk */
    assert_ok(pf_page_take(t->store, 9, NULL));
    scratch_close(t);
    v3_peek(t->db, v3_offset(9), magic, sizeof(magic));
    assert_memory_not_equal(magic, "PFTRUNK", 7);
}

static void a_clean_close_leaves_only_the_database(void **state)
{
    struct scratch *t = *state;
    struct dirent *entry;
    int entries = 0;
    DIR *dir;

    scratch_create(t, 20);
    free_range(t->store, 9, 3);
    alloc_one(t->store);
    scratch_close(t);
    dir = opendir(t->dir);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            entries++;
    closedir(dir);
    assert_int_equal(entries, 1);
}

static void opening_and_closing_changes_no_byte(void **state)
{
    struct scratch *t = *state;
    struct pf_page page;

    scratch_create(t, 2000);
    free_range(t->store, 50, 1200);
    scratch_close(t);
    const uint64_t before = v3_hash(t->db);
    scratch_open(t, NULL);
    assert_ok(pf_page_get(t->store, 60, &page)); /* walks the list */
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
}

/* With syncs, as users have it. */
static void a_durable_store_does_the_same(void **state)
{
    const struct pf_options durable = {0};
    struct scratch *t = *state;
    uint64_t id = 0;
    uint64_t lsn = 0;

    assert_ok(pf_create(t->db, 100));
    scratch_open(t, &durable);
    free_range(t->store, 10, 5);
    assert_ok(pf_page_alloc(t->store, &id, &lsn));
    assert_u64(14, id);
    assert_int_equal(state_of(t->store, 14), PF_STATE_ALLOCATED); /* visible at once */
    assert_ok(pf_wait(t->store, lsn));
    assert_ok(pf_sync(t->store));
    assert_ok(pf_checkpoint(t->store));
    assert_true(stats_of(t->store).commits >= 1);
    assert_true(stats_of(t->store).synced_bytes > 0);
    scratch_reopen(t);
    assert_counts(t->store, 100, 4, 0);
    assert_u64(13, alloc_one(t->store));
}

static void pf_close_of_null_is_fine(void **state)
{
    (void)state;
    assert_ok(pf_close(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(states_are_exact_after_a_reopen),
        SCRATCH_TEST(frees_survive_and_are_reused_in_order_after_a_reopen),
        SCRATCH_TEST(allocating_before_the_list_was_walked_gives_the_same_pages),
        SCRATCH_TEST(an_independent_walk_finds_the_same_list),
        SCRATCH_TEST(a_list_made_by_hand_is_read_exactly),
        SCRATCH_TEST(a_popped_trunk_loses_its_magic),
        SCRATCH_TEST(a_taken_trunk_loses_its_magic),
        SCRATCH_TEST(a_clean_close_leaves_only_the_database),
        SCRATCH_TEST(opening_and_closing_changes_no_byte),
        SCRATCH_TEST(a_durable_store_does_the_same),
        cmocka_unit_test(pf_close_of_null_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
