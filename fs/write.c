/* write.c: writing: parse in the session loop, execute where it belongs.
 *
 * A command that changes the file goes to the committer, one that changes only memory
 * is executed at once; both pass through the worker first while the free list is not
 * there. */
#include "write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "call.h"
#include "committer.h"
#include "ops.h"
#include "report.h"
#include "stream.h"
#include "transitions.h"
#include "walks.h"
#include "worker.h"

struct request {
    struct change change; /* first: the change is the whole */
    struct job job;
    struct walks_wait wait;
    fuse_req_t req; /* NULL: nobody waits for an answer */
    struct node node;
    struct actor actor;
    size_t written;        /* what to reply */
    struct handle *handle; /* whose carry to set, or NULL */
    size_t carry_length;
    char carry[COMMAND_TOKEN_MAX];
    struct command command; /* of control files */
    const char *op;         /* for events; NULL until it is executed */
    struct pf_range range;  /* pages that changed, count 0 = those of the command */
    uint64_t bad_id;
    size_t data_offset; /* of pages/N/data */
    size_t data_length;
    uint8_t data[];
};

static struct request *request_new(fuse_req_t req, const struct handle *handle,
                                   size_t data_length)
{
    struct request *const r = calloc(1, sizeof(*r) + data_length);

    if (r == NULL)
        return NULL;
    r->req = req;
    if (handle != NULL) {
        r->node = handle->node;
        r->actor = handle->actor;
    }
    r->bad_id = REPORT_NO_ID;
    r->data_length = data_length;
    return r;
}

static void request_report(struct fsctx *ctx, const struct request *r, pf_err err)
{
    const struct report report = {r->node,   r->op,     r->command.words,
                                  r->bad_id, &r->actor, err};
    const bool own_range = r->command.range_count == 0 && r->range.count > 0;

    report_end(ctx, &report, own_range ? &r->range : r->command.ranges,
               own_range ? 1 : r->command.range_count);
}

static void request_finish(struct fsctx *ctx, struct change *change, pf_err err)
{
    struct request *const r = (struct request *)change;
    fuse_req_t req = r->req;
    const size_t written = r->written;

    if (r->op != NULL || err != PF_OK) /* not for a token that waits for its rest */
        request_report(ctx, r, err);
    if (r->handle != NULL) /* after a failure nothing of it is taken up again */
        handle_carry_set(r->handle, r->carry, err == PF_OK ? r->carry_length : 0);
    command_free(&r->command);
    free(r);
    if (req != NULL && err == PF_OK)
        fuse_reply_write(req, written);
    else if (req != NULL)
        call_reply_err(req, err);
}

/* ---- control files ---- */

static pf_err command_execute(struct fsctx *ctx, struct change *change)
{
    struct request *const r = (struct request *)change;
    struct effect effect;
    const pf_err err = apply_command(ctx, &r->command, &effect);

    r->op = effect.op;
    r->bad_id = effect.bad_id;
    r->range = effect.range;
    change->must_wait = effect.must_wait;
    change->sync_all = effect.sync_all;
    change->lsn = effect.lsn;
    return err;
}

/* The free list and the graph are there, or they are not needed. */
static void request_route(struct fsctx *ctx, struct request *r)
{
    /* a release has no client to wait for it, and must be over before the next request
     * is looked at: executed here and now, made durable by the committer */
    const bool at_once = r->change.execute == command_execute &&
                         (r->req == NULL || apply_is_memory_only(r->command.verb));

    if (at_once)
        committer_submit_executed(ctx->committer, &r->change);
    else
        committer_submit(ctx->committer, &r->change);
}

static void request_listed(struct fsctx *ctx, struct job *job)
{
    request_route(ctx, (struct request *)((char *)job - offsetof(struct request, job)));
}

static void request_walked(struct fsctx *ctx, struct walks_wait *wait, pf_err err)
{
    struct request *const r =
        (struct request *)((char *)wait - offsetof(struct request, wait));

    if (err != PF_OK)
        request_finish(ctx, &r->change, err);
    else
        committer_submit(ctx->committer, &r->change);
}

static bool must_walk(const struct fsctx *ctx, const struct request *r)
{
    return r->change.execute == command_execute && apply_needs_graph(r->command.verb) &&
           pf_writable(ctx->store) && !walks_known(ctx);
}

static void request_submit(struct fsctx *ctx, struct request *r, bool needs_freelist)
{
    if (must_walk(ctx, r)) { /* which loads the free list too */
        r->wait = (struct walks_wait){NULL, r->req, request_walked};
        walks_wait_for(ctx, &r->wait);
    } else if (needs_freelist && !pf_freelist_loaded(ctx->store)) {
        r->job.run = request_listed;
        worker_submit(ctx->worker, &r->job);
    } else {
        request_route(ctx, r);
    }
}

/* Parse `text` into a request and send it on its way. */
static void command_submit(struct fsctx *ctx, struct request *r, const char *text,
                           size_t length)
{
    const struct node_row *const row = node_row(r->node.kind);
    const pf_err err = row->parse(text, length, &r->command);

    r->command.page_id = r->node.id;
    r->change.execute = command_execute;
    r->change.finish = request_finish;
    if (err != PF_OK)
        request_finish(ctx, &r->change, err);
    else
        request_submit(ctx, r, apply_needs_freelist(r->command.verb));
}

