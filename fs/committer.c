#include "committer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cached_pages.h"
#include "message.h"

struct queue {
    struct change *first, **last_next;
};

enum { IDLE_SECONDS = 1 }; /* before the journal is brought into the file */

struct committer {
    struct fsctx *ctx;
    pthread_t thread;
    bool failure_told;          /* only the thread itself uses these */
    bool rested;                /* nothing has come since the last idle checkpoint */
    struct timespec idle_until; /* monotonic */
    pthread_mutex_t lock;       /* guards what follows */
    pthread_cond_t more;
    struct queue queue;
    bool stopping;
};

static void queue_clear(struct queue *queue)
{
    queue->first = NULL;
    queue->last_next = &queue->first;
}

static void queue_put(struct queue *queue, struct change *change)
{
    change->next = NULL;
    *queue->last_next = change;
    queue->last_next = &change->next;
}

/* Wait for something to do; false when it is time for the idle checkpoint. */
static bool wait_locked(struct committer *c)
{
    int result = 0;

    while (c->queue.first == NULL && !c->stopping && result == 0) {
        if (c->rested || !pf_checkpoint_due(c->ctx->store))
            pthread_cond_wait(&c->more, &c->lock);
        else
            result = pthread_cond_timedwait(&c->more, &c->lock, &c->idle_until);
    }
    return c->queue.first != NULL || c->stopping;
}

/* All that is queued, in order; NULL when there is nothing: stopping, or idle. */
static struct change *take_batch(struct committer *c, bool *out_stopping)
{
    pthread_mutex_lock(&c->lock);
    const bool idle = !wait_locked(c);
    struct change *const batch = c->queue.first;
    queue_clear(&c->queue);
    *out_stopping = batch == NULL && !idle;
    pthread_mutex_unlock(&c->lock);
    return batch;
}

static void begin_rest(struct committer *c)
{
    c->rested = false;
    clock_gettime(CLOCK_MONOTONIC, &c->idle_until);
    c->idle_until.tv_sec += IDLE_SECONDS;
}

/* Nobody may be looking at `status` when the disk fails, so say it once where an
 * operator looks. */
static void tell_failure(struct committer *c)
{
    struct pf_info info;

    if (pf_writable(c->ctx->store) || c->failure_told)
        return; /* asked after each batch: the sentences of pf_info cost 2 us */
    pf_info_get(c->ctx->store, &info);
    if (!info.failed)
        return;
    c->failure_told = true;
    message(c->ctx->source, "read-only from now on: %s; unmount and mount again",
            info.reason);
}

static void run_batch(struct committer *c, struct change *batch)
{
    struct queue waiting;
    uint64_t lsn = 0;
    bool sync_all = false;
    pf_err err;

    queue_clear(&waiting);
    for (struct change *change = batch, *next; change != NULL; change = next) {
        next = change->next;
        err = change->execute != NULL ? change->execute(c->ctx, change) : PF_OK;
        if (err != PF_OK || !(change->must_wait || change->sync_all)) {
            change->finish(c->ctx, change, err);
            continue;
        }
        queue_put(&waiting, change);
        sync_all = sync_all || change->sync_all;
        if (change->must_wait && change->lsn > lsn)
            lsn = change->lsn;
    }
    if (waiting.first != NULL) {
        err = sync_all ? pf_sync(c->ctx->store) : pf_wait(c->ctx->store, lsn);
        if (err != PF_E_STALE) /* then nothing was written, and pages may be gone */
            cached_pages_invalidate(c->ctx->cached_pages, c->ctx->session);
        for (struct change *change = waiting.first, *next; change != NULL;
             change = next) {
            next = change->next;
            change->finish(c->ctx, change, err);
        }
    }
    tell_failure(c);
}

/* Tried once after each batch: whatever it says is in `status` as well. */
static void idle_checkpoint(struct committer *c)
{
    c->rested = true;
    if (pf_checkpoint(c->ctx->store) != PF_OK) {
        /* told below, as is what a checkpoint that went well has found */
    }
    tell_failure(c);
}

static void *committer_main(void *arg)
{
    struct committer *const c = arg;
    bool stopping = false;

    begin_rest(c);
    while (!stopping) {
        struct change *const batch = take_batch(c, &stopping);
        if (batch != NULL) {
            run_batch(c, batch);
            begin_rest(c);
        } else if (!stopping) {
            idle_checkpoint(c);
        }
    }
    tell_failure(c); /* a reader may have found it */
    return NULL;
}

struct committer *committer_start(struct fsctx *ctx)
{
    struct committer *const c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->ctx = ctx;
    queue_clear(&c->queue);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->more, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&c->thread, NULL, committer_main, c) != 0) {
        pthread_cond_destroy(&c->more);
        pthread_mutex_destroy(&c->lock);
        free(c);
        return NULL;
    }
    return c;
}

void committer_submit(struct committer *committer, struct change *change)
{
    pthread_mutex_lock(&committer->lock);
    queue_put(&committer->queue, change);
    pthread_mutex_unlock(&committer->lock);
    /* not sooner: the thread would wake up to wait for the lock */
    pthread_cond_signal(&committer->more);
}

void committer_submit_executed(struct committer *committer, struct change *change)
{
    const pf_err err = change->execute(committer->ctx, change);

    change->execute = NULL;
    if (err == PF_OK && change->must_wait)
        committer_submit(committer, change);
    else
        change->finish(committer->ctx, change, err);
}

void committer_stop(struct committer *committer)
{
    if (committer == NULL)
        return;
    pthread_mutex_lock(&committer->lock);
    committer->stopping = true;
    pthread_cond_signal(&committer->more);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    pthread_cond_destroy(&committer->more);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
}
