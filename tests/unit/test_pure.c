/* The functions that need no store: offsets, sums, the error list. */
#include "scratch.h"
#include "v3file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void page_offset_is_112_plus_4096_a_page(void **state)
{
    static const struct {
        uint64_t page_id, offset;
    } rows[] = {
        {0, 0},
        {1, 112},
        {2, 4208},
        {3, 8304},
        {1276, 5222512},
        {1000000, 4095996016},
        {1ULL << 40, 4503599627366512ULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t offset = UINT64_MAX;

        assert_ok(pf_page_offset(rows[i].page_id, &offset));
        assert_u64(rows[i].offset, offset);
    }
}

/* The last page whose end still is a file offset, and the first whose is not. */
static void page_offset_refuses_what_no_file_offset_can_hold(void **state)
{
    static const uint64_t too_large[] = {
        1ULL << 51, (1ULL << 51) + 1, 1ULL << 52, (1ULL << 52) + 1,
        1ULL << 63, UINT64_MAX - 1,   UINT64_MAX,
    };
    const uint64_t last =
        (INT64_MAX - 112) / 4096; /* page `last` ends at most at 2^63 - 1 */
    uint64_t offset = 12345;

    (void)state;
    for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
        assert_pf(PF_E_RANGE, pf_page_offset(too_large[i], &offset));
        assert_u64(12345, offset); /* untouched */
    }
    assert_ok(pf_page_offset(last, &offset));
    assert_u64(112 + (last - 1) * 4096, offset);
}

/* Values that the reference implementation of xxHash publishes or prints. */
static void checksum_is_xxh3_64(void **state)
{
    uint8_t zeros[4096] = {0};
    uint8_t counting[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(counting); i++)
        counting[i] = (uint8_t)i;
    assert_u64(0x2D06800538D394C2, pf_checksum("", 0));
    assert_u64(0xE6C632B61E964E1F, pf_checksum("a", 1));
    assert_u64(0x78AF5F94892F3950, pf_checksum("abc", 3));
    assert_u64(0x93D76FE148C689BA, pf_checksum(zeros, sizeof(zeros)));
    assert_u64(0xEB4B7C3707879151, pf_checksum(counting, sizeof(counting)));
}

static void validate_checksum_accepts_only_the_right_sum(void **state)
{
    (void)state;
    assert_true(pf_validate_checksum("abc", 3, 0x78AF5F94892F3950));
    for (int bit = 0; bit < 64; bit++)
        assert_false(pf_validate_checksum("abc", 3, 0x78AF5F94892F3950 ^ 1ULL << bit));
    assert_false(pf_validate_checksum("abd", 3, 0x78AF5F94892F3950));
    assert_false(pf_validate_checksum("abc", 2, 0x78AF5F94892F3950));
    assert_false(pf_validate_checksum("", 0, 0));
}

/* c = 0x5A5A5A5A5A5A5A5A; for each i: c ^= byte ^ i; the low 32 bits. By hand. */
static void xor_sum_has_its_golden_values(void **state)
{
    uint8_t bytes[4096] = {0};

    (void)state;
    assert_u64(0x5A5A5A5A, pf_xor_sum(bytes, 0));
    assert_u64(0x5A5A5A5A, pf_xor_sum(bytes, 1));    /* 0 */
    assert_u64(0x5A5A5A5B, pf_xor_sum(bytes, 2));    /* 0 ^ 1 */
    assert_u64(0x5A5A5A59, pf_xor_sum(bytes, 3));    /* 0 ^ 1 ^ 2 = 3 */
    assert_u64(0x5A5A5A5A, pf_xor_sum(bytes, 4));    /* ... ^ 3 = 0 */
    assert_u64(0x5A5A5A5B, pf_xor_sum(bytes, 258));  /* 0 .. 257 give 1 */
    assert_u64(0x5A5A5B76, pf_xor_sum(bytes, 301));  /* 0 .. 300 give 300 */
    assert_u64(0x5A5A5A5A, pf_xor_sum(bytes, 4096)); /* 0 .. 4095 give 0 */
    assert_u64(0x5A5A5A59, pf_xor_sum("\1\2\3", 3)); /* 1 ^ 2 ^ 3 = 0; indexes: 3 */
    assert_u64(0x5A5A5A3B, pf_xor_sum("a", 1));      /* 0x61 */
}

/* Bytes are not sign-extended and the sum is not folded. */
static void xor_sum_of_high_bytes_stays_in_the_low_byte(void **state)
{
    (void)state;
    assert_u64(0x5A5A5AA5, pf_xor_sum("\xFF", 1));
    assert_u64(0x5A5A5ADA, pf_xor_sum("\x80", 1));
}

