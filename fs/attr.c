#include "attr.h"

#include "transitions.h"

enum { LONG_SECONDS = 86400 };

mode_t attr_mode(const struct fsctx *ctx, const struct node_row *row)
{
    return row->mode & ~ctx->umask;
}

bool attr_needs_freelist(struct node node)
{
    return (node_row(node.kind)->flags & NODE_NEEDS_FREELIST) != 0;
}

double attr_timeout(struct node node)
{
    return node_row(node.kind)->flags & NODE_CONSTANT ? LONG_SECONDS : 0;
}

double attr_entry_timeout(void)
{
    return LONG_SECONDS;
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
    struct text text = {0};
    const pf_err err = node_row(node.kind)->render(ctx, node.page_id, &text);
    const off_t size = err == PF_OK && !text.failed ? (off_t)text.length : 0;

    text_free(&text);
    return size;
}

static off_t file_size(const struct fsctx *ctx, struct node node)
{
    const struct node_row *const row = node_row(node.kind);

    switch (row->content) {
    case NODE_IS_TEXT:
        return text_size(ctx, node);
    case NODE_IS_BULK:
        return (off_t)row->bulk->size(ctx);
    case NODE_IS_DATA:
        return node.page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE;
    case NODE_IS_DIRECTORY:
    case NODE_IS_STREAM:
    case NODE_IS_COMMAND:
        break;
    }
    return 0;
}

void attr_fill(const struct fsctx *ctx, struct node node, struct stat *out_stat)
{
    const struct node_row *const row = node_row(node.kind);
    const bool of_page = node.kind == NODE_PAGE || row->parent == NODE_PAGE;

    *out_stat = (struct stat){
        .st_ino = node_ino(node),
        .st_mode = attr_mode(ctx, row),
        .st_nlink =
            1, /* for directories: "not counted", so that find does not rely on it */
        .st_uid = ctx->uid,
        .st_gid = ctx->gid,
        .st_blksize = PF_PAGE_SIZE,
    };
    out_stat->st_mtim = of_page ? transitions_of(ctx->transitions, node.page_id)
                                : transitions_latest(ctx->transitions);
    out_stat->st_atim = out_stat->st_ctim = out_stat->st_mtim;
    if (node.kind == NODE_PAGE)
        fill_page(ctx, node.page_id, out_stat);
    else
        out_stat->st_size = file_size(ctx, node);
}
