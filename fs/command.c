#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "decimal.h"

struct token {
    const char *start;
    size_t length;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cut the next token off `*rest`; false when only blanks are left. */
static bool token_next(struct token *rest, struct token *out)
{
    size_t end = 0;

    while (rest->length > 0 && is_blank(*rest->start)) {
        rest->start++;
        rest->length--;
    }
    if (rest->length == 0)
        return false;
    while (end < rest->length && !is_blank(rest->start[end]))
        end++;
    *out = (struct token){rest->start, end};
    rest->start += end;
    rest->length -= end;
    return true;
}

static bool token_is(struct token token, const char *word)
{
    return token.length == strlen(word) && memcmp(token.start, word, token.length) == 0;
}

/* What is quoted ends up in a text file: one line, printable, bounded. Not only blanks.
 */
static void quote(struct command *command, struct token token)
{
    size_t length = token.length;

    while (is_blank(token.start[length - 1]))
        length--;
    if (length > COMMAND_WORDS_SIZE - 1)
        length = COMMAND_WORDS_SIZE - 1;
    for (size_t i = 0; i < length; i++) {
        const char c = token.start[i];
        command->words[i] = c;
        if (is_blank(c))
            command->words[i] = ' ';
        else if (c < ' ' || c > '~')
            command->words[i] = '?';
    }
    command->words[length] = '\0';
}

/* For the files that take exactly one word. */
static pf_err single_token(const char *text, size_t length, struct command *out,
                           struct token *out_token)
{
    struct token rest = {text, length};
    struct token extra;

    *out = (struct command){0};
    if (!token_next(&rest, out_token))
        return PF_E_INVALID;
    quote(out, *out_token);
    if (token_next(&rest, &extra)) {
        quote(out, extra);
        return PF_E_INVALID;
    }
    return PF_OK;
}

/* ---- free, pin, unpin: ids and ranges ---- */

/* `7` or `10-19`. */
static pf_err range_parse(struct token token, struct pf_range *out)
{
    const char *const dash = memchr(token.start, '-', token.length);
    const size_t first_length =
        dash != NULL ? (size_t)(dash - token.start) : token.length;
    uint64_t first, last;
    pf_err err = decimal_parse(token.start, first_length, &first);

    if (dash == NULL) {
        if (err == PF_OK)
            *out = (struct pf_range){first, 1};
        return err;
    }
    const pf_err last_err =
        decimal_parse(dash + 1, token.length - first_length - 1, &last);
    if (err == PF_E_INVALID || last_err == PF_E_INVALID)
        return PF_E_INVALID;
    if (err != PF_OK || last_err != PF_OK)
        return PF_E_RANGE;
    if (last < first)
        return PF_E_INVALID;
    /* 0 .. 2^64-1 has 2^64 pages; one less is refused for the same reason */
    const uint64_t steps = last - first;
    *out = (struct pf_range){first, steps < UINT64_MAX ? steps + 1 : steps};
    return PF_OK;
}

/* Ids that count up by one join the range before them, which means the same, in the same
 * order: `seq 2 1000000` becomes a handful of ranges. */
static pf_err ranges_add(struct command *command, size_t *capacity, struct pf_range range)
{
    if (command->range_count > 0) {
        struct pf_range *const last = &command->ranges[command->range_count - 1];
        if (range.first > last->first && range.first - last->first == last->count &&
            range.count <= UINT64_MAX - last->count) {
            last->count += range.count;
            return PF_OK;
        }
    }
    if (command->range_count == *capacity) {
        const size_t larger = *capacity != 0 ? *capacity * 2 : 16;
        struct pf_range *const ranges =
            realloc(command->ranges, larger * sizeof(*ranges));
        if (ranges == NULL)
            return PF_E_NO_MEMORY;
        command->ranges = ranges;
        *capacity = larger;
    }
    command->ranges[command->range_count++] = range;
    return PF_OK;
}

static pf_err ids_parse(enum command_verb verb, const char *text, size_t length,
                        struct command *out)
{
    struct token rest = {text, length};
    struct token token;
    struct pf_range range;
    size_t capacity = 0;

    *out = (struct command){.verb = verb};
    while (token_next(&rest, &token)) {
        pf_err err = range_parse(token, &range);
        if (err == PF_OK)
            err = ranges_add(out, &capacity, range);
        if (err != PF_OK) {
            quote(out, token);
            return err;
        }
    }
    if (out->range_count == 0)
        return PF_E_INVALID;
    while (is_blank(*text)) { /* up to the first id */
        text++;
        length--;
    }
    quote(out, (struct token){text, length});
    return PF_OK;
}

pf_err command_parse_free(const char *text, size_t length, struct command *out_command)
{
    return ids_parse(COMMAND_FREE, text, length, out_command);
}

pf_err command_parse_pin(const char *text, size_t length, struct command *out_command)
{
    return ids_parse(COMMAND_PIN, text, length, out_command);
}

pf_err command_parse_unpin(const char *text, size_t length, struct command *out_command)
{
    return ids_parse(COMMAND_UNPIN, text, length, out_command);
}

bool command_is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!is_blank(text[i]))
            return false;
    }
    return true;
}

