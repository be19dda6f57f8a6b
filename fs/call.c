#include "call.h"

#include <errno.h>
#include <stdlib.h>

#include "attr.h"
#include "walks.h"
#include "worker.h"

struct deferred {
    struct job job; /* first: the job is the whole */
    struct walks_wait wait;
    fuse_req_t req;
    unsigned needs;
    call_function *function;
    struct call call;
};

static void deferred_run(struct fsctx *ctx, struct job *job)
{
    struct deferred *const deferred = (struct deferred *)job;

    deferred->function(deferred->req, ctx, &deferred->call);
    free(deferred);
}

bool call_at_once(const struct fsctx *ctx, unsigned needs)
{
    if (needs & (NODE_NEEDS_DISK | NODE_NEEDS_WALK))
        return false;
    if (needs & NODE_NEEDS_GRAPH && !walks_known(ctx))
        return false;
    return !(needs & NODE_NEEDS_LIST) || pf_freelist_loaded(ctx->store);
}

/* The graph is not needed. */
static void deferred_submit(struct fsctx *ctx, struct deferred *deferred)
{
    /* what only reads a page does not wait for those who walk */
    const unsigned needs = deferred->needs & ~(unsigned)NODE_NEEDS_DISK;

    worker_submit(call_at_once(ctx, needs) ? ctx->reader : ctx->worker, &deferred->job);
}

/* The free list came with the walk; no row needs more than these two. */
static void deferred_walked(struct fsctx *ctx, struct walks_wait *wait, pf_err err)
{
    struct deferred *const deferred =
        (struct deferred *)((char *)wait - offsetof(struct deferred, wait));

    if (err != PF_OK) {
        call_reply_err(deferred->req, err);
        free(deferred);
    } else {
        deferred_run(ctx, &deferred->job);
    }
}

void call_run(fuse_req_t req, const struct call *call, unsigned needs,
              call_function *function)
{
    struct fsctx *const ctx = call_ctx(req);

    if (call_at_once(ctx, needs)) {
        function(req, ctx, call);
        return;
    }
    struct deferred *const deferred = malloc(sizeof(*deferred));
    if (deferred == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    *deferred = (struct deferred){.job.run = deferred_run,
                                  .wait = {NULL, req, deferred_walked},
                                  .req = req,
                                  .needs = needs,
                                  .function = function,
                                  .call = *call};
    if (needs & NODE_NEEDS_GRAPH) /* which has the free list loaded if nothing else */
        walks_wait_for(ctx, &deferred->wait);
    else
        deferred_submit(ctx, deferred);
}

bool call_node(fuse_req_t req, fuse_ino_t ino, struct node *out_node)
{
    struct node node;

    if (!node_of_ino(ino, &node) || /* unreachable: the kernel has it from us */
        !node_exists(call_ctx(req), node)) {
        fuse_reply_err(req, ENOENT);
        return false;
    }
    *out_node = node;
    return true;
}

void call_reply_entry(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    struct fuse_entry_param entry = {
        .ino = node_ino(call->node),
        .attr_timeout = attr_grant(ctx, call->node),
        .entry_timeout = attr_entry_timeout(call->node),
    };

    attr_fill(ctx, call->node, &entry.attr);
    fuse_reply_entry(req, &entry);
}

void call_reply_err(fuse_req_t req, pf_err err)
{
    fuse_reply_err(req, pf_err_errno(err));
}
