/* file.c: opening and closing files. */
#include "ops.h"

#include <fcntl.h>

#include "access.h"
#include "cached_pages.h"
#include "call.h"
#include "hold.h"
#include "write.h"

/* How the kernel is to treat the open file. */
static pf_err set_caching(struct fsctx *ctx, struct handle *handle,
                          struct fuse_file_info *fi)
{
    const struct node_row *const row = handle->row;

    if (row->content == NODE_IS_DATA && (fi->flags & O_ACCMODE) == O_RDONLY) {
        const pf_err err = cached_pages_add(ctx->cached_pages, node_ino(handle->node));
        handle->cached = err == PF_OK;
        return err;
    }
    if (row->content == NODE_IS_TEXT && row->flags & NODE_CONSTANT) {
        fi->keep_cache = 1;
        return PF_OK;
    }
    fi->direct_io = 1;
    fi->nonseekable = row->content == NODE_IS_STREAM;
    return PF_OK;
}

static void close_handle(struct fsctx *ctx, struct handle *handle)
{
    if (handle->cached)
        cached_pages_remove(ctx->cached_pages, node_ino(handle->node));
    hold_end(ctx, handle);
    handle_free(ctx->handles, handle);
}

static void open_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    struct handle *const handle = call->handle;
    struct fuse_file_info fi = call->fi;
    pf_err err = set_caching(ctx, handle, &fi);

    if (err == PF_OK && handle->row->content == NODE_IS_HOLD)
        err = hold_begin(ctx, handle);
    if (err != PF_OK) {
        close_handle(ctx, handle);
        call_reply_err(req, err);
        return;
    }
    fi.fh = (uintptr_t)handle;
    if (fuse_reply_open(req, &fi) != 0) /* the opener is gone: no release will come */
        close_handle(ctx, handle);
}

/* Opening changes nothing, except by what follows; only then it matters who it is. */
static pid_t actor_pid(fuse_req_t req, const struct node_row *row, int flags)
{
    const bool may_act = (flags & O_ACCMODE) != O_RDONLY || row->flags & NODE_ACTION;

    return may_act ? fuse_req_ctx(req)->pid : 0;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsctx *const ctx = call_ctx(req);
    struct call call = {.fi = *fi};

    if (!call_node(req, ino, &call.node))
        return;
    const struct node_row *const row = node_row(call.node.kind);
    const int error = access_open(ctx, row, fi->flags);
    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    const struct actor actor = actor_of(ctx->actors, actor_pid(req, row, fi->flags));
    call.handle = handle_new(ctx->handles, call.node, pf_total_pages(ctx->store), &actor);
    if (call.handle == NULL) {
        call_reply_err(req, PF_E_NO_MEMORY);
        return;
    }
    call.handle->readable = (fi->flags & O_ACCMODE) != O_WRONLY;
    call_run(req, &call, row->content == NODE_IS_HOLD ? row->to_read : 0, open_now);
}

/* Whatever closing a file does is done before the next request is looked at. */
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsctx *const ctx = call_ctx(req);
    struct handle *const handle = call_handle(fi);

    (void)ino;
    write_carried(ctx, handle);
    close_handle(ctx, handle);
    fuse_reply_err(req, 0);
}
