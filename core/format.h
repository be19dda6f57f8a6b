/* format.h: the V3 header and the geometry of pages. Pure: no I/O, no state.
 *
 * For core only. FORMAT.md sections 1 and 2 have every byte. */
#ifndef PF_FORMAT_H
#define PF_FORMAT_H

#include "pf.h"

enum { /* byte offsets in the header; FORMAT.md section 1 */
       HDR_MAGIC = 0,
       HDR_VERSION = 8,
       HDR_FLAGS = 12,
       HDR_NODE_COUNT = 16,
       HDR_EDGE_COUNT = 24,
       HDR_SCHEMA_VERSION = 32,
       HDR_RESERVED = 36,
       HDR_NODE_DATA = 40,
       HDR_EDGE_DATA = 48,
       HDR_OUTGOING = 56,
       HDR_INCOMING = 64,
       HDR_FREE_SPACE = 72,
       HDR_ROOT_INDEX = 80,
       HDR_FREE_HEAD = 88,
       HDR_TOTAL_PAGES = 96,
       HDR_PAGE_SIZE = 104,
       HDR_BTREE_HEIGHT = 108,
};

/* The highest id whose page ends within the largest file offset. */
#define PF_MAX_PAGE_ID ((uint64_t)(INT64_MAX - PF_HEADER_SIZE) / PF_PAGE_SIZE)

/* Decode and judge `length` bytes read from offset 0; the first failing rule of
 * FORMAT.md section 1 decides which error is returned. */
PF_CHECK pf_err header_decode(const uint8_t *bytes, size_t length,
                              struct pf_header *out_header);
/* Write all 112 bytes. */
void header_encode(const struct pf_header *header, uint8_t out_bytes[PF_HEADER_SIZE]);
/* A fresh, empty database. */
void header_init(struct pf_header *header);

/* Pages 0 and 1 always exist. */
uint64_t effective_total(uint64_t total_pages);
/* Bytes of a file of `total_pages` (effective, at most PF_MAX_PAGE_ID + 1) pages. */
uint64_t nominal_size(uint64_t total_pages);
/* Offset of a page whose id is known to be at most PF_MAX_PAGE_ID. */
uint64_t page_offset(uint64_t page_id);
/* Bytes of a page: PF_HEADER_SIZE for page 0. */
size_t page_length(uint64_t page_id);

#endif
