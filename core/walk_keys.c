/* Which keys lead to a page: walk_state.h. A leaf names pages; whether a page holds what
 * its keys ask for is judged when the page is read, so the leaf is looked up again. */
#include <stdlib.h>

#include "walk_state.h"

enum {
    CACHE_PAGES = 64,
    /* so much memory a made-up file can cost: 64 bytes a page */
    SHARES_PER_PAGE = 4,
    FEW_SHARES = 1024,
};

struct cached_leaf {
    uint64_t page_id; /* 0 = empty */
    struct index_page index;
    bool ascending; /* its values: what a file written in id order has */
    uint8_t bytes[PF_PAGE_SIZE];
};

struct leaf_cache {
    struct cached_leaf leaves[CACHE_PAGES];
};

pf_err leaf_cache_new(struct leaf_cache **out_cache)
{
    struct leaf_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return PF_E_NO_MEMORY;
    *out_cache = cache;
    return PF_OK;
}

/* ---- pages with several leaves ---- */

/* The leaf's shares are the last ones. */
static bool has_share(const struct walk *walk, uint64_t page_id, uint64_t leaf_id)
{
    for (size_t i = walk->share_count; i > 0 && walk->shares[i - 1].leaf_id == leaf_id;
         i--)
        if (walk->shares[i - 1].page_id == page_id)
            return true;
    return false;
}

/* In a sound file hardly a page is named by more than two leaves. */
static void report_shares(struct walk *walk, uint64_t leaf_id, uint64_t limit)
{
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, leaf_id);
    finding_expect(&finding, "at most %" PRIu64 " times a page that another leaf names",
                   limit);
    finding_found(&finding, "more, which are not looked at");
    walk_report(walk, &finding);
    walk->shares_full = true;
}

static pf_err grow_shares(struct walk *walk)
{
    const size_t room = walk->share_room > 0 ? walk->share_room * 2 : 64;
    struct share *shares = realloc(walk->shares, room * sizeof *shares);
    if (shares == NULL)
        return PF_E_NO_MEMORY;
    walk->shares = shares;
    walk->share_room = room;
    return PF_OK;
}

pf_err walk_share_add(struct walk *walk, uint64_t page_id, uint64_t leaf_id)
{
    const uint64_t limit = FEW_SHARES + SHARES_PER_PAGE * walk->file_pages;
    if (walk->shares_full || has_share(walk, page_id, leaf_id))
        return PF_OK;
    if (walk->share_count >= limit) {
        report_shares(walk, leaf_id, limit);
        return PF_OK;
    }
    const pf_err err = walk->share_count < walk->share_room ? PF_OK : grow_shares(walk);
    if (err == PF_OK)
        walk->shares[walk->share_count++] = (struct share){page_id, leaf_id};
    return err;
}

static int compare_shares(const void *left, const void *right)
{
    const struct share *a = left;
    const struct share *b = right;
    if (a->page_id != b->page_id)
        return a->page_id < b->page_id ? -1 : 1;
    return (a->leaf_id > b->leaf_id) - (a->leaf_id < b->leaf_id);
}

void walk_shares_sort(struct walk *walk)
{
    if (walk->share_count > 0)
        qsort(walk->shares, walk->share_count, sizeof *walk->shares, compare_shares);
}

/* The first share of a page, or where it would be. */
static size_t first_share(const struct walk *walk, uint64_t page_id)
{
    size_t low = 0;
    size_t high = walk->share_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (walk->shares[middle].page_id < page_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- keys ---- */

/* NULL: it is no leaf, or not any more; the file may change while it is walked. */
static pf_err leaf_get(struct walk *walk, uint64_t leaf_id,
                       const struct cached_leaf **out_leaf)
{
    struct cached_leaf *leaf = &walk->cache->leaves[leaf_id % CACHE_PAGES];
    bool usable;
    *out_leaf = leaf;
    if (leaf->page_id == leaf_id)
        return PF_OK;
    leaf->page_id = 0;
    *out_leaf = NULL;
    const pf_err err = walk_read(walk, leaf_id, leaf->bytes, &usable);
    if (err != PF_OK || !usable || !index_decode(leaf->bytes, &leaf->index) ||
        !leaf->index.leaf)
        return err;
    leaf->page_id = leaf_id;
    leaf->ascending = index_values_ascend(&leaf->index);
    *out_leaf = leaf;
    return PF_OK;
}

static void add_key(struct key_list *keys, const struct index_page *leaf, unsigned i)
{
    keys->found[keys->count] = false;
    keys->keys[keys->count++] = index_key(leaf, i);
}

/* Once for each page of the leaf: to look at all its values then was a fifth of a check.
 */
static pf_err keys_of_leaf(struct walk *walk, uint64_t leaf_id, uint64_t page_id,
                           struct key_list *out_keys)
{
    const struct cached_leaf *cached;
    out_keys->leaf_id = leaf_id;
    out_keys->count = 0;
    const pf_err err = leaf_get(walk, leaf_id, &cached);
    if (err != PF_OK || cached == NULL)
        return err;
    const struct index_page *leaf = &cached->index;
    if (cached->ascending)
        for (unsigned i = index_first_value(leaf, page_id);
             i < leaf->count && index_value(leaf, i) == page_id; i++)
            add_key(out_keys, leaf, i);
    else
        for (unsigned i = index_find_value(leaf, 0, page_id); i < leaf->count;
             i = index_find_value(leaf, i + 1, page_id))
            add_key(out_keys, leaf, i);
    return PF_OK;
}

pf_err walk_next_keys(struct walk *walk, uint64_t page_id, size_t *cursor,
                      struct key_list *out_keys, bool *out_more)
{
    uint64_t leaf_id = 0;
    *out_more = false;
    if (*cursor == 0) { /* afterwards: 1 + index of the next share */
        (void)usemap_get(&walk->uses, page_id, &leaf_id);
        *cursor = 1 + first_share(walk, page_id);
    } else {
        const size_t at = *cursor - 1;
        if (at >= walk->share_count || walk->shares[at].page_id != page_id)
            return PF_OK;
        leaf_id = walk->shares[at].leaf_id;
        *cursor = 2 + at;
    }
    *out_more = true;
    return keys_of_leaf(walk, leaf_id, page_id, out_keys);
}

/* Binary search; in a damaged leaf it may miss, which only adds to what is reported. */
bool key_list_mark(struct key_list *list, uint64_t key)
{
    unsigned low = 0;
    unsigned high = list->count;
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        if (list->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == list->count || list->keys[low] != key)
        return false;
    list->found[low] = true;
    return true;
}
