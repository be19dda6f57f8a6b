/* bulk_diff.c: `snapshots/NAME/diff`: one line a page whose state differs now. */
#include "bulk_files.h"

#include "columns.h"
#include "snapshots.h"

static size_t line_width(uint64_t total_pages)
{
    return column_id_width(total_pages) + (size_t)2 * (COLUMN_STATE + 1) + 1;
}

static pf_err line_count(const struct fsctx *ctx, uint64_t id, uint64_t *out_lines)
{
    const pf_snapshot *const snapshot = snapshots_acquire(ctx->snapshots, id);
    struct pf_change change = {0};
    uint64_t page_id = 0, lines = 0;
    bool found = false;
    pf_err err;

    if (snapshot == NULL)
        return PF_E_NOT_FOUND;
    while ((err = pf_snapshot_next(ctx->store, snapshot, page_id, &change, &found)) ==
               PF_OK &&
           found) {
        lines++;
        page_id = change.page_id + 1;
    }
    snapshots_release(ctx->snapshots, snapshot);
    *out_lines = lines;
    return err;
}

static char *put_change(char *at, size_t width, const struct pf_change *change)
{
    at = column_number(at, width, change->page_id);
    *at++ = ' ';
    at = column_word(at, COLUMN_STATE,
                     change->existed ? state_name(change->before) : "none");
    *at++ = ' ';
    at = column_word(at, COLUMN_STATE,
                     change->exists ? state_name(change->after) : "none");
    *at++ = '\n';
    return at;
}

static pf_err put_changes(const struct bulk_source *source, const pf_snapshot *snapshot,
                          struct bulk_cursor *cursor, uint64_t first, size_t max,
                          char *out, size_t *out_count)
{
    const size_t width = column_id_width(source->total_pages);
    struct pf_change change;
    size_t count = 0;

    while (count < max) {
        bool found;
        const pf_err err = pf_snapshot_next(source->ctx->store, snapshot, cursor->page_id,
                                            &change, &found);
        if (err != PF_OK)
            return err;
        if (!found)
            break;
        if (cursor->line >= first) {
            out = put_change(out, width, &change);
            count++;
        }
        *cursor = (struct bulk_cursor){cursor->line + 1, change.page_id + 1};
    }
    *out_count = count;
    return PF_OK;
}

static pf_err make_lines(const struct bulk_source *source, struct bulk_cursor *cursor,
                         uint64_t first, size_t max, char *out, size_t *out_count)
{
    struct snapshots *const snapshots = source->ctx->snapshots;
    const pf_snapshot *const snapshot = snapshots_acquire(snapshots, source->id);

    if (snapshot == NULL)
        return PF_E_NOT_FOUND;
    if (cursor->line > first)
        *cursor = (struct bulk_cursor){0, 0};
    const pf_err err = put_changes(source, snapshot, cursor, first, max, out, out_count);
    snapshots_release(snapshots, snapshot);
    return err;
}

const struct bulk bulk_diff = {line_width, line_count, make_lines};
