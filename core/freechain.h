/* freechain.h: how the structure of freelist.h holds its blocks: the chain of entries,
 * which contents are in memory and which of them changed (F3), and which pages are
 * trunks (F1). For freelist*.c only. */
#ifndef PF_FREECHAIN_H
#define PF_FREECHAIN_H

#include "freelist.h"

/* A detached entry, registered in trunk_of. NULL: no memory. */
struct fl_entry *chain_entry_new(struct freelist *fl, uint64_t page_id);
/* Contents for an entry that has none, to be filled in; clean. NULL: no memory. */
struct fl_block *chain_block_new(struct freelist *fl, struct fl_entry *entry);
/* Forget the contents, if they are in memory. */
void chain_block_drop(struct freelist *fl, struct fl_entry *entry);
/* End a detached entry. */
void chain_entry_free(struct freelist *fl, struct fl_entry *entry);

void chain_link_oldest(struct freelist *fl, struct fl_entry *entry);
void chain_link_newest(struct freelist *fl, struct fl_entry *entry);
/* Take it out of the chain, and end it. */
void chain_unlink(struct freelist *fl, struct fl_entry *entry);
/* The block goes on under another trunk page, which is not written yet; trunk_of has room
 * reserved for it. */
void chain_move(struct freelist *fl, struct fl_entry *entry, uint64_t page_id);
void chain_clear(struct freelist *fl);

void chain_mark_changed(struct freelist *fl, struct fl_block *block);
void chain_mark_flushed(struct freelist *fl, struct fl_block *block);
/* The contents differ from the disk's; the batch was prepared for this trunk. */
static inline void chain_mark_dirty(struct freelist *fl, struct fl_block *block)
{
    if (!block->dirty)
        chain_mark_changed(fl, block);
}

/* Pages came or went: what freelist_skip() remembers is of the past. */
static inline void chain_changed(struct freelist *fl)
{
    fl->skip_entry = NULL;
}

/* A page that was a stored trunk is one no more: nobody may take it for one later. */
void chain_erase_magic(struct batch *batch, uint64_t page_id);

/* Collect `trunks`, unless that is done. False: no memory. */
bool chain_know_trunks(struct freelist *fl);

#endif
