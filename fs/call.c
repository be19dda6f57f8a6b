#include "call.h"

#include <errno.h>
#include <stdlib.h>

#include "worker.h"

struct deferred {
    struct job job; /* first: the job is the whole */
    fuse_req_t req;
    call_function *function;
    struct call call;
};

static void deferred_run(struct fsctx *ctx, struct job *job)
{
    struct deferred *const deferred = (struct deferred *)job;

    deferred->function(deferred->req, ctx, &deferred->call);
    free(deferred);
}

void call_run(fuse_req_t req, const struct call *call, bool needs_freelist,
              call_function *function)
{
    struct fsctx *const ctx = call_ctx(req);

    if (!needs_freelist || pf_freelist_loaded(ctx->store)) {
        function(req, ctx, call);
        return;
    }
    struct deferred *const deferred = malloc(sizeof(*deferred));
    if (deferred == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    *deferred = (struct deferred){{NULL, deferred_run}, req, function, *call};
    worker_submit(ctx->worker, &deferred->job);
}

bool call_node(fuse_req_t req, fuse_ino_t ino, struct node *out_node)
{
    struct node node;

    if (!node_of_ino(ino, &node) ||
        !node_exists(node, pf_total_pages(call_ctx(req)->store))) {
        fuse_reply_err(req, ENOENT);
        return false;
    }
    *out_node = node;
    return true;
}

void call_reply_err(fuse_req_t req, pf_err err)
{
    fuse_reply_err(req, pf_err_errno(err));
}
