/* curated.c: the files that somebody thought of: each field of each structure with each
 * value that is likely to hurt, every edge of a structure as the file's end, every shape
 * that a list can take and must not, and everything that can lie in the journal's place.
 *
 * They are counted by running through them; only the one that is wanted is made. */
#include "specimen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "v3file.h"

struct tour {
    unsigned at, wanted;
    const char *wanted_name; /* or NULL */
    struct specimen *s;      /* the one that is wanted, once it was reached */
    bool found;
};

/* The next specimen: true when it is the one to make; then it is a copy of `base`. */
__attribute__((format(printf, 3, 4))) static bool next(struct tour *t, enum base base,
                                                       const char *format, ...)
{
    char name[sizeof(t->s->name)];
    va_list args;

    if (t->found)
        return false;
    if (t->wanted_name == NULL && t->at++ != t->wanted)
        return false;
    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    if (t->wanted_name != NULL && strcmp(t->wanted_name, name) != 0) {
        t->at++;
        return false;
    }
    t->found = true;
    if (t->s == NULL)
        return false;
    specimen_from(t->s, base);
    memcpy(t->s->name, name, sizeof(name));
    return true;
}

static uint8_t *db_bytes(struct tour *t)
{
    return t->s->file[BAD_DB].bytes;
}

static void put(uint8_t *at, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
}

static const uint64_t values[] = {
    0,
    1,
    2,
    3,
    4,
    5,
    111,
    112,
    4095,
    4096,
    4097,
    8192,
    65536,
    (uint64_t)1 << 31,
    UINT32_MAX,
    (uint64_t)1 << 32,
    (uint64_t)1 << 40,
    (uint64_t)1 << 51,
    ((uint64_t)1 << 51) - 1,
    (uint64_t)1 << 52,
    (uint64_t)1 << 55,
    (uint64_t)1 << 62,
    INT64_MAX,
    (uint64_t)1 << 63,
    UINT64_MAX - 1,
    UINT64_MAX,
};
enum { VALUES = sizeof(values) / sizeof(values[0]) };

struct field {
    const char *name;
    unsigned at, width;
};

/* Those that fit, and those around the field's own value. */
static bool each_value(unsigned i, unsigned width, uint64_t own, uint64_t *out)
{
    static const int near[] = {-2, -1, 1, 2, 8};

    if (i >= VALUES)
        *out = own + (uint64_t)near[i - VALUES];
    else
        *out = values[i];
    if (width < 8)
        *out &= ((uint64_t)1 << (8 * width)) - 1;
    return i < VALUES ? width == 8 || values[i] >> (8 * width) == 0 : true;
}
enum { ALL_VALUES = VALUES + 5 };

/* ---- the header ---- */

static const struct field header_fields[] = {
    {"magic", V3_AT_MAGIC, 8},           {"version", V3_AT_VERSION, 4},
    {"flags", V3_AT_FLAGS, 4},           {"node_count", V3_AT_NODE_COUNT, 8},
    {"edge_count", V3_AT_EDGE_COUNT, 8}, {"schema", V3_AT_SCHEMA, 4},
    {"reserved", V3_AT_RESERVED, 4},     {"node_data", V3_AT_NODE_DATA, 8},
    {"edge_root", V3_AT_EDGE_ROOT, 8},   {"outgoing", V3_AT_OUTGOING, 8},
    {"incoming", V3_AT_INCOMING, 8},     {"free_space", V3_AT_FREE_SPACE, 8},
    {"node_root", V3_AT_NODE_ROOT, 8},   {"free_head", V3_AT_FREE_HEAD, 8},
    {"total", V3_AT_TOTAL, 8},           {"page_size", V3_AT_PAGE_SIZE, 4},
    {"height", V3_AT_HEIGHT, 4},
};
enum { HEADER_FIELDS = sizeof(header_fields) / sizeof(header_fields[0]) };

static void tour_header(struct tour *t)
{
    uint64_t value;

    for (unsigned f = 0; f < HEADER_FIELDS; f++)
        for (unsigned i = 0; i < ALL_VALUES; i++) {
            const struct field *const field = &header_fields[f];
            if (each_value(i, field->width, LIST_PAGES, &value) &&
                next(t, BASE_GRAPH, "header-%s-%llx-%u", field->name,
                     (unsigned long long)value, i))
                put(db_bytes(t) + field->at, field->width, value);
        }
}

