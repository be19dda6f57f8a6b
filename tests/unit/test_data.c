/* Page contents. */
#include "scratch.h"
#include "v3file.h"

#include <string.h>
#include <unistd.h>

static void fill(uint8_t page[PF_PAGE_SIZE], uint64_t seed)
{
    for (size_t i = 0; i < PF_PAGE_SIZE; i++)
        page[i] = (uint8_t)(seed * 31 + i * 7 + i / 256);
}

static void a_written_page_reads_back_and_is_in_the_file(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];
    uint8_t got[PF_PAGE_SIZE];

    scratch_create(t, 20);
    for (uint64_t id = 2; id < 20; id++) {
        fill(page, id);
        assert_ok(pf_page_write(t->store, id, 0, page, sizeof(page), NULL));
    }
    for (uint64_t id = 2; id < 20; id++) {
        fill(page, id);
        assert_ok(pf_page_read(t->store, id, got));
        assert_memory_equal(page, got, sizeof(page));
    }
    scratch_close(t);
    for (uint64_t id = 2; id < 20; id++) {
        fill(page, id);
        v3_peek(t->db, v3_offset(id), got, sizeof(got));
        assert_memory_equal(page, got, sizeof(page));
    }
}

static void a_partial_write_changes_exactly_its_bytes(void **state)
{
    static const struct {
        size_t offset, length;
    } cuts[] = {{0, 1}, {4095, 1}, {100, 700}, {399, 1}, {400, 512}, {3000, 1096}};
    struct scratch *t = *state;
    uint8_t expected[PF_PAGE_SIZE];
    uint8_t got[PF_PAGE_SIZE];
    uint8_t bytes[PF_PAGE_SIZE];

    scratch_create(t, 20);
    fill(expected, 1);
    assert_ok(pf_page_write(t->store, 5, 0, expected, sizeof(expected), NULL));
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        fill(bytes, 100 + i);
        memcpy(expected + cuts[i].offset, bytes, cuts[i].length);
        assert_ok(
            pf_page_write(t->store, 5, cuts[i].offset, bytes, cuts[i].length, NULL));
        assert_ok(pf_page_read(t->store, 5, got));
        assert_memory_equal(expected, got, sizeof(expected));
    }
    memset(bytes, 0, sizeof(bytes));
    assert_ok(pf_page_read(t->store, 4, got)); /* the neighbours */
    assert_memory_equal(bytes, got, sizeof(got));
    assert_ok(pf_page_read(t->store, 6, got));
    assert_memory_equal(bytes, got, sizeof(got));
    scratch_reopen(t);
    assert_ok(pf_page_read(t->store, 5, got));
    assert_memory_equal(expected, got, sizeof(expected));
}

static void writes_are_refused_with_the_right_error(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE + 1] = {1};

    scratch_create(t, 20);
    free_one(t->store, 5);
    assert_pf(PF_E_RESERVED, pf_page_write(t->store, 0, 0, page, 10, NULL));
    assert_pf(PF_E_RESERVED, pf_page_write(t->store, 1, 0, page, 10, NULL));
    assert_pf(PF_E_DATA_FREE, pf_page_write(t->store, 5, 0, page, 10, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_write(t->store, 20, 0, page, 10, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_write(t->store, UINT64_MAX, 0, page, 10, NULL));
    assert_pf(PF_E_PAST_PAGE, pf_page_write(t->store, 6, 0, page, 4097, NULL));
    assert_pf(PF_E_PAST_PAGE, pf_page_write(t->store, 6, 4096, page, 1, NULL));
    assert_pf(PF_E_PAST_PAGE, pf_page_write(t->store, 6, SIZE_MAX, page, 2, NULL));
    assert_pf(PF_E_PAST_PAGE, pf_page_write(t->store, 6, 1, page, SIZE_MAX, NULL));
    memset(page, 0xEE, sizeof(page));
    assert_ok(pf_page_read(t->store, 6, page));
    for (size_t i = 0; i < PF_PAGE_SIZE; i++)
        assert_int_equal(page[i], 0);
}

static void a_pinned_page_can_be_written(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];

    scratch_create(t, 20);
    pin_one(t->store, 5);
    fill(page, 5);
    assert_ok(pf_page_write(t->store, 5, 0, page, sizeof(page), NULL));
}

