/* commit.c: the one way from memory to the database.
 *
 * Group commit: a thread that needs a change durable becomes the leader unless
 * there is one; the leader takes everything pending as one batch. Whoever comes
 * meanwhile waits, and then finds its change in the next batch.
 *
 * Invariants (the numbers are those of the journal's)
 *  J0  what a record needs is reserved before its changes are made: disk space for the
 *      pages by reserve.c, journal space by commit_reserve().
 *  J1  no byte of the database changes before the record that holds the change
 *      is durable: write_batch() goes append, sync, apply, and only then
 *      lead_locked() moves durable_lsn.
 *  J5  restart() syncs the database between the last application and the new generation;
 *      only the leader appends, so nothing is appended meanwhile.
 *  J6  an operation is acknowledged when durable_lsn has reached it.
 *  J7  a failure here is final: store_fail_locked().
 *  J8  a record that shrinks the file is the last of its generation: pf_shrink() makes a
 *      checkpoint before anybody can grow the file again. Otherwise replay would have to
 *      know that pages which came back are zeros. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lock.h"

enum {
    LARGE_IMAGES = 8192, /* 32 MiB of pages: commit before more is added */
    IMAGE_BYTES = 9 * (SECTOR + RECORD_ENTRY), /* what a page can need in the journal */
    FIXED_BYTES = 2 * (SECTOR + RECORD_ENTRY) + RECORD_HEAD + SECTOR,
};

struct transaction { /* what the leader took */
    uint8_t header[PF_HEADER_SIZE];
    uint64_t file_size;
    uint64_t total_pages;
    uint64_t *page_ids; /* of store->inflight, ascending, below total_pages */
    size_t page_count;
    bool sync;
    bool fill; /* new pages must be written to have disk space behind them */
};

/* Is the database still as we last wrote it, and still what its name means? out_first:
 * its first sector; zeros behind its end. */
static pf_err check_unchanged(pf_store *store, uint8_t out_first[SECTOR])
{
    uint64_t size = UINT64_MAX;
    size_t got = 0;
    struct pf_place *const place = store->journal.place;
    if (place != NULL && place->ops->has_database != NULL &&
        !place->ops->has_database(place, &size))
        return PF_E_STALE; /* what is written to a file without a name is lost */
    pf_err err = size == UINT64_MAX ? dev_size(store->db, &size) : PF_OK;
    if (err == PF_OK)
        err = dev_read(store->db, 0, out_first, SECTOR, &got);
    if (err != PF_OK)
        return err;
    memset(out_first + got, 0, SECTOR - got);
    return size != store->disk_size || got < PF_HEADER_SIZE ||
                   memcmp(out_first, store->disk_header, PF_HEADER_SIZE) != 0
               ? PF_E_STALE
               : PF_OK;
}

/* ---- the journal's part ---- */

/* J5 */
static pf_err restart(pf_store *store, bool sync)
{
    pf_err err = sync ? dev_sync(store->db) : PF_OK;
    if (err == PF_OK)
        err = journal_restart(&store->journal, store->disk_size, sync);
    return err;
}

static const uint8_t zeros[SECTOR];

static pf_err gather(pf_store *store, const struct transaction *t,
                     const uint8_t first[SECTOR])
{
    struct sectors *sectors = &store->sectors;
    pf_err err = sectors_begin(sectors, first, t->header, PF_HEADER_SIZE);
    for (size_t i = 0; i < t->page_count && err == PF_OK; i++) {
        const struct batch_image *image = batch_get(&store->inflight, t->page_ids[i]);
        err = sectors_put(sectors, store->db, page_offset(t->page_ids[i]), image->bytes,
                          image->length);
    }
    /* what is behind the new end will be zeros, in its last sector too */
    const size_t in_last = (size_t)(t->file_size % SECTOR);
    if (err == PF_OK && t->file_size < store->disk_size && in_last > 0)
        err = sectors_put(sectors, store->db, t->file_size, zeros, SECTOR - in_last);
    return err;
}

/* Append the transaction and make it durable. `first`: the first sector as it is. */
static pf_err journal_it(pf_store *store, struct transaction *t,
                         const uint8_t first[SECTOR])
{
    struct journal *j = &store->journal;
    struct sectors *sectors = &store->sectors;
    pf_err err = gather(store, t, first);
    if (err != PF_OK)
        return err;
    if (record_length(sectors->count) > store->journal_room - j->used) {
        err = restart(store, t->sync);
        store->restarted = err == PF_OK;
    }
    if (err == PF_OK && j->records > 0 && t->file_size == store->disk_size)
        sectors_drop_first(sectors);
    if (err != PF_OK || sectors->count == 0)
        return err;
    err = journal_append(j, store->journal_room, sectors->list, sectors->count,
                         t->file_size);
    if (err == PF_OK)
        store->synced_bytes += record_length(sectors->count);
    return err == PF_OK ? journal_sync(j, t->sync) : err;
}