static void tour_magic(struct tour *t)
{
    static const char *const starts[] = {
        "\177ELF",     "SQLite format 3", "SQLTGF\0\0", "SQLTGF\0\1", "SQLTGF\0\4",
        "#!/bin/sh\n", "PFJRNL\0\1",      "PFTRUNK\1",  "sqltgf\0\3", "V3WAL\0\0\0"};

    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (next(t, BASE_LIST, "magic-%u", i))
            memcpy(db_bytes(t), starts[i], 8);
    if (next(t, BASE_LIST, "all-zeros"))
        memset(db_bytes(t), 0, t->s->file[BAD_DB].length);
    if (next(t, BASE_LIST, "all-ones"))
        memset(db_bytes(t), 0xff, t->s->file[BAD_DB].length);
}

/* ---- how long the file is ---- */

static void tour_sizes(struct tour *t)
{
    const uint64_t nominal = v3_nominal(LIST_PAGES);
    const uint64_t trunk = v3_offset(LIST_NEWEST), oldest = v3_offset(LIST_OLDEST);

    for (unsigned f = 0; f < HEADER_FIELDS; f++)
        if (next(t, BASE_LIST, "cut-header-%s", header_fields[f].name))
            bad_resize(&t->s->file[BAD_DB], header_fields[f].at);
    for (unsigned i = 0; i <= 64; i += 8) {
        if (next(t, BASE_LIST, "cut-trunk-%u", i))
            bad_resize(&t->s->file[BAD_DB], trunk + i);
        if (next(t, BASE_LIST, "cut-oldest-%u", i))
            bad_resize(&t->s->file[BAD_DB], oldest + i);
    }
    for (unsigned i = 0; i < VALUES; i++) {
        if (values[i] < 100000 &&
            next(t, BASE_LIST, "shorter-by-%llu", (unsigned long long)values[i]))
            bad_resize(&t->s->file[BAD_DB], nominal - values[i]);
        if (values[i] < (uint64_t)1 << 41 &&
            next(t, BASE_LIST, "longer-by-%llu", (unsigned long long)values[i]))
            bad_resize(&t->s->file[BAD_DB], nominal + values[i]);
        if (values[i] <= (uint64_t)1 << 31 &&
            next(t, BASE_LIST, "as-long-as-total-%llu", (unsigned long long)values[i])) {
            v3_put64(db_bytes(t) + V3_AT_TOTAL, values[i]);
            bad_resize(&t->s->file[BAD_DB], v3_nominal(values[i]));
        }
    }
}

/* ---- trunks ---- */

static const struct field trunk_fields[] = {
    {"magic", V3_TRUNK_MAGIC, 8}, {"self", V3_TRUNK_SELF, 8},
    {"next", V3_TRUNK_NEXT, 8},   {"block", V3_TRUNK_BLOCK, 8},
    {"total", V3_TRUNK_TOTAL, 8}, {"count", V3_TRUNK_COUNT, 4},
    {"zero", V3_TRUNK_ZERO, 4},   {"sum", V3_TRUNK_SUM, 8},
    {"leaf", V3_TRUNK_LEAVES, 8}, {"last-leaf", V3_TRUNK_LEAVES + 16, 8},
};

static void change_trunk(struct tour *t, uint64_t page_id, const struct field *field,
                         uint64_t value, bool with_sum)
{
    uint8_t *const page = bad_page(t->s, page_id);

    put(page + field->at, field->width, value);
    if (with_sum && v3_get32(page + V3_TRUNK_COUNT) <= V3_BLOCK_LEAVES)
        v3_trunk_sum(page);
}

static void tour_trunks(struct tour *t)
{
    static const uint64_t pages[] = {LIST_NEWEST, LIST_OLDEST};
    uint64_t value;

    for (unsigned f = 0; f < sizeof(trunk_fields) / sizeof(trunk_fields[0]); f++)
        for (unsigned i = 0; i < ALL_VALUES; i++)
            for (unsigned p = 0; p < 4; p++) {
                const struct field *const field = &trunk_fields[f];
                const uint64_t page = pages[p % 2];
                if (each_value(i, field->width, page, &value) &&
                    next(t, BASE_LIST, "trunk-%u-%s-%llx-%u%s", (unsigned)page,
                         field->name, (unsigned long long)value, i, p < 2 ? "" : "-sum"))
                    change_trunk(t, page, field, value, p >= 2);
            }
}

struct shape {
    const char *name;
    uint64_t newest_next, newest_block, newest_total;
    uint64_t newest_leaves[3];
    uint64_t oldest_next, oldest_block;
    uint64_t oldest_leaves[3];
};

