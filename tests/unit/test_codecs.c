/* Trunk pages, journal headers and journal records: their exact bytes, and that no single
 * flipped bit goes unnoticed. */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "scratch.h"
#include "trunk.h"

/* FORMAT.md section 3, byte for byte; the sum was computed with xxhsum's algorithm
 * (XXH3-64, seed 7) over the first 72 bytes with the field zero. */
static void a_trunk_page_has_these_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[48] = {
        'P', 'F', 'T', 'R', 'U', 'N', 'K', 1, 0, 0, 0, 0, 0, 0, 0, 7, /* id */
        0,   0,   0,   0,   0,   0,   0,   5, 0, 0, 0, 0, 0, 0, 0, 3, /* next, number */
        0,   0,   0,   0,   0,   0,   0,   9, 0, 0, 0, 2, 0, 0, 0, 0, /* total, count */
    };
    static const uint8_t leaves[16] = {0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0};
    struct trunk t = {.page_id = 7,
                      .next = 5,
                      .number = 3,
                      .free_total = 9,
                      .leaf_count = 2,
                      .leaf = {8, 256}};
    uint8_t page[PF_PAGE_SIZE];
    memset(page, 0xEE, sizeof page);
    trunk_encode(&t, page);
    assert_memory_equal(page, expected, sizeof expected);
    assert_memory_equal(page + 56, leaves, sizeof leaves);
    assert_int_equal(page[72], 0xEE); /* the rest is not ours */
    uint64_t stored = 0, computed = 1;
    assert_true(pf_trunk_sums(7, page, &stored, &computed));
    assert_u64(stored, computed);
}

static void every_flipped_bit_of_a_trunk_is_noticed(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 3, TRUNK_MAX_LEAVES};
    for (size_t c = 0; c < 4; c++) {
        struct trunk t = {.page_id = 9000, .next = 8000, .number = 7, .free_total = 2000};
        struct trunk got;
        uint8_t page[PF_PAGE_SIZE] = {0};
        t.leaf_count = counts[c];
        for (uint32_t i = 0; i < t.leaf_count; i++)
            t.leaf[i] = 100 + i;
        trunk_encode(&t, page);
        assert_ok(trunk_decode(page, 9000, 10000, &got));
        assert_int_equal(got.leaf_count, t.leaf_count);
        for (size_t bit = 0; bit < trunk_used(t.leaf_count) * 8; bit++) {
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (trunk_decode(page, 9000, 10000, &got) == PF_OK)
                fail_msg("bit %zu of a trunk with %u leaves", bit, t.leaf_count);
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_pf(PF_E_CORRUPT,
                  trunk_decode(page, 9001, 10000, &got)); /* a copy elsewhere */
    }
}

static void a_trunk_with_impossible_fields_is_refused_despite_its_sum(void **state)
{
    (void)state;
    struct trunk got;
    const struct trunk good = {.page_id = 50,
                               .next = 40,
                               .number = 7,
                               .free_total = 20,
                               .leaf_count = 1,
                               .leaf = {60}};
    struct trunk bad[6];
    uint8_t page[PF_PAGE_SIZE];
    for (size_t i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].next = 100; /* = total_pages */
    bad[1].next = 1;   /* reserved */
    bad[2].next = 50;  /* itself */
    bad[3].number = 0;
    bad[4].leaf[0] = 100;
    bad[5].leaf[0] = 0;
    trunk_encode(&good, page);
    assert_ok(trunk_decode(page, 50, 100, &got));
    for (size_t i = 0; i < 6; i++) {
        trunk_encode(&bad[i], page);
        assert_pf(PF_E_CORRUPT, trunk_decode(page, 50, 100, &got));
    }
}