/* free, pin, unpin: the waiting token, then this write; what may be cut waits in turn. */
static void ids_write(fuse_req_t req, struct fsctx *ctx, struct handle *handle,
                      const char *buffer, size_t size)
{
    struct request *const r = request_new(req, handle, 0);
    char *const text = malloc(COMMAND_TOKEN_MAX + size);

    if (r == NULL || text == NULL) {
        free(r);
        free(text);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    size_t length = handle_carry_get(handle, text);
    memcpy(text + length, buffer, size);
    length += size;
    r->written = size;
    r->handle = handle;
    r->carry_length = command_cut(text, length, size, ctx->max_write);
    length -= r->carry_length;
    memcpy(r->carry, text + length, r->carry_length);
    if (r->carry_length > 0 && command_is_blank(text, length))
        request_finish(ctx, &r->change, PF_OK); /* nothing but the cut token as yet */
    else
        command_submit(ctx, r, text, length);
    free(text);
}

static void word_write(fuse_req_t req, struct fsctx *ctx, struct handle *handle,
                       const char *buffer, size_t size)
{
    struct request *const r = request_new(req, handle, 0);

    if (r == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    r->written = size;
    command_submit(ctx, r, buffer, size);
}

/* Of a command that did not come so far as to be executed. */
static void report_refusal(struct fsctx *ctx, const struct handle *handle,
                           const char *words, pf_err err)
{
    const struct report report = {handle->node, NULL,           words,
                                  REPORT_NO_ID, &handle->actor, err};

    report_end(ctx, &report, NULL, 0);
}

void write_carried(struct fsctx *ctx, struct handle *handle)
{
    char text[COMMAND_TOKEN_MAX];
    const size_t length = handle_carry_get(handle, text);

    if (length == 0)
        return;
    struct request *const r = request_new(NULL, handle, 0);
    if (r != NULL)
        command_submit(ctx, r, text, length);
    else
        report_refusal(ctx, handle, "", PF_E_NO_MEMORY);
}

static void alloc_write(fuse_req_t req, struct fsctx *ctx, struct handle *handle,
                        const char *buffer, size_t size)
{
    struct command command;
    pf_err err = command_parse_alloc(buffer, size, &command);

    if (err == PF_OK && !handle->readable)
        err = PF_E_INVALID; /* `echo 5 > alloc`: nobody would ever learn the ids */
    if (err == PF_OK) {
        stream_write(req, ctx, handle->stream, &command, size);
    } else {
        report_refusal(ctx, handle, command.words, err);
        call_reply_err(req, err);
    }
    command_free(&command);
}

/* ---- pages/N/data ---- */

static pf_err data_execute(struct fsctx *ctx, struct change *change)
{
    struct request *const r = (struct request *)change;
    const pf_err err = pf_page_write(ctx->store, r->node.id, r->data_offset, r->data,
                                     r->data_length, &change->lsn);

    r->op = "write";
    change->must_wait = err == PF_OK;
    if (err == PF_OK)
        transitions_note(ctx->transitions, r->node.id, 1);
    r->range = (struct pf_range){r->node.id, 1};
    return err;
}

/* A write that crosses the end of the page is a short write; one behind it has at least
 * a byte, so that the store refuses it. */
static void data_write(fuse_req_t req, struct fsctx *ctx, struct handle *handle,
                       const char *buffer, size_t size, off_t offset)
{
    size_t length = size < PF_PAGE_SIZE ? size : PF_PAGE_SIZE;

    if (offset < PF_PAGE_SIZE && length > PF_PAGE_SIZE - (size_t)offset)
        length = PF_PAGE_SIZE - (size_t)offset;
    struct request *const r = request_new(req, handle, length);
    if (r == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    memcpy(r->data, buffer, length);
    r->data_offset = (size_t)offset;
    r->written = length;
    r->change.execute = data_execute;
    r->change.finish = request_finish;
    request_submit(ctx, r, true);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buffer, size_t size,
              off_t offset, struct fuse_file_info *fi)
{
    struct fsctx *const ctx = call_ctx(req);
    struct handle *const handle = call_handle(fi);

    (void)ino;
    if (handle->row->content == NODE_IS_DATA)
        data_write(req, ctx, handle, buffer, size, offset);
    else if (handle->row->content == NODE_IS_STREAM)
        alloc_write(req, ctx, handle, buffer, size);
    else if (handle->row->flags & NODE_CARRIES_TOKENS)
        ids_write(req, ctx, handle, buffer, size);
    else
        word_write(req, ctx, handle, buffer, size);
}

/* ---- fsync ---- */

static void sync_finish(struct fsctx *ctx, struct change *change, pf_err err)
{
    struct request *const r = (struct request *)change;

    (void)ctx;
    call_reply_err(r->req, err);
    free(r);
}

/* On any file: everything acknowledged so far becomes durable, also with sync=none. */
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct fsctx *const ctx = call_ctx(req);
    struct request *const r = request_new(req, NULL, 0);

    (void)ino;
    (void)datasync;
    (void)fi;
    if (r == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    r->change.sync_all = true;
    r->change.finish = sync_finish;
    committer_submit(ctx->committer, &r->change);
}
