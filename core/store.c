/* store.c: the open database and its latch. The operations are in change.c
 * (allocate, deallocate), pin.c, query.c, pageio.c and clone.c, the way to the
 * disk in commit.c.
 *
 * Invariants
 *  S1  allocated + free == total, pages 0 and 1 are allocated for ever.
 *  S2  a change is validated whole before any of it is made, and made under one hold of
 *      `lock`: no query sees half of it.
 *  S3  memory may run ahead of the disk, acknowledgements never: a change is durable when
 *      durable_lsn has reached its LSN, and only commit.c moves durable_lsn.
 *  S4  the database changes only through commit.c.
 *  S5  after a failed write or sync nothing is changed any more: the latch,
 *      store_fail_locked() and change_begin(). */
#include "store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pf_err store_new(struct pf_file *db, enum pf_mode mode, pf_store **out_store)
{
    pf_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        dev_close(db);
        return PF_E_NO_MEMORY;
    }
    store->db = db;
    store->mode = mode;
    store->probe_fd = -1;
    store->journal_first_size = JOURNAL_FIRST_SIZE;
    pthread_mutex_init(&store->writer, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->graph_lock, NULL);
    pthread_cond_init(&store->committed, NULL);
    *out_store = store;
    return PF_OK;
}

void store_delete(pf_store *store)
{
    graph_drop(store);
    freelist_clear(&store->fl);
    pins_clear(&store->pins);
    batch_clear(&store->pending);
    batch_clear(&store->inflight);
    sectors_clear(&store->sectors);
    pageset_clear(&store->backed);
    journal_close(&store->journal);
    dev_close(store->db);
    pthread_cond_destroy(&store->committed);
    pthread_mutex_destroy(&store->graph_lock);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->writer);
    free(store);
}

pf_err pf_close(pf_store *store)
{
    if (store == NULL)
        return PF_OK;
    const pf_err err = commit_close(store);
    store_delete(store);
    return err;
}

void store_fail_locked(pf_store *store, pf_err err, const char *reason)
{
    if (store->failed)
        return;
    store->failed = true;
    store->failure = err;
    if (store->mode != PF_MODE_RO)
        snprintf(store->reason, sizeof store->reason, "%s", reason);
}

pf_err store_note_corrupt(pf_store *store, pf_err err)
{
    if (err != PF_E_CORRUPT)
        return err;
    pthread_mutex_lock(&store->lock);
    char reason[PF_REASON_SIZE];
    snprintf(reason, sizeof reason, "the free list is corrupt: %s", store->fl.finding);
    if (store->mode != PF_MODE_RO)
        store_fail_locked(store, err, reason);
    pthread_mutex_unlock(&store->lock);
    return err;
}

pf_err store_check_page(const pf_store *store, uint64_t page_id)
{
    if (page_id >= store->total_pages)
        return PF_E_NO_PAGE;
    return page_id < PF_FIRST_PAGE ? PF_E_RESERVED : PF_OK;
}

void store_say(char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, PF_REASON_SIZE, format, args);
    va_end(args);
}

bool store_is_writable_locked(const pf_store *store)
{
    return store->mode != PF_MODE_RO && !store->failed;
}

bool pf_writable(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    const bool writable = store_is_writable_locked(store);
    pthread_mutex_unlock(&store->lock);
    return writable;
}

static void journal_text_locked(const pf_store *store, char *out, size_t size)
{
    if (store->journal.place == NULL || store->journal.file == NULL)
        snprintf(out, size, "none%s", store->recovered);
    else
        snprintf(out, size, "%llu bytes, %llu records since the last checkpoint%s%s",
                 (unsigned long long)store->journal.capacity,
                 (unsigned long long)store->journal_records, store->recovered,
                 store->no_sync ? ", not synced" : "");
}

void pf_info_get(pf_store *store, struct pf_info *out_info)
{
    memset(out_info, 0, sizeof *out_info);
    pthread_mutex_lock(&store->lock);
    out_info->mode = store->mode;
    out_info->failed = store->failed && store->mode != PF_MODE_RO;
    memcpy(out_info->reason, store->reason, sizeof out_info->reason);
    memcpy(out_info->lock, store->lock_text, sizeof out_info->lock);
    journal_text_locked(store, out_info->journal, sizeof out_info->journal);
    pthread_mutex_unlock(&store->lock);
}

void store_set_journal_size(pf_store *store, uint64_t bytes)
{
    store->journal_first_size = bytes;
}

void pf_set_max_pages(pf_store *store, uint64_t max_pages)
{
    atomic_store(&store->max_pages, max_pages);
}
