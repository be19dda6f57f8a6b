/* crew.h: one mount on a tmpfs, and processes that use it at the same time.
 *
 * The database lies on a tmpfs where there is one, so that nothing waits for a disk.
 * Each test program wraps crew_setup() with the size of what its processes share. */
#ifndef TEST_STRESS_CREW_H
#define TEST_STRESS_CREW_H

#include <sys/types.h>

#include "harness.h"

enum { CREW_MOST = 66 };

struct crew {
    struct mnt *m; /* not started yet */
    void *shared;  /* with the processes; zeros at first; NULL = nothing */
    size_t shared_size;
    char dir[64]; /* our own, on a tmpfs; "" = none */
    pid_t pids[CREW_MOST];
    unsigned count;
};

int crew_setup(void **state, size_t shared_size);
/* Ends processes that a failed test left, and unmounts. */
int crew_teardown(void **state);
/* A new process that does this and exits with status 0. */
void crew_start(struct crew *c, void (*work)(struct crew *c, unsigned number),
                unsigned number);
/* Let go of one that has ended, asserting its status 0. False: none has, as yet. */
bool crew_reap(struct crew *c);
/* Wait until all have. */
void crew_join(struct crew *c);

#endif
