#include "cached_pages.h"

#include "fuse_api.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct cached_page {
    uint64_t ino;
    uint64_t opens;
};

struct cached_pages {
    pthread_mutex_t lock; /* guards what follows; never held while the kernel is told */
    struct cached_page *pages; /* by rising ino */
    size_t count, capacity;
};

struct cached_pages *cached_pages_new(void)
{
    struct cached_pages *const cached = calloc(1, sizeof(*cached));

    if (cached != NULL)
        pthread_mutex_init(&cached->lock, NULL);
    return cached;
}

void cached_pages_free(struct cached_pages *cached)
{
    if (cached == NULL)
        return;
    pthread_mutex_destroy(&cached->lock);
    free(cached->pages);
    free(cached);
}

/* Index of the first page with an inode number >= ino. */
static size_t find_locked(const struct cached_pages *cached, uint64_t ino)
{
    size_t low = 0, high = cached->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (cached->pages[middle].ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static pf_err insert_locked(struct cached_pages *cached, size_t at, uint64_t ino)
{
    if (cached->count == cached->capacity) {
        const size_t capacity = cached->capacity != 0 ? cached->capacity * 2 : 16;
        struct cached_page *const pages =
            realloc(cached->pages, capacity * sizeof(*pages));
        if (pages == NULL)
            return PF_E_NO_MEMORY;
        cached->pages = pages;
        cached->capacity = capacity;
    }
    memmove(cached->pages + at + 1, cached->pages + at,
            (cached->count - at) * sizeof(*cached->pages));
    cached->pages[at] = (struct cached_page){ino, 1};
    cached->count++;
    return PF_OK;
}

pf_err cached_pages_add(struct cached_pages *cached, uint64_t ino)
{
    pf_err err = PF_OK;

    pthread_mutex_lock(&cached->lock);
    const size_t at = find_locked(cached, ino);
    if (at < cached->count && cached->pages[at].ino == ino)
        cached->pages[at].opens++;
    else
        err = insert_locked(cached, at, ino);
    pthread_mutex_unlock(&cached->lock);
    return err;
}

void cached_pages_remove(struct cached_pages *cached, uint64_t ino)
{
    pthread_mutex_lock(&cached->lock);
    const size_t at = find_locked(cached, ino);
    assert(at < cached->count && cached->pages[at].ino == ino);
    if (--cached->pages[at].opens == 0) {
        cached->count--;
        memmove(cached->pages + at, cached->pages + at + 1,
                (cached->count - at) * sizeof(*cached->pages));
    }
    pthread_mutex_unlock(&cached->lock);
}

void cached_pages_invalidate(struct cached_pages *cached, struct fuse_session *session)
{
    enum { AT_ONCE = 64 };
    uint64_t inos[AT_ONCE];
    uint64_t from = 0;
    size_t count;

    do { /* in portions: the lock must not be held while the kernel is told */
        pthread_mutex_lock(&cached->lock);
        size_t at = find_locked(cached, from);
        for (count = 0; count < AT_ONCE && at < cached->count; count++, at++)
            inos[count] = cached->pages[at].ino;
        pthread_mutex_unlock(&cached->lock);
        for (size_t i = 0; i < count; i++) {
            /* an error means that the kernel has forgotten the inode: as good */
            fuse_lowlevel_notify_inval_inode(session, inos[i], 0, 0);
            from = inos[i] + 1;
        }
    } while (count == AT_ONCE);
}