static const struct shape shapes[] = {
    {"fine", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"cycle-of-two", 5, 2, 8, {22, 23, 24}, 20, 1, {6, 7, 8}},
    {"cycle-of-one", 20, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"cycle-with-falling-numbers", 5, 9, 8, {22, 23, 24}, 20, 8, {6, 7, 8}},
    {"oldest-to-itself", 5, 2, 8, {22, 23, 24}, 5, 1, {6, 7, 8}},
    {"twice-in-a-block", 5, 2, 8, {22, 23, 22}, 0, 1, {6, 7, 8}},
    {"twice-in-the-oldest", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 6}},
    {"twice-in-two-blocks", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 23}},
    {"trunk-as-own-leaf", 5, 2, 8, {22, 23, 20}, 0, 1, {6, 7, 8}},
    {"oldest-as-own-leaf", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 5, 8}},
    {"trunk-as-leaf-of-the-other", 5, 2, 8, {22, 5, 24}, 0, 1, {6, 7, 8}},
    {"newest-as-leaf-of-the-oldest", 5, 2, 8, {22, 23, 24}, 0, 1, {20, 7, 8}},
    {"leaf-0", 5, 2, 8, {22, 0, 24}, 0, 1, {6, 7, 8}},
    {"leaf-1", 5, 2, 8, {22, 1, 24}, 0, 1, {6, 7, 8}},
    {"leaf-at-total", 5, 2, 8, {22, 30, 24}, 0, 1, {6, 7, 8}},
    {"oldest-leaf-0", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 0, 8}},
    {"oldest-leaf-at-total", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 30}},
    {"oldest-leaf-huge", 5, 2, 8, {22, 23, 24}, 0, 1, {6, 7, UINT64_MAX}},
    {"equal-numbers", 5, 2, 8, {22, 23, 24}, 0, 2, {6, 7, 8}},
    {"rising-numbers", 5, 2, 8, {22, 23, 24}, 0, 3, {6, 7, 8}},
    {"number-0", 5, 2, 8, {22, 23, 24}, 0, 0, {6, 7, 8}},
    {"largest-number", 5, (uint64_t)1 << 62, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"too-large-a-number", 5, ((uint64_t)1 << 62) + 1, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"total-too-low", 5, 2, 7, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"total-too-high", 5, 2, 9, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"total-0", 5, 2, 0, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"total-huge", 5, 2, UINT64_MAX, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"total-of-one-block", 5, 2, 4, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"next-is-a-leaf", 22, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"next-is-no-trunk", 9, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"next-is-reserved", 1, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"next-is-outside", 5000, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
    {"rest-lost", 0, 2, 8, {22, 23, 24}, 0, 1, {6, 7, 8}},
};

static void tour_shapes(struct tour *t)
{
    for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct shape *const s = &shapes[i];

        if (!next(t, BASE_LIST, "list-%s", s->name))
            continue;
        v3_trunk(bad_page(t->s, LIST_OLDEST), LIST_OLDEST, s->oldest_next,
                 s->oldest_block, 4, s->oldest_leaves, 3);
        v3_trunk(bad_page(t->s, LIST_NEWEST), LIST_NEWEST, s->newest_next,
                 s->newest_block, s->newest_total, s->newest_leaves, 3);
    }
    for (unsigned page = 2; page < 31; page++) /* free, and in use by the graph */
        if (next(t, BASE_GRAPH, "free-and-used-%u", page)) {
            uint8_t *const trunk =
                bad_page(t->s, v3_get64(db_bytes(t) + V3_AT_FREE_HEAD));
            v3_put64(trunk + V3_TRUNK_LEAVES, page);
            v3_trunk_sum(trunk);
        }
    for (unsigned i = 0; i < 8; i++) /* deep in a long list */
        if (next(t, BASE_BLOCKS, "blocks-leaf-%u", i * 70)) {
            uint8_t *const trunk = bad_page(t->s, i % 2 == 0 ? 10 : 600);
            v3_put64(trunk + V3_TRUNK_LEAVES + 8 * i * 70, i < 4 ? 1201 : 1300);
            v3_trunk_sum(trunk);
        }
}

/* ---- the graph ---- */

