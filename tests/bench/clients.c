#include "clients.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

struct client {
    pthread_t thread;
    const struct clients *all;
    pthread_barrier_t *start;
    double seconds;
    void *self;
    uint64_t done;
    int error;
};

static void *client_main(void *arg)
{
    struct client *const c = arg;

    pthread_barrier_wait(c->start);
    const double end = now_seconds() + c->seconds;
    do {
        c->error = c->all->operate(c->self);
        c->done++;
    } while (c->error == 0 && now_seconds() < end);
    return NULL;
}

double clients_turn(const struct bench *b, void *side)
{
    const struct clients *const all = side;
    struct client clients[CLIENTS_MAX];
    pthread_barrier_t start;
    uint64_t done = 0;

    pthread_barrier_init(&start, NULL, all->count + 1);
    for (unsigned i = 0; i < all->count; i++) {
        clients[i] = (struct client){
            .all = all, .start = &start, .seconds = b->slice, .self = all->self[i]};
        if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) != 0)
            die("cannot start %u threads", all->count);
    }
    pthread_barrier_wait(&start);
    const double began = now_seconds();
    for (unsigned i = 0; i < all->count; i++)
        pthread_join(clients[i].thread, NULL);
    const double took = now_seconds() - began;
    pthread_barrier_destroy(&start);
    for (unsigned i = 0; i < all->count; i++) {
        if (clients[i].error != 0)
            die("%s: %s", all->name, strerror(clients[i].error));
        done += clients[i].done;
    }
    return took * 1e9 / (double)done;
}

struct clients clients_of(const char *name, unsigned count, int (*operate)(void *self),
                          void *self)
{
    struct clients clients = {.name = name, .count = count, .operate = operate};

    for (unsigned i = 0; i < count; i++)
        clients.self[i] = self;
    return clients;
}

int clients_read_file(void *path)
{
    char text[64];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        return errno;
    const ssize_t length = read(fd, text, sizeof(text));
    const int error = length == -1 ? errno : length == 0 ? EIO : 0;
    return close(fd) == 0 ? error : errno;
}
