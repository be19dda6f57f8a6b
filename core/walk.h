/* walk.h: which pages the graph uses, for what, and what is wrong on the way.
 *
 * For core only. The file is untrusted: every page is claimed at most once, so
 * cycles end; index pages are followed at most INDEX_MAX_DEPTH deep; memory is
 * about 4.2 bytes a page that is really reached, never sized by a field of the
 * file. It runs in the caller's thread, holds no lock and keeps no page.
 *
 * Order: the node tree and the edge trees in key order, then everything the
 * trees' leaves name, in ascending page order. So in a file written in id order
 * each page is read once and upwards, but for the leaves, which are read again
 * when their pages are (a small cache mostly has them). Blobs are not read.
 *
 * FORMAT.md section 7. */
#ifndef PF_WALK_H
#define PF_WALK_H

#include <stdatomic.h>

#include "usemap.h"

/* Copy a page into `page` (PF_PAGE_SIZE bytes); missing bytes of a short last page are
 * zeros. PF_E_NO_MEMORY and PF_E_STALE end the walk, other errors become findings. */
typedef pf_err (*page_read_fn)(void *ctx, uint64_t page_id, uint8_t *page);

struct walk_input {
    page_read_fn read;
    void *read_ctx;
    uint64_t file_bytes;
    uint64_t node_root;     /* 0 = none, here and below */
    uint64_t edge_roots[2]; /* the header's, and the side file's where it differs */
    pf_finding_fn finding;  /* or NULL */
    void *finding_ctx;
    struct pf_progress *progress; /* or NULL */
    const atomic_bool *cancel;    /* or NULL; polled before each read */
};

static inline bool is_cancelled(const atomic_bool *cancel)
{
    return cancel != NULL && atomic_load_explicit(cancel, memory_order_relaxed);
}

struct walk_totals {
    uint64_t pages;        /* reached, so without pages 0 and 1 */
    uint64_t highest_page; /* reached; 0 = none */
    uint64_t index_pages, node_pages, edge_pages, blob_pages;
    uint64_t nodes;      /* live records */
    uint64_t edge_lists; /* keys of the edge trees that lead to their cluster */
    uint64_t edges;      /* in outgoing clusters */
    uint64_t pages_read; /* read calls, repeated reads included */
    unsigned node_depth; /* levels of the node tree */
    uint64_t findings;
    bool
        complete; /* false: it was cancelled, and nothing follows for pages not reached */
    bool intact; /* complete, and no finding: what was not reached really is not in use */
};

struct walk; /* opaque; walk_run() makes it, walk_free() ends it */

/* Walk everything. A cancelled walk is PF_OK with totals.complete false.
 * PF_E_NO_MEMORY, PF_E_STALE: *out_walk is untouched. */
PF_CHECK pf_err walk_run(const struct walk_input *input, struct walk **out_walk);
/* NULL is fine. */
void walk_free(struct walk *walk);

const struct walk_totals *walk_totals_of(const struct walk *walk);
/* The queries below remember where they looked last: one thread at a time.
 *
 * The lowest reached page >= from; false when there is none. */
bool walk_next(struct walk *walk, uint64_t from, uint64_t *out_page_id);
/* The lowest page >= from that is not reached. */
uint64_t walk_next_gap(struct walk *walk, uint64_t from);
/* What a page is used for; out_user_id (or NULL): the page that refers to it, 0 = the
 * header. */
enum page_use walk_use(struct walk *walk, uint64_t page_id, uint64_t *out_user_id);
/* Pages with a tree or checksum finding; and pages that are cross-linked, or refer to a
 * page that is not there. */
bool walk_is_bad(struct walk *walk, uint64_t page_id);
bool walk_is_crossed(struct walk *walk, uint64_t page_id);
/* "node root 31 > leaf 17 > node 12 > blob"; "" for a page that is not reached. */
void walk_path(struct walk *walk, uint64_t page_id, char out_path[PF_PATH_SIZE]);
/* Bytes held. */
uint64_t walk_bytes(const struct walk *walk);

/* "node-leaf", "edge-chain" and the like; "unknown" for USE_NONE. */
const char *page_use_name(enum page_use use);

#endif
