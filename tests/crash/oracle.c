#include "oracle.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PAGE = 4096, HEADER = 112, MAX_LEAVES = 505, LEAVES_AT = 56 };

static uint64_t be(const uint8_t *bytes, unsigned length)
{
    uint64_t value = 0;

    if (length == 8) {
        memcpy(&value, bytes, 8);
        return be64toh(value);
    }
    for (unsigned i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

__attribute__((format(printf, 2, 3))) static bool broken(struct oracle *oracle,
                                                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(oracle->finding, sizeof(oracle->finding), format, args);
    va_end(args);
    return false;
}

static void *grown(void *array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return array;
    *room = count * 2 + 64;
    array = realloc(array, *room * size);
    if (array == NULL)
        abort();
    return array;
}

void oracle_init(struct oracle *oracle)
{
    memset(oracle, 0, sizeof(*oracle));
}

void oracle_clear(struct oracle *oracle)
{
    free(oracle->free_ids);
    free(oracle->trunks);
    free(oracle->seen);
    oracle_init(oracle);
}

uint64_t oracle_page_offset(uint64_t page_id)
{
    return page_id == 0 ? 0 : HEADER + (page_id - 1) * PAGE;
}

uint64_t oracle_nominal_size(uint64_t total_pages)
{
    return HEADER + (total_pages - 1) * PAGE;
}

/* ---- section 1 ---- */

static bool read_header(struct oracle *oracle, const struct oracle_source *source,
                        uint64_t *out_head)
{
    static const uint8_t magic[8] = {0x53, 0x51, 0x4C, 0x54, 0x47, 0x46, 0x00, 0x03};
    uint8_t header[HEADER];

    if (source->size < HEADER)
        return broken(oracle, "the file has %" PRIu64 " bytes", source->size);
    source->read(source->context, 0, header, HEADER);
    if (memcmp(header, magic, sizeof(magic)) != 0 || be(header + 8, 4) != 4)
        return broken(oracle, "wrong magic or version");
    if ((be(header + 12, 4) & 7) != 7 || be(header + 104, 4) != PAGE)
        return broken(oracle, "wrong flags or page size");
    oracle->total_pages = be(header + 96, 8);
    if (oracle->total_pages < 2)
        oracle->total_pages = 2;
    *out_head = be(header + 88, 8);

    if (oracle->total_pages > (uint64_t)1 << 40)
        return broken(oracle, "total_pages is %" PRIu64, oracle->total_pages);
    const uint64_t nominal = oracle_nominal_size(oracle->total_pages);
    if (source->size > nominal)
        return broken(oracle,
                      "the file has %" PRIu64 " bytes, %" PRIu64 " pages have %" PRIu64,
                      source->size, oracle->total_pages, nominal);
    if (oracle->total_pages > 2 && nominal - source->size >= PAGE)
        return broken(oracle,
                      "%" PRIu64 " bytes are missing at the end of %" PRIu64 " pages",
                      nominal - source->size, oracle->total_pages);
    const uint64_t root = be(header + 80, 8), edge_root = be(header + 48, 8);
    if (root >= oracle->total_pages ||
        (edge_root != UINT64_MAX && edge_root >= oracle->total_pages))
        return broken(oracle, "a root is not below total_pages");
    return true;
}

/* ---- section 3 ---- */

static bool add_free(struct oracle *oracle, uint64_t page_id, uint64_t trunk)
{
    if (page_id < 2 || page_id >= oracle->total_pages)
        return broken(oracle, "trunk %" PRIu64 " lists page %" PRIu64 " of %" PRIu64,
                      trunk, page_id, oracle->total_pages);
    if ((oracle->seen[page_id / 8] >> (page_id % 8) & 1) != 0)
        return broken(oracle, "page %" PRIu64 " is on the free list twice", page_id);
    oracle->seen[page_id / 8] = (uint8_t)(oracle->seen[page_id / 8] | 1U << page_id % 8);
    oracle->free_ids = grown(oracle->free_ids, &oracle->free_room, oracle->free_count,
                             sizeof(*oracle->free_ids));
    oracle->free_ids[oracle->free_count++] = page_id;
    return true;
}

static uint64_t trunk_sum(const uint8_t *page)
{
    uint8_t copy[PAGE];
    const size_t used = LEAVES_AT + 8 * (size_t)be(page + 40, 4);

    memcpy(copy, page, used);
    memset(copy + 48, 0, 8);
    return XXH3_64bits_withSeed(copy, used, be(page + 8, 8));
}

bool oracle_is_trunk_magic(const uint8_t *bytes)
{
    return memcmp(bytes, "PFTRUNK\1", 8) == 0;
}

static bool trunk_is_valid(struct oracle *oracle, const uint8_t *page, uint64_t page_id)
{
    if (!oracle_is_trunk_magic(page))
        return broken(oracle, "trunk %" PRIu64 " has no magic", page_id);
    if (be(page + 8, 8) != page_id)
        return broken(oracle, "trunk %" PRIu64 " says it is page %" PRIu64, page_id,
                      be(page + 8, 8));
    if (be(page + 40, 4) > MAX_LEAVES)
        return broken(oracle, "trunk %" PRIu64 " has too many leaves", page_id);
    if (be(page + 44, 4) != 0)
        return broken(oracle, "trunk %" PRIu64 " has a bad zero field", page_id);
    if (be(page + 48, 8) != trunk_sum(page))
        return broken(oracle, "trunk %" PRIu64 " has a wrong sum", page_id);
    return true;
}

static bool read_block(struct oracle *oracle, const uint8_t *page, uint64_t page_id,
                       uint64_t *number)
{
    const uint32_t leaf_count = (uint32_t)be(page + 40, 4);

    if (!trunk_is_valid(oracle, page, page_id))
        return false;
    if (be(page + 24, 8) < 1 || be(page + 24, 8) >= *number)
        return broken(oracle, "trunk %" PRIu64 " has block number %" PRIu64, page_id,
                      be(page + 24, 8));
    *number = be(page + 24, 8);
    for (uint32_t i = leaf_count; i > 0; i--)
        if (!add_free(oracle, be(page + LEAVES_AT + 8 * (i - 1), 8), page_id))
            return false;
    oracle->trunks = grown(oracle->trunks, &oracle->trunk_room, oracle->trunk_count,
                           sizeof(*oracle->trunks));
    oracle->trunks[oracle->trunk_count++] = (struct oracle_trunk){page_id, leaf_count};
    return add_free(oracle, page_id, page_id);
}

static void prepare_seen(struct oracle *oracle)
{
    const size_t size = (size_t)(oracle->total_pages / 8 + 1);

    if (size > oracle->seen_room) {
        free(oracle->seen);
        oracle->seen = malloc(size * 2);
        if (oracle->seen == NULL)
            abort();
        oracle->seen_room = size * 2;
    }
    memset(oracle->seen, 0, size);
}

bool oracle_read(struct oracle *oracle, const struct oracle_source *source)
{
    uint64_t number = ((uint64_t)1 << 62) + 1;
    uint64_t claimed = 0;
    uint64_t trunk = 0;
    uint8_t page[PAGE];

    oracle->free_count = oracle->trunk_count = 0;
    oracle->finding[0] = '\0';
    if (!read_header(oracle, source, &trunk))
        return false;
    prepare_seen(oracle);
    while (trunk != 0) {
        if (trunk < 2 || trunk >= oracle->total_pages)
            return broken(oracle, "a link leads to page %" PRIu64 " of %" PRIu64, trunk,
                          oracle->total_pages);
        source->read(source->context, oracle_page_offset(trunk), page, PAGE);
        if (oracle->trunk_count == 0)
            claimed = be(page + 32, 8);
        if (!read_block(oracle, page, trunk, &number))
            return false;
        trunk = be(page + 16, 8);
    }
    if (claimed != oracle->free_count)
        return broken(oracle,
                      "the newest trunk counts %" PRIu64 " free pages, there are %zu",
                      claimed, oracle->free_count);
    return true;
}

static bool is_trunk(const struct oracle *oracle, uint64_t page_id)
{
    for (size_t i = 0; i < oracle->trunk_count; i++)
        if (oracle->trunks[i].page_id == page_id)
            return true;
    return false;
}

bool oracle_finds_stale_trunk(struct oracle *oracle, const struct oracle_source *source,
                              const uint8_t *plain, uint64_t plain_count)
{
    uint8_t page[PAGE];

    for (uint64_t id = 2; id < oracle->total_pages; id++) {
        if (id < plain_count && plain[id] != 0)
            continue;
        source->read(source->context, oracle_page_offset(id), page, 8);
        if (!oracle_is_trunk_magic(page) || is_trunk(oracle, id))
            continue;
        source->read(source->context, oracle_page_offset(id), page, PAGE);
        if (trunk_is_valid(oracle, page, id)) {
            broken(oracle, "page %" PRIu64 " left the list and still is a valid trunk",
                   id);
            return true;
        }
    }
    return false;
}
