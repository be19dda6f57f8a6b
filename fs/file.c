/* file.c: open files, and reading them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "attr.h"
#include "cached_pages.h"
#include "call.h"
#include "ops.h"
#include "stream.h"
#include "write.h"

/* ---- open and release ---- */

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
    handle_free(handle);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsctx *const ctx = call_ctx(req);
    struct node node;

    if (!call_node(req, ino, &node))
        return;
    const int error = access_open(ctx, node_row(node.kind), fi->flags);
    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    struct handle *const handle = handle_new(node, pf_total_pages(ctx->store));
    const pf_err err = handle != NULL ? set_caching(ctx, handle, fi) : PF_E_NO_MEMORY;
    if (err != PF_OK) {
        handle_free(handle);
        call_reply_err(req, err);
        return;
    }
    handle->readable = (fi->flags & O_ACCMODE) != O_WRONLY;
    fi->fh = (uintptr_t)handle;
    if (fuse_reply_open(req, fi) != 0) /* the opener is gone, and no release will come */
        close_handle(ctx, handle);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fsctx *const ctx = call_ctx(req);
    struct handle *const handle = call_handle(fi);

    (void)ino;
    write_carried(ctx, handle);
    close_handle(ctx, handle);
    fuse_reply_err(req, 0);
}

/* ---- read ---- */

static void reply_part(fuse_req_t req, const char *bytes, size_t length, off_t offset,
                       size_t size)
{
    const uint64_t start = (uint64_t)offset;

    if (start >= length)
        size = 0;
    else if (size > length - start)
        size = length - (size_t)start;
    fuse_reply_buf(req, size != 0 ? bytes + start : NULL, size);
}

/* Render anew into the open file. The lock is not held meanwhile: rendering may wait for
 * the free list, and the session loop may want the lock. */
static pf_err render_snapshot(const struct fsctx *ctx, struct handle *handle)
{
    struct text text = {0};
    pf_err err = handle->row->render(ctx, handle->node.page_id, &text);

    if (err == PF_OK && text.failed)
        err = PF_E_NO_MEMORY;
    if (err != PF_OK) {
        text_free(&text);
        return err;
    }
    pthread_mutex_lock(&handle->lock);
    struct text old = handle->snapshot;
    handle->snapshot = text;
    handle->rendered = true;
    pthread_mutex_unlock(&handle->lock);
    text_free(&old);
    return PF_OK;
}

static bool must_render(struct handle *handle, off_t offset)
{
    pthread_mutex_lock(&handle->lock);
    const bool must = offset == 0 || !handle->rendered;
    pthread_mutex_unlock(&handle->lock);
    return must;
}

/* The part is copied out, since after the reply the open file may be gone. */
static void text_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    struct handle *const handle = call->handle;
    struct text part = {0};
    const pf_err err =
        must_render(handle, call->offset) ? render_snapshot(ctx, handle) : PF_OK;

    if (err != PF_OK) {
        call_reply_err(req, err);
        return;
    }
    pthread_mutex_lock(&handle->lock);
    if ((uint64_t)call->offset < handle->snapshot.length) {
        const size_t left = handle->snapshot.length - (size_t)call->offset;
        text_add(&part, handle->snapshot.bytes + call->offset,
                 call->size < left ? call->size : left);
    }
    pthread_mutex_unlock(&handle->lock);
    if (part.failed)
        fuse_reply_err(req, ENOMEM);
    else
        fuse_reply_buf(req, part.bytes, part.length);
    text_free(&part);
}

static void bulk_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    const struct handle *const handle = call->handle;
    char *const buffer = malloc(call->size != 0 ? call->size : 1);
    size_t length = 0;
    pf_err err = PF_E_NO_MEMORY;

    if (buffer != NULL)
        err = handle->row->bulk->read(ctx, handle->total_pages, (uint64_t)call->offset,
                                      buffer, call->size, &length);
    if (err != PF_OK)
        call_reply_err(req, err);
    else
        fuse_reply_buf(req, buffer, length);
    free(buffer);
}

static void data_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    const uint64_t page_id = call->node.page_id;
    uint8_t page[PF_PAGE_SIZE];
    const pf_err err = pf_page_read(ctx->store, page_id, page);

    if (err != PF_OK)
        call_reply_err(req, err);
    else
        reply_part(req, (const char *)page, page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE,
                   call->offset, call->size);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
             struct fuse_file_info *fi)
{
    struct handle *const handle = call_handle(fi);
    const struct call call = {handle->node, size, offset, handle};

    (void)ino;
    switch (handle->row->content) {
    case NODE_IS_TEXT:
        call_run(req, &call,
                 attr_needs_freelist(handle->node) && must_render(handle, offset),
                 text_now);
        break;
    case NODE_IS_BULK:
        call_run(req, &call, true, bulk_now);
        break;
    case NODE_IS_STREAM:
        stream_read(req, call_ctx(req), handle->stream, size);
        break;
    case NODE_IS_DATA:
        call_run(req, &call, false, data_now);
        break;
    case NODE_IS_DIRECTORY:
    case NODE_IS_COMMAND:
        fuse_reply_err(req, EACCES);
        break;
    }
}
