/* recover.c: from an open, locked file to a store: bring the journal in, judge
 * the header, read the newest trunk. Cost does not depend on the database's
 * size.
 *
 * Invariant J4: what the journal says is complete in memory before a byte is
 * written; a store that is only read keeps it there, and one that could not be written
 * afterwards is never begun to be written. */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"

/* ---- may it be written? false: no, and `reason` says why ---- */

static bool size_is_right(uint64_t total_pages, uint64_t size, char *reason)
{
    const uint64_t total = effective_total(total_pages);
    if (total > PF_MAX_PAGE_ID) {
        store_say(reason, "total_pages is %llu: no file can be that long",
                  (unsigned long long)total_pages);
        return false;
    }
    const uint64_t nominal = nominal_size(total);
    if (size > nominal) {
        store_say(reason,
                  "the file is %llu bytes longer than its total_pages (%llu) says: "
                  "allocating would overwrite data",
                  (unsigned long long)(size - nominal), (unsigned long long)total_pages);
        return false;
    }
    /* page 1 holds nothing, so a file that ends anywhere in it is whole */
    if (total > PF_FIRST_PAGE && nominal - size >= PF_PAGE_SIZE) {
        store_say(reason,
                  "the file is %llu bytes shorter than its total_pages (%llu) says",
                  (unsigned long long)(nominal - size), (unsigned long long)total_pages);
        return false;
    }
    return true;
}

static bool header_allows_writing(const struct pf_header *h, uint64_t size, char *reason)
{
    const uint64_t total = effective_total(h->total_pages);
    const bool has_edges = h->edge_data_offset != 0 && h->edge_data_offset != UINT64_MAX;
    if (h->page_size != PF_PAGE_SIZE)
        store_say(reason,
                  "page_size is %u: only files with 4096-byte pages can be written",
                  h->page_size);
    else if (!size_is_right(h->total_pages, size, reason))
        return false;
    else if (h->root_index_page >= total)
        store_say(reason, "root_index_page %llu is not below total_pages (%llu)",
                  (unsigned long long)h->root_index_page, (unsigned long long)total);
    else if (has_edges && h->edge_data_offset >= total)
        store_say(reason, "edge_data_offset %llu is not below total_pages (%llu)",
                  (unsigned long long)h->edge_data_offset, (unsigned long long)total);
    else
        return true;
    return false;
}

/* ---- what is in it ---- */

static pf_err read_header(pf_store *store, char *reason)
{
    size_t got = 0;
    pf_err err = dev_read(store->db, 0, store->disk_header, PF_HEADER_SIZE, &got);
    if (err == PF_OK)
        err = dev_size(store->db, &store->disk_size);
    if (err == PF_OK)
        err = header_decode(store->disk_header, got, &store->header);
    if (err != PF_OK)
        store_say(reason, "%s", pf_err_text(err));
    store->total_pages = effective_total(store->header.total_pages);
    store->file_size = store->file_end = store->disk_size;
    return err;
}

/* Pages of the file that can exist: what total_pages says, cut to what the file
 * has. */
static uint64_t list_limit(const pf_store *store)
{
    const uint64_t in_file = pf_file_pages(store->disk_size);
    const uint64_t limit = in_file < store->total_pages ? in_file : store->total_pages;
    return effective_total(limit);
}

/* Take in the newest block of the free list. A corrupt list is no reason not to
 * read. */
static pf_err open_free_list(pf_store *store, bool write, char *reason)
{
    const uint64_t head = store->header.free_page_list_head;
    const uint64_t limit = list_limit(store);
    pf_err err = PF_OK;
    freelist_init(&store->fl, head, limit);
    if (head == 0)
        return PF_OK;
    if (head < PF_FIRST_PAGE || head >= limit)
        freelist_set_corrupt(&store->fl, head,
                             "the head of the list is no page of this file");
    else
        err = load_newest(store);
    if (!store->fl.corrupt)
        return err;
    store_say(reason, "the free list is corrupt: %s", store->fl.finding);
    return write ? PF_E_NEEDS_WRITE : PF_OK;
}

/* The header, the size and the newest trunk. */
static pf_err judge(pf_store *store, bool write, char *reason)
{
    if (write && !header_allows_writing(&store->header, store->disk_size, reason))
        return PF_E_NEEDS_WRITE;
    return open_free_list(store, write, reason);
}

/* ---- recovery ---- */

/* The journal of this database, if there is one. PF_E_JOURNAL: one that is not
 * to be trusted; PF_E_JOURNAL_READ: one that cannot be read. */
static pf_err find_journal(struct pf_place *place, bool write, struct pf_file **out_file,
                           char *reason)
{
    const int rc = place->ops->open(place, write, out_file);
    if (rc == 0 || rc == -ENOENT)
        return PF_OK;
    if (rc == -ENOMEM)
        return PF_E_NO_MEMORY;
    if (rc == -ELOOP || rc == -EPERM) {
        store_say(reason,
                  "the journal is refused: not a regular file of the database's owner, "
                  "or it has a second name");
        return PF_E_JOURNAL;
    }
    store_say(reason, "there is a journal that cannot be read: %s", strerror(-rc));
    return PF_E_JOURNAL_READ;
}

/* Bring the image into the database and begin a new generation. A process that was killed
 * may have left a journal that is not durable, neither its records nor its name: J1 wants
 * them so before the database changes. */
