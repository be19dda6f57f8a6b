#include "tmpfs.h"

#include <stdio.h>
#include <stdlib.h>

void tmpfs_take(struct tmpfs *t, struct mnt *m)
{
    snprintf(t->dir, sizeof(t->dir), "/dev/shm/pf-stress-XXXXXX");
    if (mkdtemp(t->dir) != NULL)
        snprintf(m->t.db, sizeof(m->t.db), "%s/db.v3", t->dir);
    else
        t->dir[0] = '\0';
}

void tmpfs_remove(struct tmpfs *t)
{
    if (t->dir[0] != '\0')
        scratch_remove(t->dir);
}
