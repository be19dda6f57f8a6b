#include "freechain.h"

#include <assert.h>

void freelist_init(struct freelist *fl, uint64_t head, uint64_t page_limit)
{
    *fl = (struct freelist){.unknown_head = head,
                            .unknown_below = TRUNK_MAX_NUMBER + 1,
                            .page_limit = page_limit};
}

void freelist_clear(struct freelist *fl)
{
    chain_clear(fl);
    pageset_clear(&fl->free);
    pageset_clear(&fl->popped);
}

/* ---- push and pop ---- */

/* A new block with this page as its trunk. */
static pf_err push_trunk(struct freelist *fl, struct batch *batch, uint64_t page_id)
{
    const struct trunk *below = fl->newest == NULL ? NULL : &fl->newest->block->trunk;
    if (below != NULL && below->number >= TRUNK_MAX_NUMBER)
        return PF_E_MAX_PAGES;
    if (batch_prepare(batch, page_id, PF_PAGE_SIZE) != PF_OK)
        return PF_E_NO_MEMORY;
    if (below != NULL && /* an unpush makes it the newest again */
        batch_prepare(batch, below->page_id, PF_PAGE_SIZE) != PF_OK)
        return PF_E_NO_MEMORY;
    struct fl_entry *entry = chain_entry_new(fl, page_id);
    if (entry == NULL)
        return PF_E_NO_MEMORY;
    struct fl_block *block = chain_block_new(fl, entry);
    if (block == NULL) {
        chain_entry_free(fl, entry);
        return PF_E_NO_MEMORY;
    }
    block->trunk.page_id = page_id;
    block->trunk.next = below == NULL ? 0 : below->page_id;
    block->trunk.number = below == NULL ? 1 : below->number + 1;
    block->trunk.leaf_count = 0;
    chain_link_newest(fl, entry);
    chain_mark_dirty(fl, block);
    return PF_OK;
}

/* As many leaves as the newest block has room for. */
static pf_err push_leaves(struct freelist *fl, struct batch *batch, uint64_t first,
                          uint64_t count, uint64_t *out_pushed)
{
    struct fl_entry *top = fl->newest;
    const uint32_t room = TRUNK_MAX_LEAVES - top->leaf_count;
    const uint32_t n = count < room ? (uint32_t)count : room;
    if (!top->block->dirty && batch_prepare(batch, top->page_id, PF_PAGE_SIZE) != PF_OK)
        return PF_E_NO_MEMORY;
    uint64_t *leaf = top->block->trunk.leaf + top->leaf_count;
    for (uint32_t i = 0; i < n; i++)
        leaf[i] = first + i;
    top->leaf_count += n;
    top->block->trunk.leaf_count = top->leaf_count;
    chain_mark_dirty(fl, top->block);
    *out_pushed = n;
    return PF_OK;
}

static bool push_needs_trunk(const struct freelist *fl)
{
    return fl->newest == NULL || fl->newest->leaf_count == TRUNK_MAX_LEAVES;
}

pf_err freelist_push(struct freelist *fl, struct batch *batch, uint64_t page_id)
{
    bool added;
    uint64_t pushed;
    pf_err err = pageset_add(&fl->free, page_id, &added);
    if (err == PF_OK && !added)
        err = PF_E_ALREADY_FREE;
    if (err != PF_OK)
        return err;
    err = push_needs_trunk(fl) ? push_trunk(fl, batch, page_id)
                               : push_leaves(fl, batch, page_id, 1, &pushed);
    if (err != PF_OK) {
        (void)pageset_remove(&fl->free, page_id);
        return err;
    }
    fl->total++;
    chain_changed(fl);
    return PF_OK;
}

pf_err freelist_push_run(struct freelist *fl, struct batch *batch, uint64_t first,
                         uint64_t count, uint64_t *out_pushed)
{
    bool added;
    uint64_t done = 0, n;
    pf_err err = pageset_add_run(&fl->free, first, count, &added);
    if (err == PF_OK && !added)
        err = PF_E_ALREADY_FREE;
    *out_pushed = 0;
    if (err != PF_OK)
        return err;
    while (err == PF_OK && done < count) {
        n = 1;
        err = push_needs_trunk(fl)
                  ? push_trunk(fl, batch, first + done)
                  : push_leaves(fl, batch, first + done, count - done, &n);
        done += err == PF_OK ? n : 0;
    }
    if (done < count)
        (void)pageset_remove_run(&fl->free, first + done, count - done);
    fl->total += done;
    chain_changed(fl);
    *out_pushed = done;
    return err;
}

/* Remember ids that a pop will take, until all blocks are known (F4). */
static pf_err remember_popped(struct freelist *fl, uint64_t count)
{
    const struct fl_entry *entry = fl->newest;
    bool added;
    if (fl->unknown_head == 0)
        return PF_OK;
    for (; count > 0; entry = entry->older) {
        assert(entry != NULL && entry->block != NULL);
        const struct trunk *t = &entry->block->trunk;
        for (uint32_t i = t->leaf_count; i > 0 && count > 0; i--, count--)
            if (pageset_add(&fl->popped, t->leaf[i - 1], &added) != PF_OK)
                return PF_E_NO_MEMORY;
        if (count > 0 && pageset_add(&fl->popped, t->page_id, &added) != PF_OK)
            return PF_E_NO_MEMORY;
        count -= count > 0;
    }
    return PF_OK;
}

