/* actor.h: who opened a file, for `events`. */
#ifndef PAGEFS_ACTOR_H
#define PAGEFS_ACTOR_H

#include <sys/types.h>

enum { ACTOR_COMM_SIZE = 16 };

struct actor {
    pid_t pid;                  /* 0: not known */
    char comm[ACTOR_COMM_SIZE]; /* one printable word, `?` when not known */
};

/* Names of processes, kept open: a client that comes again costs one read (1 us) instead
 * of an open, a read and a close (8 us). Only the session loop uses it. */
struct actors;

struct actors *actors_new(void); /* NULL: out of memory */
void actors_free(struct actors *actors);

/* pid as the kernel tells it: 0 for a process that we cannot see. */
struct actor actor_of(struct actors *actors, pid_t pid);

#endif
