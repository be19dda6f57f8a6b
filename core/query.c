/* query.c: questions about pages and counts. None of them waits for a sync. */
#include "store.h"

#include <string.h>

/* The walk of the free list must be complete (or the store empty of it). */
static void page_locked(pf_store *store, uint64_t page_id, struct pf_page *out_page)
{
    *out_page = (struct pf_page){.state = PF_STATE_ALLOCATED};
    if (pageset_has(&store->fl.free, page_id)) {
        out_page->state = PF_STATE_FREE;
        out_page->trunk = freelist_trunk(&store->fl, page_id) != NULL;
    } else if (store->pins.pages.count > 0) {
        out_page->pins = pins_of(&store->pins, page_id);
        out_page->holds = pins_holds_of(&store->pins, page_id);
        if (out_page->pins > 0)
            out_page->state = PF_STATE_PINNED;
    }
}

pf_err query_list_locked(pf_store *store)
{
    if (store->fl.unknown_head == 0 && !store->fl.corrupt)
        return PF_OK;
    pthread_mutex_unlock(&store->lock);
    const pf_err err = load_for_query(store);
    pthread_mutex_lock(&store->lock);
    return err;
}

/* `lock` held: the page exists, and its state is known. */
static pf_err know_page_locked(pf_store *store, uint64_t page_id)
{
    pf_err err = page_id < store->total_pages ? PF_OK : PF_E_NO_PAGE;
    if (err == PF_OK)
        err = query_list_locked(store);
    if (err == PF_OK && page_id >= store->total_pages)
        err = PF_E_NO_PAGE; /* the file shrank meanwhile */
    return err;
}

/* One locking, not one for each question: 41 ns instead of 48. */
pf_err pf_page_get(pf_store *store, uint64_t page_id, struct pf_page *out_page)
{
    pthread_mutex_lock(&store->lock);
    const pf_err err = know_page_locked(store, page_id);
    if (err == PF_OK)
        page_locked(store, page_id, out_page);
    pthread_mutex_unlock(&store->lock);
    return err;
}

/* In pieces, so that nobody waits for `lock` while a whole file is looked at. */
static uint64_t free_end(pf_store *store, uint64_t page_id, bool trunk)
{
    enum { LOOK_AHEAD = 65536 };
    const uint64_t end =
        freelist_kind_end(&store->fl, page_id, page_id + LOOK_AHEAD, trunk);
    return pageset_next_gap_below(&store->fl.free, page_id, end);
}

static uint64_t allocated_end(pf_store *store, uint64_t page_id)
{
    uint64_t end = store->total_pages, id;
    if (pageset_next(&store->fl.free, page_id, &id))
        end = id;
    if (pageset_next(&store->pins.pages, page_id, &id) && id < end)
        end = id;
    return end;
}

pf_err pf_page_run(pf_store *store, uint64_t page_id, struct pf_page *out_page,
                   uint64_t *out_end_id)
{
    uint64_t end;
    pthread_mutex_lock(&store->lock);
    const pf_err err = know_page_locked(store, page_id);
    if (err != PF_OK) {
        pthread_mutex_unlock(&store->lock);
        return err;
    }
    page_locked(store, page_id, out_page);
    if (out_page->state == PF_STATE_FREE)
        end = free_end(store, page_id, out_page->trunk);
    else if (out_page->state == PF_STATE_PINNED)
        end = pageset_next_gap(&store->pins.pages, page_id);
    else
        end = allocated_end(store, page_id);
    pthread_mutex_unlock(&store->lock);
    *out_end_id = end;
    return PF_OK;
}

void query_stats_locked(pf_store *store, struct pf_stats *out_stats)
{
    *out_stats = store->counters;
    out_stats->total_pages = store->total_pages;
    out_stats->free_pages = store->fl.total;
    out_stats->allocated_pages = store->total_pages - store->fl.total;
    out_stats->pinned_pages = store->pins.pages.count;
    out_stats->free_list_head = freelist_top(&store->fl);
    out_stats->free_known = !store->fl.corrupt;
    out_stats->file_bytes = store->file_size;
}

void pf_stats_get(pf_store *store, struct pf_stats *out_stats)
{
    pthread_mutex_lock(&store->lock);
    query_stats_locked(store, out_stats);
    pthread_mutex_unlock(&store->lock);
}

uint64_t pf_total_pages(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    const uint64_t total = store->total_pages;
    pthread_mutex_unlock(&store->lock);
    return total;
}

uint64_t pf_free_list_head(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    const uint64_t head = freelist_top(&store->fl);
    pthread_mutex_unlock(&store->lock);
    return head;
}

void pf_header_get(pf_store *store, struct pf_header *out_header)
{
    pthread_mutex_lock(&store->lock);
    *out_header = store->header;
    if (store->mode != PF_MODE_RO) {
        out_header->free_page_list_head = freelist_head(&store->fl);
        if (store->total_pages != effective_total(out_header->total_pages))
            out_header->total_pages = store->total_pages;
    }
    pthread_mutex_unlock(&store->lock);
}

/* Ids of one block from its `skip`-th page on, as they would be handed out. */
static size_t ids_of_block(const struct trunk *t, uint64_t skip, size_t max,
                           uint64_t *out)
{
    size_t n = 0;
    for (uint64_t i = skip; i <= t->leaf_count && n < max; i++)
        out[n++] = i < t->leaf_count ? t->leaf[t->leaf_count - 1 - i] : t->page_id;
    return n;
}

pf_err pf_freelist_get(pf_store *store, uint64_t index, size_t max,
                       uint64_t *out_page_ids, size_t *out_count)
{
    size_t n = 0;
    pf_err err = load_for_query(store);
    if (err != PF_OK)
        return err;
    pthread_mutex_lock(&store->writer); /* the list stays as it is meanwhile */
    while (n < max && err == PF_OK) {
        uint64_t above = 0;
        pthread_mutex_lock(&store->lock);
        struct fl_entry *entry = freelist_skip(&store->fl, index + n, &above);
        pthread_mutex_unlock(&store->lock);
        if (entry == NULL)
            break;
        const bool was_there = entry->block != NULL;
        err = load_block(store, entry);
        if (err == PF_OK)
            n += ids_of_block(&entry->block->trunk, index + n - above, max - n,
                              out_page_ids + n);
        if (!was_there) {
            pthread_mutex_lock(&store->lock);
            freelist_trim(&store->fl);
            pthread_mutex_unlock(&store->lock);
        }
    }
    pthread_mutex_unlock(&store->writer);
    if (err == PF_OK)
        *out_count = n;
    return err;
}
