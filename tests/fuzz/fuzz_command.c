/* Everything that can be written into the tree: the first byte chooses the file, the rest
 * is the text. What is accepted means the same to a naive reader, and what is quoted can
 * be shown. */
#include "command.h"

#include <string.h>

#include "decimal.h"
#include "input.h"

static command_parser *const parsers[] = {
    command_parse_free,     command_parse_pin,       command_parse_unpin,
    command_parse_alloc,    command_parse_state,     command_parse_pins,
    command_parse_checksum, command_parse_max_pages, command_parse_ctl,
    command_parse_check,
};
enum { PARSERS = sizeof(parsers) / sizeof(parsers[0]), LISTS = 3 };

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

/* ---- lists of ids, read slowly ---- */

struct reader {
    const char *text;
    size_t length, at;
};

/* Digits without a leading zero, below 2^64. */
static bool read_number(struct reader *r, uint64_t *out)
{
    uint64_t value = 0;
    const size_t from = r->at;

    while (r->at < r->length && r->text[r->at] >= '0' && r->text[r->at] <= '9') {
        const unsigned digit = (unsigned)(r->text[r->at++] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return r->at > from && (r->at == from + 1 || r->text[from] != '0');
}

static bool read_range(struct reader *r, uint64_t *out_first, uint64_t *out_last)
{
    if (!read_number(r, out_first))
        return false;
    *out_last = *out_first;
    if (r->at < r->length && r->text[r->at] == '-') {
        r->at++;
        if (!read_number(r, out_last) || *out_last < *out_first)
            return false;
    }
    return r->at == r->length || is_white(r->text[r->at]);
}

static void skip_white(struct reader *r)
{
    while (r->at < r->length && is_white(r->text[r->at]))
        r->at++;
}

/* The ids of `range` are those that come next in the text. */
static void require_same(struct reader *r, const struct pf_range *range)
{
    uint64_t next = range->first, left = range->count;

    while (left > 0) {
        uint64_t first = 0, last = 0;

        skip_white(r);
        require(read_range(r, &first, &last) && first == next);
        if (last - first == UINT64_MAX) { /* 2^64 pages: one less is said */
            require(left == UINT64_MAX);
            return;
        }
        require(last - first < left);
        left -= last - first + 1;
        next = last + 1;
    }
}

static bool naive_accepts(const char *text, size_t length)
{
    struct reader r = {text, length, 0};
    uint64_t first, last;
    bool any = false;

    for (skip_white(&r); r.at < length; skip_white(&r)) {
        if (!read_range(&r, &first, &last))
            return false;
        any = true;
    }
    return any;
}

static void check_list(const struct command *c, pf_err err, const char *text,
                       size_t length)
{
    struct reader r = {text, length, 0};

    require((err == PF_OK) == naive_accepts(text, length));
    for (size_t i = 0; err == PF_OK && i < c->range_count; i++)
        require_same(&r, &c->ranges[i]);
    skip_white(&r);
    require(err != PF_OK || r.at == length);
}

/* Cut where a write may be cut, the two pieces say what the whole does. */
static void check_cut(command_parser *parse, const char *text, size_t length)
{
    struct command whole, head;
    const size_t cut = command_cut(text, length, COMMAND_CUT_UNIT, 1 << 20);

    require(cut <= length && cut <= COMMAND_TOKEN_MAX);
    require(cut == length || cut == 0 || is_white(text[length - cut - 1]));
    if (parse(text, length, &whole) == PF_OK && !command_is_blank(text, length - cut)) {
        require(parse(text, length - cut, &head) == PF_OK);
        command_free(&head);
    }
    command_free(&whole);
}

/* ---- all of them ---- */

static void check_words(const struct command *c)
{
    const char *const end = memchr(c->words, 0, sizeof(c->words));

    require(end != NULL);
    for (const char *p = c->words; p < end; p++)
        require(*p >= ' ' && *p <= '~');
}

static void check_decimal(const char *text, size_t length)
{
    char digits[DECIMAL_MAX];
    uint64_t value;

    if (decimal_parse(text, length, &value) != PF_OK)
        return;
    require(decimal_format(value, digits) == length);
    require(memcmp(digits, text, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const unsigned which = in_u8(&in) % PARSERS;
    const char *const text = (const char *)in.at;
    struct command c;

    const pf_err err = parsers[which](text, in.left, &c);
    check_words(&c);
    require(err == PF_OK || err == PF_E_INVALID || err == PF_E_RANGE);
    require(err != PF_OK || !command_is_blank(text, in.left));
    require(err != PF_OK || in.left == 0 || memchr(text, 0, in.left) == NULL);
    if (which < LISTS) {
        check_list(&c, err, text, in.left);
        check_cut(parsers[which], text, in.left);
    }
    require(c.verb != COMMAND_ALLOC || which != LISTS || err != PF_OK ||
            (c.number > 0 && c.number <= COMMAND_ALLOC_MAX));
    check_decimal(text, in.left);
    command_free(&c);
    return 0;
}
