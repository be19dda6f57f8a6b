/* seeded.c: files broken at random, a few changes each, all from one number. */
#include "specimen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "v3file.h"

struct breaker {
    struct specimen *s;
    uint64_t rng;
};

static uint64_t below(struct breaker *b, uint64_t bound)
{
    return rng_below(&b->rng, bound);
}

/* A number that means something to somebody. */
static uint64_t number(struct breaker *b)
{
    switch (below(b, 5)) {
    case 0:
        return below(b, 8);
    case 1:
        return below(b, 40);
    case 2:
        return below(b, 1400);
    case 3:
        return ((uint64_t)1 << below(b, 64)) - 2 + below(b, 4);
    default:
        return rng_next(&b->rng);
    }
}

static struct bad_file *some_file(struct breaker *b)
{
    struct bad_file *file;

    do
        file = &b->s->file[below(b, BAD_SIDES)];
    while (file->kind == BAD_NONE);
    return file->length == 0 ? &b->s->file[BAD_DB] : file;
}

static void change_bytes(struct breaker *b)
{
    struct bad_file *const file = some_file(b);
    const uint64_t room = below(b, 3) == 0 || file->length < 200 ? file->length : 200;

    for (uint64_t i = 1 + below(b, 4); i > 0 && room > 0; i--)
        file->bytes[below(b, room)] = (uint8_t)below(b, 256);
}

static void change_header(struct breaker *b)
{
    if (b->s->file[BAD_DB].length >= V3_HEADER)
        v3_put64(b->s->file[BAD_DB].bytes + 8 * below(b, V3_HEADER / 8), number(b));
}

/* A field of a trunk, or of whatever the page is; with its sum, mostly. */
static void change_page(struct breaker *b)
{
    static const uint64_t trunks[] = {LIST_NEWEST, LIST_OLDEST, 10, 600, 1200, 23};
    const uint64_t pages = b->s->file[BAD_DB].length / V3_PAGE;
    const uint64_t id = below(b, 2) == 0 ? trunks[below(b, 6)] : 2 + below(b, pages + 1);
    uint8_t *const page = bad_page(b->s, id);

    if (page == NULL)
        return;
    v3_put64(page + 8 * below(b, below(b, 2) == 0 ? 10 : V3_PAGE / 8), number(b));
    if (below(b, 4) != 0 && memcmp(page, "PFTRUNK\1", 8) == 0 &&
        v3_get32(page + V3_TRUNK_COUNT) <= V3_BLOCK_LEAVES)
        v3_trunk_sum(page);
}

static void copy_page(struct breaker *b)
{
    const uint64_t pages = b->s->file[BAD_DB].length / V3_PAGE;
    uint8_t *const from = bad_page(b->s, 2 + below(b, pages + 1));
    uint8_t *const to = bad_page(b->s, 2 + below(b, pages + 1));

    if (from != NULL && to != NULL && from != to)
        memcpy(to, from, V3_PAGE);
}

static void change_journal(struct breaker *b)
{
    struct bad_file *const journal = &b->s->file[BAD_JOURNAL];

    if (journal->length < 1024) {
        change_page(b);
        return;
    }
    const size_t at = journal_record(journal, (unsigned)below(b, 5));
    if (below(b, 4) == 0) {
        v3_put64(journal->bytes + 8 * below(b, 7), number(b));
        journal_sum_header(journal);
    } else if (at + 512 <= journal->length) {
        v3_put64(journal->bytes + at + 8 * below(b, 64), number(b));
        journal_sum_record(journal, at);
    }
}

static void change_size(struct breaker *b)
{
    struct bad_file *const file = some_file(b);
    const uint64_t step = (uint64_t)1 << below(b, 21);
    const uint64_t by = step + below(b, 3) - 1;

    if (below(b, 2) == 0)
        bad_resize(file, file->size > by ? file->size - by : by % 300);
    else
        bad_resize(file, file->size + by);
}

static void change_kind(struct breaker *b)
{
    struct bad_file *const file = &b->s->file[1 + below(b, BAD_SIDES - 1)];

    if (file->kind == BAD_NONE)
        bad_set(file, "V3WAL\0\0\0\1", (size_t)below(b, 9));
    file->kind = BAD_REGULAR + (enum bad_kind)below(b, 8);
}

/* total_pages and the size go together, so that more than the first look is needed. */
static void change_total(struct breaker *b)
{
    struct bad_file *const db = &b->s->file[BAD_DB];
    const uint64_t total = below(b, 2) == 0 ? 2 + below(b, 60) : 2 + below(b, 1 << 26);

    if (db->length < V3_HEADER)
        return;
    v3_put64(db->bytes + V3_AT_TOTAL, total);
    bad_resize(db, v3_nominal(total));
}

void seeded_make(uint64_t seed, struct specimen *out)
{
    static void (*const breakers[])(struct breaker *) = {
        change_bytes,   change_header,  change_page, change_page, copy_page,
        change_journal, change_journal, change_size, change_kind, change_total};
    struct breaker b = {out, seed * 0x9E3779B97F4A7C15u + 1};

    specimen_from(out, (enum base)below(&b, BASE_COUNT));
    snprintf(out->name, sizeof(out->name), "seed:%" PRIu64, seed);
    for (uint64_t i = 1 + below(&b, 4); i > 0; i--)
        breakers[below(&b, sizeof(breakers) / sizeof(breakers[0]))](&b);
}
