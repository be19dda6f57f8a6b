/* rows_check.c: `pagefs check` of a large file with a graph in it, against reading the
 * file at all; the sum of pages against reading memory.
 *
 * The graph is made of what files of the crate are made of: node pages with records
 * inside and outside, blobs, clusters of edges, both trees; FORMAT.md section 6. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "measure.h"

enum {
    UNITS = 40000, /* 2 GB */
    NODES = 16,    /* of a unit: one page of them, and so many of each other kind */
    BLOBS = 4,
    CLUSTERS = 8,
    UNIT_PAGES = 1 + BLOBS + CLUSTERS,
    FULL_INDEX = 252, /* keys */
    INDEX_ENTRIES = 32,
    TURNS = 5,
    MEMORY_BYTES = 64 << 20,
};

struct writer {
    FILE *file;
    uint64_t next_id;
    uint8_t page[PF_PAGE_SIZE];
};

static void put_page(struct writer *w)
{
    if (fwrite(w->page, sizeof(w->page), 1, w->file) != 1)
        die_errno("writing a graph");
    memset(w->page, 0, sizeof(w->page));
    w->next_id++;
}

static void put_be16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_sum(uint8_t *page, size_t length, size_t at)
{
    uint64_t sum = UINT64_C(0x5A5A5A5A5A5A5A5A);

    for (size_t i = 0; i < length; i++)
        sum ^= page[i] ^ i;
    put_be32(page + at, (uint32_t)sum);
}

/* ---- pages of a unit ---- */

static uint64_t node_page(uint64_t unit)
{
    return PF_FIRST_PAGE + unit * UNIT_PAGES;
}