static pf_err replay_to_disk(pf_store *store, const struct replay *replay)
{
    struct pf_place *place = store->journal.place;
    uint64_t size = 0;
    pf_err err = dev_sync(store->journal.file);
    if (err == PF_OK && place->ops->sync(place) != 0)
        err = PF_E_IO;
    if (err == PF_OK && replay->records > 0)
        err = replay_apply(replay, store->db);
    if (err == PF_OK && replay->records > 0)
        err = dev_sync(store->db);
    if (err == PF_OK)
        err = dev_size(store->db, &size);
    if (err == PF_OK)
        err = journal_adopt(&store->journal, replay->header.salt == 0,
                            replay->last_lsn + 1, size);
    return err;
}

/* The same in memory only: the file stays as it is. */
static pf_err replay_to_memory(pf_store *store, const struct replay *replay)
{
    uint64_t size = 0;
    struct pf_file *image = NULL;
    if (replay->records == 0)
        return PF_OK;
    pf_err err = dev_size(store->db, &size);
    if (err == PF_OK)
        err = dev_mem_new(store->db, size, &image);
    if (err != PF_OK)
        return err;
    store->db = image; /* owns what it covers */
    return replay_apply(replay, image);
}

/* J4: can what the journal makes of the database be written? A file that is refused, and
 * its journal, stay as they are. */
static pf_err judge_image(pf_store *store, const struct replay *replay, char *reason)
{
    struct pf_file *const db = store->db;
    pf_err err = replay_to_memory(store, replay);
    if (err == PF_OK)
        err = read_header(store, reason);
    if (err == PF_OK)
        err = judge(store, true, reason);
    freelist_clear(&store->fl);
    if (store->db != db)
        store->db = dev_mem_release(store->db);
    return err;
}

static void note_recovery(pf_store *store, const struct replay *replay, bool write)
{
    if (replay->records > 0)
        snprintf(store->recovered, sizeof store->recovered,
                 ", %llu records replayed at open%s", (unsigned long long)replay->records,
                 write ? "" : " in memory only");
}

/* Writing: a journal that cannot be used means PF_E_NEEDS_WRITE. Reading: it is
 * said in the store's reason, and the file is shown as it is. */
static pf_err recover(pf_store *store, bool write, bool judged, char *reason)
{
    struct replay replay = {0};
    struct pf_file *file = NULL;
    if (store->journal.place == NULL)
        return PF_OK;
    pf_err err = find_journal(store->journal.place, write, &file, reason);
    if (err == PF_OK && file != NULL)
        err = replay_read(&replay, file, store->db, reason);
    if (err == PF_OK && file != NULL && write && judged)
        err = judge_image(store, &replay, reason);
    if (err == PF_OK && file != NULL && write) {
        store->journal.file = file;
        file = NULL;
        err = replay_to_disk(store, &replay);
    } else if (err == PF_OK && file != NULL) {
        err = replay_to_memory(store, &replay);
    }
    if (err == PF_OK)
        note_recovery(store, &replay, write);
    replay_clear(&replay);
    dev_close(file);
    if (err == PF_E_JOURNAL_READ && reason[0] == '\0')
        store_say(reason, "there is a journal that cannot be read");
    if (err != PF_E_JOURNAL)
        return err;
    if (write)
        return PF_E_NEEDS_WRITE;
    store->journal_refused = true;
    memcpy(store->reason, reason, sizeof store->reason);
    return PF_OK;
}

/* ---- open ---- */

/* A store with the journal's changes in it and its header read. judged: but nothing was
 * written to a file that must not be written. */
static pf_err begin_store(struct pf_file *db, struct pf_place *place, bool write,
                          bool judged, char *reason, pf_store **out_store)
{
    pf_store *store = NULL;
    pf_err err = store_new(db, write ? PF_MODE_RW : PF_MODE_RO, &store);
    if (err != PF_OK) {
        place_close(place);
        return err;
    }
    store->journal.place = place;
    reason[0] = '\0';
    err = recover(store, write, judged, reason);
    if (err == PF_OK)
        err = read_header(store, reason);
    if (err != PF_OK) {
        store_delete(store);
        return err;
    }
    store->reserved_end = store->disk_size;
    store->dense = write && store->db->ops->is_dense(store->db);
    *out_store = store;
    return PF_OK;
}

pf_err store_open(struct pf_file *db, struct pf_place *place, bool write, bool no_sync,
                  char *reason, pf_store **out_store)
{
    pf_store *store = NULL;
    pf_err err = begin_store(db, place, write, true, reason, &store);
    if (err != PF_OK)
        return err;
    store->no_sync = no_sync;
    err = judge(store, write, reason);
    if (err == PF_OK)
        *out_store = store;
    else
        store_delete(store);
    return err;
}

pf_err store_open_unjudged(struct pf_file *db, struct pf_place *place, char *reason,
                           pf_store **out_store)
{
    const pf_err err = begin_store(db, place, true, false, reason, out_store);
    if (err == PF_OK)
        freelist_init(&(*out_store)->fl, 0, list_limit(*out_store));
    return err;
}

pf_err store_make_scratch(pf_store *store)
{
    struct pf_file *image = NULL;
    store->reason[0] = '\0';
    if (!header_allows_writing(&store->header, store->disk_size, store->reason))
        return PF_OK;
    if (store->fl.corrupt) {
        store_say(store->reason, "the free list is corrupt: %s", store->fl.finding);
        return PF_OK;
    }
    const pf_err err = dev_mem_new(store->db, store->disk_size, &image);
    if (err != PF_OK)
        return err;
    store->db = image; /* owns what it covers */
    place_close(store->journal.place);
    store->journal.place = NULL;
    store->mode = PF_MODE_MEMORY;
    store->no_sync = true;
    store->dense = true;
    return PF_OK;
}
