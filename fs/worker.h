/* worker.h: a thread that waits so that the session loop need not.
 *
 * A mount has two. One starts by walking the free list, and takes all that needs the list
 * before it is there, or looks at every page; the other takes what reads the disk. A
 * request is handed over whole, and handled by the same code, in the order of arrival. */
#ifndef PAGEFS_WORKER_H
#define PAGEFS_WORKER_H

#include "fsctx.h"

struct job {
    struct job *next;
    void (*run)(struct fsctx *ctx, struct job *job); /* owns the job from then on */
};

struct worker;

/* walks: walk the free list first. NULL: out of memory or threads. */
struct worker *worker_start(struct fsctx *ctx, bool walks);
void worker_submit(struct worker *worker, struct job *job);
/* Finish all that is queued, then end the thread. NULL is fine. */
void worker_stop(struct worker *worker);

#endif
