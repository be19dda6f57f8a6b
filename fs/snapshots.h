/* snapshots.h: the snapshots of a mount: their names, numbers and memory.
 *
 * Numbers are never reused, so that an inode number of a snapshot that is gone names
 * nothing. Locks itself. */
#ifndef PAGEFS_SNAPSHOTS_H
#define PAGEFS_SNAPSHOTS_H

#include <time.h>

#include "../core/pf.h"

enum {
    SNAPSHOT_NAME_MAX = 255,
    SNAPSHOTS_MAX_BYTES = 64 << 20, /* all of them together */
};

struct snapshots;

struct snapshots *snapshots_new(void); /* NULL: out of memory */
void snapshots_free(struct snapshots *snapshots);

/* Adopt `snapshot` under this name. PF_E_EXISTS, PF_E_NO_SPACE (SNAPSHOTS_MAX_BYTES),
 * PF_E_NO_MEMORY; it stays the caller's then. */
PF_CHECK pf_err snapshots_add(struct snapshots *snapshots, const char *name,
                              pf_snapshot *snapshot, uint64_t *out_id);
/* Drop it as soon as nobody reads it any more. PF_E_NOT_FOUND. */
PF_CHECK pf_err snapshots_remove(struct snapshots *snapshots, const char *name);

bool snapshots_has(struct snapshots *snapshots, uint64_t id);
bool snapshots_find(struct snapshots *snapshots, const char *name, uint64_t *out_id);
/* The first with a number of at least `id`; false when there is none. */
bool snapshots_next(struct snapshots *snapshots, uint64_t id, uint64_t *out_id,
                    char out_name[SNAPSHOT_NAME_MAX + 1]);
/* When it was taken; zero when it is gone. */
struct timespec snapshots_time(struct snapshots *snapshots, uint64_t id);

/* NULL when it is gone. Otherwise it stays until snapshots_release(), which tolerates
 * NULL. */
const pf_snapshot *snapshots_acquire(struct snapshots *snapshots, uint64_t id);
void snapshots_release(struct snapshots *snapshots, const pf_snapshot *snapshot);

#endif
