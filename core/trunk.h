/* trunk.h: the trunk page of the free list. Pure: no I/O, no state.
 *
 * The free list is a stack cut into blocks; the first page of a block is its
 * trunk and lists the others, its leaves. FORMAT.md section 3 has every byte. */
#ifndef PF_TRUNK_H
#define PF_TRUNK_H

#include "pf.h"

enum {
    TRUNK_MAX_LEAVES = 505,
    TRUNK_BLOCK_PAGES = TRUNK_MAX_LEAVES + 1,
    TRUNK_MAGIC_SIZE = 8,
};

/* Block numbers stay below this, so that one more always fits. */
#define TRUNK_MAX_NUMBER ((uint64_t)1 << 62)

struct trunk {
    uint64_t page_id;
    uint64_t next;       /* trunk of the next older block, 0 = none */
    uint64_t number;     /* 1 .. TRUNK_MAX_NUMBER; falls towards older blocks */
    uint64_t free_total; /* pages on the whole list; right in the newest trunk only */
    uint32_t leaf_count;
    uint64_t leaf[TRUNK_MAX_LEAVES]; /* in the order they were freed */
};

/* Bytes that a trunk of this many leaves uses; the rest of the page is not ours. */
size_t trunk_used(uint32_t leaf_count);
/* Write trunk_used() bytes. */
void trunk_encode(const struct trunk *trunk, uint8_t *out_page);
/* Check magic, own id, zero field, ranges and sum. Ids are checked against
 * `total_pages`; page_id itself, and free_total, are the caller's. PF_E_CORRUPT. */
PF_CHECK pf_err trunk_decode(const uint8_t page[PF_PAGE_SIZE], uint64_t page_id,
                             uint64_t total_pages, struct trunk *out_trunk);

/* The link of a page that looks like a trunk. */
uint64_t trunk_next_of(const uint8_t *page);

#endif
