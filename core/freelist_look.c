/* freelist_look.c: where in the list is what, for queries. */
#include "freechain.h"

struct fl_entry *freelist_skip(struct freelist *fl, uint64_t index, uint64_t *out_above)
{
    struct fl_entry *entry = fl->newest;
    uint64_t above = 0;
    if (fl->skip_entry != NULL && fl->skip_index <= index) {
        entry = fl->skip_entry;
        above = fl->skip_index;
    }
    while (entry != NULL && index - above > entry->leaf_count) {
        above += (uint64_t)entry->leaf_count + 1;
        entry = entry->older;
    }
    fl->skip_entry = entry;
    fl->skip_index = above;
    *out_above = above;
    return entry;
}

struct fl_entry *freelist_trunk(const struct freelist *fl, uint64_t page_id)
{
    const uint64_t *slot = idmap_get(&fl->trunk_of, page_id);
    return slot == NULL ? NULL : (struct fl_entry *)(uintptr_t)*slot;
}

uint64_t freelist_kind_end(struct freelist *fl, uint64_t page_id, uint64_t end,
                           bool trunk)
{
    uint64_t at = page_id + 1;
    if (!chain_know_trunks(fl)) /* no memory: look at each */
        while (at < end && (freelist_trunk(fl, at) != NULL) == trunk)
            at++;
    else if (trunk)
        at = pageset_next_gap_below(&fl->trunks, at, end);
    else if (!pageset_next(&fl->trunks, at, &at) || at > end)
        at = end;
    return at;
}