/* ---- the database's part ---- */

static pf_err set_size(pf_store *store, uint64_t file_size)
{
    const pf_err err = dev_truncate(store->db, file_size);
    if (err == PF_OK)
        store->disk_size = file_size;
    return err;
}

/* Where the file system cannot reserve: longer, and with space behind it. The size only
 * ever is one that the journal names (R3). */
static pf_err fill_to(pf_store *store, uint64_t file_size)
{
    static const uint8_t zero_page[PF_PAGE_SIZE];
    uint64_t from = store->disk_size;
    pf_err err = set_size(store, file_size);
    while (from < file_size && err == PF_OK) {
        const uint64_t left = file_size - from;
        const size_t n = left < sizeof zero_page ? (size_t)left : sizeof zero_page;
        err = dev_write(store->db, from, zero_page, n);
        from += n;
    }
    return err;
}

/* Each sector is written once, as its record has it: pages share sectors, and a sector
 * with one page new and the other old would be neither its base nor a record's (R3). */
static pf_err apply_sectors(pf_store *store, const struct transaction *t, uint64_t from,
                            uint64_t to)
{
    enum { MOST = 64 };
    uint8_t bytes[MOST * SECTOR];
    const struct journal_sector *list = store->sectors.list;
    const size_t count = store->sectors.count;
    pf_err err = PF_OK;
    for (size_t i = 0, n; i < count && err == PF_OK; i += n) {
        const uint64_t offset = list[i].number * SECTOR;
        n = 1;
        if (list[i].number < from || list[i].number >= to || offset >= t->file_size)
            continue;
        while (n < MOST && i + n < count && list[i + n].number == list[i].number + n &&
               list[i + n].number < to)
            n++;
        for (size_t k = 0; k < n; k++)
            memcpy(bytes + k * SECTOR, list[i + k].content, SECTOR);
        /* whole sectors where the file has them: it is cut only afterwards */
        const uint64_t room = store->disk_size - offset;
        const size_t length = room < n * SECTOR ? (size_t)room : n * SECTOR;
        store->synced_bytes += length;
        err = dev_write(store->db, offset, bytes, length);
    }
    return err;
}

/* A store without a journal lives in memory: there is nothing to tear. */
static pf_err apply_images(pf_store *store, const struct transaction *t)
{
    pf_err err = PF_OK;
    for (size_t i = 0; i < t->page_count && err == PF_OK; i++) {
        const struct batch_image *image = batch_get(&store->inflight, t->page_ids[i]);
        err = dev_write(store->db, page_offset(t->page_ids[i]), image->bytes,
                        image->length);
    }
    if (err == PF_OK)
        err = dev_write(store->db, 0, t->header, PF_HEADER_SIZE);
    return err;
}

/* Growing: the file, then the pages, then the header that promises them. Shrinking: the
 * header, then the file. */
static pf_err apply(pf_store *store, const struct transaction *t)
{
    pf_err err = PF_OK;
    if (t->file_size > store->disk_size)
        err = t->fill ? fill_to(store, t->file_size) : set_size(store, t->file_size);
    if (err == PF_OK && store->journal_room == 0)
        err = apply_images(store, t);
    else if (err == PF_OK)
        err = apply_sectors(store, t, 1, UINT64_MAX);
    if (err == PF_OK)
        err = apply_sectors(store, t, 0, 1);
    if (err == PF_OK)
        memcpy(store->disk_header, t->header, PF_HEADER_SIZE);
    if (err == PF_OK && t->file_size < store->disk_size) {
        /* a cut must not meet a sector whose older content it would cut: its base could
         * not be recognised any more (R3) */
        err = t->sync ? dev_sync(store->db) : PF_OK;
        if (err == PF_OK)
            err = set_size(store, t->file_size);
    }
    return err;
}

/* J1. The database is looked at again just before it is written to: between the
 * two looks lies a sync, which can take long. */
static pf_err write_batch(pf_store *store, struct transaction *t)
{
    uint8_t first[SECTOR];
    pf_err err = batch_pages(&store->inflight, &t->page_ids, &t->page_count);
    while (t->page_count > 0 && t->page_ids[t->page_count - 1] >= t->total_pages)
        t->page_count--; /* cut off by this very transaction */
    if (err == PF_OK)
        err = check_unchanged(store, first);
    if (err == PF_OK && store->journal_room > 0) {
        err = journal_it(store, t, first);
        if (err == PF_OK)
            err = check_unchanged(store, first);
    }
    if (err == PF_OK)
        err = apply(store, t);
    free(t->page_ids);
    sectors_reset(&store->sectors);
    return err;
}

