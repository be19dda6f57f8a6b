#include "walks.h"

#include <pthread.h>
#include <stdlib.h>

#include "worker.h"

struct walks {
    struct job job;
    atomic_bool cancel;
    pthread_mutex_t lock; /* guards what follows */
    struct walks_wait *first, **last_next;
    bool running; /* the job is queued, or runs */
};

struct walks *walks_new(void)
{
    struct walks *const w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->last_next = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void walks_free(struct walks *walks)
{
    if (walks == NULL)
        return;
    pthread_mutex_destroy(&walks->lock);
    free(walks);
}

bool walks_known(const struct fsctx *ctx)
{
    return !pf_has_graph(ctx->store) || pf_graph_known(ctx->store);
}

void walks_cancel(struct walks *walks)
{
    if (walks != NULL)
        atomic_store(&walks->cancel, true);
}

/* ---- walking ---- */

/* The free list comes first: leaked is what is neither free nor reached. */
pf_err walks_now(struct fsctx *ctx)
{
    const struct pf_watch watch = {.cancel = &ctx->walks->cancel};
    pf_err err = pf_freelist_load(ctx->store);

    if (err == PF_E_CORRUPT)
        err = PF_OK; /* the graph can be walked all the same */
    if (err == PF_OK && !walks_known(ctx))
        err = pf_graph_walk(ctx->store, &watch);
    return err;
}

/* ---- waiting ---- */

static struct walks_wait *take_all(struct walks *w)
{
    pthread_mutex_lock(&w->lock);
    struct walks_wait *const first = w->first;
    w->first = NULL;
    w->last_next = &w->first;
    w->running = false;
    pthread_mutex_unlock(&w->lock);
    return first;
}

static void walk_run(struct fsctx *ctx, struct job *job)
{
    const pf_err err = walks_now(ctx);

    (void)job;
    for (struct walks_wait *wait = take_all(ctx->walks), *next; wait != NULL;
         wait = next) {
        next = wait->next;
        wait->ready(ctx, wait, err);
    }
}

/* libfuse calls this in the session loop. The request may have left the list already:
 * from then on it is carried out. */
static void interrupted(fuse_req_t req, void *arg)
{
    struct fsctx *const ctx = arg;
    struct walks *const w = ctx->walks;
    struct walks_wait **at = &w->first;

    pthread_mutex_lock(&w->lock);
    while (*at != NULL && (*at)->req != req)
        at = &(*at)->next;
    struct walks_wait *const wait = *at;
    if (wait != NULL) {
        *at = wait->next;
        if (wait->next == NULL)
            w->last_next = at;
    }
    pthread_mutex_unlock(&w->lock);
    if (wait != NULL)
        wait->ready(ctx, wait, PF_E_CANCELLED);
}

/* True: the walk is to be started. */
static bool enlist(struct walks *w, struct walks_wait *wait)
{
    pthread_mutex_lock(&w->lock);
    const bool start = !w->running;
    wait->next = NULL;
    *w->last_next = wait;
    w->last_next = &wait->next;
    w->running = true;
    pthread_mutex_unlock(&w->lock);
    return start;
}

/* Called in the session loop, which takes interrupts as well: none comes in between. */
void walks_wait_for(struct fsctx *ctx, struct walks_wait *wait)
{
    struct walks *const w = ctx->walks;

    if (wait->req != NULL)
        fuse_req_interrupt_func(wait->req, interrupted, ctx);
    if (enlist(w, wait)) {
        w->job.run = walk_run;
        worker_submit(ctx->walker, &w->job);
    }
}