static void every_flipped_bit_of_a_journal_header_is_noticed(void **state)
{
    (void)state;
    const struct journal_header header = {
        .salt = 0x0123456789ABCDEF, .first_lsn = 42, .db_size = 4208};
    struct journal_header got;
    uint8_t sector[SECTOR], flipped;
    bool empty = true;
    journal_header_encode(&header, sector);
    assert_memory_equal(sector, "PFJRNL\0\1", 8);
    assert_ok(journal_header_decode(sector, &got, &empty));
    assert_false(empty);
    assert_u64(header.salt, got.salt);
    assert_u64(42, got.first_lsn);
    assert_u64(4208, got.db_size);
    for (size_t bit = 0; bit < SECTOR * 8; bit++) {
        flipped = sector[bit / 8];
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_pf(PF_E_JOURNAL, journal_header_decode(sector, &got, &empty));
        sector[bit / 8] = flipped;
    }
    memset(sector, 0, sizeof sector);
    assert_ok(journal_header_decode(sector, &got, &empty));
    assert_true(empty);
}

static void every_flipped_bit_of_a_record_is_noticed(void **state)
{
    (void)state;
    uint8_t content[2][SECTOR];
    memset(content[0], 0x5A, SECTOR);
    memset(content[1], 0xA5, SECTOR);
    const struct record_sector sectors[2] = {
        {.number = 0, .has_base = true, .base_sum = 77, .content = content[0]},
        {.number = 9, .content = content[1]},
    };
    struct record_head head = {.salt = 5, .lsn = 6, .durable_lsn = 5, .db_size = 8304},
                       got;
    uint8_t *bytes = calloc(1, record_length(2));
    record_encode(&head, sectors, 2, bytes);
    assert_u64(1536, head.length);
    assert_true(record_head_decode(bytes, head.length, &got));
    assert_true(record_is_valid(&got, bytes));
    assert_u64(6, got.lsn);
    const struct record_sector second = record_sector_at(&got, bytes, 1);
    assert_u64(9, second.number);
    assert_false(second.has_base);
    assert_memory_equal(second.content, content[1], SECTOR);
    assert_false(record_head_decode(bytes, head.length - 1, &got)); /* must fit */
    for (size_t bit = 0; bit < head.length * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (record_head_decode(bytes, head.length, &got) &&
            record_is_valid(&got, bytes) && got.salt == 5)
            fail_msg("bit %zu of a record", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

static void a_record_names_a_size_that_a_database_can_have(void **state)
{
    static const uint64_t good[] = {112, INT64_MAX}, bad[] = {111, (uint64_t)1 << 63};
    (void)state;
    const uint8_t content[SECTOR] = {0};
    const struct record_sector sector = {.number = 0, .content = content};
    struct record_head head = {.salt = 5, .lsn = 6}, got;
    uint8_t *bytes = calloc(1, record_length(1));
    for (size_t i = 0; i < 2; i++) {
        head.db_size = good[i];
        record_encode(&head, &sector, 1, bytes);
        assert_true(record_head_decode(bytes, head.length, &got));
        head.db_size = bad[i];
        record_encode(&head, &sector, 1, bytes);
        assert_false(record_head_decode(bytes, head.length, &got));
    }
    free(bytes);
}

static void a_record_whose_sectors_do_not_ascend_is_refused(void **state)
{
    (void)state;
    uint8_t content[SECTOR] = {0};
    const struct record_sector twice[2] = {{.number = 3, .content = content},
                                           {.number = 3, .content = content}};
    struct record_head head = {.salt = 5, .lsn = 6, .db_size = 8304}, got;
    uint8_t *bytes = calloc(1, record_length(2));
    record_encode(&head, twice, 2, bytes);
    assert_true(record_head_decode(bytes, head.length, &got));
    assert_false(record_is_valid(&got, bytes));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trunk_page_has_these_bytes),
        cmocka_unit_test(every_flipped_bit_of_a_trunk_is_noticed),
        cmocka_unit_test(a_trunk_with_impossible_fields_is_refused_despite_its_sum),
        cmocka_unit_test(every_flipped_bit_of_a_journal_header_is_noticed),
        cmocka_unit_test(every_flipped_bit_of_a_record_is_noticed),
        cmocka_unit_test(a_record_names_a_size_that_a_database_can_have),
        cmocka_unit_test(a_record_whose_sectors_do_not_ascend_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
