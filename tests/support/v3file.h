/* v3file.h: V3 files made and read by hand, from the published offsets.
 *
 * Shares no code with core/ on purpose: a wrong offset there must not be excused by the
 * same wrong offset here. Everything big-endian. */
#ifndef TEST_V3FILE_H
#define TEST_V3FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    V3_PAGE = 4096,
    V3_HEADER = 112,
    V3_BLOCK_LEAVES = 505, /* a full block: its trunk and these */

    /* header */
    V3_AT_MAGIC = 0,
    V3_AT_VERSION = 8,
    V3_AT_FLAGS = 12,
    V3_AT_NODE_COUNT = 16,
    V3_AT_EDGE_COUNT = 24,
    V3_AT_SCHEMA = 32,
    V3_AT_RESERVED = 36,
    V3_AT_NODE_DATA = 40,
    V3_AT_EDGE_ROOT = 48,
    V3_AT_OUTGOING = 56,
    V3_AT_INCOMING = 64,
    V3_AT_FREE_SPACE = 72,
    V3_AT_NODE_ROOT = 80,
    V3_AT_FREE_HEAD = 88,
    V3_AT_TOTAL = 96,
    V3_AT_PAGE_SIZE = 104,
    V3_AT_HEIGHT = 108,

    /* trunk */
    V3_TRUNK_MAGIC = 0,
    V3_TRUNK_SELF = 8,
    V3_TRUNK_NEXT = 16,
    V3_TRUNK_BLOCK = 24,
    V3_TRUNK_TOTAL = 32,
    V3_TRUNK_COUNT = 40,
    V3_TRUNK_ZERO = 44,
    V3_TRUNK_SUM = 48,
    V3_TRUNK_LEAVES = 56,
};

void v3_put32(uint8_t *at, uint32_t value);
void v3_put64(uint8_t *at, uint64_t value);
uint32_t v3_get32(const uint8_t *at);
uint64_t v3_get64(const uint8_t *at);

/* The header of a fresh file. */
void v3_header(uint8_t header[V3_HEADER]);
/* Byte offset of a page. */
uint64_t v3_offset(uint64_t page_id);
/* 112 + (max(total, 2) - 1) * 4096. */
uint64_t v3_nominal(uint64_t total_pages);
/* Make a file of exactly `size` bytes that starts with `header`; the rest is a hole. */
void v3_make(const char *path, const uint8_t header[V3_HEADER], uint64_t size);
/* A valid file of `total_pages` pages (>= 2), sparse, without a graph or free list. */
void v3_make_pages(const char *path, uint64_t total_pages);
/* The same with 60 pages and a free list: trunk 12 lists 5 and 50, then trunk 11 lists
 * 30, 20 and 40. */
void v3_make_listed(const char *path);
/* Overwrite bytes of an existing file. */
void v3_poke(const char *path, uint64_t offset, const void *bytes, size_t length);
void v3_peek(const char *path, uint64_t offset, void *bytes, size_t length);
void v3_poke64(const char *path, uint64_t offset, uint64_t value);
uint64_t v3_size(const char *path);

/* A trunk page, its sum included. */
void v3_trunk(uint8_t page[V3_PAGE], uint64_t self, uint64_t next, uint64_t block,
              uint64_t total, const uint64_t *leaves, uint32_t leaf_count);
void v3_trunk_sum(uint8_t page[V3_PAGE]);
/* Walk the free list of a closed file and check every rule of its format, and that no
 * other page looks like a trunk. Returns the
 * ids, the one handed out next first, in an array that the caller frees; fails the test
 * with the reason when a rule is broken. */
uint64_t *v3_free_list(const char *path, size_t *out_count);

/* What a file holds, page by page: hashes[0] is the header. The caller frees it. */
struct v3_image {
    uint64_t size;
    size_t page_count;
    uint64_t *hashes;
    uint8_t header[V3_HEADER];
};
void v3_image_read(const char *path, struct v3_image *out_image);
void v3_image_free(struct v3_image *image);
/* Pages that differ, counting those that only one of the two has. */
size_t v3_image_differences(const struct v3_image *a, const struct v3_image *b);
/* Page 1 and all later ones of `before` are in the file as they were, and so are the 15
 * fields of the header that are not pagefs's. */
void v3_assert_original_kept(const struct v3_image *before, const char *path);
/* XXH3 of all bytes. */
uint64_t v3_hash(const char *path);

#endif
