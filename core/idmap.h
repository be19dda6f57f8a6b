/* idmap.h: a hash map from u64 to u64. For core only; not thread-safe.
 *
 * Open addressing with linear probing, at most 3/4 full; nothing is allocated
 * while it is empty. Keys are below IDMAP_NONE. */
#ifndef PF_IDMAP_H
#define PF_IDMAP_H

#include "pf.h"

#define IDMAP_NONE UINT64_MAX

struct idmap_slot {
    uint64_t key, value;
};

struct idmap { /* all zero = empty */
    struct idmap_slot *slots;
    size_t slot_count, count;
    uint64_t multiplier; /* odd, another one in each map; 0 = no slots yet */
};

/* Release everything; the map is empty afterwards. */
void idmap_clear(struct idmap *map);
/* After this, `more` insertions of new keys cannot fail. PF_E_NO_MEMORY. */
PF_CHECK pf_err idmap_reserve(struct idmap *map, size_t more);
/* The value of `key`, to be read or changed until the next insertion or removal; NULL
 * when the key is not there. */
uint64_t *idmap_get(const struct idmap *map, uint64_t key);
/* Insert or replace. Room must have been reserved. */
void idmap_put(struct idmap *map, uint64_t key, uint64_t value);
/* True when the key was there. */
bool idmap_remove(struct idmap *map, uint64_t key);
/* Visit all slots: start with *cursor = 0; NULL at the end. */
struct idmap_slot *idmap_each(const struct idmap *map, size_t *cursor);

#endif
