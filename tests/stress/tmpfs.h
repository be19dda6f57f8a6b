/* tmpfs.h: a database on a tmpfs, where there is one, so that nothing waits for a disk.
 */
#ifndef TEST_STRESS_TMPFS_H
#define TEST_STRESS_TMPFS_H

#include "harness.h"

struct tmpfs {
    char dir[64]; /* our own, on a tmpfs; "" = none */
};

/* Moves m->t.db, which must not exist yet, there. */
void tmpfs_take(struct tmpfs *t, struct mnt *m);
void tmpfs_remove(struct tmpfs *t);

#endif
