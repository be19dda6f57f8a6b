/* usemap.h: who uses each page of the graph: a sparse map from page id to a use
 * and the page that refers to it. For core only; not thread-safe.
 *
 * Regions of 256 pages, found by hash. A region with few pages is a short list,
 * a full one an array of 4 bytes a page (8 where ids pass 2^28). Nothing is
 * sized by an id, so memory follows the number of pages put in: about 4.2 bytes
 * a page of an ordinary file, about 120 for one that is alone in its region. */
#ifndef PF_USEMAP_H
#define PF_USEMAP_H

#include "idmap.h"
#include "pf.h"

enum page_use {
    USE_NONE,
    USE_NODE_INDEX, /* of the node tree, not (or not yet) known to be one of the next two
                     */
    USE_NODE_INTERNAL,
    USE_NODE_LEAF,
    USE_NODE,
    USE_EDGE_INDEX, /* of an edge tree, likewise */
    USE_EDGE_INTERNAL,
    USE_EDGE_LEAF,
    USE_EDGE, /* a cluster, or an edge page that is not decoded yet */
    USE_EDGE_PACKED,
    USE_EDGE_CHAIN,
    USE_EDGE_OVERRUN, /* behind a cluster that is longer than its page */
    USE_BLOB,
    USE_COUNT,
};

struct usemap_region;

struct usemap { /* all zero = empty */
    struct idmap regions;
    uint64_t bytes;  /* memory held, without `regions` and `order` */
    uint64_t *order; /* the regions' numbers as usemap_sort() found them, ascending */
    size_t order_count;
    /* the region looked at last */
    uint64_t last_number;
    struct usemap_region *last_region; /* NULL = nothing remembered */
};

void usemap_clear(struct usemap *map);
/* Insert or replace. Ids are at most PF_MAX_PAGE_ID. PF_E_NO_MEMORY changes nothing. */
PF_CHECK pf_err usemap_put(struct usemap *map, uint64_t page_id, enum page_use use,
                           uint64_t user_id);
/* USE_NONE when the page is not there. out_user_id may be NULL. */
enum page_use usemap_get(struct usemap *map, uint64_t page_id, uint64_t *out_user_id);
uint64_t usemap_bytes(const struct usemap *map);

/* Put the regions in order for the two below, which know no region added later.
 * PF_E_NO_MEMORY keeps the order of before. */
PF_CHECK pf_err usemap_sort(struct usemap *map);
/* The lowest page >= from that is there; false when there is none. */
bool usemap_next(struct usemap *map, uint64_t from, uint64_t *out_page_id);
/* The lowest page >= from that is not there. */
uint64_t usemap_next_gap(struct usemap *map, uint64_t from);

#endif
