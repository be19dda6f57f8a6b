/* pageset.h: a sparse, ordered set of page ids. For core only; not thread-safe.
 *
 * A radix tree, 64 ways a level, over regions of 4,096 pages. A region with few
 * members is a short list (64 bytes), otherwise a bitmap (one bit a page); a
 * region without members costs nothing. So memory follows what is in the set,
 * never the ids' size, and walks jump over empty space. */
#ifndef PF_PAGESET_H
#define PF_PAGESET_H

#include "pf.h"

struct pageset_leaf;

struct pageset {     /* all zero = empty */
    void *root;      /* a node, or a leaf while height is 0 */
    unsigned height; /* levels of nodes above the leaves */
    uint64_t count;
    uint64_t bytes; /* memory held */
    /* the region looked at last: runs of neighbours skip the descent */
    uint64_t last_region;
    struct pageset_leaf *last_leaf; /* NULL = nothing remembered */
};

void pageset_clear(struct pageset *set);
/* *out_added: false when it was there already. PF_E_NO_MEMORY leaves the set as it was.
 */
PF_CHECK pf_err pageset_add(struct pageset *set, uint64_t id, bool *out_added);
/* The same for first .. first + count - 1: all of them, or none when one was there. */
PF_CHECK pf_err pageset_add_run(struct pageset *set, uint64_t first, uint64_t count,
                                bool *out_added);
/* True when it was there. */
bool pageset_remove(struct pageset *set, uint64_t id);
/* Remove those of first .. first + count - 1 that are there; how many they were. */
uint64_t pageset_remove_run(struct pageset *set, uint64_t first, uint64_t count);
bool pageset_has(struct pageset *set, uint64_t id);
/* The lowest member >= from; false when there is none. */
bool pageset_next(const struct pageset *set, uint64_t from, uint64_t *out_id);
/* The highest member < end; false when there is none. */
bool pageset_last(const struct pageset *set, uint64_t end, uint64_t *out_id);
/* The lowest id >= from that is not a member. */
uint64_t pageset_next_gap(const struct pageset *set, uint64_t from);
/* The same, but `limit` (>= from) when there is none below it. */
uint64_t pageset_next_gap_below(const struct pageset *set, uint64_t from, uint64_t limit);
/* An independent copy into an empty set. PF_E_NO_MEMORY leaves `out_copy` empty. */
PF_CHECK pf_err pageset_copy(const struct pageset *set, struct pageset *out_copy);

#endif
