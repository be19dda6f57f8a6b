/* One index tree, depth first in key order: walk_state.h. The way down is kept in an
 * array of INDEX_MAX_DEPTH pages, so nothing recurses. */
#include <stdlib.h>

#include "walk_state.h"

struct frame { /* an internal page on the way down, or the leaf at its end */
    uint64_t page_id;
    uint64_t first, last; /* the keys its parents leave for it, both ends included */
    unsigned next_child;
    struct index_page index;
    uint8_t page[PF_PAGE_SIZE];
};

struct tree {
    struct walk *walk;
    enum page_use index_use, value_use;
    unsigned depth;                  /* frames in use */
    unsigned leaf_depth;             /* of the first leaf, 0 = none yet */
    bool chain_known;                /* the leaf before this one was read */
    uint64_t chain_leaf, chain_next; /* it, and what it names as its neighbour */
    struct frame frames[INDEX_MAX_DEPTH];
};

/* ---- what can be wrong with a page ---- */

static void report_tree(struct tree *tree, uint64_t page_id, const char *expected,
                        const char *found)
{
    struct pf_finding finding = walk_finding_at(tree->walk, PF_FINDING_TREE, page_id);
    finding_expect(&finding, "%s", expected);
    finding_found(&finding, "%s", found);
    walk_report(tree->walk, &finding);
}

static void check_keys(struct tree *tree, const struct frame *frame)
{
    const struct index_page *index = &frame->index;
    if (!index_padding_is_zero(index))
        report_tree(tree, frame->page_id, "zeros in bytes 16 to 31", "something else");
    if (!index_keys_ascend(index)) {
        report_tree(tree, frame->page_id, "keys in ascending order", "keys out of order");
        return;
    }
    if (index->count == 0)
        return;
    const uint64_t low = index_key(index, 0);
    const uint64_t high = index_key(index, index->count - 1);
    if (low >= frame->first && high <= frame->last)
        return;
    struct pf_finding finding =
        walk_finding_at(tree->walk, PF_FINDING_TREE, frame->page_id);
    finding_expect(&finding, "keys from %" PRIu64 " to %" PRIu64, frame->first,
                   frame->last);
    finding_found(&finding, "%" PRIu64 " to %" PRIu64, low, high);
    walk_report(tree->walk, &finding);
}

/* The leaf before this one, in key order, must name it as its neighbour. */
static void check_chain(struct tree *tree, uint64_t leaf_id)
{
    if (!tree->chain_known || tree->chain_next == leaf_id)
        return;
    struct pf_finding finding =
        walk_finding_at(tree->walk, PF_FINDING_TREE, tree->chain_leaf);
    finding_expect(&finding, "next leaf %" PRIu64, leaf_id);
    finding_found(&finding, "next leaf %" PRIu64, tree->chain_next);
    walk_report(tree->walk, &finding);
}

static void check_leaf_depth(struct tree *tree, uint64_t leaf_id)
{
    const unsigned depth = tree->depth + 1;
    if (tree->leaf_depth == 0)
        tree->leaf_depth = depth;
    if (tree->leaf_depth == depth)
        return;
    struct pf_finding finding = walk_finding_at(tree->walk, PF_FINDING_TREE, leaf_id);
    finding_expect(&finding, "a leaf on level %u, like the first", tree->leaf_depth);
    finding_found(&finding, "one on level %u", depth);
    walk_report(tree->walk, &finding);
}

/* ---- leaves ---- */

/* Neighbouring keys often lead to the same page: one claim does for them all. */
static pf_err claim_values(struct tree *tree, const struct frame *leaf)
{
    struct walk *walk = tree->walk;
    for (unsigned i = 0; i < leaf->index.count; i++) {
        const uint64_t page_id = index_value(&leaf->index, i);
        enum claim claim;
        uint64_t first_leaf;
        if (i > 0 && page_id == index_value(&leaf->index, i - 1))
            continue;
        pf_err err =
            walk_claim(walk, page_id, tree->value_use, leaf->page_id, true, &claim);
        if (err == PF_OK && claim == CLAIM_AGAIN) {
            (void)walk_use(walk, page_id, &first_leaf);
            if (first_leaf != leaf->page_id)
                err = walk_share_add(walk, page_id, leaf->page_id);
        }
        if (err != PF_OK)
            return err;
    }
    return PF_OK;
}

