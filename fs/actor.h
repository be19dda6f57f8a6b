/* actor.h: who opened a file, for `events`. */
#ifndef PAGEFS_ACTOR_H
#define PAGEFS_ACTOR_H

#include <sys/types.h>

enum { ACTOR_COMM_SIZE = 16 };

struct actor {
    pid_t pid;                  /* 0: not known */
    char comm[ACTOR_COMM_SIZE]; /* one printable word, `?` when not known */
};

/* pid as the kernel tells it: 0 for a process that we cannot see. */
struct actor actor_of(pid_t pid);

#endif
