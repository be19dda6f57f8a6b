/* clone.c: an allocator in memory, fresh or as the twin of an open store. */
#include "store.h"

static pf_err memory_store(uint64_t total_pages, const struct pf_header *header,
                           pf_store **out_store)
{
    struct pf_file *file;
    pf_store *store;
    const uint64_t size = nominal_size(total_pages);
    pf_err err = dev_mem_new(NULL, size, &file);
    if (err == PF_OK)
        err = store_new(file, PF_MODE_MEMORY, &store);
    if (err != PF_OK)
        return err;
    store->no_sync = true;
    store->dense = true;
    store->header = *header;
    store->header.free_page_list_head = 0;
    store->header.total_pages = total_pages;
    store->total_pages = total_pages;
    store->file_size = store->disk_size = store->file_end = store->reserved_end = size;
    freelist_init(&store->fl, 0, total_pages);
    header_encode(&store->header, store->disk_header);
    err = dev_write(file, 0, store->disk_header, PF_HEADER_SIZE);
    if (err != PF_OK) {
        store_delete(store);
        return err;
    }
    *out_store = store;
    return PF_OK;
}

pf_err pf_open_memory(uint64_t total_pages, pf_store **out_store)
{
    struct pf_header header;
    if (total_pages > PF_MAX_PAGE_ID)
        return PF_E_MAX_PAGES;
    header_init(&header);
    return memory_store(effective_total(total_pages), &header, out_store);
}

/* Free in the clone what is free in the store, oldest first: the same pages come out in
 * the same order. `writer` held. */
static pf_err copy_free_pages(pf_store *store, pf_store *clone)
{
    pf_err err = PF_OK;
    for (struct fl_entry *e = store->fl.oldest; e != NULL && err == PF_OK; e = e->newer) {
        err = load_block(store, e);
        if (err != PF_OK)
            break;
        const struct trunk *t = &e->block->trunk;
        err = freelist_push(&clone->fl, &clone->pending, t->page_id);
        for (uint32_t i = 0; i < t->leaf_count && err == PF_OK; i++)
            err = freelist_push(&clone->fl, &clone->pending, t->leaf[i]);
        pthread_mutex_lock(&store->lock);
        freelist_trim(&store->fl);
        pthread_mutex_unlock(&store->lock);
    }
    return err;
}

static pf_err copy_pins(pf_store *store, pf_store *clone)
{
    struct pins *pins = &clone->pins;
    size_t cursor = 0;
    const struct idmap_slot *slot;
    pf_err err = pageset_copy(&store->pins.pages, &pins->pages);
    if (err == PF_OK)
        err = idmap_reserve(&pins->count, store->pins.count.count);
    while (err == PF_OK && (slot = idmap_each(&store->pins.count, &cursor)) != NULL)
        idmap_put(&pins->count, slot->key, slot->value);
    return err;
}

pf_err pf_clone(pf_store *store, pf_store **out_clone)
{
    struct pf_header header;
    pf_store *clone = NULL;
    if (pf_total_pages(store) > PF_MAX_PAGE_ID)
        return PF_E_MAX_PAGES;
    pthread_mutex_lock(&store->writer);
    pf_header_get(store, &header);
    pf_err err = load_all(store);
    if (err == PF_OK)
        err = memory_store(store->total_pages, &header, &clone);
    if (err == PF_OK)
        err = copy_free_pages(store, clone);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        err = copy_pins(store, clone);
        atomic_store(&clone->max_pages, atomic_load(&store->max_pages));
        pthread_mutex_unlock(&store->lock);
        clone->pending.last_lsn = ++clone->lsn;
    }
    pthread_mutex_unlock(&store->writer);
    if (err == PF_OK)
        *out_clone = clone;
    else if (clone != NULL)
        store_delete(clone);
    return err;
}
