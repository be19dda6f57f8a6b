/* bulk_freelist.c: `freelist`: the ids of the free pages, the next to be handed out
 * first. */
#include "bulk_files.h"

#include "columns.h"

enum { IDS_AT_ONCE = 4096 }; /* eight blocks of the list */

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

/* In portions: a commit waits while the list is looked at. */
static pf_err make_lines(const struct bulk_source *source, struct bulk_cursor *cursor,
                         uint64_t first, size_t max, char *out, size_t *out_count)
{
    const size_t width = column_id_width(source->total_pages);
    uint64_t ids[IDS_AT_ONCE];
    size_t count = 0, got = 0;

    (void)cursor;
    do {
        const size_t want = max - count < IDS_AT_ONCE ? max - count : IDS_AT_ONCE;
        const pf_err err =
            pf_freelist_get(source->ctx->store, first + count, want, ids, &got);
        if (err != PF_OK)
            return err;
        for (size_t i = 0; i < got; i++) {
            out = column_number(out, width, ids[i]);
            *out++ = '\n';
        }
        count += got;
    } while (got > 0 && count < max);
    *out_count = count;
    return PF_OK;
}

const struct bulk bulk_freelist = {line_width, line_count, make_lines};
