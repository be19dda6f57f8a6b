/* pageio.c: page contents: the database plus every change that is not in it
 * yet. */
#include "store.h"

#include <string.h>

/* Read what the file has of a page. Bytes behind the end of the file are zeros
 * only where the file ended when we last looked: otherwise someone cut it. */
static pf_err read_file(pf_store *store, uint64_t page_id, uint64_t file_end,
                        uint8_t page[PF_PAGE_SIZE])
{
    const uint64_t offset = page_offset(page_id);
    const size_t length = page_length(page_id);
    const uint64_t there = offset >= file_end ? 0 : file_end - offset;
    size_t got = 0;
    memset(page, 0, PF_PAGE_SIZE);
    const pf_err err = dev_read(store->db, offset, page, length, &got);
    if (err != PF_OK)
        return err;
    return got < length && got < there ? PF_E_STALE : PF_OK;
}

/* Changes not yet in the file, oldest first. `lock` held. */
void pageio_overlay_locked(pf_store *store, uint64_t page_id, uint8_t *page)
{
    batch_overlay(&store->inflight, page_id, page);
    batch_overlay(&store->pending, page_id, page);
    freelist_overlay(&store->fl, page_id, page);
}

static void read_header(pf_store *store, uint8_t page[PF_PAGE_SIZE])
{
    struct pf_header header;
    pf_header_get(store, &header);
    memset(page, 0, PF_PAGE_SIZE);
    header_encode(&header, page);
}

/* A leader writes to the file without holding `lock`. While no batch begins or
 * ends, all it may be writing is in `inflight` and laid over what was read;
 * when one does, the read may be half old, half new: again, in the end with
 * batches kept from both. */
pf_err pf_page_read(pf_store *store, uint64_t page_id, uint8_t *page)
{
    enum { TRIES = 4 };
    pf_err err = PF_OK;
    if (page_id >= pf_total_pages(store))
        return PF_E_NO_PAGE;
    if (page_id > PF_MAX_PAGE_ID)
        return PF_E_IO;
    if (page_id == 0) {
        read_header(store, page);
        return PF_OK;
    }
    pthread_mutex_lock(&store->lock);
    for (int i = 0;; i++) {
        const uint64_t moves = store->batch_moves;
        const uint64_t file_end = store->file_end;
        if (i < TRIES)
            pthread_mutex_unlock(&store->lock);
        err = read_file(store, page_id, file_end, page);
        if (i < TRIES)
            pthread_mutex_lock(&store->lock);
        if (moves == store->batch_moves)
            break;
    }
    if (page_id >= store->total_pages) /* a shrink has just taken it away */
        err = PF_E_NO_PAGE;
    else if (err == PF_OK)
        pageio_overlay_locked(store, page_id, page);
    else if (err == PF_E_STALE)
        store_fail_locked(store, err, "the file was truncated by someone else");
    pthread_mutex_unlock(&store->lock);
    return err;
}

static pf_err check_write(pf_store *store, uint64_t page_id, size_t offset, size_t length)
{
    pf_err err = store_check_page(store, page_id);
    if (err == PF_OK && (offset >= PF_PAGE_SIZE || length > PF_PAGE_SIZE - offset))
        err = PF_E_PAST_PAGE;
    if (err == PF_OK && length == 0)
        err = PF_E_INVALID;
    if (err == PF_OK)
        err = load_all(store);
    if (err != PF_OK)
        return err;
    pthread_mutex_lock(&store->lock);
    if (pageset_has(&store->fl.free, page_id))
        err = PF_E_DATA_FREE;
    pthread_mutex_unlock(&store->lock);
    return err;
}

pf_err pf_page_write(pf_store *store, uint64_t page_id, size_t offset,
                     const uint8_t *bytes, size_t length, uint64_t *out_lsn)
{
    uint8_t page[PF_PAGE_SIZE];
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = check_write(store, page_id, offset, length);
    if (err == PF_OK)
        err = commit_reserve(store, 1);
    if (err == PF_OK)
        err = reserve_page(store, page_id);
    if (err == PF_OK)
        err = pf_page_read(store, page_id, page);
    if (err == PF_OK) {
        memcpy(page + offset, bytes, length);
        pthread_mutex_lock(&store->lock);
        err = batch_prepare(&store->pending, page_id, PF_PAGE_SIZE);
        if (err == PF_OK)
            batch_write(&store->pending, page_id, page, PF_PAGE_SIZE);
        pthread_mutex_unlock(&store->lock);
    }
    if (err == PF_OK)
        graph_pages_written(store, &(struct pf_range){page_id, 1}, 1);
    return change_end(store, err, out_lsn);
}