/* ---- the leader ---- */

static const char *failure_text(pf_err err)
{
    if (err == PF_E_NO_MEMORY)
        return "out of memory while writing; what was not acknowledged is lost";
    return err == PF_E_STALE
               ? "the file was changed by someone else"
               : "writing to the disk failed; what was not acknowledged is lost";
}

/* `lock` held, no leader: be it, and let go of `lock`. */
static void begin_locked(pf_store *store)
{
    store->committing = true;
    store->journal_room = store->journal.file == NULL ? 0 : store->journal.capacity;
    pthread_mutex_unlock(&store->lock);
}

/* Space was promised (J0): whatever the disk calls its failure now, it is one. */
static pf_err final_error(pf_err err)
{
    return err == PF_E_STALE || err == PF_E_NO_MEMORY ? err : PF_E_IO;
}

/* Take `lock` again, latch on failure, let the next leader on. */
static pf_err end_locked(pf_store *store, pf_err err)
{
    pthread_mutex_lock(&store->lock);
    store->file_end = store->disk_size;
    store->counters.synced_bytes = store->synced_bytes;
    store->journal_records = store->journal.records;
    if (err != PF_OK) {
        store_fail_locked(store, final_error(err), failure_text(err));
        err = store->failure;
    }
    store->committing = false;
    pthread_cond_broadcast(&store->committed);
    return err;
}

/* What a commit will bring to the disk: everything pending. */
static void take_locked(pf_store *store, struct transaction *t)
{
    freelist_flush(&store->fl, &store->pending);
    store->header.free_page_list_head = freelist_head(&store->fl);
    if (store->total_pages != effective_total(store->header.total_pages))
        store->header.total_pages = store->total_pages;
    header_encode(&store->header, t->header);
    /* a last page that was short is written: it becomes whole */
    if (batch_get(&store->pending, store->total_pages - 1) != NULL)
        store->file_size = nominal_size(store->total_pages);
    t->file_size = store->file_size;
    t->total_pages = store->total_pages;
    t->fill = store->cannot_reserve;
    store->inflight = store->pending;
    store->pending = (struct batch){0};
    store->batch_moves++;
}

/* A checkpoint is a good moment to ask who else has the file: what is on its way is in
 * the journal, and the file is complete for whoever it is. */
static void probe_others(pf_store *store)
{
    enum { LOOKS = 10, PAUSE_NS = 20 * 1000 * 1000 };
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    char holder[64], reason[PF_REASON_SIZE];
    if (store->probe_fd < 0)
        return;
    /* who only looks in passing (a backup, another pagefs that finds the file locked)
     * could as well have come between two checkpoints */
    for (int i = 0; lock_probe_others(store->probe_fd) == PROBE_OTHERS; i++) {
        if (i == LOOKS)
            goto others;
        (void)nanosleep(&pause, NULL);
    }
    return;
others:
    if (store->name_holder != NULL)
        store->name_holder(store->name_holder_ctx, store->probe_fd, holder,
                           sizeof holder);
    else
        lock_name_holder(store->probe_fd, holder, sizeof holder);
    snprintf(reason, sizeof reason, "the file was opened in %s", holder);
    pthread_mutex_lock(&store->lock);
    store_fail_locked(store, PF_E_STALE, reason);
    pthread_mutex_unlock(&store->lock);
}

static pf_err lead_locked(pf_store *store)
{
    struct transaction t = {.sync = !store->no_sync};
    if (store->failed)
        return store->failure;
    if (store->pending.last_lsn == 0) /* unreachable: callers lead for an LSN in it */
        return PF_OK;
    take_locked(store, &t);
    begin_locked(store);
    pf_err err = write_batch(store, &t);
    if (err == PF_OK && store->restarted) /* the batch is written: its callers are told */
        probe_others(store);
    store->restarted = false;
    err = end_locked(store, err);
    if (err == PF_OK) {
        store->durable_lsn = store->inflight.last_lsn;
        store->counters.commits++;
    }
    batch_clear(&store->inflight);
    store->batch_moves++; /* what was read meanwhile may lack what is gone now */
    return err;
}

