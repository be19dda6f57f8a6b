/* pf.h: the page allocator of V3 database files. The whole public API.
 *
 * The only core header that fs/ and other programs include. Units: a page id is
 * a u64, pages are PF_PAGE_SIZE bytes, page 0 is the 112-byte header, pages 0
 * and 1 are reserved for ever. "section N" is a section of core/FORMAT.md.
 *
 * Threads: every function may be called from several threads at once, except
 * pf_close(), which needs the store to itself. Queries never wait for a disk
 * that is syncing; those marked "may read the free list" wait for the first
 * walk of it.
 *
 * Durability: a change has a log sequence number (LSN). With out_lsn NULL a
 * function returns when its change is durable; otherwise it returns at once,
 * the change is visible to every query, and pf_wait() makes it durable.
 * Callers who wait at the same time share one sync.
 *
 * Errors: functions return pf_err and leave their out-parameters untouched on
 * failure, but for arrays and page buffers, whose contents are undefined then.
 * Any function that changes a store may return PF_E_READ_ONLY, PF_E_IO,
 * PF_E_STALE, PF_E_CORRUPT, PF_E_NO_MEMORY; one that may read the free list
 * PF_E_CORRUPT, PF_E_IO, PF_E_STALE, PF_E_NO_MEMORY. A failed write or sync is
 * final and leaves the store read-only until it is opened again. */
#ifndef PF_PF_H
#define PF_PF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "finding.h"

#define PF_CHECK __attribute__((warn_unused_result))

enum {
    PF_PAGE_SIZE = 4096,
    PF_HEADER_SIZE = 112,
    PF_FIRST_PAGE = 2,    /* the first id that can ever be handed out */
    PF_REASON_SIZE = 512, /* bytes for a sentence, terminator included */
};

typedef struct pf_store pf_store; /* opaque; pf_open() makes it, pf_close() ends it */

typedef enum pf_state {
    PF_STATE_FREE,
    PF_STATE_ALLOCATED,
    PF_STATE_PINNED, /* allocated, and pinned or held at least once */
} pf_state;

/* Pages first .. first + count - 1; count >= 1. */
struct pf_range {
    uint64_t first;
    uint64_t count;
};

/* The 17 fields of the header as they are on disk. Section 1. */
struct pf_header {
    uint8_t magic[8];
    uint32_t version, flags;
    uint64_t node_count, edge_count;
    uint32_t schema_version, reserved;
    uint64_t node_data_offset, edge_data_offset;
    uint64_t outgoing_cluster_offset, incoming_cluster_offset;
    uint64_t free_space_offset, root_index_page;
    uint64_t free_page_list_head, total_pages;
    uint32_t page_size, btree_height;
};

struct pf_stats {
    uint64_t total_pages;                               /* at least 2 */
    uint64_t allocated_pages, free_pages, pinned_pages; /* allocated + free == total */
    uint64_t free_list_head; /* the page the next allocation reuses, 0 = none */
    uint64_t file_bytes;
    bool free_known; /* false: the newest trunk is unreadable, nothing is free as
                        far as we know */
    /* since open: pages, except commits */
    uint64_t allocations, deallocations, pins, unpins, refused, commits, synced_bytes;
};

struct pf_page {
    pf_state state;
    bool trunk;    /* free, and lists other free pages */
    uint32_t pins; /* holds included */
    uint32_t holds;
};

enum pf_mode { PF_MODE_RW, PF_MODE_RO, PF_MODE_MEMORY /* scratch, clones */ };

struct pf_info {
    enum pf_mode mode;
    bool failed;                 /* read-only since a failure after open */
    char reason[PF_REASON_SIZE]; /* why it is read-only; "" when it is not */
    char lock[64];               /* which locks are held, and the lease probe's answer */
    char journal[192];           /* state of the journal in words */
};

/* Find a process that has the file behind `fd` open and is not `self` (nor the caller):
 * "process 17 (sqlite3)"; `self` when no other can be seen. Writes at most `size` bytes,
 * terminator included. */
void pf_name_holder(int fd, pid_t self, char *out, size_t size);
/* The same for a program that may not look into other processes itself. Called while a
 * change waits; `ctx` is name_holder_ctx. */
typedef void (*pf_name_holder_fn)(void *ctx, int fd, char *out, size_t size);

