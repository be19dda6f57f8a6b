/* A clone: an independent allocator in memory. */
#include "scratch.h"
#include "v3file.h"

static void a_clone_hands_out_the_same_pages(void **state)
{
    struct scratch *t = *state;
    pf_store *clone = NULL;

    scratch_create(t, 2000);
    free_range(t->store, 100, 1300);
    free_one(t->store, 7);
    pin_one(t->store, 50);
    assert_ok(pf_clone(t->store, &clone));
    assert_counts(clone, 2000, 1301, 1);
    assert_u64(7, pf_free_list_head(clone));
    for (uint64_t id = 0; id < 2000; id++)
        assert_int_equal(state_of(clone, id), state_of(t->store, id));
    for (int i = 0; i < 1310; i++)
        assert_u64(alloc_one(t->store), alloc_one(clone));
    assert_ok(pf_close(clone));
}

static void changes_of_a_clone_reach_neither_store_nor_file(void **state)
{
    struct scratch *t = *state;
    pf_store *clone = NULL;

    scratch_create(t, 50);
    free_range(t->store, 10, 5);
    scratch_reopen(t);
    const uint64_t before = v3_hash(t->db);
    assert_ok(pf_clone(t->store, &clone));
    assert_u64(14, alloc_one(clone));
    free_range(clone, 20, 20);
    pin_one(clone, 3);
    assert_ok(pf_page_take(clone, 11, NULL));
    assert_counts(t->store, 50, 5, 0);
    assert_int_equal(state_of(t->store, 3), PF_STATE_ALLOCATED);
    assert_int_equal(state_of(t->store, 11), PF_STATE_FREE);
    assert_ok(pf_close(clone));
    assert_u64(before, v3_hash(t->db));
    assert_u64(14, alloc_one(t->store));
}

static void changes_of_the_store_do_not_reach_a_clone(void **state)
{
    struct scratch *t = *state;
    pf_store *clone = NULL;

    scratch_create(t, 50);
    free_range(t->store, 10, 5);
    pin_one(t->store, 3);
    assert_ok(pf_clone(t->store, &clone));
    assert_u64(14, alloc_one(t->store));
    free_one(t->store, 30);
    assert_ok(pf_page_unpin(t->store, 3));
    assert_counts(clone, 50, 5, 1);
    scratch_close(t);
    assert_u64(14, alloc_one(clone)); /* outlives its store */
    assert_u64(13, alloc_one(clone));
    assert_pf(PF_E_PINNED, pf_page_free(clone, 3, NULL));
    assert_ok(pf_close(clone));
}

static void a_clone_of_a_read_only_store_can_be_changed(void **state)
{
    const struct pf_options read_only = {.read_only = true};
    struct scratch *t = *state;
    pf_store *clone = NULL;

    v3_make_pages(t->db, 50);
    const uint64_t before = v3_hash(t->db);
    scratch_open(t, &read_only);
    assert_ok(pf_clone(t->store, &clone));
    assert_true(pf_writable(clone));
    free_one(clone, 9);
    assert_u64(9, alloc_one(clone));
    assert_ok(pf_close(clone));
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
}

static void a_clone_can_be_cloned(void **state)
{
    struct scratch *t = *state;
    pf_store *first = NULL;
    pf_store *second = NULL;

    scratch_create(t, 50);
    free_range(t->store, 10, 5);
    assert_ok(pf_clone(t->store, &first));
    assert_u64(14, alloc_one(first));
    assert_ok(pf_clone(first, &second));
    assert_ok(pf_close(first));
    assert_u64(13, alloc_one(second));
    assert_ok(pf_close(second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_clone_hands_out_the_same_pages),
        SCRATCH_TEST(changes_of_a_clone_reach_neither_store_nor_file),
        SCRATCH_TEST(changes_of_the_store_do_not_reach_a_clone),
        SCRATCH_TEST(a_clone_of_a_read_only_store_can_be_changed),
        SCRATCH_TEST(a_clone_can_be_cloned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
