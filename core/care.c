/* care.c: keep the file in shape: give its free end back, put the free list in order. */
#include "store.h"

static bool all_free_from(const pf_store *store, uint64_t id)
{
    return pageset_next_gap(&store->fl.free, id) >= store->total_pages;
}

/* The first page that may be cut off: a root that is free is damage already, outside the
 * file it would be a reason to write no more. */
static uint64_t first_behind_roots(const pf_store *store)
{
    const uint64_t roots[] = {store->header.root_index_page,
                              store->header.edge_data_offset};
    uint64_t first = PF_FIRST_PAGE;
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (roots[i] >= first && roots[i] < store->total_pages)
            first = roots[i] + 1;
    return first;
}

/* The first page of the free run that reaches the end of the file; total_pages when the
 * last page is in use. By halves, for the run may be most of a large file. `lock` held.
 */
static uint64_t trailing_start(const pf_store *store)
{
    const uint64_t total = store->total_pages;
    uint64_t low = first_behind_roots(store); /* below `high` it is not known */
    uint64_t high = total;
    for (uint64_t length = 1; high > low; length *= 2) { /* a short run costs little */
        const uint64_t id = total - low > length ? total - length : low;
        if (!all_free_from(store, id)) {
            low = id + 1;
            break;
        }
        high = id;
    }
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (all_free_from(store, middle))
            high = middle;
        else
            low = middle + 1;
    }
    return high;
}

pf_err pf_trailing_free(pf_store *store, uint64_t *out_count)
{
    const pf_err err = load_for_query(store);
    if (err != PF_OK)
        return err;
    pthread_mutex_lock(&store->lock);
    *out_count = store->total_pages - trailing_start(store);
    pthread_mutex_unlock(&store->lock);
    return PF_OK;
}

/* Windows behind the new end have no space behind them any more. */
static void forget_reserved(pf_store *store)
{
    uint64_t window;
    while (
        pageset_next(&store->backed, store->total_pages / RESERVE_WINDOW_PAGES, &window))
        (void)pageset_remove(&store->backed, window);
    store->reserved_end = store->file_size;
}

pf_err pf_shrink(pf_store *store, uint64_t *out_pages)
{
    uint64_t lsn, count = 0;
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = load_all(store);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        const uint64_t first = trailing_start(store);
        pthread_mutex_unlock(&store->lock);
        count = store->total_pages - first;
        if (count > 0)
            err = change_cut_end(store, first);
        if (err == PF_OK && count > 0) {
            err = change_commit_now(store);
            if (err == PF_OK) /* J8 */
                err = commit_checkpoint(store);
            forget_reserved(store);
        }
    }
    err = change_end(store, err, &lsn);
    if (err == PF_OK)
        *out_pages = count;
    return err;
}

/* Downwards, the first page that finds the newest block full becomes a trunk, and every
 * 506th after it. */
static pf_err reserve_every(pf_store *store, const struct pageset *pages, uint64_t leaves)
{
    uint64_t id = 0, left = pages->count;
    pf_err err = PF_OK;
    for (; err == PF_OK && !store->dense && pageset_next(pages, id, &id); id++) {
        left--; /* how many are pushed before this one */
        if (left >= leaves && (left - leaves) % TRUNK_BLOCK_PAGES == 0)
            err = reserve_trunk(store, id);
    }
    return err;
}

pf_err care_reserve_trunks(pf_store *store, const struct pageset *pages)
{
    const struct fl_entry *top = store->fl.newest;
    pf_err err = top == NULL ? PF_OK : reserve_trunk(store, top->page_id);
    if (err == PF_OK)
        err = reserve_every(store, pages,
                            top == NULL ? 0 : TRUNK_MAX_LEAVES - top->leaf_count);
    return err;
}

/* A stretch of ids at a time, from the end. */
pf_err care_push_downwards(pf_store *store, const struct pageset *pages)
{
    enum { STRETCH = 4096 };
    uint64_t ids[STRETCH], end = store->total_pages, last;
    pf_err err = PF_OK;
    while (err == PF_OK && pageset_last(pages, end, &last)) {
        const uint64_t start = last / STRETCH * STRETCH;
        size_t count = 0;
        for (uint64_t id = start; pageset_next(pages, id, &id) && id < end; id++)
            ids[count++] = id;
        while (count > 0 && err == PF_OK)
            err = freelist_push(&store->fl, &store->pending, ids[--count]);
        end = start;
    }
    return err;
}

/* Pop all, push all from the highest down: the lowest comes out first. */
static pf_err rebuild_locked(pf_store *store)
{
    struct freelist *fl = &store->fl;
    struct pageset pages = {0};
    pf_err err = pageset_copy(&fl->free, &pages);
    if (err == PF_OK)
        err = freelist_pop_prepare(fl, &store->pending, fl->total);
    if (err != PF_OK)
        goto out;
    while (fl->total > 0) {
        uint64_t ids[TRUNK_BLOCK_PAGES];
        const uint64_t n = fl->total < TRUNK_BLOCK_PAGES ? fl->total : TRUNK_BLOCK_PAGES;
        freelist_pop(fl, &store->pending, n, ids);
    }
    err = care_push_downwards(store, &pages);
    if (err != PF_OK) /* out of memory half way: the disk still has the old list */
        store_fail_locked(store, err, "out of memory while the free list was rebuilt");
out:
    pageset_clear(&pages);
    return err;
}

pf_err pf_freelist_rebuild(pf_store *store)
{
    uint64_t lsn, trunks = 0;
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = load_all(store);
    if (err == PF_OK)
        err = load_top(store, store->fl.total);
    for (const struct fl_entry *e = store->fl.newest; e != NULL; e = e->older)
        trunks++;
    if (err == PF_OK)
        err = commit_reserve(store, 2 * trunks + 1);
    if (err == PF_OK) /* the list will be empty before it is filled again */
        err = reserve_every(store, &store->fl.free, 0);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        err = rebuild_locked(store);
        pthread_mutex_unlock(&store->lock);
    }
    if (err == PF_OK)
        err = change_commit_now(store);
    return change_end(store, err, &lsn);
}
