#include "freelist.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t no_magic[TRUNK_MAGIC_SIZE];

void freelist_init(struct freelist *fl, uint64_t head, uint64_t page_limit)
{
    *fl = (struct freelist){.unknown_head = head,
                            .unknown_below = TRUNK_MAX_NUMBER + 1,
                            .page_limit = page_limit};
}

void freelist_set_corrupt(struct freelist *fl, uint64_t page_id, const char *what)
{
    if (fl->corrupt)
        return;
    fl->corrupt = true;
    snprintf(fl->finding, sizeof fl->finding, "page %llu: %s",
             (unsigned long long)page_id, what);
}

static pf_err corrupt(struct freelist *fl, uint64_t page_id, const char *what)
{
    freelist_set_corrupt(fl, page_id, what);
    return PF_E_CORRUPT;
}

/* ---- the chain ---- */

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

/* The batch was prepared for this trunk. */
static void mark_dirty(struct freelist *fl, struct fl_block *block)
{
    if (block->dirty)
        return;
    list_remove(fl, block);
    list_add(fl, block, true);
}

static void block_drop(struct freelist *fl, struct fl_entry *entry)
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

/* ---- blocks ---- */

/* A detached entry, registered in trunk_of. */
static struct fl_entry *entry_new(struct freelist *fl, uint64_t page_id)
{
    if (idmap_reserve(&fl->trunk_of, 1) != PF_OK)
        return NULL;
    struct fl_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    register_trunk(fl, entry, page_id);
    return entry;
}

static struct fl_block *block_new(struct freelist *fl, struct fl_entry *entry)
{
    struct fl_block *block = malloc(sizeof *block);
    if (block == NULL)
        return NULL;
    block->entry = entry;
    entry->block = block;
    list_add(fl, block, false);
    return block;
}

static void entry_free(struct freelist *fl, struct fl_entry *entry)
{
    unregister_trunk(fl, entry);
    block_drop(fl, entry);
    free(entry);
}

static void link_oldest(struct freelist *fl, struct fl_entry *entry)
{
    entry->newer = fl->oldest;
    if (fl->oldest != NULL)
        fl->oldest->older = entry;
    else
        fl->newest = entry;
    fl->oldest = entry;
}

static void link_newest(struct freelist *fl, struct fl_entry *entry)
{
    entry->older = fl->newest;
    if (fl->newest != NULL)
        fl->newest->newer = entry;
    else
        fl->oldest = entry;
    fl->newest = entry;
}

static void entry_unlink(struct freelist *fl, struct fl_entry *entry)
{
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        fl->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        fl->oldest = entry->newer;
    entry_free(fl, entry);
}

static void list_changed(struct freelist *fl)
{
    fl->skip_entry = NULL;
}

void freelist_clear(struct freelist *fl)
{
    forget_trunks(fl);
    while (fl->newest != NULL)
        entry_unlink(fl, fl->newest);
    idmap_clear(&fl->trunk_of);
    pageset_clear(&fl->free);
    pageset_clear(&fl->popped);
}

/* ---- getting to know the blocks ---- */

/* How many of the leaves at `leaf` have ids that follow one another, upwards. */
static uint32_t run_length(const uint64_t *leaf, uint32_t count)
{
    uint32_t n = 1;
    while (n < count && leaf[n] == leaf[0] + n)
        n++;
    return n;
}

/* Add pages of a block that is being visited. F4: they must be new to us. */
static pf_err adopt_run(struct freelist *fl, uint64_t trunk_id, uint64_t first,
                        uint32_t count)
{
    bool added;
    uint64_t popped;
    if (first < PF_FIRST_PAGE ||        /* unreachable: trunk_decode() has looked */
        first >= fl->page_limit ||      /* unreachable: at this */
        count > fl->page_limit - first) /* unreachable: and at the others */
        return corrupt(fl, trunk_id, "lists a page that does not exist");
    if (pageset_next(&fl->popped, first, &popped) && popped - first < count)
        return corrupt(fl, trunk_id, "lists a page that was on the list before");
    const pf_err err = pageset_add_run(&fl->free, first, count, &added);
    if (err == PF_OK && !added)
        return corrupt(fl, trunk_id, "lists a page that is on the list twice");
    return err;
}

static pf_err adopt_pages(struct freelist *fl, const struct trunk *t)
{
    pf_err err = adopt_run(fl, t->page_id, t->page_id, 1);
    if (err != PF_OK)
        return err;
    uint32_t done = 0;
    while (done < t->leaf_count) {
        const uint32_t n = run_length(t->leaf + done, t->leaf_count - done);
        err = adopt_run(fl, t->page_id, t->leaf[done], n);
        if (err != PF_OK)
            break;
        done += n;
    }
    if (err != PF_OK) {
        while (done > 0)
            (void)pageset_remove(&fl->free, t->leaf[--done]);
        (void)pageset_remove(&fl->free, t->page_id);
    }
    return err;
}

/* The block against what is known of the chain so far. */
static pf_err judge_block(struct freelist *fl, const struct trunk *t)
{
    const uint64_t pages = (uint64_t)t->leaf_count + 1;
    if (t->number >= fl->unknown_below)
        return corrupt(fl, t->page_id, "block numbers do not fall");
    if (fl->oldest == NULL && fl->popped.count == 0) {
        if (t->free_total < pages || t->free_total > fl->page_limit - PF_FIRST_PAGE)
            return corrupt(fl, t->page_id, "impossible number of free pages");
        fl->total = t->free_total;
    }
    const uint64_t unknown = fl->total - fl->free.count;
    if (pages > unknown || (t->next == 0) != (pages == unknown))
        return corrupt(fl, t->page_id, "the list is longer or shorter than it says");
    return PF_OK;
}

