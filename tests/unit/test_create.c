/* pf_create() and stores in memory. */
#include "scratch.h"
#include "v3file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_fresh_database_is_the_112_bytes_of_the_format(void **state)
{
    struct scratch *t = *state;
    uint8_t expected[V3_HEADER];
    uint8_t got[V3_HEADER];

    v3_header(expected);
    assert_ok(pf_create(t->db, 0));
    assert_u64(V3_HEADER, v3_size(t->db));
    v3_peek(t->db, 0, got, sizeof(got));
    assert_memory_equal(expected, got, V3_HEADER);
}

static void a_fresh_database_has_two_pages_and_hands_out_page_2(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 0);
    assert_true(pf_writable(t->store));
    assert_counts(t->store, 2, 0, 0);
    assert_u64(0, pf_free_list_head(t->store));
    assert_int_equal(state_of(t->store, 0), PF_STATE_ALLOCATED);
    assert_int_equal(state_of(t->store, 1), PF_STATE_ALLOCATED);
    assert_u64(2, alloc_one(t->store));
    assert_counts(t->store, 3, 0, 0);
}

static void create_with_pages_makes_them_all_allocated(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 100);
    assert_counts(t->store, 100, 0, 0);
    assert_u64(v3_nominal(100), stats_of(t->store).file_bytes);
    assert_u64(v3_nominal(100), v3_size(t->db));
    for (uint64_t id = 0; id < 100; id++)
        assert_int_equal(state_of(t->store, id), PF_STATE_ALLOCATED);
    assert_u64(100, alloc_one(t->store));
}

static void create_refuses_what_is_no_database(void **state)
{
    struct scratch *t = *state;
    char path[256];

    assert_pf(PF_E_INVALID, pf_create(t->db, 1));
    assert_int_not_equal(access(t->db, F_OK), 0);
    assert_true(pf_create(t->db, UINT64_MAX) != PF_OK);
    assert_true(pf_create(t->db, 1ULL << 52) != PF_OK);
    assert_int_not_equal(access(t->db, F_OK), 0); /* nothing half made is left */
    scratch_path(t, "no/such/dir", path);
    assert_pf(PF_E_NOT_FOUND, pf_create(path, 0));
}

static void create_never_replaces_a_file(void **state)
{
    struct scratch *t = *state;
    char dangling[256];

    v3_make_pages(t->db, 7);
    const uint64_t before = v3_hash(t->db);
    assert_pf(PF_E_EXISTS, pf_create(t->db, 0));
    assert_u64(before, v3_hash(t->db));

    scratch_path(t, "link", dangling);
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_pf(PF_E_EXISTS, pf_create(dangling, 0));
}

static void a_memory_store_allocates_and_frees_like_a_file(void **state)
{
    struct scratch *t = *state;
    struct pf_info info;

    assert_ok(pf_open_memory(10, &t->store));
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_MEMORY);
    assert_true(pf_writable(t->store));
    assert_counts(t->store, 10, 0, 0);
    free_one(t->store, 5);
    free_one(t->store, 9);
    assert_u64(9, pf_free_list_head(t->store));
    assert_u64(9, alloc_one(t->store));
    assert_u64(5, alloc_one(t->store));
    assert_u64(10, alloc_one(t->store));
    assert_counts(t->store, 11, 0, 0);
}

/* The reference dies here. */
static void a_total_of_2_to_the_40_allocates_and_frees_in_little_memory(void **state)
{
    const uint64_t total = 1ULL << 40;
    struct scratch *t = *state;
    const uint64_t before = proc_status_kb(0, "VmHWM:");

    assert_ok(pf_open_memory(total, &t->store));
    assert_u64(total, alloc_one(t->store));
    free_one(t->store, total - 1);
    free_one(t->store, 2);
    free_one(t->store, total / 2);
    assert_counts(t->store, total + 1, 3, 0);
    assert_u64(total / 2, alloc_one(t->store));
    assert_u64(2, alloc_one(t->store));
    assert_u64(total - 1, alloc_one(t->store));
    assert_u64(total + 1, alloc_one(t->store));
    if (!built_with_sanitizer())
        assert_in_range(proc_status_kb(0, "VmHWM:") - before, 0, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_fresh_database_is_the_112_bytes_of_the_format),
        SCRATCH_TEST(a_fresh_database_has_two_pages_and_hands_out_page_2),
        SCRATCH_TEST(create_with_pages_makes_them_all_allocated),
        SCRATCH_TEST(create_refuses_what_is_no_database),
        SCRATCH_TEST(create_never_replaces_a_file),
        SCRATCH_TEST(a_memory_store_allocates_and_frees_like_a_file),
        SCRATCH_TEST(a_total_of_2_to_the_40_allocates_and_frees_in_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
