/* bulk_freelist.c: `freelist`: the ids of the free pages, the next to be handed out
 * first. */
#include "bulk_files.h"

#include <stdlib.h>

#include "columns.h"

static size_t line_width(uint64_t total_pages)
{
    return column_id_width(total_pages) + 1;
}

static pf_err line_count(const struct fsctx *ctx, uint64_t id, uint64_t *out_lines)
{
    struct pf_stats stats;

    (void)id;
    pf_stats_get(ctx->store, &stats);
    *out_lines = stats.free_known ? stats.free_pages : 0;
    return PF_OK;
}

static pf_err make_lines(const struct bulk_source *source, struct bulk_cursor *cursor,
                         uint64_t first, size_t max, char *out, size_t *out_count)
{
    const size_t width = column_id_width(source->total_pages);
    uint64_t *const ids = malloc(max * sizeof(*ids));

    (void)cursor;
    if (ids == NULL)
        return PF_E_NO_MEMORY;
    const pf_err err = pf_freelist_get(source->ctx->store, first, max, ids, out_count);
    for (size_t i = 0; err == PF_OK && i < *out_count; i++) {
        out = column_number(out, width, ids[i]);
        *out++ = '\n';
    }
    free(ids);
    return err;
}

const struct bulk bulk_freelist = {line_width, line_count, make_lines};
