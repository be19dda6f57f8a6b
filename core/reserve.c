/* reserve.c: disk space before promises. Whatever a commit will write has space behind
 * it before the change is made, so that a full disk is met where nothing happened yet. */
#include "store.h"

enum {
    CHUNK_MIN = 64 * 1024,
    CHUNK_MAX = 8 * 1024 * 1024,
};

static pf_err reserve_range(pf_store *store, uint64_t offset, uint64_t length)
{
    bool done = true;
    if (store->cannot_reserve)
        return PF_OK;
    const pf_err err = dev_reserve(store->db, offset, length, &done);
    if (err == PF_OK && !done)
        store->cannot_reserve = true;
    return err;
}

/* Growing a file by single pages would ask the file system each time: ask for a chunk
 * that grows with the file, and for just the need when there is no room for more. */
pf_err reserve_growth(pf_store *store, uint64_t new_total)
{
    const uint64_t end = nominal_size(new_total);
    if (end <= store->reserved_end)
        return PF_OK;
    const uint64_t from = store->reserved_end;
    uint64_t chunk = from / 16;
    chunk = chunk < CHUNK_MIN ? CHUNK_MIN : chunk > CHUNK_MAX ? CHUNK_MAX : chunk;
    const uint64_t ahead = chunk < (uint64_t)INT64_MAX - end ? end + chunk : end;

    uint64_t reached = ahead;
    pf_err err = reserve_range(store, from, ahead - from);
    if (err != PF_OK) {
        reached = end;
        err = reserve_range(store, from, end - from);
    }
    if (err == PF_OK)
        store->reserved_end = reached;
    return err;
}

pf_err reserve_page(pf_store *store, uint64_t page_id)
{
    const uint64_t window = page_id / RESERVE_WINDOW_PAGES;
    bool added;
    if (store->dense || store->cannot_reserve || pageset_has(&store->backed, window))
        return PF_OK;
    const uint64_t first = window * RESERVE_WINDOW_PAGES;
    const uint64_t from = page_offset(first),
                   end = page_offset(first + RESERVE_WINDOW_PAGES);
    if (reserve_range(store, from, end - from) == PF_OK)
        return pageset_add(&store->backed, window, &added);
    return reserve_range(store, page_offset(page_id), PF_PAGE_SIZE);
}

pf_err reserve_trunk(pf_store *store, uint64_t page_id)
{
    if (store->dense || pageset_has(&store->backed, page_id / RESERVE_WINDOW_PAGES))
        return PF_OK;
    return reserve_range(store, page_offset(page_id), PF_PAGE_SIZE);
}
