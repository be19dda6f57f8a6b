/* change.c: allocate and deallocate. Each operation: check, bring what it needs
 * into memory and reserve space (only `writer` held), then change all under
 * `lock`. */
#include "store.h"

pf_err change_begin(pf_store *store)
{
    atomic_fetch_add(&store->writers_waiting, 1);
    pthread_mutex_lock(&store->writer);
    atomic_fetch_sub(&store->writers_waiting, 1);
    if (pf_writable(store))
        return PF_OK;
    pthread_mutex_unlock(&store->writer);
    return PF_E_READ_ONLY;
}

/* A change that was refused for what it asked, not for what the machine lacks.
 */
static bool is_refusal(pf_err err)
{
    return err != PF_OK && err < PF_E_READ_ONLY;
}

pf_err change_end(pf_store *store, pf_err err, uint64_t *out_lsn)
{
    uint64_t lsn = 0;
    pthread_mutex_lock(&store->lock);
    if (err == PF_OK) {
        lsn = ++store->lsn;
        store->pending.last_lsn = lsn;
    }
    store->counters.refused += is_refusal(err);
    freelist_trim(&store->fl);
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->writer);

    if (err == PF_OK && out_lsn != NULL)
        *out_lsn = lsn;
    else if (err == PF_OK && !store->no_sync)
        err = pf_wait(store, lsn);
    return err;
}

pf_err change_commit_now(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    const uint64_t lsn = ++store->lsn;
    store->pending.last_lsn = lsn;
    pthread_mutex_unlock(&store->lock);
    return pf_wait(store, lsn);
}

/* ---- allocate ---- */

/* May the file have `grow` more pages? */
static pf_err check_growth(pf_store *store, uint64_t grow)
{
    if (grow == 0)
        return PF_OK;
    if (grow > PF_MAX_PAGE_ID - store->total_pages)
        return PF_E_MAX_PAGES;
    const uint64_t max_pages = atomic_load(&store->max_pages);
    if (max_pages != 0 &&
        (store->total_pages >= max_pages || grow > max_pages - store->total_pages))
        return PF_E_LIMIT;
    return reserve_growth(store, store->total_pages + grow);
}

static void grow_locked(pf_store *store, uint64_t grow)
{
    if (grow == 0)
        return;
    store->total_pages += grow;
    store->fl.page_limit = store->total_pages;
    store->file_size = nominal_size(store->total_pages);
}

/* The pages that the next `count` pops will return get space behind them. */
static pf_err reserve_top(pf_store *store, uint64_t count)
{
    pf_err err = PF_OK;
    if (store->dense)
        return PF_OK;
    for (const struct fl_entry *e = store->fl.newest; e != NULL && count > 0;
         e = e->older) {
        for (uint32_t i = e->leaf_count; i > 0 && count > 0 && err == PF_OK; i--, count--)
            err = reserve_page(store, e->block->trunk.leaf[i - 1]);
        if (err == PF_OK) /* its magic is cleared, or it is handed out, or both */
            err = reserve_page(store, e->page_id);
        if (err != PF_OK)
            return err;
        count -= count > 0;
    }
    return err;
}

/* How many trunks the next `count` pops will take. */
static uint64_t trunks_among(const pf_store *store, uint64_t count)
{
    uint64_t trunks = 0;
    const struct fl_entry *e = store->fl.newest;
    for (; e != NULL && count > e->leaf_count; e = e->older, trunks++)
        count -= (uint64_t)e->leaf_count + 1;
    return trunks;
}

static pf_err alloc_prepare(pf_store *store, uint64_t reuse, uint64_t grow)
{
    pf_err err = reuse > 0 ? load_top(store, reuse) : PF_OK;
    if (err == PF_OK)
        err = commit_reserve(store, trunks_among(store, reuse) + 1);
    if (err == PF_OK)
        err = reserve_top(store, reuse);
    if (err == PF_OK)
        err = check_growth(store, grow);
    return err;
}

pf_err pf_pages_alloc(pf_store *store, uint64_t count, uint64_t *out_page_ids,
                      uint64_t *out_lsn)
{
    if (count == 0)
        return PF_E_INVALID;
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    const uint64_t reuse = count < store->fl.total ? count : store->fl.total;
    const uint64_t grow = count - reuse;
    err = alloc_prepare(store, reuse, grow);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        err = freelist_pop_prepare(&store->fl, &store->pending, reuse);
        if (err == PF_OK) {
            freelist_pop(&store->fl, &store->pending, reuse, out_page_ids);
            for (uint64_t i = 0; i < grow; i++)
                out_page_ids[reuse + i] = store->total_pages + i;
            grow_locked(store, grow);
            store->counters.allocations += count;
        }
        pthread_mutex_unlock(&store->lock);
    }
    return change_end(store, err, out_lsn);
}

