#include "bulk.h"

#include <stdlib.h>

uint64_t bulk_size(const struct bulk *bulk, const struct fsctx *ctx, uint64_t id)
{
    const size_t width = bulk->width(pf_total_pages(ctx->store));
    uint64_t lines;

    if (bulk->count(ctx, id, &lines) != PF_OK ||
        lines > (uint64_t)INT64_MAX / width) /* unreachable: NODE_PAGE_LIMIT */
        return 0;
    return lines * width;
}

pf_err bulk_read(const struct bulk *bulk, const struct bulk_source *source,
                 struct bulk_cursor *cursor, uint64_t offset, size_t size,
                 struct bulk_part *out_part)
{
    const size_t width = bulk->width(source->total_pages);
    const size_t skip = (size_t)(offset % width);
    const size_t max = (skip + size) / width + 1;
    char *const buffer = malloc(max * width);
    size_t count = 0;
    pf_err err = PF_E_NO_MEMORY;

    if (buffer != NULL)
        err = bulk->lines(source, cursor, offset / width, max, buffer, &count);
    if (err == PF_E_NO_PAGE)
        err = PF_OK; /* the file has just shrunk */
    if (err != PF_OK) {
        free(buffer);
        return err;
    }
    const size_t made = count * width;
    const size_t length = made > skip ? made - skip : 0;
    *out_part = (struct bulk_part){buffer, buffer + skip, length < size ? length : size};
    return PF_OK;
}
