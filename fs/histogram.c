/* histogram.c: `runs.histogram`: free runs by length, and what shrink would give back.
 *
 * How many lines there are, and how wide, depends only on the size of the file, so that
 * a size can be told without a walk. */
#include "render.h"

#include "columns.h"
#include "runs.h"

enum {
    BUCKETS = 64, /* bucket i: lengths 2^i .. 2^(i+1) - 1 */
    COLUMNS = 4,
};

struct bucket {
    uint64_t runs, pages;
};

static unsigned log2_of(uint64_t value)
{
    unsigned result = 0;

    while (value >>= 1)
        result++;
    return result;
}

static unsigned bucket_count(uint64_t total_pages)
{
    return log2_of(total_pages) + 1;
}

static size_t line_bytes(uint64_t total_pages)
{
    return COLUMNS * (column_id_width(total_pages) + 1);
}

/* A header line, the buckets, and one line more. */
uint64_t render_histogram_size(const struct fsctx *ctx)
{
    const uint64_t total_pages = pf_total_pages(ctx->store);

    return (bucket_count(total_pages) + 2) * line_bytes(total_pages);
}

static pf_err count_runs(pf_store *store, struct bucket buckets[BUCKETS])
{
    struct run run = {0};

    for (;;) {
        bool found;
        const pf_err err = run_at(store, run.end, &run, &found);
        if (err != PF_OK || !found)
            return err;
        if (run.state != PF_STATE_FREE)
            continue;
        struct bucket *const bucket = &buckets[log2_of(run.end - run.start)];
        bucket->runs++;
        bucket->pages += run.end - run.start;
    }
}

static void put_line(struct text *out, uint64_t total_pages,
                     const uint64_t values[COLUMNS])
{
    const size_t width = column_id_width(total_pages);
    char line[COLUMNS * (COLUMN_ID_MAX + 1)];
    char *at = line;

    for (unsigned i = 0; i < COLUMNS; i++) {
        at = column_number(at, width, values[i]);
        *at++ = i + 1 < COLUMNS ? ' ' : '\n';
    }
    text_add(out, line, (size_t)(at - line));
}

static void put_words(struct text *out, uint64_t total_pages,
                      const char *const words[COLUMNS])
{
    const size_t width = column_id_width(total_pages);
    char line[COLUMNS * (COLUMN_ID_MAX + 1)];
    char *at = line;

    for (unsigned i = 0; i < COLUMNS; i++) {
        at = column_word(at, width, words[i]);
        *at++ = i + 1 < COLUMNS ? ' ' : '\n';
    }
    text_add(out, line, (size_t)(at - line));
}

/* `trailing_free N`, the number at the end of the line. */
static void put_trailing(struct text *out, uint64_t total_pages, uint64_t trailing)
{
    static const char key[] = "trailing_free";
    const size_t rest = line_bytes(total_pages) - sizeof(key);
    char number[COLUMNS * (COLUMN_ID_MAX + 1)];

    text_str(out, key);
    (void)column_number(number, rest, trailing);
    text_add(out, number, rest);
    text_str(out, "\n");
}

pf_err render_histogram(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    static const char *const head[COLUMNS] = {"from", "to", "runs", "pages"};
    const uint64_t total_pages = pf_total_pages(ctx->store);
    struct bucket buckets[BUCKETS] = {0};
    uint64_t trailing = 0;
    pf_err err = count_runs(ctx->store, buckets);

    (void)id;
    if (err == PF_OK)
        err = pf_trailing_free(ctx->store, &trailing);
    if (err != PF_OK)
        return err;
    put_words(out, total_pages, head);
    for (unsigned i = 0; i < bucket_count(total_pages); i++) {
        const uint64_t from = UINT64_C(1) << i;
        const uint64_t line[COLUMNS] = {from, from - 1 + from, buckets[i].runs,
                                        buckets[i].pages};
        put_line(out, total_pages, line);
    }
    put_trailing(out, total_pages, trailing);
    return PF_OK;
}