static void every_error_has_a_name_an_errno_and_a_sentence(void **state)
{
    (void)state;
    assert_int_equal(pf_err_errno(PF_OK), 0);
    for (int e = 1; e < PF_ERR_COUNT; e++) {
        const pf_err err = (pf_err)e;

        assert_true(pf_err_errno(err) > 0);
        assert_int_equal(strncmp(pf_err_name(err), "PF_E_", 5), 0);
        assert_true(strlen(pf_err_text(err)) > 5);
        assert_int_not_equal(pf_err_text(err)[strlen(pf_err_text(err)) - 1], '.');
        for (int other = 1; other < e; other++)
            assert_string_not_equal(pf_err_name(err), pf_err_name((pf_err)other));
    }
    assert_string_equal(pf_err_name(PF_E_LIMIT), "PF_E_LIMIT");
}

/* What users meet at the mount; the published part of the list. */
static void errors_translate_to_the_published_errnos(void **state)
{
    static const struct {
        pf_err err;
        int number;
    } rows[] = {
        {PF_E_NO_PAGE, ENOENT},        {PF_E_RESERVED, EPERM},
        {PF_E_ALREADY_FREE, EALREADY}, {PF_E_ALREADY_ALLOC, EALREADY},
        {PF_E_PINNED, EBUSY},          {PF_E_HELD, EBUSY},
        {PF_E_RANGE, ERANGE},          {PF_E_INVALID, EINVAL},
        {PF_E_READ_ONLY, EROFS},       {PF_E_CORRUPT, EUCLEAN},
        {PF_E_STALE, ESTALE},          {PF_E_IO, EIO},
        {PF_E_NO_SPACE, ENOSPC},       {PF_E_LIMIT, ENOSPC},
        {PF_E_DATA_FREE, ENXIO},       {PF_E_PAST_PAGE, EFBIG},
        {PF_E_CHECKSUM, EBADMSG},      {PF_E_MAGIC, EUCLEAN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(pf_err_errno(rows[i].err), rows[i].number);
}

static void a_trunk_is_known_by_its_magic_and_own_id(void **state)
{
    const uint64_t leaves[] = {9, 8};
    uint8_t page[V3_PAGE];
    uint64_t stored = 0;
    uint64_t computed = 0;

    (void)state;
    v3_trunk(page, 7, 0, 1, 3, leaves, 2);
    assert_true(pf_trunk_sums(7, page, &stored, &computed));
    assert_u64(stored, computed);
    assert_u64(v3_get64(page + V3_TRUNK_SUM), stored);
    assert_false(pf_trunk_sums(6, page, &stored, &computed));
    page[0] = 0;
    assert_false(pf_trunk_sums(7, page, &stored, &computed));
    memset(page, 0, sizeof(page));
    assert_false(pf_trunk_sums(0, page, &stored, &computed));
}

/* Every bit of the used bytes but those that make it a trunk at all. */
static void each_flipped_bit_of_a_trunk_changes_its_sum(void **state)
{
    const uint64_t leaves[] = {9, 8, 5};
    uint8_t page[V3_PAGE];

    (void)state;
    v3_trunk(page, 7, 0, 1, 4, leaves, 3);
    for (int bit = 8 * V3_TRUNK_NEXT; bit < 8 * (V3_TRUNK_LEAVES + 24); bit++) {
        uint64_t stored = 0;
        uint64_t computed = 0;

        page[bit / 8] = (uint8_t)(page[bit / 8] ^ 1U << (bit % 8));
        if (pf_trunk_sums(7, page, &stored, &computed) && stored == computed)
            fail_msg("bit %d of byte %d flipped: the sum still matches", bit % 8,
                     bit / 8);
        page[bit / 8] = (uint8_t)(page[bit / 8] ^ 1U << (bit % 8));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_offset_is_112_plus_4096_a_page),
        cmocka_unit_test(page_offset_refuses_what_no_file_offset_can_hold),
        cmocka_unit_test(checksum_is_xxh3_64),
        cmocka_unit_test(validate_checksum_accepts_only_the_right_sum),
        cmocka_unit_test(xor_sum_has_its_golden_values),
        cmocka_unit_test(xor_sum_of_high_bytes_stays_in_the_low_byte),
        cmocka_unit_test(every_error_has_a_name_an_errno_and_a_sentence),
        cmocka_unit_test(errors_translate_to_the_published_errnos),
        cmocka_unit_test(a_trunk_is_known_by_its_magic_and_own_id),
        cmocka_unit_test(each_flipped_bit_of_a_trunk_changes_its_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
