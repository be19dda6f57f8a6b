#include "trunk.h"

#include <string.h>

#include "bytes.h"
#include "xxh.h"

enum { /* byte offsets in a trunk page, big-endian; FORMAT.md section 3 */
       TRUNK_MAGIC = 0,
       TRUNK_PAGE_ID = 8,
       TRUNK_NEXT = 16,
       TRUNK_NUMBER = 24,
       TRUNK_FREE_TOTAL = 32,
       TRUNK_LEAF_COUNT = 40,
       TRUNK_ZERO = 44,
       TRUNK_SUM = 48,
       TRUNK_LEAVES = 56,
};

static const uint8_t trunk_magic[TRUNK_MAGIC_SIZE] = {'P', 'F', 'T', 'R',
                                                      'U', 'N', 'K', 1};

_Static_assert(TRUNK_LEAVES + 8 * TRUNK_MAX_LEAVES == PF_PAGE_SIZE,
               "a full trunk fills a page");

size_t trunk_used(uint32_t leaf_count)
{
    return TRUNK_LEAVES + (size_t)leaf_count * 8;
}

/* XXH3-64 of the used bytes with the sum taken as zero, seeded with the page id: a
 * trunk copied to another page does not verify there. */
static uint64_t trunk_sum(const uint8_t *page, uint64_t page_id, uint32_t leaf_count)
{
    uint8_t copy[PF_PAGE_SIZE];
    const size_t used = trunk_used(leaf_count);
    memcpy(copy, page, used);
    memset(copy + TRUNK_SUM, 0, 8);
    return XXH3_64bits_withSeed(copy, used, page_id);
}

void trunk_encode(const struct trunk *trunk, uint8_t *out_page)
{
    memcpy(out_page + TRUNK_MAGIC, trunk_magic, sizeof trunk_magic);
    put_be64(out_page + TRUNK_PAGE_ID, trunk->page_id);
    put_be64(out_page + TRUNK_NEXT, trunk->next);
    put_be64(out_page + TRUNK_NUMBER, trunk->number);
    put_be64(out_page + TRUNK_FREE_TOTAL, trunk->free_total);
    put_be32(out_page + TRUNK_LEAF_COUNT, trunk->leaf_count);
    put_be32(out_page + TRUNK_ZERO, 0);
    put_be64(out_page + TRUNK_SUM, 0);
    for (uint32_t i = 0; i < trunk->leaf_count; i++)
        put_be64(out_page + TRUNK_LEAVES + (size_t)i * 8, trunk->leaf[i]);
    put_be64(
        out_page + TRUNK_SUM,
        XXH3_64bits_withSeed(out_page, trunk_used(trunk->leaf_count), trunk->page_id));
}

/* The fields that say whether this can be a trunk of this page at all. */
static bool trunk_head_is_sane(const uint8_t *page, uint64_t page_id)
{
    return memcmp(page + TRUNK_MAGIC, trunk_magic, sizeof trunk_magic) == 0 &&
           get_be64(page + TRUNK_PAGE_ID) == page_id &&
           get_be32(page + TRUNK_ZERO) == 0 &&
           get_be32(page + TRUNK_LEAF_COUNT) <= TRUNK_MAX_LEAVES;
}

static bool id_is_usable(uint64_t page_id, uint64_t total_pages)
{
    return page_id >= PF_FIRST_PAGE && page_id < total_pages;
}

pf_err trunk_decode(const uint8_t page[PF_PAGE_SIZE], uint64_t page_id,
                    uint64_t total_pages, struct trunk *out_trunk)
{
    if (!trunk_head_is_sane(page, page_id))
        return PF_E_CORRUPT;
    const uint32_t leaf_count = get_be32(page + TRUNK_LEAF_COUNT);
    if (get_be64(page + TRUNK_SUM) != trunk_sum(page, page_id, leaf_count))
        return PF_E_CORRUPT;

    const uint64_t next = get_be64(page + TRUNK_NEXT);
    const uint64_t number = get_be64(page + TRUNK_NUMBER);
    if ((next != 0 && !id_is_usable(next, total_pages)) || next == page_id)
        return PF_E_CORRUPT;
    if (number == 0 || number > TRUNK_MAX_NUMBER)
        return PF_E_CORRUPT;
    for (uint32_t i = 0; i < leaf_count; i++)
        if (!id_is_usable(get_be64(page + TRUNK_LEAVES + (size_t)i * 8), total_pages))
            return PF_E_CORRUPT;

    out_trunk->page_id = page_id;
    out_trunk->next = next;
    out_trunk->number = number;
    out_trunk->free_total = get_be64(page + TRUNK_FREE_TOTAL);
    out_trunk->leaf_count = leaf_count;
    for (uint32_t i = 0; i < leaf_count; i++)
        out_trunk->leaf[i] = get_be64(page + TRUNK_LEAVES + (size_t)i * 8);
    return PF_OK;
}

bool pf_trunk_sums(uint64_t page_id, const uint8_t *page, uint64_t *out_stored,
                   uint64_t *out_computed)
{
    if (!trunk_head_is_sane(page, page_id))
        return false;
    *out_stored = get_be64(page + TRUNK_SUM);
    *out_computed = trunk_sum(page, page_id, get_be32(page + TRUNK_LEAF_COUNT));
    return true;
}

uint64_t trunk_next_of(const uint8_t *page)
{
    return get_be64(page + TRUNK_NEXT);
}
