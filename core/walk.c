#include "walk.h"

#include <stdlib.h>

#include "format.h"
#include "walk_state.h"

static void progress_set(struct walk *walk, uint64_t done, uint64_t total)
{
    struct pf_progress *progress = walk->in.progress;
    if (progress == NULL)
        return;
    atomic_store_explicit(&progress->total, total, memory_order_relaxed);
    /* whoever sees some of it done sees of how much */
    atomic_store_explicit(&progress->done, done, memory_order_release);
    atomic_store_explicit(&progress->pages_read, walk->totals.pages_read,
                          memory_order_relaxed);
}

pf_err walk_read(struct walk *walk, uint64_t page_id, uint8_t *page, bool *out_usable)
{
    if (is_cancelled(walk->in.cancel))
        return PF_E_CANCELLED;
    const pf_err err = walk->in.read(walk->in.read_ctx, page_id, page);
    walk->totals.pages_read++;
    *out_usable = err == PF_OK;
    if (err == PF_OK || err == PF_E_NO_MEMORY || err == PF_E_STALE)
        return err;
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, page_id);
    finding_expect(&finding, "a page that can be read");
    finding_found(&finding, "%s", pf_err_text(err));
    walk_report(walk, &finding);
    return PF_OK;
}

/* ---- claims ---- */

static void report_dangling(struct walk *walk, uint64_t page_id, enum page_use use,
                            uint64_t user_id)
{
    struct pf_finding finding =
        walk_finding(walk, PF_FINDING_DANGLING, page_id, use, user_id);
    finding_expect(&finding, "a page id from %d to %" PRIu64, PF_FIRST_PAGE,
                   walk->file_pages > PF_FIRST_PAGE ? walk->file_pages - 1 : 0);
    finding_found(&finding, "%" PRIu64, page_id);
    walk_report(walk, &finding);
}

static void report_crossed(struct walk *walk, uint64_t page_id, enum page_use use,
                           uint64_t user_id)
{
    struct pf_finding finding =
        walk_finding(walk, PF_FINDING_CROSS_LINKED, page_id, use, user_id);
    char other[PF_PATH_SIZE];
    walk_path(walk, page_id, other);
    finding_expect(&finding, "one use");
    finding_found(&finding, "also used by %s", other);
    walk_report(walk, &finding);
}

/* May a page with use `old` get `use` once more? */
static bool is_again(const struct walk *walk, enum page_use old, enum page_use use,
                     bool again)
{
    if (walk->second_edge_tree && use == USE_EDGE_INDEX)
        return old == USE_EDGE_INDEX || old == USE_EDGE_INTERNAL || old == USE_EDGE_LEAF;
    return again && old == use;
}

pf_err walk_claim(struct walk *walk, uint64_t page_id, enum page_use use,
                  uint64_t user_id, bool again, enum claim *out_claim)
{
    *out_claim = CLAIM_REFUSED;
    if (page_id < PF_FIRST_PAGE || page_id >= walk->file_pages) {
        report_dangling(walk, page_id, use, user_id);
        return PF_OK;
    }
    const enum page_use old = usemap_get(&walk->uses, page_id, NULL);
    if (old != USE_NONE) {
        if (is_again(walk, old, use, again))
            *out_claim = CLAIM_AGAIN;
        else
            report_crossed(walk, page_id, use, user_id);
        return PF_OK;
    }

    const pf_err err = usemap_put(&walk->uses, page_id, use, user_id);
    if (err == PF_OK) {
        walk->totals.pages++;
        if (page_id > walk->totals.highest_page)
            walk->totals.highest_page = page_id;
        *out_claim = CLAIM_NEW;
    }
    return err;
}

pf_err walk_refine(struct walk *walk, uint64_t page_id, enum page_use use)
{
    uint64_t user_id;
    (void)usemap_get(&walk->uses, page_id, &user_id);
    return usemap_put(&walk->uses, page_id, use, user_id);
}

/* ---- the run ---- */

static bool is_root(uint64_t page_id)
{
    return page_id != 0 && page_id != UINT64_MAX;
}

