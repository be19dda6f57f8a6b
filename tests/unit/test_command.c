/* What can be written into the tree, and what is refused. No mount needed. */
#include "scratch.h"

#include "command.h"
#include "decimal.h"

#include <string.h>

static void assert_ranges(const char *text, size_t count, const struct pf_range *expected)
{
    struct command c;

    assert_ok(command_parse_free(text, strlen(text), &c));
    assert_int_equal(c.range_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_u64(expected[i].first, c.ranges[i].first);
        assert_u64(expected[i].count, c.ranges[i].count);
    }
    command_free(&c);
}

static void ids_and_ranges_are_separated_by_any_white_space(void **state)
{
    const struct pf_range expected[] = {{4, 1}, {7, 1}, {10, 10}};

    (void)state;
    assert_ranges("4 7 10-19", 3, expected);
    assert_ranges("4 7 10-19\n", 3, expected);
    assert_ranges("  4\t7\n\n10-19 \n", 3, expected);
    assert_ranges("4\r\n7\v10-19\f", 3, expected);
}

/* Joining `5 6 7` into one range is fine; `7 6 5` must keep its order. */
static void the_order_of_ids_is_kept(void **state)
{
    const struct pf_range up[] = {{5, 3}};
    const struct pf_range down[] = {{7, 1}, {6, 1}, {5, 1}};
    const struct pf_range twice[] = {{5, 1}, {5, 1}};

    (void)state;
    assert_ranges("5 6 7", 1, up);
    assert_ranges("7 6 5", 3, down);
    assert_ranges("5 5", 2, twice);
}

static void refused(command_parser *parse, const char *text, size_t length,
                    pf_err expected)
{
    struct command c;
    const pf_err err = parse(text, length, &c);

    command_free(&c);
    if (err != expected)
        fail_msg("\"%s\" gives %s, expected %s", text, pf_err_name(err),
                 pf_err_name(expected));
}

static void bad_lists_of_ids_are_refused_whole(void **state)
{
    static const char *const invalid[] = {
        "",    " ",     "\n",    "x",   "4 x", "-",     "4-",
        "-4",  "+4",    "4--5",  "5-4", "007", "0x10",  "4.0",
        "4,5", "4-5-6", "4 - 5", "4\1", "1e3", "4\x80", "99999999999999999999999x",
    };
    static const char *const range[] = {
        "18446744073709551616",
        "99999999999999999999999999",
        "4 18446744073709551616",
        "4-18446744073709551616",
        "18446744073709551616-18446744073709551617",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        refused(command_parse_free, invalid[i], strlen(invalid[i]), PF_E_INVALID);
        refused(command_parse_pin, invalid[i], strlen(invalid[i]), PF_E_INVALID);
        refused(command_parse_unpin, invalid[i], strlen(invalid[i]), PF_E_INVALID);
    }
    for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++)
        refused(command_parse_free, range[i], strlen(range[i]), PF_E_RANGE);
    refused(command_parse_free, "4\0005", 3, PF_E_INVALID);
    refused(command_parse_free, "4 \000", 3, PF_E_INVALID);
}

static void the_largest_numbers_are_numbers(void **state)
{
    const struct pf_range last[] = {{UINT64_MAX, 1}};
    const struct pf_range all[] = {{0, UINT64_MAX}}; /* 2^64 pages, nearly */
    const struct pf_range apart[] = {{0, UINT64_MAX}, {UINT64_MAX, 1}};

    (void)state;
    assert_ranges("18446744073709551615", 1, last);
    assert_ranges("0-18446744073709551615", 1, all);
    assert_ranges("0-18446744073709551614 18446744073709551615", 2, apart);
}

static void alloc_takes_a_count_and_contiguous(void **state)
{
    struct command c;

    (void)state;
    assert_ok(command_parse_alloc("12\n", 3, &c));
    assert_int_equal(c.verb, COMMAND_ALLOC);
    assert_u64(12, c.number);
    command_free(&c);
    assert_ok(command_parse_alloc(" 8  contiguous \n", 16, &c));
    assert_int_equal(c.verb, COMMAND_ALLOC_CONTIGUOUS);
    assert_u64(8, c.number);
    command_free(&c);
    refused(command_parse_alloc, "", 0, PF_E_INVALID);
    refused(command_parse_alloc, "0", 1, PF_E_INVALID);
    refused(command_parse_alloc, "-1", 2, PF_E_INVALID);
    refused(command_parse_alloc, "8 contiguousx", 13, PF_E_INVALID);
    refused(command_parse_alloc, "8 contiguous 9", 14, PF_E_INVALID);
    refused(command_parse_alloc, "contiguous 8", 12, PF_E_INVALID);
    refused(command_parse_alloc, "8\0", 2, PF_E_INVALID);
    refused(command_parse_alloc, "18446744073709551616", 20, PF_E_RANGE);
    assert_ok(command_parse_alloc("16777216", 8, &c));
    refused(command_parse_alloc, "16777217", 8, PF_E_RANGE);
}

