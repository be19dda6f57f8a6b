/* bulk_pages.c: `pages.tsv` and `pages.jsonl`: one line a page. */
#include "bulk_files.h"

#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "columns.h"
#include "node.h"
#include "pagelook.h"

enum {
    PINS_WIDTH = 10, /* a 32-bit number */
    TYPE_WIDTH = 13, /* node-internal, edge-internal */
};

/* Pages that can be told. */
static uint64_t page_count(const struct fsctx *ctx)
{
    const uint64_t total_pages = pf_total_pages(ctx->store);

    return total_pages < NODE_PAGE_LIMIT ? total_pages : NODE_PAGE_LIMIT;
}

/* ---- pages.tsv ---- */

static size_t offset_width(uint64_t total_pages)
{
    return column_id_width(total_pages) == COLUMN_ID_MAX ? COLUMN_ID_MAX : 14;
}

static size_t tsv_width(uint64_t total_pages)
{
    return column_id_width(total_pages) + COLUMN_STATE + PINS_WIDTH + TYPE_WIDTH +
           offset_width(total_pages) + 5;
}

/* And the header line. */
static pf_err tsv_count(const struct fsctx *ctx, uint64_t id, uint64_t *out_lines)
{
    (void)id;
    *out_lines = page_count(ctx) + 1;
    return PF_OK;
}

static char *tsv_header(const struct bulk_source *source, char *at)
{
    at = column_word(at, column_id_width(source->total_pages), "id");
    *at++ = '\t';
    at = column_word(at, COLUMN_STATE, "state");
    *at++ = '\t';
    at = column_word(at, PINS_WIDTH, "pins");
    *at++ = '\t';
    at = column_word(at, TYPE_WIDTH, "type");
    *at++ = '\t';
    at = column_word(at, offset_width(source->total_pages), "offset");
    *at++ = '\n';
    return at;
}

static char *tsv_line(const struct bulk_source *source, uint64_t page_id,
                      const struct pf_page *page, const char *type, char *at)
{
    const size_t width = offset_width(source->total_pages);
    uint64_t offset;

    at = column_number(at, column_id_width(source->total_pages), page_id);
    *at++ = '\t';
    at = column_word(at, COLUMN_STATE, state_name(page->state));
    *at++ = '\t';
    at = column_number(at, PINS_WIDTH, page->pins);
    *at++ = '\t';
    at = column_word(at, TYPE_WIDTH, type != NULL ? type : "-");
    *at++ = '\t';
    if (pf_page_offset(page_id, &offset) == PF_OK)
        at = column_number(at, width, offset);
    else
        at = column_word(at, width, "-"); /* only a header claims such pages */
    *at++ = '\n';
    return at;
}

/* Pages whose lines differ in their numbers only. */
struct run {
    uint64_t end; /* 0: none yet */
    struct pf_page page;
    const char *type;
};

/* 290 to 440 MB/s; looked at page by page, 150. */
static pf_err find_run(pf_store *store, uint64_t page_id, struct run *run)
{
    struct pf_page_use use;
    pf_err err = pf_page_run(store, page_id, &run->page, &run->end);

    if (err == PF_OK)
        err = pf_page_use_get(store, page_id, &use);
    if (err != PF_OK)
        return err;
    run->type = pagelook_type(store, &use);
    if (use.known || page_id < PF_FIRST_PAGE || run->page.state == PF_STATE_PINNED)
        run->end = page_id + 1; /* the next may have another type, or other pins */
    return PF_OK;
}

static pf_err tsv_lines(const struct bulk_source *source, struct bulk_cursor *cursor,
                        uint64_t first, size_t max, char *out, size_t *out_count)
{
    const uint64_t end = page_count(source->ctx) + 1;
    pf_store *const store = source->ctx->store;
    struct run run = {0};
    size_t count = 0;
    pf_err err = PF_OK;

    (void)cursor;
    for (; count < max && first + count < end; count++) {
        const uint64_t page_id = first + count - 1; /* behind the header line */
        if (first + count == 0) {
            out = tsv_header(source, out);
            continue;
        }
        if (page_id >= run.end)
            err = find_run(store, page_id, &run);
        if (err != PF_OK)
            break;
        out = tsv_line(source, page_id, &run.page, run.type, out);
    }
    *out_count = count;
    return err;
}

const struct bulk bulk_pages_tsv = {tsv_width, tsv_count, tsv_lines};

/* ---- pages.jsonl ---- */

