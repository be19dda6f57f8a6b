/* committer.h: the thread that executes changes and answers when they are durable.
 *
 * The session loop only parses and queues. The committer takes all that is queued,
 * executes each change in order, waits *once* for the disk, and lets every change
 * answer. What arrives during the wait is the next batch: group commit, with no thread
 * parked per client and no read behind a disk. No change answers success before it is
 * durable; one refused at execution answers at once. When nothing has come for a second
 * it brings the journal into the file. */
#ifndef PAGEFS_COMMITTER_H
#define PAGEFS_COMMITTER_H

#include "fsctx.h"

/* A base to embed in the request's own structure, which the queue owns until finish(). */
struct change {
    struct change *next;
    /* Do it on the store. Sets lsn and must_wait when it must become durable. */
    pf_err (*execute)(struct fsctx *ctx, struct change *change);
    /* Note, reply (last of all: the reply may end the open file), free. Called once. */
    void (*finish)(struct fsctx *ctx, struct change *change, pf_err err);
    bool must_wait;
    bool sync_all; /* fsync(2): everything, also with sync=none */
    uint64_t lsn;
};

struct committer;

/* NULL: out of memory or threads. */
struct committer *committer_start(struct fsctx *ctx);
void committer_submit(struct committer *committer, struct change *change);
/* Execute now, in this thread, what is not sync_all; only the waiting is left to the
 * committer. */
void committer_submit_executed(struct committer *committer, struct change *change);
/* Finish all that is queued, then end the thread. NULL is fine. */
void committer_stop(struct committer *committer);

#endif
