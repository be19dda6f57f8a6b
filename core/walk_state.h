/* walk_state.h: what the files of the walk share. For walk*.c only. */
#ifndef PF_WALK_STATE_H
#define PF_WALK_STATE_H

#include <inttypes.h>

#include "graphpage.h"
#include "walk.h"

/* A page of a leaf's values that more than one leaf names: node pages where one leaf
 * ends and the next begins, packed edge pages. The first leaf is in `uses`. */
struct share {
    uint64_t page_id, leaf_id;
};

struct walk {
    struct walk_input in;
    uint64_t file_pages; /* pages that begin inside the file, page 0 included */
    struct usemap uses;
    struct idmap marks;   /* pages with findings: MARK_ bits */
    struct share *shares; /* sorted by page once the trees are walked */
    size_t share_count, share_room;
    bool shares_full; /* reported */
    struct leaf_cache *cache;
    struct walk_totals totals;
    bool second_edge_tree; /* pages that the first one has are no finding */
};

enum { MARK_BAD = 1, MARK_CROSSED = 2 };

enum claim {
    CLAIM_NEW,
    CLAIM_AGAIN,   /* the page has this use already, and may have it more than once */
    CLAIM_REFUSED, /* not in the file, or used otherwise: reported */
};

/* Note that user_id uses a page. `again`: one more user of the same kind is no finding.
 */
PF_CHECK pf_err walk_claim(struct walk *walk, uint64_t page_id, enum page_use use,
                           uint64_t user_id, bool again, enum claim *out_claim);
/* Say more precisely what a claimed page is. */
PF_CHECK pf_err walk_refine(struct walk *walk, uint64_t page_id, enum page_use use);
/* PF_OK with *out_usable false: it cannot be read, which is reported. */
PF_CHECK pf_err walk_read(struct walk *walk, uint64_t page_id, uint8_t *page,
                          bool *out_usable);

/* A finding about a page that would be used as `use` by user_id, path filled in; texts
 * are up to the caller, who hands it to walk_report(). */
struct pf_finding walk_finding(struct walk *walk, pf_finding_class class,
                               uint64_t page_id, enum page_use use, uint64_t user_id);
/* The same about a page that is claimed. */
struct pf_finding walk_finding_at(struct walk *walk, pf_finding_class class,
                                  uint64_t page_id);
void walk_report(struct walk *walk, const struct pf_finding *finding);
/* Report what is wrong with a page's id or sum. False: do not follow the page. */
bool walk_accept_seal(struct walk *walk, uint64_t page_id, const struct page_seal *seal,
                      const char *what);

/* walk_tree.c: walk one tree; pages its leaves name are claimed as leaf_use. */
PF_CHECK pf_err walk_tree(struct walk *walk, uint64_t root, enum page_use index_use,
                          enum page_use value_use, unsigned *out_depth);

/* walk_keys.c: a leaf's keys that lead to one page. */
struct key_list {
    uint64_t leaf_id;
    unsigned count;
    uint64_t keys[INDEX_MAX_KEYS]; /* ascending, unless the leaf is damaged */
    bool found[INDEX_MAX_KEYS];    /* the page has what the key asks for */
};
/* Once, between the trees and their values. */
void walk_shares_sort(struct walk *walk);
/* Visit the leaves that name page_id: start with *cursor = 0. *out_more false: no more,
 * *out_keys is not set. */
PF_CHECK pf_err walk_next_keys(struct walk *walk, uint64_t page_id, size_t *cursor,
                               struct key_list *out_keys, bool *out_more);
/* Mark a key as found; false when the list does not have it. */
bool key_list_mark(struct key_list *list, uint64_t key);
PF_CHECK pf_err walk_share_add(struct walk *walk, uint64_t page_id, uint64_t leaf_id);
PF_CHECK pf_err leaf_cache_new(struct leaf_cache **out_cache);

/* walk_node.c and walk_edge.c: a page that a leaf names, and what hangs on it. */
PF_CHECK pf_err walk_node_page(struct walk *walk, uint64_t page_id);
PF_CHECK pf_err walk_edge_page(struct walk *walk, uint64_t page_id);

#endif
