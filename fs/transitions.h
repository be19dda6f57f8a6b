/* transitions.h: when pages last changed, since the mount, for st_mtime.
 *
 * Memory is bounded: when the table is full it is emptied, and every page is taken to
 * have changed at that moment at the latest. A time may so be too late, never too early,
 * which is what backup tools need. Locks itself. */
#ifndef PAGEFS_TRANSITIONS_H
#define PAGEFS_TRANSITIONS_H

#include <stdint.h>
#include <time.h>

struct transitions;

/* floor: the time of pages that have not changed since. NULL: out of memory. */
struct transitions *transitions_new(struct timespec floor);
void transitions_free(struct transitions *transitions);

/* Pages first .. first + count - 1 change now. */
void transitions_note(struct transitions *transitions, uint64_t first, uint64_t count);
struct timespec transitions_of(struct transitions *transitions, uint64_t page_id);
/* Of any page. */
struct timespec transitions_latest(struct transitions *transitions);

#endif
