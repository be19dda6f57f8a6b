/* freelist_cut.c: taking pages out of the middle of the list. A block that loses its
 * trunk goes on under its first leaf, one that loses all its pages ends. */
#include "freechain.h"

static bool within(uint64_t page_id, uint64_t first, uint64_t count)
{
    return page_id >= first && page_id - first < count;
}

/* The trunk that the block will have: its own, the first leaf that stays, 0 = none. */
static uint64_t trunk_after(const struct trunk *t, uint64_t first, uint64_t count)
{
    if (!within(t->page_id, first, count))
        return t->page_id;
    for (uint32_t i = 0; i < t->leaf_count; i++)
        if (!within(t->leaf[i], first, count))
            return t->leaf[i];
    return 0;
}

static pf_err prepare_block(struct batch *batch, const struct fl_entry *entry)
{
    return entry == NULL ? PF_OK : batch_prepare(batch, entry->page_id, PF_PAGE_SIZE);
}

pf_err freelist_cut_prepare(struct freelist *fl, struct batch *batch, uint64_t first,
                            uint64_t count)
{
    pf_err err = prepare_block(batch, fl->newest);
    for (struct fl_entry *e = fl->newest; e != NULL && err == PF_OK; e = e->older) {
        if (!e->hit)
            continue;
        const uint64_t trunk_id = trunk_after(&e->block->trunk, first, count);
        err = prepare_block(batch, e);
        if (err == PF_OK)
            err = prepare_block(batch, e->newer);
        if (err == PF_OK)
            err = prepare_block(batch, e->older);
        if (err == PF_OK && trunk_id != 0)
            err = batch_prepare(batch, trunk_id, PF_PAGE_SIZE);
        if (err == PF_OK)
            err = idmap_reserve(&fl->trunk_of, 1);
    }
    return err;
}

/* The first leaf that stays is the trunk now. */
static void move_trunk(struct freelist *fl, struct batch *batch, struct fl_entry *entry,
                       uint64_t trunk_id)
{
    if (entry->stored)
        chain_erase_magic(batch, entry->page_id);
    chain_move(fl, entry, trunk_id);
}

/* Whoever pointed at this block points at `trunk_id` now. */
static void relink(struct freelist *fl, struct fl_entry *newer, uint64_t trunk_id)
{
    if (newer == NULL)
        return; /* the header's field is written from freelist_head() */
    newer->block->trunk.next = trunk_id;
    chain_mark_dirty(fl, newer->block);
}

static void cut_block(struct freelist *fl, struct batch *batch, struct fl_entry *entry,
                      uint64_t first, uint64_t count)
{
    struct trunk *t = &entry->block->trunk;
    const uint64_t trunk_id = trunk_after(t, first, count);
    entry->hit = false;
    if (trunk_id == 0) {
        relink(fl, entry->newer, t->next);
        if (entry->stored)
            chain_erase_magic(batch, entry->page_id);
        chain_unlink(fl, entry);
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->leaf_count; i++)
        if (!within(t->leaf[i], first, count) && t->leaf[i] != trunk_id)
            t->leaf[kept++] = t->leaf[i];
    t->leaf_count = entry->leaf_count = kept;
    if (trunk_id != entry->page_id) {
        move_trunk(fl, batch, entry, trunk_id);
        relink(fl, entry->newer, trunk_id);
    }
    chain_mark_dirty(fl, entry->block);
}

void freelist_cut(struct freelist *fl, struct batch *batch, uint64_t first,
                  uint64_t count)
{
    struct fl_entry *entry = fl->newest, *older;
    for (; entry != NULL; entry = older) {
        older = entry->older;
        if (entry->hit)
            cut_block(fl, batch, entry, first, count);
    }
    fl->total -= pageset_remove_run(&fl->free, first, count);
    if (fl->newest != NULL)
        chain_mark_dirty(fl, fl->newest->block); /* it carries the total */
    chain_changed(fl);
}
