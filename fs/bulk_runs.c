/* bulk_runs.c: `runs`: one line a run of pages in equal state. */
#include "bulk_files.h"

#include "columns.h"
#include "runs.h"

static size_t line_width(uint64_t total_pages)
{
    return 3 * (column_id_width(total_pages) + 1) + COLUMN_STATE + 1;
}

static pf_err line_count(const struct fsctx *ctx, uint64_t id, uint64_t *out_lines)
{
    struct run run = {0};
    uint64_t lines = 0;
    bool found = true;

    (void)id;
    for (;; lines++) {
        const pf_err err = run_at(ctx->store, run.end, &run, &found);
        if (err != PF_OK)
            return err;
        if (!found)
            break;
    }
    *out_lines = lines;
    return PF_OK;
}

static char *put_run(char *at, size_t width, const struct run *run)
{
    at = column_number(at, width, run->start);
    *at++ = ' ';
    at = column_number(at, width, run->end - 1);
    *at++ = ' ';
    at = column_number(at, width, run->end - run->start);
    *at++ = ' ';
    at = column_word(at, COLUMN_STATE, state_name(run->state));
    *at++ = '\n';
    return at;
}

/* Each run begins where the one before ended, so the lines of one pass cover every page
 * once, whatever changes meanwhile. */
static pf_err make_lines(const struct bulk_source *source, struct bulk_cursor *cursor,
                         uint64_t first, size_t max, char *out, size_t *out_count)
{
    const size_t width = column_id_width(source->total_pages);
    struct run run;
    size_t count = 0;

    if (cursor->line > first)
        *cursor = (struct bulk_cursor){0, 0};
    while (count < max) {
        bool found;
        const pf_err err = run_at(source->ctx->store, cursor->page_id, &run, &found);
        if (err != PF_OK)
            return err;
        if (!found)
            break;
        if (cursor->line >= first) {
            out = put_run(out, width, &run);
            count++;
        }
        *cursor = (struct bulk_cursor){cursor->line + 1, run.end};
    }
    *out_count = count;
    return PF_OK;
}

const struct bulk bulk_runs = {line_width, line_count, make_lines};
