/* read.c: reading open files. */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "checks.h"
#include "findings.h"
#include "stream.h"

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
    pf_err err = handle->row->render(ctx, handle->node.id, &text);

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

/* The cursor is worked on outside the lock; two reads at once of the same open file only
 * make the next one search. */
static void bulk_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    struct handle *const handle = call->handle;
    const struct bulk_source source = {ctx, handle->node.id, handle->total_pages};
    struct bulk_part part = {0};

    pthread_mutex_lock(&handle->lock);
    struct bulk_cursor cursor = handle->bulk;
    pthread_mutex_unlock(&handle->lock);
    const pf_err err = bulk_read(handle->row->bulk, &source, &cursor,
                                 (uint64_t)call->offset, call->size, &part);
    pthread_mutex_lock(&handle->lock);
    handle->bulk = cursor;
    pthread_mutex_unlock(&handle->lock);
    if (err != PF_OK)
        call_reply_err(req, err);
    else
        fuse_reply_buf(req, part.bytes, part.length);
    free(part.buffer);
}

static void log_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    struct handle *const handle = call->handle;
    char *const buffer = malloc(call->size);

    if (buffer == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    pthread_mutex_lock(&handle->lock);
    const size_t length = events_read(ctx->events, &handle->events,
                                      (uint64_t)call->offset, buffer, call->size);
    pthread_mutex_unlock(&handle->lock);
    fuse_reply_buf(req, buffer, length);
    free(buffer);
}

static void findings_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    char *const buffer = malloc(call->size);
    size_t length = 0;
    pf_err err = PF_E_NO_MEMORY;

    if (buffer != NULL)
        err = findings_read(checks_findings(ctx->checks), (uint64_t)call->offset, buffer,
                            call->size, &length);
    if (err != PF_OK)
        call_reply_err(req, err);
    else
        fuse_reply_buf(req, buffer, length);
    free(buffer);
}

static void data_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    const uint64_t page_id = call->node.id;
    uint8_t page[PF_PAGE_SIZE];
    const pf_err err = pf_page_read(ctx->store, page_id, page);

    if (err != PF_OK)
        call_reply_err(req, err);
    else
        reply_part(req, (const char *)page, page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE,
                   call->offset, call->size);
}

/* A text that is there already is given at once. */
static unsigned text_needs(struct handle *handle, off_t offset)
{
    return must_render(handle, offset) ? handle->row->to_read : 0;
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
             struct fuse_file_info *fi)
{
    struct handle *const handle = call_handle(fi);
    const struct call call = {
        .node = handle->node, .size = size, .offset = offset, .handle = handle};

    (void)ino;
    switch (handle->row->content) {
    case NODE_IS_TEXT:
        call_run(req, &call, text_needs(handle, offset), text_now);
        break;
    case NODE_IS_BULK:
        call_run(req, &call, handle->row->to_read, bulk_now);
        break;
    case NODE_IS_DATA:
        call_run(req, &call, handle->row->to_read, data_now);
        break;
    case NODE_IS_FINDINGS:
        call_run(req, &call, handle->row->to_read, findings_now);
        break;
    case NODE_IS_LOG:
        log_now(req, call_ctx(req), &call);
        break;
    case NODE_IS_STREAM:
        stream_read(req, call_ctx(req), handle->stream, size);
        break;
    default: /* hold; the others are not opened for reading */
        fuse_reply_buf(req, NULL, 0);
        break;
    }
}