static uint8_t *put_varint(uint8_t *at, unsigned value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

/* The first BLOBS of a page have their data in a page of its own. */
static uint8_t *put_record(uint8_t *at, uint64_t unit, unsigned i)
{
    enum { INLINE = 64, EXTERNAL = 0x8000, PLAIN_FIELDS = 4 };
    const bool outside = i < BLOBS;
    uint64_t offset = 0;

    at = put_varint(at, i);
    put_be32(at, 0);
    at = put_varint(at + 4, 0);
    at = put_varint(at, 0);
    at = put_varint(at, outside ? EXTERNAL | PF_PAGE_SIZE : INLINE);
    for (unsigned field = 0; field < PLAIN_FIELDS; field++)
        at = put_varint(at, 0);
    if (!outside) {
        memset(at, 'x', INLINE);
        return at + INLINE;
    }
    must(pf_page_offset(node_page(unit) + 1 + i, &offset));
    put_be64(at, offset);
    return at + 8;
}

static void put_node_page(struct writer *w, uint64_t unit)
{
    enum { COUNT = 16, USED = 18, BASE_ID = 20, SUM = 28, RECORDS = 32 };
    uint8_t *at = w->page + RECORDS;

    for (unsigned i = 0; i < NODES; i++)
        at = put_record(at, unit, i);
    put_be64(w->page, w->next_id);
    put_be16(w->page + COUNT, NODES);
    put_be16(w->page + USED, (unsigned)(at - w->page - RECORDS));
    put_be64(w->page + BASE_ID, unit * NODES + 1);
    put_sum(w->page, (size_t)(at - w->page), SUM);
    put_page(w);
}

static void put_unit(struct writer *w, uint64_t unit)
{
    enum { VERSION = 2, SOURCE = 1, EDGE_COUNT = 10, EDGES = 14 };

    put_node_page(w, unit);
    for (unsigned i = 0; i < BLOBS; i++) {
        memset(w->page, 'b', sizeof(w->page));
        put_page(w);
    }
    for (unsigned i = 0; i < CLUSTERS; i++) {
        w->page[0] = VERSION;
        put_be64(w->page + SOURCE, unit * NODES + 1 + i);
        put_be32(w->page + EDGE_COUNT, 1);
        put_be64(w->page + EDGES, unit * NODES + 2 + i);
        put_page(w);
    }
}

/* ---- trees ---- */

/* What leads to a page from above. */
struct entry {
    uint64_t key, page_id;
};

static void put_index(struct writer *w, bool leaf, bool root, unsigned keys, bool last)
{
    enum { IS_LEAF = 8, IS_ROOT = 9, COUNT = 10, SUM = 12 };
    const size_t length = INDEX_ENTRIES + (size_t)keys * 16 + 8;

    if (leaf && !last)
        put_be64(w->page + length - 8, w->next_id + 1);
    put_be64(w->page, w->next_id);
    w->page[IS_LEAF] = leaf;
    w->page[IS_ROOT] = root;
    put_be16(w->page + COUNT, keys);
    put_sum(w->page, length, SUM);
    put_page(w);
}

/* One level over `entries`, which becomes what leads to it. */
static size_t put_level(struct writer *w, struct entry *entries, size_t count, bool leaf)
{
    const size_t width = leaf ? FULL_INDEX : FULL_INDEX + 1; /* keys, children */
    size_t pages = 0;

    for (size_t at = 0; at < count; pages++) {
        const size_t n = count - at < width ? count - at : width;
        const unsigned keys = (unsigned)(leaf ? n : n - 1);
        uint8_t *const first = w->page + INDEX_ENTRIES;
        for (size_t i = 0; i < n; i++) {
            const struct entry *const e = &entries[at + i];
            if (leaf)
                put_be64(first + i * 16, e->key);
            else if (i > 0)
                put_be64(first + (i - 1) * 8, e->key);
            put_be64(first + (leaf ? i * 16 + 8 : (size_t)keys * 8 + i * 8), e->page_id);
        }
        entries[pages] = (struct entry){entries[at].key, w->next_id};
        at += n;
        put_index(w, leaf, count <= width, keys, at == count);
    }
    return pages;
}

/* The root's id. `entries` is used up. */
static uint64_t put_tree(struct writer *w, struct entry *entries, size_t count,
                         unsigned *out_height)
{
    count = put_level(w, entries, count, true);
    for (*out_height = 1; count > 1; ++*out_height)
        count = put_level(w, entries, count, false);
    return entries[0].page_id;
}

static void make_graph(const char *path)
{
    enum { NODE_COUNT = 16, EDGE_COUNT = 24, EDGE_ROOT = 48, NODE_ROOT = 80 };
    enum { TOTAL_PAGES = 96, HEIGHT = 108 };
    static struct entry entries[UNITS * NODES];
    struct writer w = {.file = NULL, .next_id = PF_FIRST_PAGE};
    uint8_t header[PF_HEADER_SIZE];
    unsigned height = 0, edge_height = 0;

    must(pf_create(path, PF_FIRST_PAGE));
    w.file = fopen(path, "r+be");
    if (w.file == NULL || fread(header, sizeof(header), 1, w.file) != 1 ||
        fseek(w.file, PF_HEADER_SIZE + PF_PAGE_SIZE, SEEK_SET) != 0)
        die_errno("%s", path);
    for (uint64_t unit = 0; unit < UNITS; unit++)
        put_unit(&w, unit);
    for (uint64_t i = 0; i < UNITS * NODES; i++)
        entries[i] = (struct entry){i + 1, node_page(i / NODES)};
    put_be64(header + NODE_ROOT, put_tree(&w, entries, UNITS * NODES, &height));
    for (uint64_t i = 0; i < UNITS * CLUSTERS; i++) {
        const uint64_t unit = i / CLUSTERS, n = i % CLUSTERS;
        entries[i] =
            (struct entry){(unit * NODES + 1 + n) * 2, node_page(unit) + 1 + BLOBS + n};
    }
    put_be64(header + EDGE_ROOT, put_tree(&w, entries, UNITS * CLUSTERS, &edge_height));
    put_be64(header + NODE_COUNT, UNITS * NODES);
    put_be64(header + EDGE_COUNT, UNITS * CLUSTERS);
    put_be64(header + TOTAL_PAGES, w.next_id);
    put_be32(header + HEIGHT, height);
    if (fseek(w.file, 0, SEEK_SET) != 0 ||
        fwrite(header, sizeof(header), 1, w.file) != 1 || fclose(w.file) != 0)
        die_errno("%s", path);
}

/* ---- turns ---- */

static double command_turn(const struct bench *b, void *side)
{
    const double began = now_seconds();

    (void)b;
    if (system(side) != 0)
        die("%s: failed", (const char *)side);
    return (now_seconds() - began) * 1e9;
}

static void check_row(const struct bench *few)
{
    char path[BENCH_PATH], ours[2 * BENCH_PATH + 64], peer[BENCH_PATH + 64];

    bench_path(few, "graph.v3", path);
    make_graph(path);
    (void)snprintf(ours, sizeof(ours), "'%s' check '%s' >/dev/null", few->pagefs, path);
    (void)snprintf(peer, sizeof(peer), "cat '%s' >/dev/null", path);
    const struct comparison c = compare(few, (struct side){command_turn, ours},
                                        (struct side){command_turn, peer});
    table_limit(
        "Near half of the time is the kernel reading the file, as in cat (perf).");
    table_ratio("pagefs check, 2 GB in the page cache", "cat", &c, 2.0);
    (void)unlink(path);
}

static volatile uint64_t seen;

static double sum_turn(const struct bench *b, void *side)
{
    const uint8_t *const memory = side;
    const double began = now_seconds();

    (void)b;
    for (size_t at = 0; at < MEMORY_BYTES; at += PF_PAGE_SIZE)
        seen += pf_validate_checksum(memory + at, PF_PAGE_SIZE, 0);
    return (now_seconds() - began) * 1e9 / (MEMORY_BYTES / PF_PAGE_SIZE);
}

static double copy_turn(const struct bench *b, void *side)
{
    static uint8_t page[PF_PAGE_SIZE];
    const uint8_t *const memory = side;
    const double began = now_seconds();

    (void)b;
    for (size_t at = 0; at < MEMORY_BYTES; at += PF_PAGE_SIZE) {
        memcpy(page, memory + at, sizeof(page));
        seen += page[at / PF_PAGE_SIZE % PF_PAGE_SIZE];
    }
    return (now_seconds() - began) * 1e9 / (MEMORY_BYTES / PF_PAGE_SIZE);
}

void rows_check(const struct bench *b)
{
    struct bench few = *b;
    uint8_t *const memory = malloc(MEMORY_BYTES);

    few.pairs = b->pairs < TURNS ? b->pairs : TURNS;
    table_group("Check");
    if (memory == NULL)
        die("out of memory");
    memset(memory, 1, MEMORY_BYTES);
    const struct comparison c =
        compare(b, (struct side){sum_turn, memory}, (struct side){copy_turn, memory});

    table_ratio("XXH3 of a page, of 64 MB of them", "copying it", &c, 1.3);
    free(memory);
    check_row(&few);
}
