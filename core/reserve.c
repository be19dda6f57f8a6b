/* reserve.c: disk space before promises. Whatever a commit will write has space behind
 * it before the change is made, so that a full disk is met where nothing happened yet. */
#include "store.h"

enum {
    ROOM_TO_SPARE = 64 * 1024, /* for the file system's own blocks */
    CHUNK_MIN = 64 * 1024,
    CHUNK_MAX = 8 * 1024 * 1024,
};

/* Where a file system cannot reserve (NFS, ext3): is there room for this and for all that
 * is on its way? Others can take it from us; then the commit fails, and that is final. */
static pf_err ask_for_room(pf_store *store, uint64_t length)
{
    uint64_t room = 0;
    pf_err err = dev_room(store->db, &room);
    pthread_mutex_lock(&store->lock);
    const uint64_t images = store->pending.images.count + store->inflight.images.count;
    const uint64_t growth = /* none while a shrink is on its way */
        store->file_size > store->file_end ? store->file_size - store->file_end : 0;
    const uint64_t need = length + growth + images * PF_PAGE_SIZE;
    pthread_mutex_unlock(&store->lock);
    if (err == PF_OK && room < ROOM_TO_SPARE + need + need / 64)
        err = PF_E_NO_SPACE;
    return err;
}

/* What is on its way is counted in ask_for_room(). */
static pf_err ask_for_growth(pf_store *store, uint64_t end)
{
    pthread_mutex_lock(&store->lock);
    const uint64_t size = store->file_size;
    pthread_mutex_unlock(&store->lock);
    return end <= size ? PF_OK : ask_for_room(store, end - size);
}

/* File systems give what they have before they say that it is not enough, and then all
 * others lack it: do not ask for a lot where it cannot be had. */
static pf_err ask_before_a_lot(pf_store *store, uint64_t length)
{
    uint64_t room = 0;
    if (length <= CHUNK_MAX || dev_room(store->db, &room) != PF_OK)
        return PF_OK;
    return length <= room ? PF_OK : PF_E_NO_SPACE;
}

static pf_err reserve_range(pf_store *store, uint64_t offset, uint64_t length)
{
    bool done = true;
    if (store->cannot_reserve)
        return ask_for_room(store, length);
    pf_err err = ask_before_a_lot(store, length);
    if (err == PF_OK)
        err = dev_reserve(store->db, offset, length, &done);
    if (err != PF_OK || done)
        return err;
    pthread_mutex_lock(&store->lock);
    store->cannot_reserve = true;
    pthread_mutex_unlock(&store->lock);
    return ask_for_room(store, length);
}

/* Growing a file by single pages would ask the file system each time: ask for a chunk
 * that grows with the file, and for just the need when there is no room for more. */
pf_err reserve_growth(pf_store *store, uint64_t new_total)
{
    const uint64_t end = nominal_size(new_total);
    if (store->cannot_reserve)
        return ask_for_growth(store, end);
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
    if (err == PF_OK && !store->cannot_reserve) /* it may have turned out just now */
        store->reserved_end = reached;
    return err;
}

/* Known to have space behind it? */
static bool is_backed(pf_store *store, uint64_t page_id)
{
    if (store->cannot_reserve && page_offset(page_id) >= store->reserved_end)
        return true; /* new since open: commit.c fills it */
    return store->dense || pageset_has(&store->backed, page_id / RESERVE_WINDOW_PAGES);
}

pf_err reserve_page(pf_store *store, uint64_t page_id)
{
    const uint64_t window = page_id / RESERVE_WINDOW_PAGES;
    bool added;
    if (is_backed(store, page_id))
        return PF_OK;
    if (store->cannot_reserve)
        return ask_for_room(store, PF_PAGE_SIZE);
    const uint64_t first = window * RESERVE_WINDOW_PAGES;
    const uint64_t from = page_offset(first),
                   end = page_offset(first + RESERVE_WINDOW_PAGES);
    if (reserve_range(store, from, end - from) == PF_OK)
        return pageset_add(&store->backed, window, &added);
    return reserve_range(store, page_offset(page_id), PF_PAGE_SIZE);
}

pf_err reserve_trunk(pf_store *store, uint64_t page_id)
{
    if (is_backed(store, page_id))
        return PF_OK;
    return reserve_range(store, page_offset(page_id), PF_PAGE_SIZE);
}
