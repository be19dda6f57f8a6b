/* bulk.h: large files of fixed-width lines, computed by offset and never held in memory.
 *
 * Each line is true at the moment it is read. A file is described by how wide its lines
 * are, how many there are, and how to make some of them; offsets are dealt with here. */
#ifndef PAGEFS_BULK_H
#define PAGEFS_BULK_H

#include "fsctx.h"

/* For files whose n-th line can only be found by going through those before it: where
 * the last read of an open file ended. Zero-initialise. */
struct bulk_cursor {
    uint64_t line;    /* the next one */
    uint64_t page_id; /* which it starts looking at */
};

/* What to make lines of. */
struct bulk_source {
    const struct fsctx *ctx;
    uint64_t id;          /* of the snapshot */
    uint64_t total_pages; /* at open: decides on the width */
};

struct bulk {
    /* Bytes of a line, LF included. */
    size_t (*width)(uint64_t total_pages);
    /* How many lines there are now. */
    pf_err (*count)(const struct fsctx *ctx, uint64_t id, uint64_t *out_lines);
    /* Write lines first .. first + max - 1 to `out`, fewer at the end of the file, which
     * may come with PF_E_NO_PAGE, when it has just shrunk. */
    pf_err (*lines)(const struct bulk_source *source, struct bulk_cursor *cursor,
                    uint64_t first, size_t max, char *out, size_t *out_count);
};

/* Bytes of the file now; 0 when that cannot be found out. */
uint64_t bulk_size(const struct bulk *bulk, const struct fsctx *ctx, uint64_t id);

struct bulk_part {
    char *buffer;      /* to free */
    const char *bytes; /* in it */
    size_t length;
};

/* The bytes of the file from `offset` on, at most `size`, fewer only at its end. */
PF_CHECK pf_err bulk_read(const struct bulk *bulk, const struct bulk_source *source,
                          struct bulk_cursor *cursor, uint64_t offset, size_t size,
                          struct bulk_part *out_part);

#endif