static pf_err wait_locked(pf_store *store, uint64_t lsn)
{
    pf_err err = PF_OK;
    while (err == PF_OK && store->durable_lsn < lsn) {
        if (store->committing)
            pthread_cond_wait(&store->committed, &store->lock);
        else
            err = lead_locked(store);
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

/* Everything committed, nobody else leading; returns holding `lock`. */
static pf_err drain_lock(pf_store *store)
{
    pf_err err = PF_OK;
    pthread_mutex_lock(&store->lock);
    while (err == PF_OK && (store->committing || store->durable_lsn < store->lsn)) {
        if (store->committing)
            pthread_cond_wait(&store->committed, &store->lock);
        else
            err = lead_locked(store);
    }
    return err == PF_OK && store->failed ? store->failure : err;
}

/* With sync: also when the store was opened with no_sync. */
pf_err commit_checkpoint(pf_store *store)
{
    pf_err err = drain_lock(store);
    if (err == PF_OK) {
        uint8_t first[SECTOR];
        begin_locked(store);
        err = check_unchanged(store, first);
        if (err == PF_OK && store->journal_room > 0)
            err = restart(store, true);
        else if (err == PF_OK)
            err = dev_sync(store->db);
        err = end_locked(store, err);
    }
    pthread_mutex_unlock(&store->lock);
    return err;
}

pf_err pf_checkpoint(pf_store *store)
{
    if (store->mode == PF_MODE_RO)
        return PF_OK;
    const pf_err err = commit_checkpoint(store);
    if (err == PF_OK)
        probe_others(store);
    return err;
}

bool pf_checkpoint_due(pf_store *store)
{
    pthread_mutex_lock(&store->lock);
    const bool due =
        store->mode == PF_MODE_RW && !store->failed && store->journal_records > 0;
    pthread_mutex_unlock(&store->lock);
    return due;
}

pf_err pf_sync(pf_store *store)
{
    if (store->mode == PF_MODE_RO)
        return PF_OK;
    if (store->no_sync)
        return commit_checkpoint(store);
    const pf_err err = drain_lock(store);
    pthread_mutex_unlock(&store->lock);
    return err;
}

/* ---- J0 ---- */

static pf_err grow_journal(pf_store *store, uint64_t need)
{
    struct journal *j = &store->journal;
    uint64_t capacity = 0;
    pf_err err = journal_grow(j, need, &capacity);
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        j->capacity = capacity;
        pthread_mutex_unlock(&store->lock);
    }
    return err;
}

static pf_err make_journal(pf_store *store, uint64_t need)
{
    struct journal made = store->journal;
    const uint64_t size =
        store->journal_first_size > need ? store->journal_first_size : need;
    const pf_err err = journal_create(&made, size, store->disk_size);
    if (err == PF_E_EXISTS)
        return PF_E_JOURNAL;
    if (err == PF_OK) {
        pthread_mutex_lock(&store->lock);
        store->journal = made;
        pthread_mutex_unlock(&store->lock);
    }
    return err;
}

pf_err commit_reserve(pf_store *store, uint64_t images)
{
    struct journal *j = &store->journal;
    pthread_mutex_lock(&store->lock);
    const uint64_t pending = store->pending.images.count;
    pf_err err = PF_OK;
    if (pending > 0 && (pending + images > LARGE_IMAGES ||
                        (j->file != NULL &&
                         FIXED_BYTES + (pending + images) * IMAGE_BYTES > j->capacity)))
        err = wait_locked(store, store->lsn);
    const uint64_t left = store->pending.images.count;
    const uint64_t pages = pf_file_pages(store->file_size);
    pthread_mutex_unlock(&store->lock);
    /* a last page that is short; what lacks whole pages is left alone (repair.c) */
    const uint64_t total = store->total_pages < pages ? store->total_pages : pages;
    if (err == PF_OK && total > PF_FIRST_PAGE)
        err = reserve_growth(store, total);
    if (err != PF_OK || j->place == NULL)
        return err;
    const uint64_t need = JOURNAL_START + FIXED_BYTES + (left + images) * IMAGE_BYTES;
    if (j->file == NULL)
        err = make_journal(store, need);
    else if (need > j->capacity)
        err = grow_journal(store, need);
    return err;
}

/* ---- close ---- */

pf_err commit_close(pf_store *store)
{
    pf_err err = PF_OK;
    if (store->mode != PF_MODE_RW || (store->lsn == 0 && store->journal.file == NULL))
        return PF_OK;
    err = commit_checkpoint(store);
    if (err == PF_OK && store->reserved_end > store->disk_size)
        err = dev_truncate(store->db, store->disk_size); /* give back the reserve */
    /* after a failure the journal stays, unless there is nothing in it */
    if (store->journal.file != NULL && (err == PF_OK || store->journal.records == 0)) {
        const pf_err ended = journal_end(&store->journal);
        err = err == PF_OK ? ended : err;
    }
    return err;
}