static void a_new_page_reads_as_zeros(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];

    scratch_create(t, 2);
    for (int k = 0; k < 20; k++) {
        memset(page, 0xEE, sizeof(page));
        assert_ok(pf_page_read(t->store, alloc_one(t->store), page));
        for (size_t i = 0; i < PF_PAGE_SIZE; i++)
            assert_int_equal(page[i], 0);
    }
}

static void a_freed_and_reused_leaf_keeps_its_bytes(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];
    uint8_t got[PF_PAGE_SIZE];

    scratch_create(t, 20);
    fill(page, 9);
    assert_ok(pf_page_write(t->store, 9, 0, page, sizeof(page), NULL));
    free_one(t->store, 8); /* becomes the trunk */
    free_one(t->store, 9);
    assert_ok(pf_page_read(t->store, 9, got)); /* also while it is free */
    assert_memory_equal(page, got, sizeof(page));
    assert_u64(9, alloc_one(t->store));
    assert_ok(pf_page_read(t->store, 9, got));
    assert_memory_equal(page, got, sizeof(page));
}

static void page_0_reads_as_the_header(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];
    uint8_t header[V3_HEADER];

    scratch_create(t, 20);
    free_one(t->store, 9);
    memset(page, 0xEE, sizeof(page));
    assert_ok(pf_page_read(t->store, 0, page));
    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, 20);
    v3_put64(header + V3_AT_FREE_HEAD, 9);
    assert_memory_equal(header, page, V3_HEADER);
    for (size_t i = V3_HEADER; i < PF_PAGE_SIZE; i++)
        assert_int_equal(page[i], 0);
    assert_pf(PF_E_NO_PAGE, pf_page_read(t->store, 20, page));
    assert_pf(PF_E_NO_PAGE, pf_page_read(t->store, UINT64_MAX, page));
}

static void an_unpadded_last_page_reads_as_padded_with_zeros(void **state)
{
    struct scratch *t = *state;
    uint8_t bytes[100];
    uint8_t page[PF_PAGE_SIZE];

    v3_make_pages(t->db, 10);
    memset(bytes, 0x77, sizeof(bytes));
    v3_poke(t->db, v3_offset(9), bytes, sizeof(bytes));
    assert_int_equal(truncate(t->db, (off_t)(v3_offset(9) + sizeof(bytes))), 0);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    memset(page, 0xEE, sizeof(page));
    assert_ok(pf_page_read(t->store, 9, page));
    for (size_t i = 0; i < PF_PAGE_SIZE; i++)
        assert_int_equal(page[i], i < sizeof(bytes) ? 0x77 : 0);
    assert_u64(10, alloc_one(t->store));
    assert_u64(11, alloc_one(t->store));
    scratch_reopen(t);
    assert_ok(pf_page_read(t->store, 9, page));
    for (size_t i = 0; i < PF_PAGE_SIZE; i++)
        assert_int_equal(page[i], i < sizeof(bytes) ? 0x77 : 0);
    assert_u64(v3_nominal(12), v3_size(t->db));
}

/* A write into what the last page lacks. */
static void an_unpadded_last_page_can_be_written(void **state)
{
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];

    v3_make_pages(t->db, 10);
    assert_int_equal(truncate(t->db, (off_t)(v3_offset(9) + 100)), 0);
    scratch_open(t, NULL);
    assert_ok(pf_page_write(t->store, 9, 4000, (const uint8_t *)"end", 3, NULL));
    scratch_reopen(t);
    assert_true(pf_writable(t->store));
    assert_ok(pf_page_read(t->store, 9, page));
    assert_memory_equal(page + 4000, "end", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_written_page_reads_back_and_is_in_the_file),
        SCRATCH_TEST(a_partial_write_changes_exactly_its_bytes),
        SCRATCH_TEST(writes_are_refused_with_the_right_error),
        SCRATCH_TEST(a_pinned_page_can_be_written),
        SCRATCH_TEST(a_new_page_reads_as_zeros),
        SCRATCH_TEST(a_freed_and_reused_leaf_keeps_its_bytes),
        SCRATCH_TEST(page_0_reads_as_the_header),
        SCRATCH_TEST(an_unpadded_last_page_reads_as_padded_with_zeros),
        SCRATCH_TEST(an_unpadded_last_page_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
