/* worker.h: the thread that waits for the free list so that the session loop need not.
 *
 * It starts by walking the free list. A request that needs the list before it is there
 * is handed over whole, and handled here by the same code, in the order of arrival. */
#ifndef PAGEFS_WORKER_H
#define PAGEFS_WORKER_H

#include "fsctx.h"

struct job {
    struct job *next;
    void (*run)(struct fsctx *ctx, struct job *job); /* owns the job from then on */
};

struct worker;

/* NULL: out of memory or threads. */
struct worker *worker_start(struct fsctx *ctx);
void worker_submit(struct worker *worker, struct job *job);
/* Finish all that is queued, then end the thread. NULL is fine. */
void worker_stop(struct worker *worker);

#endif