/* last_error shows it in one line of a text file. */
static void what_is_quoted_is_printable_and_short(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"  4\t5 \n", "4 5"},
        {"4 a\x1b\x7f\xc3\xa9~!", "a????~!"},
        {"4 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    struct command c;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const pf_err err = command_parse_free(rows[i].text, strlen(rows[i].text), &c);
        assert_pf(i == 0 ? PF_OK : PF_E_INVALID, err);
        assert_string_equal(c.words, rows[i].words);
        command_free(&c);
    }
}

static void state_takes_one_of_three_words(void **state)
{
    static const char *const invalid[] = {
        "", "Free", "freed", "fre", "free x", "0", "allocated pinned", "free!x"};
    struct command c;

    (void)state;
    assert_ok(command_parse_state("free\n", 5, &c));
    assert_int_equal(c.verb, COMMAND_STATE_FREE);
    assert_ok(command_parse_state(" allocated", 10, &c));
    assert_int_equal(c.verb, COMMAND_STATE_ALLOCATED);
    assert_ok(command_parse_state("pinned \n", 8, &c));
    assert_int_equal(c.verb, COMMAND_STATE_PINNED);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        refused(command_parse_state, invalid[i], strlen(invalid[i]), PF_E_INVALID);
    refused(command_parse_state, "free\0", 5, PF_E_INVALID);
}

static void pins_takes_plus_one_minus_one_or_zero(void **state)
{
    static const char *const invalid[] = {"",    "1",  "+2",    "+", "-",
                                          "++1", "00", "+1 +1", "x"};
    struct command c;

    (void)state;
    assert_ok(command_parse_pins("+1\n", 3, &c));
    assert_int_equal(c.verb, COMMAND_PINS_ADD);
    assert_ok(command_parse_pins("-1", 2, &c));
    assert_int_equal(c.verb, COMMAND_PINS_REMOVE);
    assert_ok(command_parse_pins("0\n", 2, &c));
    assert_int_equal(c.verb, COMMAND_PINS_CLEAR);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        refused(command_parse_pins, invalid[i], strlen(invalid[i]), PF_E_INVALID);
}

static void checksum_takes_up_to_16_hex_digits(void **state)
{
    static const char *const invalid[] = {"",  "xyz", "12 34", "/", ":",
                                          "@", "G",   "`",     "g"};
    struct command c;

    (void)state;
    assert_ok(command_parse_checksum("2D06800538d394c2\n", 17, &c));
    assert_u64(0x2D06800538D394C2, c.number);
    assert_ok(command_parse_checksum("0129afAF", 8, &c));
    assert_u64(0x0129AFAF, c.number);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        refused(command_parse_checksum, invalid[i], strlen(invalid[i]), PF_E_INVALID);
    refused(command_parse_checksum, "12345678901234567", 17, PF_E_RANGE);
}

/* `seq 2 100000 > free`: stdio writes multiples of 4096, in the middle of a number. */
static void ctl_takes_one_of_its_words(void **state)
{
    static const char *const bad[] = {"",          " \n",        "Sync",
                                      "sync sync", "shrink now", "syn"};
    struct command command;

    (void)state;
    assert_ok(command_parse_ctl("sync\n", 5, &command));
    assert_int_equal(command.verb, COMMAND_SYNC);
    assert_ok(command_parse_ctl(" checkpoint", 11, &command));
    assert_int_equal(command.verb, COMMAND_CHECKPOINT);
    assert_ok(command_parse_ctl("shrink", 6, &command));
    assert_int_equal(command.verb, COMMAND_SHRINK);
    assert_ok(command_parse_ctl("rebuild-freelist\n", 17, &command));
    assert_int_equal(command.verb, COMMAND_REBUILD_FREELIST);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_pf(PF_E_INVALID, command_parse_ctl(bad[i], strlen(bad[i]), &command));
}