static pf_err walk_trees(struct walk *walk)
{
    const uint64_t *roots = walk->in.edge_roots;
    unsigned edge_depth;
    pf_err err = PF_OK;
    if (is_root(walk->in.node_root))
        err = walk_tree(walk, walk->in.node_root, USE_NODE_INDEX, USE_NODE,
                        &walk->totals.node_depth);
    if (err == PF_OK && is_root(roots[0]))
        err = walk_tree(walk, roots[0], USE_EDGE_INDEX, USE_EDGE, &edge_depth);
    walk->second_edge_tree = is_root(roots[0]);
    if (err == PF_OK && is_root(roots[1]) && roots[1] != roots[0])
        err = walk_tree(walk, roots[1], USE_EDGE_INDEX, USE_EDGE, &edge_depth);
    return err;
}

/* What is claimed on the way has another use than these two: it is not visited again, and
 * the order of the regions need not know it. */
static pf_err walk_values(struct walk *walk)
{
    const uint64_t before = walk->totals.pages_read;
    uint64_t page_id = 0;
    pf_err err = usemap_sort(&walk->uses);
    while (err == PF_OK && usemap_next(&walk->uses, page_id, &page_id)) {
        const enum page_use use = usemap_get(&walk->uses, page_id, NULL);
        progress_set(walk, before + page_id, before + walk->file_pages);
        if (use == USE_NODE)
            err = walk_node_page(walk, page_id);
        else if (use == USE_EDGE)
            err = walk_edge_page(walk, page_id);
        page_id++;
    }
    return err;
}

static pf_err walk_all(struct walk *walk)
{
    progress_set(walk, 0, walk->file_pages);
    pf_err err = walk_trees(walk);
    walk_shares_sort(walk);
    if (err == PF_OK)
        err = walk_values(walk);
    if (err == PF_OK)
        err = usemap_sort(&walk->uses);
    walk->totals.complete = err == PF_OK;
    walk->totals.intact = err == PF_OK && walk->totals.findings == 0;
    free(walk->shares); /* no use after the run */
    free(walk->cache);
    walk->shares = NULL;
    walk->cache = NULL;
    walk->share_count = walk->share_room = 0;
    return err == PF_E_CANCELLED ? PF_OK : err;
}

pf_err walk_run(const struct walk_input *input, struct walk **out_walk)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL)
        return PF_E_NO_MEMORY;
    walk->in = *input;
    walk->file_pages = pf_file_pages(input->file_bytes);
    if (walk->file_pages > PF_MAX_PAGE_ID)
        walk->file_pages = PF_MAX_PAGE_ID;
    pf_err err = leaf_cache_new(&walk->cache);
    if (err == PF_OK)
        err = walk_all(walk);
    if (err == PF_OK) {
        progress_set(walk, walk->totals.pages_read + walk->file_pages,
                     walk->totals.pages_read + walk->file_pages);
        *out_walk = walk;
    } else {
        walk_free(walk);
    }
    return err;
}

void walk_free(struct walk *walk)
{
    if (walk == NULL)
        return;
    usemap_clear(&walk->uses);
    idmap_clear(&walk->marks);
    free(walk->shares);
    free(walk->cache);
    free(walk);
}

/* ---- queries ---- */

const struct walk_totals *walk_totals_of(const struct walk *walk)
{
    return &walk->totals;
}

bool walk_next(struct walk *walk, uint64_t from, uint64_t *out_page_id)
{
    return usemap_next(&walk->uses, from, out_page_id);
}

uint64_t walk_next_gap(struct walk *walk, uint64_t from)
{
    return usemap_next_gap(&walk->uses, from);
}

enum page_use walk_use(struct walk *walk, uint64_t page_id, uint64_t *out_user_id)
{
    return usemap_get(&walk->uses, page_id, out_user_id);
}

static bool has_mark(const struct walk *walk, uint64_t page_id, uint64_t mark)
{
    const uint64_t *marks = idmap_get(&walk->marks, page_id);
    return marks != NULL && (*marks & mark) != 0;
}

bool walk_is_bad(struct walk *walk, uint64_t page_id)
{
    return has_mark(walk, page_id, MARK_BAD);
}

bool walk_is_crossed(struct walk *walk, uint64_t page_id)
{
    return has_mark(walk, page_id, MARK_CROSSED);
}

uint64_t walk_bytes(const struct walk *walk)
{
    return sizeof *walk + usemap_bytes(&walk->uses) +
           walk->marks.slot_count * sizeof *walk->marks.slots;
}