pf_err pf_page_alloc(pf_store *store, uint64_t *out_page_id, uint64_t *out_lsn)
{
    uint64_t page_id;
    const pf_err err = pf_pages_alloc(store, 1, &page_id, out_lsn);
    if (err == PF_OK)
        *out_page_id = page_id;
    return err;
}

static pf_err take_prepare(pf_store *store, uint64_t first, uint64_t count, uint64_t grow)
{
    enum { IMAGES_PER_HIT = 4 }; /* itself, its new trunk, both neighbours */
    pf_err err = count > 0 ? load_hits(store, first, count) : PF_OK;
    uint64_t hits = 0;
    for (const struct fl_entry *e = store->fl.newest; e != NULL && count > 0;
         e = e->older)
        hits += e->hit;
    if (err == PF_OK)
        err = commit_reserve(store, hits * IMAGES_PER_HIT + 1);
    if (err == PF_OK)
        err = check_growth(store, grow);
    for (uint64_t i = 0; i < count && err == PF_OK && !store->dense; i++)
        err = reserve_page(store, first + i);
    for (struct fl_entry *e = store->fl.newest; e != NULL && count > 0 && err == PF_OK;
         e = e->older) /* a leaf of it may become a trunk */
        if (e->hit && e->leaf_count > 0)
            err = reserve_trunk(store, e->block->trunk.leaf[0]);
    return err;
}

/* Take free pages first .. first + count - 1 out of the list. take_prepare() was called.
 */
static pf_err cut_locked(pf_store *store, uint64_t first, uint64_t count)
{
    const pf_err err =
        count > 0 ? freelist_cut_prepare(&store->fl, &store->pending, first, count)
                  : PF_OK;
    if (err == PF_OK && count > 0)
        freelist_cut(&store->fl, &store->pending, first, count);
    return err;
}

/* Take free pages first .. first + count - 1 out of the list, and grow the file by `grow`
 * pages. Everything is known (load_all); `writer` held. */
static pf_err take_run(pf_store *store, uint64_t first, uint64_t count, uint64_t grow)
{
    pf_err err = take_prepare(store, first, count, grow);
    pthread_mutex_lock(&store->lock);
    if (err == PF_OK)
        err = cut_locked(store, first, count);
    if (err == PF_OK) {
        grow_locked(store, grow);
        store->counters.allocations += count + grow;
    }
    pthread_mutex_unlock(&store->lock);
    return err;
}

/* Take the free pages from `first` on out of the list and let the file end before them:
 * in one step, so that nobody sees them allocated in between. */
pf_err change_cut_end(pf_store *store, uint64_t first)
{
    const uint64_t count = store->total_pages - first;
    pf_err err = take_prepare(store, first, count, 0);
    pthread_mutex_lock(&store->lock);
    if (err == PF_OK)
        err = cut_locked(store, first, count);
    if (err == PF_OK) {
        store->total_pages = first;
        store->fl.page_limit = first;
        store->file_size = nominal_size(first);
    }
    pthread_mutex_unlock(&store->lock);
    return err;
}

/* The lowest run of free pages that is long enough, else the run at the very
 * end, which growing can complete; *out_first = total_pages when there is
 * neither. */
static uint64_t find_run(pf_store *store, uint64_t count, uint64_t *out_first)
{
    uint64_t first = 0, end = 0;
    while (pageset_next(&store->fl.free, end, &first)) {
        end = pageset_next_gap(&store->fl.free, first);
        if (end - first >= count || end == store->total_pages) {
            *out_first = first;
            return end - first < count ? end - first : count;
        }
    }
    *out_first = store->total_pages;
    return 0;
}

pf_err pf_pages_alloc_contiguous(pf_store *store, uint64_t count, uint64_t *out_first_id,
                                 uint64_t *out_lsn)
{
    uint64_t first = 0;
    if (count == 0)
        return PF_E_INVALID;
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = load_all(store);
    if (err == PF_OK) {
        const uint64_t reuse = find_run(store, count, &first);
        err = take_run(store, first, reuse, count - reuse);
    }
    err = change_end(store, err, out_lsn);
    if (err == PF_OK)
        *out_first_id = first;
    return err;
}

pf_err pf_page_take(pf_store *store, uint64_t page_id, uint64_t *out_lsn)
{
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = store_check_page(store, page_id);
    if (err == PF_OK)
        err = load_all(store);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        if (!pageset_has(&store->fl.free, page_id))
            err = pins_of(&store->pins, page_id) > 0 ? PF_E_ALREADY_PINNED
                                                     : PF_E_ALREADY_ALLOC;
        pthread_mutex_unlock(&store->lock);
    }
    if (err == PF_OK)
        err = take_run(store, page_id, 1, 0);
    return change_end(store, err, out_lsn);
}

/* ---- deallocate ---- */

