/* walks.h: walks of the graph, and the requests that wait for one.
 *
 * A walk runs in a thread of its own when the first request needs it. Requests wait in a
 * list, not in threads; one that is interrupted leaves it, and the walk goes on. A file
 * without a graph has nothing to walk. Locks itself. */
#ifndef PAGEFS_WALKS_H
#define PAGEFS_WALKS_H

#include "fuse_api.h"

#include "fsctx.h"

/* A base to embed in the request's own structure. */
struct walks_wait {
    struct walks_wait *next;
    fuse_req_t req; /* whose interrupt ends the waiting; NULL: nobody's */
    /* Called once, in whatever thread: PF_OK, or why there is no walk. */
    void (*ready)(struct fsctx *ctx, struct walks_wait *wait, pf_err err);
};

struct walks;

struct walks *walks_new(void); /* NULL: out of memory */
void walks_free(struct walks *walks);

/* There is a walk that holds, or no graph. */
bool walks_known(const struct fsctx *ctx);
/* Call wait->ready() when there is a walk. */
void walks_wait_for(struct fsctx *ctx, struct walks_wait *wait);
/* Walk in this thread, if there is no walk that holds: errors of pf_graph_walk(). */
PF_CHECK pf_err walks_now(struct fsctx *ctx);
/* All walks end, and no other begins. */
void walks_cancel(struct walks *walks);

#endif