static pf_err visit_leaf(struct tree *tree, const struct frame *leaf)
{
    check_chain(tree, leaf->page_id);
    check_leaf_depth(tree, leaf->page_id);
    tree->chain_known = true;
    tree->chain_leaf = leaf->page_id;
    tree->chain_next = index_next_leaf(&leaf->index);
    return claim_values(tree, leaf);
}

/* ---- the way down ---- */

/* Read and judge a claimed page. *out_usable false: reported, not to be followed. */
static pf_err load(struct tree *tree, struct frame *frame, bool *out_usable)
{
    struct walk *walk = tree->walk;
    struct page_seal seal;
    const pf_err err = walk_read(walk, frame->page_id, frame->page, out_usable);
    if (err != PF_OK || !*out_usable)
        return err;
    walk->totals.index_pages++;
    *out_usable = index_decode(frame->page, &frame->index);
    if (!*out_usable) {
        report_tree(tree, frame->page_id, "an index page", "an impossible type or count");
        return PF_OK;
    }
    index_seal(&frame->index, frame->page_id, &seal);
    *out_usable = walk_accept_seal(walk, frame->page_id, &seal, "an index page");
    return PF_OK;
}

static enum page_use use_of(const struct tree *tree, bool leaf)
{
    if (tree->index_use == USE_NODE_INDEX)
        return leaf ? USE_NODE_LEAF : USE_NODE_INTERNAL;
    return leaf ? USE_EDGE_LEAF : USE_EDGE_INTERNAL;
}

/* Take one step down to a page; an internal page stays in its frame for its children. */
static pf_err enter(struct tree *tree, uint64_t page_id, uint64_t user_id, uint64_t first,
                    uint64_t last)
{
    if (tree->depth == INDEX_MAX_DEPTH) {
        report_tree(tree, user_id, "a tree of at most 10 levels",
                    "an internal page on the last");
        return PF_OK;
    }
    enum claim claim;
    pf_err err = walk_claim(tree->walk, page_id, tree->index_use, user_id, false, &claim);
    struct frame *frame = &tree->frames[tree->depth];
    bool usable = claim == CLAIM_NEW;
    frame->page_id = page_id;
    frame->first = first;
    frame->last = last;
    frame->next_child = 0;
    if (err == PF_OK && usable)
        err = load(tree, frame, &usable);
    if (err != PF_OK || !usable) {
        tree->chain_known = false;
        return err;
    }

    err = walk_refine(tree->walk, page_id, use_of(tree, frame->index.leaf));
    if (err != PF_OK)
        return err;
    check_keys(tree, frame);
    if (frame->index.leaf)
        return visit_leaf(tree, frame);
    tree->depth++;
    return PF_OK;
}

/* The children of an internal page, from left to right. */
static pf_err step(struct tree *tree)
{
    struct frame *frame = &tree->frames[tree->depth - 1];
    const unsigned i = frame->next_child++;
    if (i > frame->index.count) {
        tree->depth--;
        return PF_OK;
    }
    uint64_t first = frame->first;
    uint64_t last = frame->last;
    if (i > 0)
        first = index_key(&frame->index, i - 1);
    if (i < frame->index.count && index_key(&frame->index, i) > 0)
        last = index_key(&frame->index, i) - 1;
    return enter(tree, index_child(&frame->index, i), frame->page_id, first, last);
}

pf_err walk_tree(struct walk *walk, uint64_t root, enum page_use index_use,
                 enum page_use value_use, unsigned *out_depth)
{
    struct tree *tree = malloc(sizeof *tree);
    if (tree == NULL)
        return PF_E_NO_MEMORY;
    tree->walk = walk;
    tree->index_use = index_use;
    tree->value_use = value_use;
    tree->depth = tree->leaf_depth = 0;
    tree->chain_known = false;
    pf_err err = enter(tree, root, 0, 0, UINT64_MAX);
    while (err == PF_OK && tree->depth > 0)
        err = step(tree);
    if (err == PF_OK)
        check_chain(tree, 0); /* the last leaf has no neighbour */
    *out_depth = tree->leaf_depth;
    free(tree);
    return err;
}
