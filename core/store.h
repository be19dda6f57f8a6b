/* store.h: the open database: what pf_store is, and the helpers its operations
 * share. For core only; store.c opens with the invariants.
 *
 * Locks, taken in this order:
 *   writer      one change at a time; held across the reads and reservations that a
 *               change needs, never across a sync
 *   graph_lock  the last walk; never held across I/O
 *   lock        the fields below it; held only for memory
 * The thread that set `committing` is the leader: it alone writes and syncs the files,
 * holding neither `writer` nor `lock`. */
#ifndef PF_STORE_H
#define PF_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "batch.h"
#include "dev.h"
#include "format.h"
#include "freelist.h"
#include "journal.h"
#include "pf.h"
#include "pins.h"
#include "place.h"
#include "sectors.h"

struct overtake;
struct walk;
struct window;

enum { EDGEMETA_ROOM = 64 }; /* it has 24 bytes; more means it is not valid */

struct pf_store {
    /* fixed when open returns */
    struct pf_file *db;
    enum pf_mode mode;
    bool no_sync;
    int probe_fd; /* of db, to ask who else has it open; -1 = do not ask */
    pf_name_holder_fn name_holder; /* and who names them; NULL: we do */
    void *name_holder_ctx;
    uint64_t journal_first_size;
    char lock_text[64];
    char recovered[64]; /* what the journal held at open, in words */
    bool journal_refused;
    bool wal_unclean; /* the program that writes the graph did not close it */
    uint8_t edgemeta[EDGEMETA_ROOM]; /* the .v3edgemeta side file as it was at open */
    size_t edgemeta_length;          /* 0 = there is none */
    pf_err edgemeta_err; /* it could not be read: what uses a page cannot be told */

    atomic_int writers_waiting;
    pthread_mutex_t writer;
    /* writer: what is known to have disk space behind it */
    uint64_t reserved_end; /* bytes of the file, also past its end */
    bool dense;            /* the file had no hole when it was opened */
    bool cannot_reserve;   /* the file system does not know how; changed with lock, too */
    struct pageset backed; /* windows of pages that were reserved since */

    pthread_mutex_t lock;
    pthread_cond_t committed; /* a commit ended */
    /* the state with the youngest change in it */
    struct freelist fl;
    struct pins pins;
    struct pf_header header;
    uint64_t total_pages;
    uint64_t file_size;
    atomic_uint_least64_t max_pages; /* set whatever lock others hold */
    uint64_t lsn;
    struct batch pending; /* changes no leader has taken yet */
    /* commit */
    bool committing;
    struct batch inflight; /* what the leader brings to the disk now */
    uint64_t durable_lsn;
    uint64_t batch_moves; /* batches taken by a leader, and done with: tells readers */
    uint64_t file_end;    /* size of the database when the last commit ended */
    uint64_t journal_records; /* in this generation, when the last leader ended */
    /* latch */
    bool failed;
    pf_err failure;
    char reason[PF_REASON_SIZE];
    struct pf_stats counters; /* only the "since open" fields */

    /* taken before `lock`, never held across I/O */
    pthread_mutex_t graph_lock;
    struct walk *graph; /* the last walk; NULL = none, or its pages changed */
    struct overtake *walks_under_way;

    /* leader, see journal.h for who changes what of `journal` */
    struct journal journal;
    bool restarted;         /* the journal, by the batch under way */
    uint64_t journal_room;  /* its capacity when the leader began; 0 = there is none */
    struct sectors sectors; /* what the record has, and the database gets */
    /* leader: the database as we last wrote it; bytes written and synced */
    uint8_t disk_header[PF_HEADER_SIZE];
    uint64_t disk_size;
    uint64_t synced_bytes;
};

/* ---- store.c ---- */

/* A store over `db` (owned from now on, also on failure), locks made, nothing
 * read. */
PF_CHECK pf_err store_new(struct pf_file *db, enum pf_mode mode, pf_store **out_store);
/* Write a sentence of at most PF_REASON_SIZE bytes. */
__attribute__((format(printf, 2, 3))) void store_say(char *reason, const char *format,
                                                     ...);
/* Bytes of the journal that the first change will make; for tests. */
void store_set_journal_size(pf_store *store, uint64_t bytes);
/* Free memory and close files; nothing is written. */
void store_delete(pf_store *store);
/* Neither opened read-only nor failed since. `lock` held. */
bool store_is_writable_locked(const pf_store *store);
/* Go read-only for good. The first reason stays. `lock` held. */
void store_fail_locked(pf_store *store, pf_err err, const char *reason);
/* store_fail_locked() when the free list turned out corrupt; passes err on. */
pf_err store_note_corrupt(pf_store *store, pf_err err);
/* PF_OK when pages of this id exist and are not reserved. `lock` or `writer`
 * held. */
PF_CHECK pf_err store_check_page(const pf_store *store, uint64_t page_id);

/* ---- recover.c ---- */

