#include "attr_cache.h"

#include "fuse_api.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "node.h"

enum {
    GRANT_SECONDS = 1,
    /* The kernel's second starts when it looks at the answer. */
    KEEP_SECONDS = 5,
    MAX_GRANTS = 256,
};

/* Pages first .. last were granted one after the other, the last one at `time`. */
struct grant {
    uint64_t first, last;
    time_t time; /* seconds, monotonic */
};

/* A ring of grants, oldest first. */
struct attr_cache {
    pthread_mutex_t lock; /* guards what follows; never held while the kernel is told */
    struct grant grants[MAX_GRANTS];
    unsigned oldest, count;
};

struct attr_cache *attr_cache_new(void)
{
    struct attr_cache *const cache = calloc(1, sizeof(*cache));

    if (cache != NULL)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void attr_cache_free(struct attr_cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static time_t now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* each entry of a listing asks */
    return now.tv_sec;
}

static struct grant *grant_at(struct attr_cache *cache, unsigned index)
{
    return &cache->grants[(cache->oldest + index) % MAX_GRANTS];
}

static void expire_locked(struct attr_cache *cache, time_t now)
{
    while (cache->count > 0 && grant_at(cache, 0)->time + KEEP_SECONDS < now) {
        cache->oldest = (cache->oldest + 1) % MAX_GRANTS;
        cache->count--;
    }
}

/* A listing comes page by page: it makes one grant. */
static bool extend_locked(struct attr_cache *cache, uint64_t page_id, time_t now)
{
    struct grant *const newest =
        cache->count > 0 ? grant_at(cache, cache->count - 1) : NULL;

    if (newest == NULL || newest->time != now || page_id < newest->first ||
        page_id - 1 > newest->last)
        return false;
    if (page_id > newest->last)
        newest->last = page_id;
    return true;
}

double attr_cache_grant(struct attr_cache *cache, uint64_t page_id)
{
    const time_t now = now_seconds();
    bool granted = true;

    pthread_mutex_lock(&cache->lock);
    if (!extend_locked(cache, page_id, now)) {
        expire_locked(cache, now);
        granted = cache->count < MAX_GRANTS;
        if (granted)
            *grant_at(cache, cache->count++) = (struct grant){page_id, page_id, now};
    }
    pthread_mutex_unlock(&cache->lock);
    return granted ? GRANT_SECONDS : 0;
}

void attr_cache_drop(struct attr_cache *cache, struct fuse_session *session,
                     uint64_t first, uint64_t last)
{
    struct grant both[MAX_GRANTS]; /* what was granted and has changed */
    unsigned both_count = 0;

    pthread_mutex_lock(&cache->lock);
    if (cache->count > 0)
        expire_locked(cache, now_seconds());
    for (unsigned i = 0; i < cache->count; i++) {
        struct grant grant = *grant_at(cache, i);
        if (grant.first < first)
            grant.first = first;
        if (grant.last > last)
            grant.last = last;
        if (grant.first <= grant.last)
            both[both_count++] = grant;
    }
    pthread_mutex_unlock(&cache->lock);

    for (unsigned i = 0; i < both_count; i++) {
        for (uint64_t id = both[i].first; id <= both[i].last; id++) {
            const struct node page = {id, NODE_PAGE};
            /* attributes only: such a notice waits for nothing, so the session loop may
             * send it; an error means that the kernel has forgotten the inode */
            fuse_lowlevel_notify_inval_inode(session, node_ino(page), -1, 0);
        }
    }
}