static pf_err check_ranges(const pf_store *store, const struct pf_range *ranges,
                           size_t range_count, uint64_t *out_bad_id)
{
    for (size_t i = 0; i < range_count; i++) {
        const uint64_t first = ranges[i].first, count = ranges[i].count;
        pf_err err = count == 0 ? PF_E_INVALID : store_check_page(store, first);
        *out_bad_id = first;
        if (err == PF_OK && count > store->total_pages - first) {
            *out_bad_id = store->total_pages;
            err = PF_E_NO_PAGE;
        }
        if (err != PF_OK)
            return err;
    }
    return PF_OK;
}

/* Of the pages that are about to be pushed, those that will become trunks are
 * written: they need space behind them. */
static pf_err reserve_trunks(pf_store *store, const struct pf_range *ranges,
                             size_t range_count)
{
    const struct fl_entry *top = store->fl.newest;
    uint64_t until_trunk = top == NULL ? 0 : TRUNK_MAX_LEAVES - top->leaf_count;
    pf_err err = top == NULL ? PF_OK : reserve_trunk(store, top->page_id);
    for (size_t i = 0; i < range_count && err == PF_OK && !store->dense; i++) {
        uint64_t at = until_trunk;
        for (; at < ranges[i].count && err == PF_OK; at += TRUNK_BLOCK_PAGES)
            err = reserve_trunk(store, ranges[i].first + at);
        until_trunk = at - ranges[i].count;
    }
    return err;
}

/* At most so many trunk pages change when these are pushed. */
static uint64_t trunks_needed(const struct pf_range *ranges, size_t range_count)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < range_count; i++)
        pages += ranges[i].count < UINT64_MAX - pages ? ranges[i].count : 0;
    return pages / TRUNK_BLOCK_PAGES + 2;
}

/* The first pages of the range, up to one that must not be freed. */
static pf_err push_range(pf_store *store, struct pf_range range, uint64_t *out_pushed,
                         uint64_t *out_bad_id)
{
    uint64_t count = range.count, pinned = 0;
    pf_err err = PF_OK;
    if (store->pins.pages.count > 0 &&
        pageset_next(&store->pins.pages, range.first, &pinned) &&
        pinned - range.first < count)
        count = pinned - range.first;
    *out_pushed = 0;
    if (count > 0)
        err = freelist_push_run(&store->fl, &store->pending, range.first, count,
                                out_pushed);
    if (err == PF_E_ALREADY_FREE) {
        (void)pageset_next(&store->fl.free, range.first, out_bad_id);
    } else if (err != PF_OK) {
        *out_bad_id = range.first + *out_pushed;
    } else if (count < range.count) {
        *out_bad_id = pinned;
        err = pins_holds_of(&store->pins, pinned) > 0 ? PF_E_HELD : PF_E_PINNED;
    }
    return err;
}

/* A list of single ids is common enough to be quick: 20 ns a page instead of 28. */
static pf_err push_some(pf_store *store, struct pf_range range, uint64_t *out_pushed,
                        uint64_t *out_bad_id)
{
    if (range.count > 1 || store->pins.pages.count > 0)
        return push_range(store, range, out_pushed, out_bad_id);
    const pf_err err = freelist_push(&store->fl, &store->pending, range.first);
    *out_pushed = err == PF_OK;
    *out_bad_id = range.first;
    return err;
}

/* All or nothing: what was pushed before the refused page is taken back (S2).
 */
static pf_err push_all_locked(pf_store *store, const struct pf_range *ranges,
                              size_t range_count, uint64_t *out_bad_id)
{
    uint64_t pushed = 0, of_range;
    pf_err err = PF_OK;
    for (size_t i = 0; i < range_count && err == PF_OK; i++) {
        err = push_some(store, ranges[i], &of_range, out_bad_id);
        pushed += of_range;
    }
    if (err == PF_OK)
        store->counters.deallocations += pushed;
    else
        while (pushed-- > 0)
            freelist_unpush(&store->fl, &store->pending);
    return err;
}

pf_err pf_pages_free(pf_store *store, const struct pf_range *ranges, size_t range_count,
                     uint64_t *out_bad_id, uint64_t *out_lsn)
{
    uint64_t bad_id = 0;
    if (range_count == 0)
        return PF_E_INVALID;
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = check_ranges(store, ranges, range_count, &bad_id);
    if (err == PF_OK)
        err = load_all(store);
    if (err == PF_OK)
        err = commit_reserve(store, trunks_needed(ranges, range_count));
    if (err == PF_OK)
        err = reserve_trunks(store, ranges, range_count);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        err = push_all_locked(store, ranges, range_count, &bad_id);
        pthread_mutex_unlock(&store->lock);
    }
    if (err == PF_OK) /* some are trunks now; and used pages may be among them */
        graph_pages_written(store, ranges, range_count);
    if (err != PF_OK && out_bad_id != NULL)
        *out_bad_id = bad_id;
    return change_end(store, err, out_lsn);
}

pf_err pf_page_free(pf_store *store, uint64_t page_id, uint64_t *out_lsn)
{
    const struct pf_range range = {.first = page_id, .count = 1};
    return pf_pages_free(store, &range, 1, NULL, out_lsn);
}