pf_err freelist_visit(struct freelist *fl, const uint8_t *page, bool keep)
{
    struct trunk t;
    struct fl_entry *entry = NULL;
    pf_err err = fl->corrupt ? PF_E_CORRUPT : PF_OK;
    if (err == PF_OK)
        err = trunk_decode(page, fl->unknown_head, fl->page_limit, &t);
    if (err != PF_OK)
        return corrupt(fl, fl->unknown_head, "not a valid trunk page");
    err = judge_block(fl, &t);
    if (err != PF_OK)
        return err;
    err = adopt_pages(fl, &t);
    if (err != PF_OK)
        return err;

    entry = entry_new(fl, t.page_id);
    if (entry == NULL || ((keep || fl->newest == NULL) && block_new(fl, entry) == NULL)) {
        if (entry != NULL)
            entry_free(fl, entry);
        for (uint32_t i = 0; i < t.leaf_count; i++)
            (void)pageset_remove(&fl->free, t.leaf[i]);
        (void)pageset_remove(&fl->free, t.page_id);
        return PF_E_NO_MEMORY;
    }
    if (entry->block != NULL)
        entry->block->trunk = t;
    entry->leaf_count = t.leaf_count;
    entry->stored = true;
    link_oldest(fl, entry);
    list_changed(fl);
    fl->unknown_head = t.next;
    fl->unknown_below = t.number;
    if (fl->unknown_head == 0)
        pageset_clear(&fl->popped);
    return PF_OK;
}

pf_err freelist_fill(struct freelist *fl, struct fl_entry *entry, const uint8_t *page)
{
    struct trunk t;
    if (entry->block != NULL)
        return PF_OK;
    if (trunk_decode(page, entry->page_id, fl->page_limit, &t) != PF_OK ||
        t.leaf_count != entry->leaf_count)
        return corrupt(fl, entry->page_id, "the trunk page changed behind us");
    if (block_new(fl, entry) == NULL)
        return PF_E_NO_MEMORY;
    entry->block->trunk = t;
    return PF_OK;
}

void freelist_trim(struct freelist *fl)
{
    struct fl_block *block = fl->clean, *next;
    for (; block != NULL; block = next) {
        next = block->next;
        if (block->entry != fl->newest)
            block_drop(fl, block->entry);
    }
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
    struct fl_entry *entry = entry_new(fl, page_id);
    if (entry == NULL)
        return PF_E_NO_MEMORY;
    struct fl_block *block = block_new(fl, entry);
    if (block == NULL) {
        entry_free(fl, entry);
        return PF_E_NO_MEMORY;
    }
    block->trunk.page_id = page_id;
    block->trunk.next = below == NULL ? 0 : below->page_id;
    block->trunk.number = below == NULL ? 1 : below->number + 1;
    block->trunk.leaf_count = 0;
    link_newest(fl, entry);
    mark_dirty(fl, block);
    return PF_OK;
}

/* As many as the newest block has room for. */
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
    mark_dirty(fl, top->block);
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
    list_changed(fl);
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
    list_changed(fl);
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
    for (; count > 0 && entry != NULL; entry = entry->older) {
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
        batch_write(batch, page_id, no_magic, sizeof no_magic);
    entry_unlink(fl, top);
    if (fl->newest != NULL)
        mark_dirty(fl, fl->newest->block); /* it carries the total now */
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
    mark_dirty(fl, top->block);
}

void freelist_pop(struct freelist *fl, struct batch *batch, uint64_t count,
                  uint64_t *out_page_ids)
{
    list_changed(fl);
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

/* ---- cutting pages out of the middle ---- */

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

/* The block lives on under another trunk page, which was its first leaf. */
static void move_trunk(struct freelist *fl, struct batch *batch, struct fl_entry *entry,
                       uint64_t trunk_id)
{
    unregister_trunk(fl, entry);
    if (entry->stored)
        batch_write(batch, entry->page_id, no_magic, sizeof no_magic);
    entry->stored = false;
    entry->block->trunk.page_id = trunk_id;
    register_trunk(fl, entry, trunk_id);
}

/* Whoever pointed at this block points at `trunk_id` now. */
static void relink(struct freelist *fl, struct fl_entry *newer, uint64_t trunk_id)
{
    if (newer == NULL)
        return; /* the header's field is written from freelist_head() */
    newer->block->trunk.next = trunk_id;
    mark_dirty(fl, newer->block);
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
            batch_write(batch, entry->page_id, no_magic, sizeof no_magic);
        entry_unlink(fl, entry);
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
    mark_dirty(fl, entry->block);
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
        mark_dirty(fl, fl->newest->block); /* it carries the total */
    list_changed(fl);
}

/* ---- looking ---- */

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

static bool know_trunks(struct freelist *fl)
{
    if (fl->trunks_known)
        return true;
    fl->trunks_known = true;
    for (const struct fl_entry *e = fl->newest; e != NULL && fl->trunks_known;
         e = e->older)
        note_trunk(fl, e->page_id);
    return fl->trunks_known;
}

uint64_t freelist_kind_end(struct freelist *fl, uint64_t page_id, uint64_t end,
                           bool trunk)
{
    uint64_t at = page_id + 1;
    if (!know_trunks(fl)) /* no memory: look at each */
        while (at < end && (freelist_trunk(fl, at) != NULL) == trunk)
            at++;
    else if (trunk)
        at = pageset_next_gap_below(&fl->trunks, at, end);
    else if (!pageset_next(&fl->trunks, at, &at) || at > end)
        at = end;
    return at;
}

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
        block->entry->stored = true;
        list_remove(fl, block);
        list_add(fl, block, false);
    }
}