size_t command_cut(const char *text, size_t length, size_t written, size_t max_write)
{
    size_t cut = 0;

    if (written % COMMAND_CUT_UNIT != 0 && written + COMMAND_MAX_WRITE_SLACK <= max_write)
        return 0;
    while (cut < length && !is_blank(text[length - 1 - cut]))
        cut++;
    /* longer than any token can be: let the parser refuse it now */
    return cut <= COMMAND_TOKEN_MAX ? cut : 0;
}

/* ---- alloc: `N` or `N contiguous` ---- */

pf_err command_parse_alloc(const char *text, size_t length, struct command *out_command)
{
    struct token rest = {text, length};
    struct token number, word;

    *out_command = (struct command){.verb = COMMAND_ALLOC};
    if (!token_next(&rest, &number))
        return PF_E_INVALID;
    quote(out_command, number);
    const pf_err err = decimal_parse(number.start, number.length, &out_command->number);
    if (err != PF_OK)
        return err;
    if (out_command->number == 0)
        return PF_E_INVALID;
    if (token_next(&rest, &word)) {
        if (!token_is(word, "contiguous") || token_next(&rest, &word)) {
            quote(out_command, word);
            return PF_E_INVALID;
        }
        out_command->verb = COMMAND_ALLOC_CONTIGUOUS;
    }
    return out_command->number <= COMMAND_ALLOC_MAX ? PF_OK : PF_E_RANGE;
}

/* ---- state, pins, ctl: one word ---- */

struct word {
    const char *text;
    enum command_verb verb;
};

/* Exactly one of `words`. */
static pf_err word_parse(const char *text, size_t length, const struct word *words,
                         size_t word_count, struct command *out)
{
    struct token token;
    const pf_err err = single_token(text, length, out, &token);

    if (err != PF_OK)
        return err;
    for (size_t i = 0; i < word_count; i++) {
        if (token_is(token, words[i].text)) {
            out->verb = words[i].verb;
            return PF_OK;
        }
    }
    return PF_E_INVALID;
}

pf_err command_parse_state(const char *text, size_t length, struct command *out_command)
{
    static const struct word words[] = {
        {"free", COMMAND_STATE_FREE},
        {"free!", COMMAND_STATE_FREE_FORCED},
        {"allocated", COMMAND_STATE_ALLOCATED},
        {"pinned", COMMAND_STATE_PINNED},
    };

    return word_parse(text, length, words, 4, out_command);
}

pf_err command_parse_pins(const char *text, size_t length, struct command *out_command)
{
    static const struct word words[] = {
        {"+1", COMMAND_PINS_ADD},
        {"-1", COMMAND_PINS_REMOVE},
        {"0", COMMAND_PINS_CLEAR},
    };

    return word_parse(text, length, words, 3, out_command);
}

pf_err command_parse_ctl(const char *text, size_t length, struct command *out_command)
{
    static const struct word words[] = {
        {"sync", COMMAND_SYNC},
        {"checkpoint", COMMAND_CHECKPOINT},
        {"shrink", COMMAND_SHRINK},
        {"rebuild-freelist", COMMAND_REBUILD_FREELIST},
    };

    return word_parse(text, length, words, 4, out_command);
}

pf_err command_parse_check(const char *text, size_t length, struct command *out_command)
{
    static const struct word words[] = {
        {"check", COMMAND_CHECK},
        {"cancel", COMMAND_CHECK_CANCEL},
    };

    return word_parse(text, length, words, 2, out_command);
}

/* ---- numbers ---- */

pf_err command_parse_max_pages(const char *text, size_t length,
                               struct command *out_command)
{
    struct token word;
    const pf_err err = single_token(text, length, out_command, &word);

    if (err != PF_OK)
        return err;
    out_command->verb = COMMAND_MAX_PAGES;
    if (token_is(word, "max"))
        return PF_OK;
    const pf_err number_err =
        decimal_parse(word.start, word.length, &out_command->number);
    if (number_err == PF_OK && out_command->number < PF_FIRST_PAGE)
        return PF_E_INVALID; /* every file has as many, and 0 means no limit to the store
                              */
    return number_err;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

pf_err command_parse_checksum(const char *text, size_t length,
                              struct command *out_command)
{
    struct token word;
    uint64_t sum = 0;
    const pf_err err = single_token(text, length, out_command, &word);

    if (err != PF_OK)
        return err;
    out_command->verb = COMMAND_CHECKSUM;
    for (size_t i = 0; i < word.length; i++) {
        const int digit = hex_digit(word.start[i]);
        if (digit < 0)
            return PF_E_INVALID;
        sum = sum << 4 | (uint64_t)digit;
    }
    if (word.length > 16)
        return PF_E_RANGE;
    out_command->number = sum;
    return PF_OK;
}

void command_free(struct command *command)
{
    free(command->ranges);
    command->ranges = NULL;
    command->range_count = 0;
}
