#include "attr.h"

#include "attr_cache.h"
#include "checks.h"
#include "events.h"
#include "findings.h"
#include "snapshots.h"
#include "transitions.h"

enum {
    LONG_SECONDS = 86400,
    LARGE_PAGES = 1000000, /* from here on some sizes are not worth their cost */
    LINK_PREFIX = 9,       /* ../pages/ */
};

mode_t attr_mode(const struct fsctx *ctx, const struct node_row *row)
{
    return S_ISLNK(row->mode) ? row->mode : row->mode & ~ctx->umask;
}

double attr_timeout(struct node node)
{
    return node_row(node.kind)->flags & NODE_CONSTANT ? LONG_SECONDS : 0;
}

double attr_grant(struct fsctx *ctx, struct node node)
{
    return node.kind == NODE_PAGE ? attr_cache_grant(ctx->attr_cache, node.id)
                                  : attr_timeout(node);
}

double attr_entry_timeout(struct node node)
{
    return node_row(node.kind)->content == NODE_IS_LINK ? 0 : LONG_SECONDS;
}

/* The directory pages/N shows the page's state: ls -l, du and find work on it. */
static void fill_page(const struct fsctx *ctx, uint64_t page_id, struct stat *out)
{
    struct pf_page page = {.state = PF_STATE_ALLOCATED};

    if (pf_page_get(ctx->store, page_id, &page) != PF_OK)
        page.state = PF_STATE_ALLOCATED; /* do not offer as free what may be in use */
    if (page.state != PF_STATE_FREE) {
        out->st_size = PF_PAGE_SIZE;
        out->st_blocks = PF_PAGE_SIZE / 512;
    }
    if (page.state == PF_STATE_PINNED)
        out->st_mode |= S_ISVTX;
}

static off_t text_size(const struct fsctx *ctx, struct node node)
{
    const struct node_row *const row = node_row(node.kind);
    struct text text = {0};

    if (row->size != NULL)
        return (off_t)row->size(ctx);
    const pf_err err = row->render(ctx, node.id, &text);
    const off_t size = err == PF_OK && !text.failed ? (off_t)text.length : 0;

    text_free(&text);
    return size;
}

static off_t file_size(const struct fsctx *ctx, struct node node)
{
    const struct node_row *const row = node_row(node.kind);
    char digits[DECIMAL_MAX];

    if (row->flags & NODE_MAY_LACK_SIZE && pf_total_pages(ctx->store) > LARGE_PAGES)
        return 0;
    switch (row->content) {
    case NODE_IS_TEXT:
        return text_size(ctx, node);
    case NODE_IS_BULK:
        return (off_t)bulk_size(row->bulk, ctx, node.id);
    case NODE_IS_FINDINGS:
        return (off_t)findings_size(checks_findings(ctx->checks));
    case NODE_IS_LOG:
        return (off_t)events_size(ctx->events);
    case NODE_IS_LINK:
        return (off_t)(LINK_PREFIX + decimal_format(node.id, digits));
    case NODE_IS_DATA:
        return node.id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE;
    default: /* nothing whose end is known */
        return 0;
    }
}

static struct timespec time_of(const struct fsctx *ctx, struct node node)
{
    if (node_has_snapshot(node) && node.kind != NODE_SNAPSHOT_DIFF)
        return snapshots_time(ctx->snapshots, node.id);
    return node_has_page(node) ? transitions_of(ctx->transitions, node.id)
                               : transitions_latest(ctx->transitions);
}

void attr_fill(const struct fsctx *ctx, struct node node, struct stat *out_stat)
{
    *out_stat = (struct stat){
        .st_ino = node_ino(node),
        .st_mode = attr_mode(ctx, node_row(node.kind)),
        .st_nlink =
            1, /* for directories: "not counted", so that find does not rely on it */
        .st_uid = ctx->uid,
        .st_gid = ctx->gid,
        .st_blksize = PF_PAGE_SIZE,
    };
    out_stat->st_mtim = time_of(ctx, node);
    out_stat->st_atim = out_stat->st_ctim = out_stat->st_mtim;
    if (node.kind == NODE_PAGE)
        fill_page(ctx, node.id, out_stat);
    else
        out_stat->st_size = file_size(ctx, node);
}
