#include "freechain.h"

#include <stdlib.h>

/* ---- contents ---- */

/* A block in memory is on one of two lists: dirty, or clean. */
static struct fl_block **list_of(struct freelist *fl, const struct fl_block *block)
{
    return block->dirty ? &fl->dirty : &fl->clean;
}

static void list_add(struct freelist *fl, struct fl_block *block, bool dirty)
{
    block->dirty = dirty;
    struct fl_block **head = list_of(fl, block);
    block->prev = NULL;
    block->next = *head;
    if (*head != NULL)
        (*head)->prev = block;
    *head = block;
}

static void list_remove(struct freelist *fl, struct fl_block *block)
{
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        *list_of(fl, block) = block->next;
    if (block->next != NULL)
        block->next->prev = block->prev;
}

void chain_mark_changed(struct freelist *fl, struct fl_block *block)
{
    list_remove(fl, block);
    list_add(fl, block, true);
}

void chain_mark_flushed(struct freelist *fl, struct fl_block *block)
{
    block->entry->stored = true;
    list_remove(fl, block);
    list_add(fl, block, false);
}

void chain_block_drop(struct freelist *fl, struct fl_entry *entry)
{
    if (entry->block == NULL)
        return;
    list_remove(fl, entry->block);
    free(entry->block);
    entry->block = NULL;
}

/* ---- which pages are trunks ---- */

static void forget_trunks(struct freelist *fl)
{
    pageset_clear(&fl->trunks);
    fl->trunks_known = false;
}

/* Out of memory: it is collected again when somebody asks. */
static void note_trunk(struct freelist *fl, uint64_t page_id)
{
    bool added;
    if (fl->trunks_known && pageset_add(&fl->trunks, page_id, &added) != PF_OK)
        forget_trunks(fl);
}

static void register_trunk(struct freelist *fl, struct fl_entry *entry, uint64_t page_id)
{
    entry->page_id = page_id;
    idmap_put(&fl->trunk_of, page_id, (uintptr_t)entry);
    note_trunk(fl, page_id);
}

static void unregister_trunk(struct freelist *fl, const struct fl_entry *entry)
{
    (void)idmap_remove(&fl->trunk_of, entry->page_id);
    if (fl->trunks_known)
        (void)pageset_remove(&fl->trunks, entry->page_id);
}

bool chain_know_trunks(struct freelist *fl)
{
    if (fl->trunks_known)
        return true;
    fl->trunks_known = true;
    for (const struct fl_entry *e = fl->newest; e != NULL && fl->trunks_known;
         e = e->older)
        note_trunk(fl, e->page_id);
    return fl->trunks_known;
}

/* ---- entries ---- */

struct fl_entry *chain_entry_new(struct freelist *fl, uint64_t page_id)
{
    if (idmap_reserve(&fl->trunk_of, 1) != PF_OK)
        return NULL;
    struct fl_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    register_trunk(fl, entry, page_id);
    return entry;
}

struct fl_block *chain_block_new(struct freelist *fl, struct fl_entry *entry)
{
    struct fl_block *block = malloc(sizeof *block);
    if (block == NULL)
        return NULL;
    block->entry = entry;
    entry->block = block;
    list_add(fl, block, false);
    return block;
}

void chain_entry_free(struct freelist *fl, struct fl_entry *entry)
{
    unregister_trunk(fl, entry);
    chain_block_drop(fl, entry);
    free(entry);
}

void chain_link_oldest(struct freelist *fl, struct fl_entry *entry)
{
    entry->newer = fl->oldest;
    if (fl->oldest != NULL)
        fl->oldest->older = entry;
    else
        fl->newest = entry;
    fl->oldest = entry;
}

void chain_link_newest(struct freelist *fl, struct fl_entry *entry)
{
    entry->older = fl->newest;
    if (fl->newest != NULL)
        fl->newest->newer = entry;
    else
        fl->oldest = entry;
    fl->newest = entry;
}

void chain_unlink(struct freelist *fl, struct fl_entry *entry)
{
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        fl->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        fl->oldest = entry->newer;
    chain_entry_free(fl, entry);
}

void chain_move(struct freelist *fl, struct fl_entry *entry, uint64_t page_id)
{
    unregister_trunk(fl, entry);
    entry->stored = false;
    entry->block->trunk.page_id = page_id;
    register_trunk(fl, entry, page_id);
}

void chain_erase_magic(struct batch *batch, uint64_t page_id)
{
    static const uint8_t zeros[TRUNK_MAGIC_SIZE];
    batch_write(batch, page_id, zeros, sizeof zeros);
}

void chain_clear(struct freelist *fl)
{
    forget_trunks(fl);
    while (fl->newest != NULL)
        chain_unlink(fl, fl->newest);
    idmap_clear(&fl->trunk_of);
}