struct pf_options {
    bool read_only;     /* open O_RDONLY, change nothing, not even a side file */
    bool scratch;       /* open O_RDONLY, and let every change happen in memory only */
    bool require_rw;    /* PF_E_NEEDS_WRITE instead of falling back to read-only */
    bool no_sync;       /* never wait for the disk: scratch work */
    uint64_t max_pages; /* limit of total_pages for allocations; 0 = none */
    pf_name_holder_fn name_holder; /* asked when the file is found open elsewhere while we
                                      have it; NULL = pf_name_holder() */
    void *name_holder_ctx;
};

/* ---- open, create, close ---- */

/* Make a new database of `total_pages` pages (0 or >= 2, all allocated) at
 * `path`, durably. Errors: PF_E_EXISTS, PF_E_INVALID, PF_E_NO_SPACE,
 * PF_E_ACCESS, PF_E_NOT_FOUND, PF_E_IO. Section 1. */
PF_CHECK pf_err pf_create(const char *path, uint64_t total_pages);

/* Open a database: lock it, recover it, validate it. O(1) whatever its size.
 *
 * options     NULL = read-write, no limit
 * out_store   owned by the caller until pf_close()
 * out_reason  PF_REASON_SIZE bytes or NULL: on failure, a sentence with the
 * details
 *
 * When writing could destroy data the store is opened read-only and pf_info()
 * says why. Errors: every header error of err.h, PF_E_NOT_REGULAR, PF_E_LOCKED
 * (the reason names the holder), PF_E_NEEDS_WRITE, PF_E_NOT_FOUND, PF_E_ACCESS,
 * PF_E_IO, PF_E_NO_MEMORY. */
PF_CHECK pf_err pf_open(const char *path, const struct pf_options *options,
                        pf_store **out_store, char *out_reason);

/* Make an allocator that lives in memory only, with `total_pages` pages (at least 2),
 * all allocated; pf_close() ends it. PF_E_MAX_PAGES, PF_E_NO_MEMORY. */
PF_CHECK pf_err pf_open_memory(uint64_t total_pages, pf_store **out_store);

/* Commit what is pending and release everything, in any case; NULL is fine.
 * Returns what the last commit or sync returned. */
pf_err pf_close(pf_store *store);

/* An independent allocator in memory: the same states, pins, limit and next pages; its
 * pages read as zeros. Nothing it does reaches the file; pf_close() ends it, before or
 * after the store. May read the free list. PF_E_MAX_PAGES: the header's total_pages is
 * beyond what the format can hold. */
PF_CHECK pf_err pf_clone(pf_store *store, pf_store **out_clone);

/* ---- allocate ---- */

/* Take the page freed last, or a new one at the end (which reads as zeros); a
 * reused page keeps its old bytes. Disk space for it is reserved. Errors:
 * PF_E_NO_SPACE, PF_E_QUOTA, PF_E_FILE_LIMIT, PF_E_LIMIT (pf_set_max_pages()),
 * PF_E_MAX_PAGES: nothing is changed. Section 3. */
PF_CHECK pf_err pf_page_alloc(pf_store *store, uint64_t *out_page_id, uint64_t *out_lsn);
/* The same, `count` times as one transaction; out_page_ids has room for count
 * ids. Also PF_E_INVALID: count is 0. */
PF_CHECK pf_err pf_pages_alloc(pf_store *store, uint64_t count, uint64_t *out_page_ids,
                               uint64_t *out_lsn);
/* `count` consecutive pages: the lowest run of free pages that is long enough,
 * or new ones at the end. Errors as pf_pages_alloc(). May read the free list. */
PF_CHECK pf_err pf_pages_alloc_contiguous(pf_store *store, uint64_t count,
                                          uint64_t *out_first_id, uint64_t *out_lsn);
/* Take exactly this free page out of the free list. May read the free list.
 * Errors: PF_E_NO_PAGE, PF_E_RESERVED, PF_E_ALREADY_ALLOC, PF_E_ALREADY_PINNED.
 */
PF_CHECK pf_err pf_page_take(pf_store *store, uint64_t page_id, uint64_t *out_lsn);

/* ---- deallocate ---- */

/* Put a page on top of the free list; its bytes stay, but for a trunk's. May
 * read the free list. Errors: PF_E_NO_PAGE, PF_E_RESERVED, PF_E_ALREADY_FREE,
 * PF_E_PINNED, PF_E_HELD, PF_E_NO_SPACE (a trunk in a hole of the file). The
 * caller asks pf_pages_unused() first where the file holds a graph. Section 3. */
PF_CHECK pf_err pf_page_free(pf_store *store, uint64_t page_id, uint64_t *out_lsn);
/* All pages of `ranges`, in that order, or none. out_bad_id (or NULL): the page
 * that was refused. A page named twice is a double free. Also PF_E_INVALID: no
 * range, or one of no page. */