/* No line is longer. */
#define SUM "\"0123456789abcdef\""
#define LONGEST_LINE                                                                     \
    "{\"id\":18446744073709551615,\"state\":\"allocated\",\"pins\":4294967295,"          \
    "\"type\":\"node-internal\",\"offset\":18446744073709551615,\"used_by\":\"\","       \
    "\"checksum\":{\"xxh3\":" SUM ",\"stored\":" SUM ",\"computed\":" SUM                \
    ",\"status\":\"mismatch\"}}"

/* Its NUL makes place for the LF. Paths are three or four pages long; longer ones, which
 * only a damaged file can have, lose their middle. */
enum { PATH_WIDTH = 160, JSONL_WIDTH = sizeof(LONGEST_LINE) + PATH_WIDTH };

static size_t jsonl_width(uint64_t total_pages)
{
    (void)total_pages;
    return JSONL_WIDTH;
}

static pf_err jsonl_count(const struct fsctx *ctx, uint64_t id, uint64_t *out_lines)
{
    (void)id;
    *out_lines = page_count(ctx);
    return PF_OK;
}

static void put_member(struct text *out, const char *key, uint64_t value)
{
    text_str(out, key);
    text_u64(out, value);
}

static void put_sum(struct text *out, const char *key, bool known, uint64_t sum)
{
    text_str(out, key);
    if (!known) {
        text_str(out, "null");
        return;
    }
    text_str(out, "\"");
    text_hex(out, sum, 16);
    text_str(out, "\"");
}

/* A member that is a word or null. */
static void put_word(struct text *out, const char *key, const char *word)
{
    text_str(out, key);
    if (word != NULL)
        text_str(out, "\"");
    text_str(out, word != NULL ? word : "null");
    if (word != NULL)
        text_str(out, "\"");
}

static void put_use(struct text *out, pf_store *store, const struct pf_page_use *use,
                    uint64_t offset)
{
    const size_t length = strlen(use->path);
    const size_t half = PATH_WIDTH / 2;
    char path[PATH_WIDTH + 1];

    if (length <= PATH_WIDTH)
        memcpy(path, use->path, length + 1);
    else
        snprintf(path, sizeof(path), "%.*s...%.*s", (int)half, use->path, (int)half - 3,
                 use->path + length - (half - 3));
    put_word(out, ",\"type\":", pagelook_type(store, use));
    put_member(out, ",\"offset\":", offset);
    put_word(out, ",\"used_by\":", use->used ? path : NULL);
}

static void put_checksum(struct text *out, const struct checksum *sum)
{
    put_sum(out, ",\"checksum\":{\"xxh3\":", true, sum->xxh3);
    put_sum(out, ",\"stored\":", sum->carried, sum->stored);
    put_sum(out, ",\"computed\":", sum->carried, sum->computed);
    text_str(out, ",\"status\":\"");
    text_str(out, checksum_status(sum));
    text_str(out, "\"}");
}

static pf_err jsonl_line(const struct fsctx *ctx, uint64_t page_id, char *line)
{
    struct text out = {line, 0, JSONL_WIDTH, false};
    struct pf_page page;
    struct pf_page_use use;
    struct checksum sum;
    uint64_t offset = 0;
    pf_err err = pf_page_get(ctx->store, page_id, &page);

    if (err == PF_OK)
        err = pf_page_use_get(ctx->store, page_id, &use);
    if (err == PF_OK)
        err = pf_page_offset(page_id, &offset);
    if (err != PF_OK)
        return err;
    put_member(&out, "{\"id\":", page_id);
    text_str(&out, ",\"state\":\"");
    text_str(&out, state_name(page.state));
    put_member(&out, "\",\"pins\":", page.pins);
    put_use(&out, ctx->store, &use, offset);
    err = checksum_get(ctx->store, page_id, &sum);
    if (err == PF_OK)
        put_checksum(&out, &sum);
    else if (err == PF_E_IO) /* one bad sector does not hide the other pages */
        text_str(&out, ",\"checksum\":null");
    else
        return err;
    text_str(&out, "}");
    memset(line + out.length, ' ', JSONL_WIDTH - 1 - out.length);
    line[JSONL_WIDTH - 1] = '\n';
    return PF_OK;
}

static pf_err jsonl_lines(const struct bulk_source *source, struct bulk_cursor *cursor,
                          uint64_t first, size_t max, char *out, size_t *out_count)
{
    const uint64_t end = page_count(source->ctx);
    size_t count = 0;
    pf_err err = PF_OK;

    (void)cursor;
    for (; count < max && first + count < end; count++) {
        err = jsonl_line(source->ctx, first + count, out + count * JSONL_WIDTH);
        if (err != PF_OK)
            break;
    }
    *out_count = count;
    return err;
}

const struct bulk bulk_pages_jsonl = {jsonl_width, jsonl_count, jsonl_lines};
