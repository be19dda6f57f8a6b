#include "worker.h"

#include <pthread.h>
#include <stdlib.h>

struct worker {
    struct fsctx *ctx;
    bool walks;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct job *first, **last_next;
    bool stopping;
};

/* The oldest job; NULL when stopping and none is left. */
static struct job *take_job(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->stopping)
        pthread_cond_wait(&w->more, &w->lock);
    struct job *const job = w->first;
    if (job != NULL) {
        w->first = job->next;
        if (w->first == NULL)
            w->last_next = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *worker_main(void *arg)
{
    struct worker *const w = arg;
    struct job *job;

    if (w->walks && pf_freelist_load(w->ctx->store) != PF_OK) {
        /* whoever asks for a page's state is told, by the same walk failing again */
    }
    while ((job = take_job(w)) != NULL)
        job->run(w->ctx, job);
    return NULL;
}

struct worker *worker_start(struct fsctx *ctx, bool walks)
{
    struct worker *const w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->ctx = ctx;
    w->walks = walks;
    w->last_next = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        pthread_cond_destroy(&w->more);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return NULL;
    }
    return w;
}

void worker_submit(struct worker *worker, struct job *job)
{
    pthread_mutex_lock(&worker->lock);
    job->next = NULL;
    *worker->last_next = job;
    worker->last_next = &job->next;
    pthread_cond_signal(&worker->more);
    pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->more);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->more);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}
