/* pagelook.h: what a page is, as far as is known: for maps and columns.
 *
 * Without a walk of the graph only what the allocator itself knows; it is not walked for
 * a picture. */
#ifndef PAGEFS_PAGELOOK_H
#define PAGEFS_PAGELOOK_H

#include "../core/pf.h"

/* In the order of legends. */
enum pagelook {
    PAGELOOK_FREE,
    PAGELOOK_TRUNK,     /* free, and lists other free pages */
    PAGELOOK_RESERVED,  /* pages 0 and 1 */
    PAGELOOK_ALLOCATED, /* nothing more is known */
    PAGELOOK_INDEX,     /* from here on only after a walk: pages of trees */
    PAGELOOK_NODE,
    PAGELOOK_EDGE,
    PAGELOOK_BLOB,
    PAGELOOK_LEAKED,
    PAGELOOK_CROSSED, /* cross-linked, or refers to a page that is not there */
    PAGELOOK_BAD,
    PAGELOOK_COUNT
};

/* `page` as pf_page_get() or pf_page_run() has just told it. */
enum pagelook pagelook_of(pf_store *store, uint64_t page_id, const struct pf_page *page);
/* The type for a column, or NULL when a walk would have to tell. */
const char *pagelook_type(pf_store *store, const struct pf_page_use *use);

#endif
