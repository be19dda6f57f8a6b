#include "bulk.h"

#include <stdlib.h>
#include <string.h>

enum {
    ID_WIDTH = 10,      /* as in `map`, and enough for 40 TB */
    ID_WIDTH_WIDE = 20, /* any 64-bit number */
    IDS_AT_ONCE = 4096, /* 32 KiB of ids a step */
};

/* Well below 10^10, so that no file outgrows the width while it is mounted and the size
 * that getattr told stays right. */
#define WIDE_FROM_PAGES UINT64_C(9000000000)

static size_t id_width(uint64_t total_pages)
{
    return total_pages > WIDE_FROM_PAGES ? ID_WIDTH_WIDE : ID_WIDTH;
}

/* The id right-aligned in `width` columns, and LF. */
static void line_format(uint64_t page_id, size_t width, char *out_line)
{
    char digits[DECIMAL_MAX];
    const size_t length = decimal_format(page_id, digits);

    memset(out_line, ' ', width);
    if (length <= width)
        memcpy(out_line + width - length, digits, length);
    out_line[width] = '\n';
}

static uint64_t freelist_size(const struct fsctx *ctx)
{
    struct pf_stats stats;

    pf_stats_get(ctx->store, &stats);
    if (!stats.free_known || stats.free_pages > (uint64_t)INT64_MAX / (ID_WIDTH_WIDE + 1))
        return 0;
    return stats.free_pages * (id_width(stats.total_pages) + 1);
}

/* Lines of `ids`, without the first `skip` bytes, as far as they fit. */
static size_t lines_put(const uint64_t *ids, size_t count, size_t width, size_t skip,
                        char *buffer, size_t size)
{
    char line[ID_WIDTH_WIDE + 1];
    size_t length = 0;

    for (size_t i = 0; i < count && length < size; i++) {
        line_format(ids[i], width, line);
        size_t part = width + 1 - skip;
        if (part > size - length)
            part = size - length;
        memcpy(buffer + length, line + skip, part);
        length += part;
        skip = 0;
    }
    return length;
}

static pf_err freelist_read(const struct fsctx *ctx, uint64_t total_pages,
                            uint64_t offset, char *buffer, size_t size,
                            size_t *out_length)
{
    const size_t width = id_width(total_pages);
    uint64_t *const ids = malloc(IDS_AT_ONCE * sizeof(*ids));
    size_t length = 0;
    pf_err err = PF_OK;

    if (ids == NULL)
        return PF_E_NO_MEMORY;
    while (length < size) {
        const uint64_t index = (offset + length) / (width + 1);
        const size_t skip = (size_t)((offset + length) % (width + 1));
        size_t want = (size - length) / (width + 1) + 2;
        size_t count;
        if (want > IDS_AT_ONCE)
            want = IDS_AT_ONCE;
        err = pf_freelist_get(ctx->store, index, want, ids, &count);
        if (err != PF_OK || count == 0)
            break;
        length += lines_put(ids, count, width, skip, buffer + length, size - length);
    }
    free(ids);
    if (err == PF_OK)
        *out_length = length;
    return err;
}

const struct node_bulk bulk_freelist = {freelist_size, freelist_read};
