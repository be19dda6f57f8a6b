/* open.h: the other door to a database: for repair.c only. */
#ifndef PF_OPEN_H
#define PF_OPEN_H

#include "pf.h"

/* Open for writing without asking whether the header and the free list allow it; they are
 * taken as they are, the list as empty. Locks, other processes, the write-ahead log and
 * the directory are judged as ever: PF_E_NEEDS_WRITE. set_aside: rename the journal
 * first. `reason` has PF_REASON_SIZE bytes. */
PF_CHECK pf_err open_for_repair(const char *path, bool set_aside, pf_store **out_store,
                                char *reason);
/* Would open_for_repair() find anything against it? The file is opened and locked for
 * that, and nothing is changed. */
PF_CHECK pf_err open_may_repair(const char *path, bool set_aside, char *reason);

#endif