PF_CHECK pf_err pf_pages_free(pf_store *store, const struct pf_range *ranges,
                              size_t range_count, uint64_t *out_bad_id,
                              uint64_t *out_lsn);

/* ---- pins: counts that belong to the open store, not to the file ---- */

/* All or none; a page named twice is pinned twice. pin: PF_E_NO_PAGE,
 * PF_E_RESERVED, PF_E_IS_FREE, PF_E_TOO_MANY_PINS, PF_E_NO_MEMORY, PF_E_INVALID
 * (no range, or one of no page). unpin also: PF_E_NOT_PINNED, PF_E_HELD. May read
 * the free list. PF_E_READ_ONLY on a read-only store. */
PF_CHECK pf_err pf_pages_pin(pf_store *store, const struct pf_range *ranges,
                             size_t range_count, uint64_t *out_bad_id);
PF_CHECK pf_err pf_pages_unpin(pf_store *store, const struct pf_range *ranges,
                               size_t range_count, uint64_t *out_bad_id);
PF_CHECK pf_err pf_page_pin(pf_store *store, uint64_t page_id);
PF_CHECK pf_err pf_page_unpin(pf_store *store, uint64_t page_id);
/* Drop all pins but the holds. Errors of unpin; PF_E_NOT_PINNED when there are none. */
PF_CHECK pf_err pf_page_unpin_all(pf_store *store, uint64_t page_id);
/* A hold is a pin that only pf_page_unhold() ends. Errors of pin. pf_page_unhold()
 * of a page that is not held is a caller's bug. */
PF_CHECK pf_err pf_page_hold(pf_store *store, uint64_t page_id);
void pf_page_unhold(pf_store *store, uint64_t page_id);
/* The lowest pinned page >= page_id; false when there is none. */
bool pf_pinned_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id);

/* ---- queries ---- */

/* State, trunk or not, pins of one page. May read the free list.
 * Errors: PF_E_NO_PAGE, PF_E_CORRUPT, PF_E_IO. */
PF_CHECK pf_err pf_page_get(pf_store *store, uint64_t page_id, struct pf_page *out_page);
/* The end (exclusive) of a run of pages, starting at page_id, that have its
 * state and trunk flag (their pins may differ); very long runs of free pages come in
 * pieces. out_page is of page_id. PF_E_NO_PAGE. May read the free list. */
PF_CHECK pf_err pf_page_run(pf_store *store, uint64_t page_id, struct pf_page *out_page,
                            uint64_t *out_end_id);
/* O(1), never waits. */
void pf_stats_get(pf_store *store, struct pf_stats *out_stats);
uint64_t pf_total_pages(pf_store *store);
uint64_t pf_free_list_head(pf_store *store); /* see pf_stats */
void pf_header_get(pf_store *store, struct pf_header *out_header);
void pf_info_get(pf_store *store, struct pf_info *out_info);
bool pf_writable(pf_store *store);
/* The free list from its `index`-th page on (0 = handed out next), at most
 * `max` ids; *out_count is 0 past the end. May read the free list. */
PF_CHECK pf_err pf_freelist_get(pf_store *store, uint64_t index, size_t max,
                                uint64_t *out_page_ids, size_t *out_count);
/* True once the free list was walked (or found corrupt): then nothing above has
 * to read it any more. pf_freelist_load() walks it now. */
bool pf_freelist_loaded(pf_store *store);
PF_CHECK pf_err pf_freelist_load(pf_store *store);

/* ---- care of the file ---- */

/* How many free pages lie at the very end of the file, behind the roots that the header
 * names. May read the free list. */
PF_CHECK pf_err pf_trailing_free(pf_store *store, uint64_t *out_count);
/* Give the trailing free pages back to the file system: take them off the free list,
 * lower total_pages, cut the file. Durable on return. out_pages: how many they were, may
 * be 0. PF_E_NO_SPACE (the journal). Sections 2 and 3. */
PF_CHECK pf_err pf_shrink(pf_store *store, uint64_t *out_pages);
/* Write the free list anew, in full blocks, so that the lowest page is handed out first:
 * later allocations fill the front of the file and pf_shrink() finds more. Durable on
 * return. PF_E_NO_SPACE (the journal). Section 3. */
PF_CHECK pf_err pf_freelist_rebuild(pf_store *store);

/* ---- snapshots: the states of all pages at one moment, in memory ---- */

typedef struct pf_snapshot pf_snapshot; /* made by pf_snapshot_take(), ended by _drop() */

struct pf_change {
    uint64_t page_id;
    bool existed, exists;   /* false: beyond total_pages then, or now */
    pf_state before, after; /* what they were and are, if so */
};