/* Open a store over a database file that is found, open and locked: judge it,
 * recover it from the journal in `place`, read the newest trunk. Owns `db` and
 * `place` (NULL = no journal) from now on, also on failure. write:
 * PF_E_NEEDS_WRITE when writing could destroy data; then, and on other errors,
 * `reason` (PF_REASON_SIZE bytes) says why. A store that is not opened for
 * writing applies a journal in memory only. */
PF_CHECK pf_err store_open(struct pf_file *db, struct pf_place *place, bool write,
                           bool no_sync, char *reason, pf_store **out_store);

/* The same for repair: header and free list are not judged, the list is taken as empty.
 */
PF_CHECK pf_err store_open_unjudged(struct pf_file *db, struct pf_place *place,
                                    char *reason, pf_store **out_store);
/* Let every change to a store that was opened for reading happen in memory, unless the
 * file would not bear them: then it stays read-only and its reason says why. */
PF_CHECK pf_err store_make_scratch(pf_store *store);

/* ---- change.c ---- */

/* Begin a change: wait for `writer`, refuse on a read-only store (then it is
 * not held). */
PF_CHECK pf_err change_begin(pf_store *store);
/* End it: give it an LSN (err PF_OK), release `writer`, wait as pf.h says. */
pf_err change_end(pf_store *store, pf_err err, uint64_t *out_lsn);

/* Take the free pages from `first` to the last off the list and out of the file.
 * Everything is known (load_all); `writer` held. */
PF_CHECK pf_err change_cut_end(pf_store *store, uint64_t first);

/* Make everything durable before `writer` is released: for changes after which nothing
 * may share their commit. A shrink is one: pages that grew back in it would show old
 * bytes. */
PF_CHECK pf_err change_commit_now(pf_store *store);

/* ---- care.c ---- */

/* Disk space for the trunks that care_push_downwards() will make. `writer` held. */
PF_CHECK pf_err care_reserve_trunks(pf_store *store, const struct pageset *pages);
/* Push all members, the highest first. `lock` held, everything reserved. */
PF_CHECK pf_err care_push_downwards(pf_store *store, const struct pageset *pages);

/* ---- query.c ---- */

void query_stats_locked(pf_store *store, struct pf_stats *out_stats);

/* ---- pageio.c ---- */

/* Lay changes that are not in the file yet over a page. `lock` held. */
void pageio_overlay_locked(pf_store *store, uint64_t page_id, uint8_t *page);

/* ---- graph.c ---- */

/* A page_read_fn (walk.h): pages behind total_pages are read as the file has them. */
PF_CHECK pf_err graph_read_page(void *store, uint64_t page_id, uint8_t *page);
/* The same for many pages, upwards: window_read(). */
PF_CHECK pf_err graph_window_new(pf_store *store, struct window **out_window,
                                 uint64_t *out_file_bytes);
/* The first run of pages from `from` on, below `end`, that the walk did not reach. */
bool graph_unreached_run(pf_store *store, uint64_t from, uint64_t end,
                         struct pf_range *out_run);
void graph_drop(pf_store *store);
/* Forget the walk if it reached one of these pages, and any under way that does. */
void graph_pages_written(pf_store *store, const struct pf_range *ranges,
                         size_t range_count);

/* ---- walk of the free list: load.c; `writer` held ---- */

/* The first visit, at open. */
PF_CHECK pf_err load_newest(pf_store *store);
/* Make known and bring into memory the blocks of the next `count` pages, and
 * the block that is newest without them. */
PF_CHECK pf_err load_top(pf_store *store, uint64_t count);
PF_CHECK pf_err load_all(pf_store *store);
/* load_all() for a query that holds nothing. */
PF_CHECK pf_err load_for_query(pf_store *store);
/* The same for one that holds `lock`, which is let go of while it reads. query.c */
PF_CHECK pf_err query_list_locked(pf_store *store);
/* Contents of a known block. */
PF_CHECK pf_err load_block(pf_store *store, struct fl_entry *entry);
/* Mark the blocks that hold pages of this range; bring them and their
 * neighbours into memory. */
PF_CHECK pf_err load_hits(pf_store *store, uint64_t first, uint64_t count);

/* ---- reserve.c; `writer` held ---- */

enum { RESERVE_WINDOW_PAGES = 256 }; /* holes are filled a window at a time */

PF_CHECK pf_err reserve_growth(pf_store *store, uint64_t new_total);
/* For a page that is handed out or written: its neighbours will be wanted soon. */
PF_CHECK pf_err reserve_page(pf_store *store, uint64_t page_id);
/* For a free page that becomes a trunk: its neighbours may stay holes. */
PF_CHECK pf_err reserve_trunk(pf_store *store, uint64_t page_id);

/* ---- commit.c ---- */

/* Before a change that adds up to `images` page images: commit what is pending
 * if that is a lot, make the journal if there is none, make it larger if it
 * must be. `writer` held. */
PF_CHECK pf_err commit_reserve(pf_store *store, uint64_t images);
/* Commit, sync the database, begin a new generation; also with no_sync. */
PF_CHECK pf_err commit_checkpoint(pf_store *store);
/* Commit, checkpoint, and end the journal. Nobody else uses the store. */
PF_CHECK pf_err commit_close(pf_store *store);

#endif
