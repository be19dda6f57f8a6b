/* pin.c: pins and holds, the part of a page's state that lives only as long as the store
 * is open. */
#include "store.h"

/* Pins change nothing on disk, but a store that may not be changed takes none: they
 * would promise something about frees that cannot happen. */
static pf_err pin_begin(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    pf_err err =
        store_is_writable_locked(store) ? query_list_locked(store) : PF_E_READ_ONLY;
    if (err != PF_OK)
        pthread_mutex_unlock(&store->lock);
    return err;
}

static pf_err pin_end(pf_store *store, pf_err err)
{
    store->counters.refused += err != PF_OK;
    pthread_mutex_unlock(&store->lock);
    return err;
}

static pf_err check_allocated(pf_store *store, uint64_t page_id)
{
    const pf_err err = store_check_page(store, page_id);
    if (err == PF_OK && pageset_has(&store->fl.free, page_id))
        return PF_E_IS_FREE;
    return err;
}

static pf_err pin_locked(pf_store *store, uint64_t page_id, bool hold)
{
    pf_err err = check_allocated(store, page_id);
    if (err == PF_OK)
        err = pins_add(&store->pins, page_id, hold);
    store->counters.pins += err == PF_OK;
    return err;
}

/* To be settled (pins.h). */
static pf_err unpin_locked(pf_store *store, uint64_t page_id)
{
    pf_err err = check_allocated(store, page_id);
    if (err == PF_OK)
        err = pins_drop(&store->pins, page_id);
    store->counters.unpins += err == PF_OK;
    return err;
}

static pf_err unpin_settled_locked(pf_store *store, uint64_t page_id)
{
    const pf_err err = unpin_locked(store, page_id);
    pins_settle(&store->pins, page_id);
    return err;
}

/* ---- batches ---- */

static void settle(pf_store *store, uint64_t page_id)
{
    pins_settle(&store->pins, page_id);
}

static void undo_pin(pf_store *store, uint64_t page_id)
{
    (void)unpin_settled_locked(store, page_id);
}

/* Needs no memory: the page is not settled. */
static void undo_unpin(pf_store *store, uint64_t page_id)
{
    (void)pin_locked(store, page_id, false);
}

/* With the first `count` pages of a batch. */
static void each_locked(pf_store *store, const struct pf_range *ranges, uint64_t count,
                        void (*act)(pf_store *store, uint64_t page_id))
{
    for (size_t i = 0; count > 0; i++) {
        const uint64_t n = count < ranges[i].count ? count : ranges[i].count;
        for (uint64_t k = 0; k < n; k++)
            act(store, ranges[i].first + k);
        count -= n;
    }
}

static pf_err batch_locked(pf_store *store, const struct pf_range *ranges,
                           size_t range_count, bool pin, uint64_t *out_bad_id)
{
    const struct pf_stats before = store->counters;
    uint64_t done = 0;
    pf_err err = PF_OK;
    uint64_t bad_id = 0;
    for (size_t i = 0; i < range_count && err == PF_OK; i++) {
        bad_id = ranges[i].first;
        err = ranges[i].count == 0 ? PF_E_INVALID : PF_OK;
        for (uint64_t n = 0; n < ranges[i].count && err == PF_OK; n++) {
            bad_id = ranges[i].first + n;
            err = pin ? pin_locked(store, bad_id, false) : unpin_locked(store, bad_id);
            done += err == PF_OK;
        }
    }
    if (err != PF_OK && out_bad_id != NULL)
        *out_bad_id = bad_id;
    if (err != PF_OK) {
        each_locked(store, ranges, done, pin ? undo_pin : undo_unpin);
        store->counters = before;
    } else if (!pin) {
        each_locked(store, ranges, done, settle);
    }
    return err;
}

static pf_err pin_batch(pf_store *store, const struct pf_range *ranges,
                        size_t range_count, bool pin, uint64_t *out_bad_id)
{
    if (range_count == 0)
        return PF_E_INVALID;
    const pf_err err = pin_begin(store);
    if (err != PF_OK)
        return err;
    return pin_end(store, batch_locked(store, ranges, range_count, pin, out_bad_id));
}

pf_err pf_pages_pin(pf_store *store, const struct pf_range *ranges, size_t range_count,
                    uint64_t *out_bad_id)
{
    return pin_batch(store, ranges, range_count, true, out_bad_id);
}

pf_err pf_pages_unpin(pf_store *store, const struct pf_range *ranges, size_t range_count,
                      uint64_t *out_bad_id)
{
    return pin_batch(store, ranges, range_count, false, out_bad_id);
}

/* ---- single pages ---- */

static pf_err pin_or_unpin(pf_store *store, uint64_t page_id, bool pin)
{
    pf_err err = pin_begin(store);
    if (err != PF_OK)
        return err;
    err = pin ? pin_locked(store, page_id, false) : unpin_settled_locked(store, page_id);
    return pin_end(store, err);
}

pf_err pf_page_pin(pf_store *store, uint64_t page_id)
{
    return pin_or_unpin(store, page_id, true);
}

pf_err pf_page_unpin(pf_store *store, uint64_t page_id)
{
    return pin_or_unpin(store, page_id, false);
}

pf_err pf_page_unpin_all(pf_store *store, uint64_t page_id)
{
    uint32_t dropped = 0;
    pf_err err = pin_begin(store);
    if (err != PF_OK)
        return err;
    err = check_allocated(store, page_id);
    if (err == PF_OK)
        err = pins_drop_all(&store->pins, page_id, &dropped);
    store->counters.unpins += dropped;
    return pin_end(store, err);
}

pf_err pf_page_hold(pf_store *store, uint64_t page_id)
{
    const pf_err err = pin_begin(store);
    if (err != PF_OK)
        return err;
    return pin_end(store, pin_locked(store, page_id, true));
}

void pf_page_unhold(pf_store *store, uint64_t page_id)
{
    pthread_mutex_lock(&store->lock);
    pins_unhold(&store->pins, page_id);
    store->counters.unpins++;
    pthread_mutex_unlock(&store->lock);
}

bool pf_pinned_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id)
{
    pthread_mutex_lock(&store->lock);
    const bool found = pageset_next(&store->pins.pages, page_id, out_page_id);
    pthread_mutex_unlock(&store->lock);
    return found;
}
