/* call.h: a FUSE request that may take more than a moment to answer.
 *
 * A handler decodes its request into a struct call, says what answering takes, and lets
 * call_run() do the rest: now, in the session loop, or later, in another thread. */
#ifndef PAGEFS_CALL_H
#define PAGEFS_CALL_H

#include "fuse_api.h"

#include "handle.h"
#include "node.h"

struct call {
    struct node node;
    size_t size;              /* read and readdir */
    off_t offset;             /* likewise */
    struct handle *handle;    /* read; lives until the reply */
    struct fuse_file_info fi; /* open */
};

/* Replies exactly once. */
typedef void call_function(fuse_req_t req, struct fsctx *ctx, const struct call *call);

/* needs: enum node_needs. */
void call_run(fuse_req_t req, const struct call *call, unsigned needs,
              call_function *function);
/* Nothing would have to be waited for. */
bool call_at_once(const struct fsctx *ctx, unsigned needs);

/* Decode the inode of a request. False: it names nothing, and ENOENT was replied. */
bool call_node(fuse_req_t req, fuse_ino_t ino, struct node *out_node);

static inline struct fsctx *call_ctx(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static inline struct handle *call_handle(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr)
}

/* call->node with its attributes. */
void call_reply_entry(fuse_req_t req, struct fsctx *ctx, const struct call *call);

/* The one translation of errors to errno; PF_OK replies success without content. */
void call_reply_err(fuse_req_t req, pf_err err);

#endif