static void forget_popped(struct freelist *fl)
{
    uint64_t id = 0;
    while (pageset_next(&fl->popped, id, &id)) {
        if (pageset_has(&fl->free, id))
            (void)pageset_remove(&fl->popped, id);
        id++;
    }
}

pf_err freelist_pop_prepare(struct freelist *fl, struct batch *batch, uint64_t count)
{
    const struct fl_entry *entry = fl->newest;
    assert(count <= fl->total);
    if (count == 0)
        return PF_OK;
    uint64_t left = count;
    pf_err err = PF_OK;
    for (; err == PF_OK && entry != NULL && left > entry->leaf_count;
         entry = entry->older) {
        if (entry->stored)
            err = batch_prepare(batch, entry->page_id, TRUNK_MAGIC_SIZE);
        left -= (uint64_t)entry->leaf_count + 1;
    }
    if (err == PF_OK && entry != NULL && !entry->block->dirty)
        err = batch_prepare(batch, entry->page_id, PF_PAGE_SIZE);
    if (err == PF_OK) {
        err = remember_popped(fl, count);
        if (err != PF_OK)
            forget_popped(fl); /* what is still free was not popped */
    }
    return err;
}

/* The trunk is the last page of its block: the block ends. */
static uint64_t pop_trunk(struct freelist *fl, struct batch *batch)
{
    struct fl_entry *top = fl->newest;
    const uint64_t page_id = top->page_id;
    if (top->stored)
        chain_erase_magic(batch, page_id);
    chain_unlink(fl, top);
    if (fl->newest != NULL)
        chain_mark_dirty(fl, fl->newest->block); /* it carries the total now */
    return page_id;
}

/* Leaves of the newest block, the last first; what is common to all of them is done once.
 */
static void pop_leaves(struct freelist *fl, uint32_t count, uint64_t *out_page_ids)
{
    struct fl_entry *top = fl->newest;
    const uint64_t *leaf = top->block->trunk.leaf + top->leaf_count;
    for (uint32_t i = 0, n; i < count; i += n) {
        n = 1; /* ids that follow one another downwards */
        out_page_ids[i] = *--leaf;
        while (i + n < count && leaf[-1] == *leaf - 1) {
            out_page_ids[i + n++] = *--leaf;
        }
        if (n == 1)
            (void)pageset_remove(&fl->free, *leaf);
        else
            (void)pageset_remove_run(&fl->free, *leaf, n);
    }
    top->leaf_count -= count;
    top->block->trunk.leaf_count = top->leaf_count;
    fl->total -= count;
    chain_mark_dirty(fl, top->block);
}

void freelist_pop(struct freelist *fl, struct batch *batch, uint64_t count,
                  uint64_t *out_page_ids)
{
    chain_changed(fl);
    while (count > 0) {
        const uint32_t leaves = fl->newest->leaf_count;
        const uint64_t n = leaves == 0 ? 1 : count < leaves ? count : leaves;
        if (leaves > 0) {
            pop_leaves(fl, (uint32_t)n, out_page_ids);
        } else {
            *out_page_ids = pop_trunk(fl, batch);
            (void)pageset_remove(&fl->free, *out_page_ids);
            fl->total--;
        }
        out_page_ids += n;
        count -= n;
    }
}

/* A block of this operation was never stored, so popping it leaves no trace. */
void freelist_unpush(struct freelist *fl, struct batch *batch)
{
    uint64_t page_id;
    freelist_pop(fl, batch, 1, &page_id);
}

uint64_t freelist_top(const struct freelist *fl)
{
    const struct fl_entry *top = fl->newest;
    if (top == NULL)
        return 0;
    return top->leaf_count == 0 ? top->page_id
                                : top->block->trunk.leaf[top->leaf_count - 1];
}

uint64_t freelist_head(const struct freelist *fl)
{
    return fl->newest == NULL ? 0 : fl->newest->page_id;
}

/* ---- to the disk ---- */

void freelist_overlay(const struct freelist *fl, uint64_t page_id, uint8_t *page)
{
    const struct fl_entry *entry = freelist_trunk(fl, page_id);
    if (entry == NULL || entry->block == NULL || !entry->block->dirty)
        return;
    entry->block->trunk.free_total = fl->total;
    trunk_encode(&entry->block->trunk, page);
}

void freelist_flush(struct freelist *fl, struct batch *batch)
{
    uint8_t page[PF_PAGE_SIZE];
    while (fl->dirty != NULL) {
        struct fl_block *block = fl->dirty;
        block->trunk.free_total = fl->total;
        trunk_encode(&block->trunk, page);
        batch_write(batch, block->trunk.page_id, page,
                    trunk_used(block->trunk.leaf_count));
        chain_mark_flushed(fl, block);
    }
}
