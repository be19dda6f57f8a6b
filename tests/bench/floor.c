#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512 };

struct waiter {
    struct waiter *next;
    fuse_req_t req;
};

struct floor {
    int fd;
    off_t bytes;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct waiter *waiting;
    bool stopping;
};

/* NULL when stopping and nobody is left. */
static struct waiter *take_waiters(struct floor *floor)
{
    pthread_mutex_lock(&floor->lock);
    while (floor->waiting == NULL && !floor->stopping)
        pthread_cond_wait(&floor->more, &floor->lock);
    struct waiter *const waiters = floor->waiting;
    floor->waiting = NULL;
    pthread_mutex_unlock(&floor->lock);
    return waiters;
}

static void *floor_main(void *arg)
{
    static const char sector[SECTOR_BYTES], text[] = "17\n";
    struct floor *const floor = arg;
    struct waiter *waiter;
    off_t at = 0;

    while ((waiter = take_waiters(floor)) != NULL) {
        const bool durable =
            pwrite(floor->fd, sector, sizeof(sector), at) == sizeof(sector) &&
            fdatasync(floor->fd) == 0;
        at = (at + SECTOR_BYTES) % floor->bytes;
        for (struct waiter *next; waiter != NULL; waiter = next) {
            next = waiter->next;
            if (durable)
                fuse_reply_buf(waiter->req, text, sizeof(text) - 1);
            else
                fuse_reply_err(waiter->req, EIO);
            free(waiter);
        }
    }
    return NULL;
}

struct floor *floor_start(const char *path)
{
    struct floor *const floor = calloc(1, sizeof(*floor));
    struct stat stat;

    if (floor == NULL)
        return NULL;
    pthread_mutex_init(&floor->lock, NULL);
    pthread_cond_init(&floor->more, NULL);
    floor->fd = open(path, O_RDWR | O_CLOEXEC);
    if (floor->fd != -1 && fstat(floor->fd, &stat) == 0 && stat.st_size >= SECTOR_BYTES) {
        floor->bytes = stat.st_size / SECTOR_BYTES * SECTOR_BYTES;
        if (pthread_create(&floor->thread, NULL, floor_main, floor) == 0)
            return floor;
    }
    if (floor->fd != -1)
        (void)close(floor->fd);
    free(floor);
    return NULL;
}

void floor_wait(struct floor *floor, fuse_req_t req)
{
    struct waiter *const waiter = malloc(sizeof(*waiter));

    if (waiter == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    waiter->req = req;
    pthread_mutex_lock(&floor->lock);
    waiter->next = floor->waiting;
    floor->waiting = waiter;
    pthread_mutex_unlock(&floor->lock);
    pthread_cond_signal(&floor->more); /* not sooner: it would wake up to wait for us */
}

void floor_stop(struct floor *floor)
{
    pthread_mutex_lock(&floor->lock);
    floor->stopping = true;
    pthread_mutex_unlock(&floor->lock);
    pthread_cond_signal(&floor->more);
    pthread_join(floor->thread, NULL);
    pthread_cond_destroy(&floor->more);
    pthread_mutex_destroy(&floor->lock);
    (void)close(floor->fd);
    free(floor);
}