/* Every byte of the first 40 of each page, by a value that changes its meaning. */
static void tour_graph(struct tour *t, enum base base, const char *name, unsigned pages)
{
    static const unsigned places[] = {0,  7,  8,  9,  10, 11, 12, 15, 16, 17, 18,
                                      19, 20, 24, 28, 31, 32, 39, 40, 47, 48};

    for (unsigned page = 2; page < pages; page++)
        for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i += 1 + page % 3)
            if (next(t, base, "%s-%u-byte-%u", name, page, places[i]))
                bad_page(t->s, page)[places[i]] ^= i % 2 == 0 ? 0xff : 0x01;
}

static void tour_roots(struct tour *t)
{
    for (unsigned page = 0; page < 34; page++) {
        if (next(t, BASE_GRAPH, "node-root-%u", page))
            v3_put64(db_bytes(t) + V3_AT_NODE_ROOT, page);
        if (next(t, BASE_GRAPH, "edge-root-%u", page))
            v3_put64(db_bytes(t) + V3_AT_EDGE_ROOT, page);
        if (page > 1 && page < 30 && next(t, BASE_GRAPH, "page-%u-is-page-2", page))
            memcpy(bad_page(t->s, page), bad_page(t->s, 2), V3_PAGE);
        if (page > 1 && page < 30 && next(t, BASE_GRAPH, "page-%u-is-rubbish", page))
            for (unsigned i = 0; i < V3_PAGE; i++)
                bad_page(t->s, page)[i] = (uint8_t)(i * page + (i >> 3));
    }
}

/* ---- journals ---- */

