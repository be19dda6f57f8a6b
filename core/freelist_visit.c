/* freelist_visit.c: getting to know the blocks of a list that was on the disk, and giving
 * known ones their contents back. Nothing that a page says is believed: F2, F4 and F5 are
 * checked here. */
#include "freechain.h"

#include <assert.h>
#include <stdio.h>

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

/* How many of the leaves at `leaf` have ids that follow one another, upwards. */
static uint32_t run_length(const uint64_t *leaf, uint32_t count)
{
    uint32_t n = 1;
    while (n < count && leaf[n] == leaf[0] + n)
        n++;
    return n;
}

/* Add pages of a block that is being visited; trunk_decode() and judge_block() have seen
 * that there are such pages. F4: they must be new to us. */
static pf_err adopt_run(struct freelist *fl, uint64_t trunk_id, uint64_t first,
                        uint32_t count)
{
    bool added;
    uint64_t popped;
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

/* The block against what is known of the chain so far (F2, F5). */
static pf_err judge_block(struct freelist *fl, const struct trunk *t)
{
    const uint64_t pages = (uint64_t)t->leaf_count + 1;
    if (t->page_id < PF_FIRST_PAGE || t->page_id >= fl->page_limit)
        return corrupt(fl, t->page_id, "is no page that can be free");
    if (t->number >= fl->unknown_below)
        return corrupt(fl, t->page_id, "block numbers do not fall");
    if (fl->oldest == NULL) {
        assert(fl->popped.count ==
               0); /* F3: a pop leaves a known block, or ends the list */
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

    entry = chain_entry_new(fl, t.page_id);
    if (entry == NULL ||
        ((keep || fl->newest == NULL) && chain_block_new(fl, entry) == NULL)) {
        if (entry != NULL)
            chain_entry_free(fl, entry);
        for (uint32_t i = 0; i < t.leaf_count; i++)
            (void)pageset_remove(&fl->free, t.leaf[i]);
        (void)pageset_remove(&fl->free, t.page_id);
        return PF_E_NO_MEMORY;
    }
    if (entry->block != NULL)
        entry->block->trunk = t;
    entry->leaf_count = t.leaf_count;
    entry->stored = true;
    chain_link_oldest(fl, entry);
    chain_changed(fl);
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
    if (chain_block_new(fl, entry) == NULL)
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
            chain_block_drop(fl, block->entry);
    }
}