/* Memory: at most 1 bit a page of regions that have free pages. The caller drops it,
 * before or after the store is closed. May read the free list. */
PF_CHECK pf_err pf_snapshot_take(pf_store *store, pf_snapshot **out_snapshot);
void pf_snapshot_drop(pf_snapshot *snapshot); /* NULL is fine */
/* The counts as they were; the "since open" fields too. */
void pf_snapshot_stats(const pf_snapshot *snapshot, struct pf_stats *out_stats);
uint64_t pf_snapshot_bytes(const pf_snapshot *snapshot);
/* The first page >= page_id whose state now differs from the snapshot's; *out_found false
 * when there is none. May read the free list. */
PF_CHECK pf_err pf_snapshot_next(pf_store *store, const pf_snapshot *snapshot,
                                 uint64_t page_id, struct pf_change *out_change,
                                 bool *out_found);

/* ---- the graph: which pages are in use, by what, and what is wrong; sections 6 to 8
 * ---- */

/* Written by a walk, may be read by any thread. done <= total; total grows a little while
 * the trees are walked. */
struct pf_progress {
    atomic_uint_least64_t done, total;
    atomic_uint_least64_t pages_read;
};

/* How to follow a walk; every field may be NULL. */
struct pf_watch {
    pf_finding_fn finding; /* called in the walk's thread, as findings are met */
    void *finding_ctx;
    struct pf_progress *progress;
    const atomic_bool *cancel; /* set it to end the walk with PF_E_CANCELLED */
};

struct pf_check_summary {
    uint64_t total_pages; /* of the header, at least 2 */
    uint64_t file_pages;  /* pages that begin inside the file, 0 and 1 included */
    uint64_t in_use;      /* reachable, and pages 0 and 1 */
    uint64_t free_pages, leaked;
    uint64_t right_total; /* a total_pages with which the file loses nothing */
    uint64_t findings[PF_FINDING_CLASS_COUNT];
    uint64_t finding_count;
    uint64_t nodes, edges, pages_read;
    bool walked; /* false: page_size is not 4096, the graph was not looked at */
    bool complete;
    bool graph_intact; /* no tree, checksum, dangling or cross-linked finding: only then
                          is a leaked page surely without use */
    bool free_list_intact;
    bool journal_refused; /* the two kinds of journal findings */
    bool wal_unclean;     /* nothing is repaired before that is settled */
};

struct pf_page_use {
    bool known;              /* a walk has been made; without one only the type of pages
                                that are not the graph's is known */
    const char *type;        /* "node-leaf", "free", "unknown" ...; static storage */
    bool used;               /* the graph reaches it */
    bool leaked;             /* neither reached nor free */
    bool bad, crossed;       /* its contents are; it is used twice, or points nowhere */
    char path[PF_PATH_SIZE]; /* "node root 31 > leaf 17 > node 12", "" when not used */
};

/* The header or its side file names a root. */
bool pf_has_graph(pf_store *store);
/* A walk has been made, and no page that it reached was written or freed since it began.
 */
bool pf_graph_known(pf_store *store);
/* Walk the graph in this thread; others go on. `watch` may be NULL. Memory: about 4.2
 * bytes a page that is reached. When a page that it reaches is written or freed meanwhile
 * it walks again, and gives up the third time. PF_E_CHANGING, PF_E_CANCELLED,
 * PF_E_NO_MEMORY, PF_E_STALE. */
PF_CHECK pf_err pf_graph_walk(pf_store *store, const struct pf_watch *watch);
/* The walk, and everything else that can be wrong with the file. Changes nothing. */
PF_CHECK pf_err pf_check(pf_store *store, const struct pf_watch *watch,
                         struct pf_check_summary *out_summary);
/* PF_E_NO_PAGE. May read the free list. */
PF_CHECK pf_err pf_page_use_get(pf_store *store, uint64_t page_id,
                                struct pf_page_use *out_use);
/* False without a walk. */
bool pf_page_is_used(pf_store *store, uint64_t page_id);
/* The lowest page >= page_id that the graph reaches; false when there is none, or no
 * walk.
 */
bool pf_used_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id);
/* PF_E_IN_USE and the page, when the graph reaches one of them; PF_OK without a walk. */
PF_CHECK pf_err pf_pages_unused(pf_store *store, const struct pf_range *ranges,
                                size_t range_count, uint64_t *out_bad_id);
/* The lowest page >= page_id that a walk found leaked, or bad or crossed; false when
 * there is none. */
