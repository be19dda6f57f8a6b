/* freelist.h: the stack of free pages, in memory. Does no I/O: whoever owns it (the
 * store) brings the pages and carries the changes away. For core only.
 *
 * The stack is a chain of blocks, newest first; a block is a trunk page and the
 * leaves it lists. FORMAT.md section 3. After open only the newest block is
 * known; older ones become known in order, by freelist_visit(), as the list is
 * walked or popped. Two locks guard it, both the store's: `writer` is held by
 * whoever changes it, `lock` around every change and every query, so a query
 * needs `lock` and a writer may read with `writer` alone.
 *
 * freelist.c pushes, pops, and hands the changed trunks to the batch; freelist_visit.c
 * gets to know blocks, freelist_cut.c takes pages out of the middle, freelist_look.c
 * answers queries; freechain.c keeps the blocks for all of them.
 *
 * Invariants
 *  F1  free holds exactly the pages of the known blocks; trunk_of maps exactly
 *      their trunks.
 *  F2  total counts the pages of the known and the unknown blocks.
 *  F3  the newest block's contents are in memory; so are those of every block
 *      that changed since the last freelist_flush().
 *  F4  no page is handed out twice between two opens: until all is known, what
 *      was popped is remembered in `popped` and may not turn up again.
 *  F5  block numbers fall towards older blocks, so the chain cannot be a circle. */
#ifndef PF_FREELIST_H
#define PF_FREELIST_H

#include "batch.h"
#include "idmap.h"
#include "pageset.h"
#include "trunk.h"

struct fl_entry;

struct fl_block { /* the contents of a block */
    struct trunk trunk;
    bool dirty;
    struct fl_entry *entry;
    struct fl_block *next, *prev; /* on the list `dirty` or `clean` */
};

struct fl_entry { /* one block, newest first */
    struct fl_entry *newer, *older;
    uint64_t page_id;       /* of the trunk */
    struct fl_block *block; /* NULL = only on disk */
    uint32_t leaf_count;
    bool stored; /* the trunk page on disk, or in a batch, has the magic */
    bool hit;    /* freelist_cut() will change it */
};

struct freelist {
    struct fl_entry *newest, *oldest;
    struct fl_block *dirty; /* changed since the last flush */
    struct fl_block *clean; /* the others in memory */
    struct idmap trunk_of;  /* page id of a trunk -> struct fl_entry */
    struct pageset free;    /* F1 */
    struct pageset popped;  /* F4 */
    /* the keys of trunk_of in order, once somebody asked for runs of pages: `map` makes
     * 430 MB/s with it, and 60 with a look into trunk_of for each page */
    struct pageset trunks;
    bool trunks_known;
    uint64_t total;         /* F2 */
    uint64_t unknown_head;  /* trunk to visit next, 0 = all is known */
    uint64_t unknown_below; /* its number must be below this */
    uint64_t page_limit;    /* ids at or above this do not exist */
    bool corrupt;
    char finding[128]; /* what is corrupt, in words */
    /* where freelist_skip() was last, valid until the list changes */
    struct fl_entry *skip_entry;
    uint64_t skip_index;
};

/* Start with an empty list, or (head != 0) one whose blocks are all unknown yet. */
void freelist_init(struct freelist *fl, uint64_t head, uint64_t page_limit);
void freelist_clear(struct freelist *fl);

/* Take in the block whose trunk, unknown_head, is `page`. keep: keep its contents in
 * memory. The first visit sets total. PF_E_CORRUPT (and corrupt, finding set),
 * PF_E_NO_MEMORY (nothing changed). */
PF_CHECK pf_err freelist_visit(struct freelist *fl, const uint8_t *page, bool keep);
/* Give a known block its contents back. */
PF_CHECK pf_err freelist_fill(struct freelist *fl, struct fl_entry *entry,
                              const uint8_t *page);
/* Say that the list cannot be trusted. */
void freelist_set_corrupt(struct freelist *fl, uint64_t page_id, const char *what);
/* Forget contents that need not be in memory. */
void freelist_trim(struct freelist *fl);

/* Put a page on top. PF_E_ALREADY_FREE, PF_E_NO_MEMORY: nothing changed. */
PF_CHECK pf_err freelist_push(struct freelist *fl, struct batch *batch, uint64_t page_id);
/* The same for first .. first + count - 1, in this order. PF_E_NO_MEMORY: done for the
 * first *out_pushed of them. */
PF_CHECK pf_err freelist_push_run(struct freelist *fl, struct batch *batch,
                                  uint64_t first, uint64_t count, uint64_t *out_pushed);
/* Make the next `count` pops safe from failing: the blocks they empty, and the one that
 * is newest then, must be in memory. */
PF_CHECK pf_err freelist_pop_prepare(struct freelist *fl, struct batch *batch,
                                     uint64_t count);
/* Take the next `count` pages; there must be so many. */
void freelist_pop(struct freelist *fl, struct batch *batch, uint64_t count,
                  uint64_t *out_page_ids);
/* Undo a push of this operation. */
void freelist_unpush(struct freelist *fl, struct batch *batch);
/* The id a pop would return; 0 = the list is empty. */
uint64_t freelist_top(const struct freelist *fl);

/* Take pages first .. first + count - 1 out of the middle. All blocks that hold one of
 * them are marked hit, and are in memory with both neighbours. Prepare may fail with
 * PF_E_NO_MEMORY, nothing changed. */
PF_CHECK pf_err freelist_cut_prepare(struct freelist *fl, struct batch *batch,
                                     uint64_t first, uint64_t count);
void freelist_cut(struct freelist *fl, struct batch *batch, uint64_t first,
                  uint64_t count);

/* The block that holds the `index`-th page from the top, and how many pages lie above
 * that block; NULL past the end. */
struct fl_entry *freelist_skip(struct freelist *fl, uint64_t index, uint64_t *out_above);
/* The block whose trunk this page is; NULL when it is none. */
struct fl_entry *freelist_trunk(const struct freelist *fl, uint64_t page_id);
/* The first page of page_id + 1 .. end that is a trunk, or (trunk false) is none; end
 * when there is none. Free pages that follow one another. */
uint64_t freelist_kind_end(struct freelist *fl, uint64_t page_id, uint64_t end,
                           bool trunk);
/* If the page is a trunk that changed since the last flush, put its used bytes over
 * `page`. */
void freelist_overlay(const struct freelist *fl, uint64_t page_id, uint8_t *page);
/* Write all changed trunks into the batch (each prepared when it changed). */
void freelist_flush(struct freelist *fl, struct batch *batch);
/* Trunk of the newest block, for the header; 0 = empty. */
uint64_t freelist_head(const struct freelist *fl);

#endif
