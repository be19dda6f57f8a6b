/* commit.c: the one way from memory to the database.
 *
 * Group commit: a thread that needs a change durable becomes the leader unless there is
 * one; the leader takes everything pending as one batch. Whoever comes meanwhile waits,
 * and then finds its change in the next batch. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { LARGE_IMAGES = 8192 }; /* 32 MiB of pages */

/* Is the database still as we last wrote it? */
static pf_err check_unchanged(pf_store *store)
{
    uint8_t header[PF_HEADER_SIZE];
    uint64_t size = 0;
    size_t got = 0;
    pf_err err = dev_size(store->db, &size);
    if (err == PF_OK)
        err = dev_read(store->db, 0, header, sizeof header, &got);
    if (err == PF_OK && (size != store->disk_size || got != sizeof header ||
                         memcmp(header, store->disk_header, sizeof header) != 0))
        err = PF_E_STALE;
    return err;
}

static pf_err write_db(pf_store *store, uint64_t offset, const uint8_t *bytes, size_t length)
{
    store->synced_bytes += length;
    return dev_write(store->db, offset, bytes, length);
}

static pf_err apply(pf_store *store, const uint8_t header[PF_HEADER_SIZE],
                    uint64_t file_size)
{
    uint64_t *ids = NULL;
    size_t count = 0;
    pf_err err = batch_pages(&store->inflight, &ids, &count);
    if (err == PF_OK && file_size > store->disk_size) {
        err = dev_truncate(store->db, file_size);
        if (err == PF_OK)
            store->disk_size = file_size;
    }
    for (size_t i = 0; i < count && err == PF_OK; i++) {
        const struct batch_image *image = batch_get(&store->inflight, ids[i]);
        err = write_db(store, page_offset(ids[i]), image->bytes, image->length);
    }
    if (err == PF_OK && memcmp(header, store->disk_header, PF_HEADER_SIZE) != 0) {
        err = write_db(store, 0, header, PF_HEADER_SIZE);
        memcpy(store->disk_header, header, PF_HEADER_SIZE);
    }
    free(ids);
    return err;
}

static pf_err bring_to_disk(pf_store *store, const uint8_t header[PF_HEADER_SIZE],
                            uint64_t file_size, bool sync)
{
    pf_err err = check_unchanged(store);
    if (err == PF_OK)
        err = apply(store, header, file_size);
    if (err == PF_OK && sync)
        err = dev_sync(store->db);
    return err;
}

static const char *failure_text(pf_err err)
{
    return err == PF_E_STALE ? "the file was changed by someone else"
                             : "writing to the disk failed";
}

/* `lock` held, no leader: be it. Takes all that is pending; nothing pending is fine. */
static pf_err lead_locked(pf_store *store, bool sync)
{
    uint8_t header_bytes[PF_HEADER_SIZE];
    if (store->failed)
        return store->failure;
    freelist_flush(&store->fl, &store->pending);
    store->header.free_page_list_head = freelist_head(&store->fl);
    if (store->total_pages > PF_FIRST_PAGE)
        store->header.total_pages = store->total_pages;
    header_encode(&store->header, header_bytes);
    store->inflight = store->pending;
    store->pending = (struct batch){0};
    store->committing = true;
    store->batches++;
    const uint64_t file_size = store->file_size;
    pthread_mutex_unlock(&store->lock);

    pf_err err = bring_to_disk(store, header_bytes, file_size, sync);

    pthread_mutex_lock(&store->lock);
    store->file_end = store->disk_size;
    if (err != PF_OK) {
        store_fail_locked(store, err, failure_text(err));
        err = store->failure;
    } else if (store->inflight.last_lsn != 0) {
        store->durable_lsn = store->inflight.last_lsn;
        store->counters.commits++;
        store->counters.synced_bytes = store->synced_bytes;
    }
    batch_clear(&store->inflight);
    store->committing = false;
    pthread_cond_broadcast(&store->committed);
    return err;
}

static pf_err wait_locked(pf_store *store, uint64_t lsn)
{
    pf_err err = PF_OK;
    while (err == PF_OK && store->durable_lsn < lsn) {
        if (store->committing)
            pthread_cond_wait(&store->committed, &store->lock);
        else
            err = lead_locked(store, !store->no_sync);
    }
    return err;
}

pf_err pf_wait(pf_store *store, uint64_t lsn)
{
    pthread_mutex_lock(&store->lock);
    pf_err err = lsn > store->lsn ? PF_E_INVALID : PF_OK;
    if (err == PF_OK)
        err = wait_locked(store, lsn);
    pthread_mutex_unlock(&store->lock);
    return err;
}

pf_err pf_sync(pf_store *store)
{
    if (store->mode == PF_MODE_RO)
        return PF_OK;
    pthread_mutex_lock(&store->lock);
    pf_err err = wait_locked(store, store->lsn);
    if (err == PF_OK && store->failed)
        err = store->failure;
    if (err == PF_OK && store->no_sync && store->counters.commits > 0) {
        while (store->committing)
            pthread_cond_wait(&store->committed, &store->lock);
        err = lead_locked(store, true);
    }
    pthread_mutex_unlock(&store->lock);
    return err;
}

pf_err pf_checkpoint(pf_store *store)
{
    return pf_sync(store);
}

pf_err commit_if_large(pf_store *store)
{
    pf_err err = PF_OK;
    pthread_mutex_lock(&store->lock);
    if (store->pending.images.count > LARGE_IMAGES)
        err = wait_locked(store, store->lsn);
    pthread_mutex_unlock(&store->lock);
    return err == PF_OK ? PF_OK : PF_E_READ_ONLY;
}
