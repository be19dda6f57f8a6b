/* load.c: bring blocks of the free list from the disk to the structure in
 * memory. */
#include "store.h"

#include <stdlib.h>
#include <time.h>

/* Read the trunk that is to be visited next, and take it in. */
static pf_err visit_one(pf_store *store, bool keep)
{
    uint8_t page[PF_PAGE_SIZE];
    pf_err err = store->fl.corrupt ? PF_E_CORRUPT : PF_OK;
    if (err == PF_OK)
        err = pf_page_read(store, store->fl.unknown_head, page);
    if (err != PF_OK)
        return err;
    pthread_mutex_lock(&store->lock);
    err = freelist_visit(&store->fl, page, keep);
    pthread_mutex_unlock(&store->lock);
    return store_note_corrupt(store, err);
}

pf_err load_newest(pf_store *store)
{
    return visit_one(store, true);
}

pf_err load_block(pf_store *store, struct fl_entry *entry)
{
    uint8_t page[PF_PAGE_SIZE];
    if (entry->block != NULL)
        return PF_OK;
    pf_err err = pf_page_read(store, entry->page_id, page);
    if (err != PF_OK)
        return err;
    pthread_mutex_lock(&store->lock);
    err = freelist_fill(&store->fl, entry, page);
    pthread_mutex_unlock(&store->lock);
    return store_note_corrupt(store, err);
}

pf_err load_top(pf_store *store, uint64_t count)
{
    struct freelist *fl = &store->fl;
    struct fl_entry *entry = fl->newest;
    uint64_t covered = 0;
    pf_err err = PF_OK;
    /* one more than asked for: the block that is newest afterwards */
    while (err == PF_OK && covered <= count && covered < fl->total) {
        if (entry == NULL) {
            err = visit_one(store, true);
            entry = fl->oldest;
        } else {
            err = load_block(store, entry);
        }
        if (err == PF_OK) {
            covered += (uint64_t)entry->leaf_count + 1;
            entry = entry->older;
        }
    }
    return err;
}

pf_err load_all(pf_store *store)
{
    pf_err err = store->fl.corrupt ? PF_E_CORRUPT : PF_OK;
    while (err == PF_OK && store->fl.unknown_head != 0)
        err = visit_one(store, false);
    return err;
}

bool pf_freelist_loaded(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    const bool loaded = store->fl.unknown_head == 0 || store->fl.corrupt;
    pthread_mutex_unlock(&store->lock);
    return loaded;
}

/* Mutexes are not fair: whoever wants to change something must not have to race with a
 * loop that takes `writer` again at once. */
static void let_writers_pass(const pf_store *store)
{
    const struct timespec moment = {.tv_nsec = 20000};
    while (atomic_load(&store->writers_waiting) > 0)
        (void)nanosleep(&moment, NULL);
}

/* `writer` is given up after a few reads, and after each when someone waits for it, so
 * that changes need not wait for the whole walk. */
pf_err load_for_query(pf_store *store)
{
    enum { STEP = 32 };
    pf_err err = PF_OK;
    for (bool done = false; !done && err == PF_OK;) {
        let_writers_pass(store);
        pthread_mutex_lock(&store->writer);
        for (int i = 0; i < STEP && err == PF_OK && store->fl.unknown_head != 0; i++) {
            err = visit_one(store, false);
            if (atomic_load(&store->writers_waiting) > 0)
                break;
        }
        if (store->fl.corrupt)
            err = PF_E_CORRUPT;
        done = store->fl.unknown_head == 0;
        pthread_mutex_unlock(&store->writer);
    }
    return err;
}

pf_err pf_freelist_load(pf_store *store)
{
    return load_for_query(store);
}

static bool holds_one_of(const struct trunk *t, uint64_t first, uint64_t count)
{
    bool found = t->page_id >= first && t->page_id - first < count;
    for (uint32_t i = 0; i < t->leaf_count && !found; i++)
        found = t->leaf[i] >= first && t->leaf[i] - first < count;
    return found;
}

/* Does this block hold a page of the range? Contents that were not in memory
 * are kept only if so. */
static pf_err look_for(pf_store *store, struct fl_entry *entry, uint64_t first,
                       uint64_t count, bool *out_found)
{
    uint8_t page[PF_PAGE_SIZE];
    struct trunk t;
    if (entry->block != NULL) {
        *out_found = holds_one_of(&entry->block->trunk, first, count);
        return PF_OK;
    }
    pf_err err = pf_page_read(store, entry->page_id, page);
    if (err == PF_OK)
        err = trunk_decode(page, entry->page_id, store->fl.page_limit, &t);
    if (err != PF_OK)
        return err;
    *out_found = holds_one_of(&t, first, count);
    return *out_found ? load_block(store, entry) : PF_OK;
}

static uint64_t count_of_range(const struct trunk *t, uint64_t first, uint64_t count)
{
    uint64_t n = t->page_id >= first && t->page_id - first < count;
    for (uint32_t i = 0; i < t->leaf_count; i++)
        n += t->leaf[i] >= first && t->leaf[i] - first < count;
    return n;
}

pf_err load_hits(pf_store *store, uint64_t first, uint64_t count)
{
    uint64_t left = count;
    pf_err err = PF_OK;
    for (struct fl_entry *e = store->fl.newest; e != NULL; e = e->older)
        e->hit = false; /* those of a cut that was refused */
    for (struct fl_entry *e = store->fl.newest; e != NULL && left > 0 && err == PF_OK;
         e = e->older) {
        err = look_for(store, e, first, count, &e->hit);
        if (err != PF_OK || !e->hit)
            continue;
        left -= count_of_range(&e->block->trunk, first, count);
        if (e->newer != NULL)
            err = load_block(store, e->newer);
        if (err == PF_OK && e->older != NULL)
            err = load_block(store, e->older);
    }
    return err;
}