static void tour_journal_header(struct tour *t)
{
    static const struct field fields[] = {
        {"magic", 0, 8}, {"salt", 8, 8},  {"lsn", 16, 8},
        {"size", 24, 8}, {"zero", 32, 8}, {"behind", 56, 8},
    };
    uint64_t value;

    for (unsigned f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
        for (unsigned i = 0; i < ALL_VALUES; i += f == 2 || f == 3 ? 1 : 5)
            for (unsigned summed = 0; summed < 2; summed++)
                if (each_value(i, 8, v3_nominal(LIST_PAGES), &value) &&
                    next(t, BASE_HOT, "journal-%s-%llx-%u%s", fields[f].name,
                         (unsigned long long)value, i, summed ? "-sum" : "")) {
                    struct bad_file *const journal = &t->s->file[BAD_JOURNAL];
                    put(journal->bytes + fields[f].at, 8, value);
                    if (summed)
                        journal_sum_header(journal);
                }
}

static void tour_records(struct tour *t)
{
    static const struct field fields[] = {
        {"magic", 0, 4},    {"n", 4, 4},       {"salt", 8, 8},    {"lsn", 16, 8},
        {"durable", 24, 8}, {"size", 32, 8},   {"length", 40, 8}, {"sum", 48, 8},
        {"zero", 56, 8},    {"sector", 64, 8}, {"base", 72, 8},   {"second", 80, 8},
    };
    uint64_t value;

    for (unsigned record = 0; record < 3; record++)
        for (unsigned f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
            for (unsigned i = record; i < ALL_VALUES; i += 3)
                if (each_value(i, fields[f].width, 4, &value) &&
                    next(t, i % 2 == 0 ? BASE_HOT : BASE_APPLIED, "record-%u-%s-%llx-%u",
                         record, fields[f].name, (unsigned long long)value, i)) {
                    struct bad_file *const journal = &t->s->file[BAD_JOURNAL];
                    const size_t at = journal_record(journal, record);
                    put(journal->bytes + at + fields[f].at, fields[f].width, value);
                    if (f != 7 && i % 5 != 0)
                        journal_sum_record(journal, at);
                }
}

static void tour_journal_ends(struct tour *t)
{
    static const unsigned edges[] = {0, 1, 63, 64, 65, 511, 512, 513, 1024, 2048};

    for (unsigned record = 0; record < 4; record++)
        for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
            if (next(t, BASE_HOT, "journal-cut-%u-%u", record, edges[i])) {
                struct bad_file *const journal = &t->s->file[BAD_JOURNAL];
                const size_t from = record == 0 ? 0 : journal_record(journal, record - 1);
                bad_resize(journal, from + edges[i]);
            }
    for (unsigned i = 0; i < 40; i++) /* a sector lost, or torn */
        if (next(t, i % 3 == 0 ? BASE_APPLIED : BASE_HOT, "journal-sector-%u", i)) {
            struct bad_file *const journal = &t->s->file[BAD_JOURNAL];
            memset(journal->bytes + (i / 2) * 512 + (i % 2) * 256, 0, 256);
        }
    if (next(t, BASE_HOT, "journal-of-a-terabyte"))
        bad_resize(&t->s->file[BAD_JOURNAL], (uint64_t)1 << 40);
    if (next(t, BASE_HOT, "journal-of-rubbish"))
        for (size_t i = 0; i < t->s->file[BAD_JOURNAL].length; i++)
            t->s->file[BAD_JOURNAL].bytes[i] = (uint8_t)(i * i >> 7);
}

static void tour_journal_files(struct tour *t)
{
    static const char *const kinds[] = {"none",        "regular",    "symlink",
                                        "dangling",    "fifo",       "directory",
                                        "other-owner", "unreadable", "hard-link"};

    for (unsigned kind = BAD_SYMLINK; kind <= BAD_HARD_LINK; kind++) {
        if (next(t, BASE_HOT, "journal-is-%s", kinds[kind]))
            t->s->file[BAD_JOURNAL].kind = (enum bad_kind)kind;
        if (next(t, BASE_LIST, "journal-is-empty-%s", kinds[kind])) {
            bad_set(&t->s->file[BAD_JOURNAL], "", 0);
            t->s->file[BAD_JOURNAL].kind = (enum bad_kind)kind;
        }
        if (next(t, BASE_LIST, "database-is-%s", kinds[kind]))
            t->s->file[BAD_DB].kind = (enum bad_kind)kind;
        if (next(t, BASE_EDGES, "meta-is-%s", kinds[kind]))
            t->s->file[BAD_META].kind = (enum bad_kind)kind;
        if (next(t, BASE_LIST, "wal-is-%s", kinds[kind])) {
            bad_set(&t->s->file[BAD_WAL], "", 0);
            t->s->file[BAD_WAL].kind = (enum bad_kind)kind;
        }
    }
    for (unsigned base = 0; base < BASE_HOT; base++) /* of another file */
        if (next(t, BASE_HOT, "journal-of-another-%u", base)) {
            struct specimen other;
            specimen_from(&other, (enum base)base);
            bad_set(&t->s->file[BAD_DB], other.file[BAD_DB].bytes,
                    other.file[BAD_DB].length);
            specimen_clear(&other);
        }
    for (unsigned page = 0; page < LIST_PAGES; page++) /* changed since */
        if (next(t, page % 2 == 0 ? BASE_HOT : BASE_APPLIED, "changed-since-%u", page))
            db_bytes(t)[page == 0 ? 20 : v3_offset(page) + 100] ^= 1;
    for (unsigned i = 0; i < 12; i++) /* half of it is there already */
        if (next(t, BASE_APPLIED, "half-applied-%u", i)) {
            struct specimen old;
            specimen_from(&old, BASE_HOT);
            for (size_t at = i * 512; at < old.file[BAD_DB].length; at += 512 * (2 + i))
                memcpy(db_bytes(t) + at, old.file[BAD_DB].bytes + at,
                       old.file[BAD_DB].length - at < 512 ? old.file[BAD_DB].length - at
                                                          : 512);
            specimen_clear(&old);
        }
}

/* ---- the crate's side files ---- */

static void tour_sides(struct tour *t)
{
    static const unsigned lengths[] = {0, 1, 7, 8, 12, 23, 24, 25, 63, 64, 65, 4096};
    uint8_t bytes[4096] = "V3WAL\0\0\0\1";

    bytes[13] = 0x10; /* page size 4096 */
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (next(t, BASE_LIST, "wal-%u", lengths[i]))
            bad_set(&t->s->file[BAD_WAL], bytes, lengths[i]);
        if (next(t, BASE_HOT, "wal-%u-and-journal", lengths[i]))
            bad_set(&t->s->file[BAD_WAL], bytes, lengths[i]);
        if (next(t, BASE_EDGES, "meta-%u", lengths[i]))
            bad_resize(&t->s->file[BAD_META], lengths[i]);
    }
    for (unsigned at = 0; at < 16; at++)
        if (next(t, BASE_LIST, "wal-byte-%u", at)) {
            bad_set(&t->s->file[BAD_WAL], bytes, 64);
            t->s->file[BAD_WAL].bytes[at] ^= 0xff;
        }
    for (unsigned at = 0; at < 24; at++)
        for (unsigned mended = 0; mended < 2; mended++)
            if (next(t, BASE_EDGES, "meta-byte-%u%s", at, mended ? "-sum" : "")) {
                uint8_t *const meta = t->s->file[BAD_META].bytes;
                unsigned sum = 0;
                meta[at] ^= at % 2 == 0 ? 0xff : 0x03;
                for (unsigned i = 0; i < 20; i++)
                    sum += meta[i];
                for (unsigned i = 0; mended && i < 4; i++)
                    meta[20 + i] = (uint8_t)(sum >> (8 * i));
            }
}

/* ---- what once did harm ---- */

/* A journal that may be used, and a database that must not be written: when they were
 * refused, the journal had been begun anew and the database replayed. */
static void tour_refused_with_journal(struct tour *t)
{
    for (unsigned i = 0; i < 8; i++) {
        const enum base base = i % 2 == 0 ? BASE_HOT : BASE_APPLIED;

        if (next(t, base, "refused-beside-its-journal-%u", i)) {
            struct bad_file *const journal = &t->s->file[BAD_JOURNAL];
            const size_t at = journal_record(journal, 0);

            if (i / 2 == 0)
                bad_resize(&t->s->file[BAD_DB], v3_nominal(LIST_PAGES) + 65);
            if (i / 2 == 1)
                v3_put32(db_bytes(t) + V3_AT_VERSION, 5);
            if (i / 2 == 2)
                v3_put64(db_bytes(t) + V3_AT_NODE_ROOT, 1 << 20);
            if (i / 2 == 3)
                bad_resize(&t->s->file[BAD_DB], v3_offset(18));
            memset(journal->bytes + at, 0, 64); /* nothing to replay */
        }
        if (next(t, BASE_HOT, "refused-once-replayed-%u", i)) {
            struct bad_file *const journal = &t->s->file[BAD_JOURNAL];
            const size_t at = journal_record(journal, 0);
            const uint64_t n = v3_get32(journal->bytes + at + 4);
            uint8_t *const header = journal->bytes + at + 64 + 16 * n; /* sector 0 */
            const unsigned fields[] = {V3_AT_VERSION, V3_AT_NODE_ROOT, V3_AT_FREE_HEAD,
                                       V3_AT_TOTAL};

            header[fields[i / 2]] ^= 0x40;
            journal_sum_record(journal, at);
            bad_resize(journal, journal_record(journal, 1)); /* the last one counts */
        }
    }
}

/* More pages than can be looked at one by one: the map of them never ended. */
static void tour_vast(struct tour *t)
{
    for (unsigned bits = 20; bits < 64; bits++)
        if (next(t, BASE_GRAPH, "claims-2-to-the-%u-pages", bits))
            v3_put64(db_bytes(t) + V3_AT_TOTAL, (uint64_t)1 << bits);
    for (unsigned bits = 8; bits < 64;
         bits += 2) /* a repair must not make room for them */
        if (next(t, BASE_LIST, "claims-2-to-the-%u-pages-and-no-list", bits)) {
            v3_put64(db_bytes(t) + V3_AT_TOTAL, (uint64_t)1 << bits);
            bad_page(t->s, LIST_OLDEST)[V3_TRUNK_SUM] ^= 1;
        }
    for (unsigned bits = 20; bits < 31; bits++)
        if (next(t, BASE_GRAPH, "has-2-to-the-%u-pages", bits)) {
            v3_put64(db_bytes(t) + V3_AT_TOTAL, (uint64_t)1 << bits);
            bad_resize(&t->s->file[BAD_DB], v3_nominal((uint64_t)1 << bits));
        }
}

static void tour_all(struct tour *t)
{
    tour_header(t);
    tour_magic(t);
    tour_sizes(t);
    tour_trunks(t);
    tour_shapes(t);
    tour_graph(t, BASE_GRAPH, "graph", 23);
    tour_graph(t, BASE_EDGES, "edges", 29);
    tour_roots(t);
    tour_journal_header(t);
    tour_records(t);
    tour_journal_ends(t);
    tour_journal_files(t);
    tour_sides(t);
    tour_refused_with_journal(t);
    tour_vast(t);
}

unsigned curated_count(void)
{
    struct tour t = {.wanted = UINT32_MAX};

    tour_all(&t);
    return t.at;
}

unsigned curated_find(const char *name)
{
    struct tour t = {.wanted_name = name};

    tour_all(&t);
    return t.found ? t.at : curated_count();
}

void curated_make(unsigned index, struct specimen *out)
{
    struct tour t = {.wanted = index, .s = out};

    tour_all(&t);
    if (!t.found)
        abort();
}