static void max_pages_takes_a_number_or_max(void **state)
{
    static const char *const bad[] = {"",   "0",       "1",   "+5",
                                      "05", "maximum", "5 5", "max 5"};
    struct command command;

    (void)state;
    assert_ok(command_parse_max_pages("5000\n", 5, &command));
    assert_int_equal(command.verb, COMMAND_MAX_PAGES);
    assert_u64(5000, command.number);
    assert_ok(command_parse_max_pages(" max\n", 5, &command));
    assert_u64(0, command.number);
    assert_ok(command_parse_max_pages("18446744073709551615", 20, &command));
    assert_u64(UINT64_MAX, command.number);
    assert_pf(PF_E_RANGE, command_parse_max_pages("18446744073709551616", 20, &command));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_pf(PF_E_INVALID,
                  command_parse_max_pages(bad[i], strlen(bad[i]), &command));
}

static void only_a_last_token_that_may_be_cut_waits(void **state)
{
    const size_t max = 1 << 20;
    const char *text = "12 345";
    char digits[COMMAND_TOKEN_MAX + 1];

    (void)state;
    assert_int_equal(command_cut(text, 6, 4096, max), 3);
    assert_int_equal(command_cut(text, 6, 512, max), 3);
    assert_int_equal(command_cut(text, 6, max - 1, max), 3);
    assert_int_equal(command_cut(text, 6, 6, max), 0);
    assert_int_equal(command_cut(text, 6, 4095, max), 0);
    assert_int_equal(command_cut("12 345\n", 7, 4096, max), 0);
    assert_int_equal(command_cut("12 345 ", 7, 4096, max), 0);
    assert_int_equal(command_cut("345", 3, 512, max), 3);
    memset(digits, '1', sizeof(digits));
    assert_int_equal(command_cut(digits, COMMAND_TOKEN_MAX, 512, max), COMMAND_TOKEN_MAX);
    assert_int_equal(command_cut(digits, sizeof(digits), 512, max), 0); /* no id */
}

/* A list cut at every byte, carried over, means what the whole list means. */
static void a_list_cut_anywhere_means_the_same(void **state)
{
    const char *text = "10 11 500-600 7\n8 18446744073709551614 3";
    const size_t length = strlen(text);

    (void)state;
    for (size_t cut = 1; cut < length; cut++) {
        const size_t carried = command_cut(text, cut, 512, 1 << 20);

        assert_true(carried <= cut);
        for (size_t i = 0; i < carried; i++)
            assert_true(strchr(" \n", text[cut - 1 - i]) == NULL);
        if (carried < cut)
            assert_non_null(strchr(" \n", text[cut - carried - 1]));
    }
}

static void decimals_are_canonical(void **state)
{
    static const char *const invalid[] = {"",   "00", "01", "+1", "-1",
                                          " 1", "1 ", "a",  "1a"};
    uint64_t value = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_pf(PF_E_INVALID, decimal_parse(invalid[i], strlen(invalid[i]), &value));
    assert_pf(PF_E_RANGE, decimal_parse("18446744073709551616", 20, &value));
    assert_u64(77, value);
    assert_ok(decimal_parse("0", 1, &value));
    assert_u64(0, value);
    assert_ok(decimal_parse("18446744073709551615", 20, &value));
    assert_u64(UINT64_MAX, value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_ranges_are_separated_by_any_white_space),
        cmocka_unit_test(the_order_of_ids_is_kept),
        cmocka_unit_test(bad_lists_of_ids_are_refused_whole),
        cmocka_unit_test(the_largest_numbers_are_numbers),
        cmocka_unit_test(alloc_takes_a_count_and_contiguous),
        cmocka_unit_test(what_is_quoted_is_printable_and_short),
        cmocka_unit_test(state_takes_one_of_three_words),
        cmocka_unit_test(pins_takes_plus_one_minus_one_or_zero),
        cmocka_unit_test(checksum_takes_up_to_16_hex_digits),
        cmocka_unit_test(ctl_takes_one_of_its_words),
        cmocka_unit_test(max_pages_takes_a_number_or_max),
        cmocka_unit_test(only_a_last_token_that_may_be_cut_waits),
        cmocka_unit_test(a_list_cut_anywhere_means_the_same),
        cmocka_unit_test(decimals_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
