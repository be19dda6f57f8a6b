/* clients.h: several threads that do the same thing again and again. */
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include "measure.h"

enum { CLIENTS_MAX = 32 };

/* A side of a comparison: one turn runs `count` threads for a slice and gives the time
 * from one finished operation to the next, over all of them. */
struct clients {
    const char *name;           /* for die() */
    unsigned count;             /* <= CLIENTS_MAX */
    int (*operate)(void *self); /* 0 or an errno, which ends the program */
    void *self[CLIENTS_MAX];    /* one of each client */
};

side_function clients_turn;

/* `count` clients that share `self`. */
struct clients clients_of(const char *name, unsigned count, int (*operate)(void *self),
                          void *self);

/* An operation on a path: open it, read at most 64 bytes, close. An empty file is EIO. */
int clients_read_file(void *path);

#endif