bool pf_leaked_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id);
bool pf_bad_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id);

/* ---- repair ---- */

struct pf_repair_options {
    bool dry_run;         /* say every change, make none */
    bool free_leaked;     /* put leaked pages on the free list, if the graph is intact */
    bool discard_journal; /* rename a refused journal to <database>-journal.refused */
};

struct pf_repair_result {
    uint64_t changes;       /* said through `say`; made unless dry_run */
    uint64_t freed_pages;   /* leaked pages put on the free list */
    uint64_t dropped_pages; /* taken off the list, because the graph uses them */
};

/* One change in words, a line without LF. */
typedef void (*pf_repair_fn)(void *ctx, const char *change);

/* Make a file whose graph can be read fit for writing: a total_pages that is too low, a
 * broken free list (rebuilt from the pages that were on it and are not in use), free-but-
 * used entries. These changes are one transaction through the journal; leaked pages are
 * freed in further ones, so that a repair that is broken off there leaves a sound file
 * with some of them free. Pages of the graph are never written. Nothing to do is PF_OK
 * with no changes. A dry run is refused as the repair itself would be.
 * Errors: those of pf_open(); PF_E_LOCKED and PF_E_NEEDS_WRITE (`out_reason` says who has
 * the file, or what must be done first); PF_E_JOURNAL: a refused journal, and not
 * discard_journal; PF_E_CANCELLED; PF_E_NO_SPACE. */
PF_CHECK pf_err pf_repair(const char *path, const struct pf_repair_options *options,
                          const struct pf_watch *watch, pf_repair_fn say, void *say_ctx,
                          struct pf_repair_result *out_result, char *out_reason);

/* ---- page contents ---- */

/* Byte offset of a page in the file. PF_E_RANGE when it would not fit a file
 * offset. Section 2. */
PF_CHECK pf_err pf_page_offset(uint64_t page_id, uint64_t *out_offset);
/* Pages that begin inside a file of this length, page 0 included. Section 2. */
uint64_t pf_file_pages(uint64_t file_bytes);
/* Copy a page as it is now, pending changes included, into `page` (PF_PAGE_SIZE
 * bytes). Page 0 has PF_HEADER_SIZE bytes, the rest of `page` is zeroed; so are
 * bytes that an unpadded last page lacks. PF_E_NO_PAGE, PF_E_IO, PF_E_STALE. */
PF_CHECK pf_err pf_page_read(pf_store *store, uint64_t page_id, uint8_t *page);
/* Replace bytes offset .. offset + length - 1 of an allocated page, as one
 * transaction. PF_E_NO_PAGE, PF_E_RESERVED, PF_E_DATA_FREE, PF_E_PAST_PAGE
 * (offset + length over PF_PAGE_SIZE), PF_E_INVALID (no byte), PF_E_NO_SPACE. May
 * read the free list. */
PF_CHECK pf_err pf_page_write(pf_store *store, uint64_t page_id, size_t offset,
                              const uint8_t *bytes, size_t length, uint64_t *out_lsn);
/* XXH3-64 of `length` bytes, and whether it equals `stored`. */
uint64_t pf_checksum(const void *bytes, size_t length);
bool pf_validate_checksum(const void *bytes, size_t length, uint64_t stored);
/* The file format's own sum: 32 bits wide, about 8 bits strong. Section 2. */
uint32_t pf_xor_sum(const void *bytes, size_t length);
/* When `page` (PF_PAGE_SIZE bytes) is a trunk page of ours with this id: its stored and
 * computed sums. False: it is none. Section 3. */
bool pf_trunk_sums(uint64_t page_id, const uint8_t *page, uint64_t *out_stored,
                   uint64_t *out_computed);

/* ---- durability ---- */

/* Return when the change with this LSN, and all before it, are durable (with no_sync:
 * written). PF_E_INVALID: there is no such change yet; the errors of a change, when it
 * is lost. Section 5. */
PF_CHECK pf_err pf_wait(pf_store *store, uint64_t lsn);
/* Make everything done so far durable (also with no_sync). */
PF_CHECK pf_err pf_sync(pf_store *store);
/* pf_sync(), then bring everything into the database file and restart the
 * journal. Finding the file open in another process makes the store read-only.
 */
PF_CHECK pf_err pf_checkpoint(pf_store *store);
/* True when the journal holds records that a checkpoint would retire. */
bool pf_checkpoint_due(pf_store *store);
/* The limit of total_pages for allocations from now on, this store only; 0 = none. A
 * file that has more keeps them. */
void pf_set_max_pages(pf_store *store, uint64_t max_pages);

#endif
