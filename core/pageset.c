#include "pageset.h"

#include <stdlib.h>
#include <string.h>

enum {
    REGION_BITS = 12, /* pages of a leaf */
    REGION_PAGES = 1 << REGION_BITS,
    WAY_BITS = 6,
    WAYS = 1 << WAY_BITS,
    MAX_HEIGHT = 9, /* 12 + 9 * 6 = 66 bits: every u64 */
    SPARSE_MAX = 30,
    SPARSE_AGAIN = 16, /* a bitmap this empty becomes a list again */
    WORDS = REGION_PAGES / 64,
};

struct pageset_leaf { /* the head of either shape */
    uint16_t count;
    bool dense;
};

struct sparse_leaf {
    struct pageset_leaf head;
    uint16_t list[SPARSE_MAX]; /* unordered */
};

struct dense_leaf {
    struct pageset_leaf head;
    uint64_t bits[WORDS];
};

struct node {
    unsigned used; /* children that are not NULL */
    void *child[WAYS];
};

static uint64_t region_of(uint64_t id)
{
    return id >> REGION_BITS;
}

static unsigned place_of(uint64_t id)
{
    return (unsigned)(id & (REGION_PAGES - 1));
}

/* Which child of a node `level` levels above the leaves holds this region. */
static unsigned way_of(uint64_t region, unsigned level)
{
    const unsigned shift = WAY_BITS * (level - 1);
    return shift >= 64 ? 0 : (unsigned)(region >> shift) & (WAYS - 1);
}

static bool region_fits(uint64_t region, unsigned height)
{
    return height * WAY_BITS >= 64 || region >> (height * WAY_BITS) == 0;
}

/* ---- leaves ---- */

static uint16_t *list_of(const struct pageset_leaf *leaf)
{
    return ((struct sparse_leaf *)(uintptr_t)leaf)->list;
}

static uint64_t *bits_of(const struct pageset_leaf *leaf)
{
    return ((struct dense_leaf *)(uintptr_t)leaf)->bits;
}

static size_t leaf_bytes(const struct pageset_leaf *leaf)
{
    return leaf->dense ? sizeof(struct dense_leaf) : sizeof(struct sparse_leaf);
}

static struct pageset_leaf *leaf_new(bool dense)
{
    struct pageset_leaf *leaf =
        calloc(1, dense ? sizeof(struct dense_leaf) : sizeof(struct sparse_leaf));
    if (leaf != NULL)
        leaf->dense = dense;
    return leaf;
}

static bool leaf_has(const struct pageset_leaf *leaf, unsigned place)
{
    if (leaf->dense)
        return bits_of(leaf)[place / 64] >> (place % 64) & 1;
    for (unsigned i = 0; i < leaf->count; i++)
        if (list_of(leaf)[i] == place)
            return true;
    return false;
}

static void leaf_insert(struct pageset_leaf *leaf, unsigned place)
{
    if (leaf->dense)
        bits_of(leaf)[place / 64] |= (uint64_t)1 << (place % 64);
    else
        list_of(leaf)[leaf->count] = (uint16_t)place;
    leaf->count++;
}

static void leaf_delete(struct pageset_leaf *leaf, unsigned place)
{
    leaf->count--;
    if (leaf->dense) {
        bits_of(leaf)[place / 64] &= ~((uint64_t)1 << (place % 64));
        return;
    }
    unsigned at = 0;
    while (list_of(leaf)[at] != place)
        at++;
    list_of(leaf)[at] = list_of(leaf)[leaf->count];
}

/* Bits place .. place + count - 1, as far as they lie in the word of `place`. */
static uint64_t word_mask(unsigned place, unsigned count)
{
    const uint64_t ones = count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
    return ones << (place % 64);
}

/* To the next word: how many places that is, `count` at most. */
static unsigned word_step(unsigned place, unsigned count)
{
    const unsigned step = 64 - place % 64;
    return step < count ? step : count;
}

/* Is one of the places place .. place + count - 1 a member? */
static bool leaf_has_any(const struct pageset_leaf *leaf, unsigned place, unsigned count)
{
    if (!leaf->dense) {
        for (unsigned i = 0; i < leaf->count; i++)
            if (list_of(leaf)[i] - place < count)
                return true;
        return false;
    }
    for (unsigned step; count > 0; place += step, count -= step) {
        step = word_step(place, count);
        if ((bits_of(leaf)[place / 64] & word_mask(place, step)) != 0)
            return true;
    }
    return false;
}

/* None of them is a member, and there is room. */
static void leaf_insert_run(struct pageset_leaf *leaf, unsigned place, unsigned count)
{
    if (!leaf->dense) {
        while (count-- > 0)
            list_of(leaf)[leaf->count++] = (uint16_t)place++;
        return;
    }
    leaf->count = (uint16_t)(leaf->count + count);
    for (unsigned step; count > 0; place += step, count -= step) {
        step = word_step(place, count);
        bits_of(leaf)[place / 64] |= word_mask(place, step);
    }
}

/* Those that are members; how many they were. */
static unsigned leaf_delete_run(struct pageset_leaf *leaf, unsigned place, unsigned count)
{
    unsigned deleted = 0;
    if (!leaf->dense) {
        for (unsigned i = leaf->count; i-- > 0;)
            if (list_of(leaf)[i] - place < count) {
                list_of(leaf)[i] = list_of(leaf)[--leaf->count];
                deleted++;
            }
        return deleted;
    }
    for (unsigned step; count > 0; place += step, count -= step) {
        step = word_step(place, count);
        uint64_t *word = &bits_of(leaf)[place / 64];
        deleted += (unsigned)__builtin_popcountll(*word & word_mask(place, step));
        *word &= ~word_mask(place, step);
    }
    leaf->count = (uint16_t)(leaf->count - deleted);
    return deleted;
}

static struct pageset_leaf *leaf_densified(const struct pageset_leaf *sparse)
{
    struct pageset_leaf *leaf = leaf_new(true);
    if (leaf == NULL)
        return NULL;
    for (unsigned i = 0; i < sparse->count; i++)
        leaf_insert(leaf, list_of(sparse)[i]);
    return leaf;
}

static struct pageset_leaf *leaf_thinned(const struct pageset_leaf *dense)
{
    struct pageset_leaf *leaf = leaf_new(false);
    if (leaf == NULL)
        return NULL;
    for (unsigned place = 0; place < REGION_PAGES; place++)
        if (leaf_has(dense, place))
            leaf_insert(leaf, place);
    return leaf;
}

/* The first place >= from whose membership is `member`; REGION_PAGES = none. */
static unsigned leaf_find(const struct pageset_leaf *leaf, unsigned from, bool member)
{
    if (!leaf->dense) {
        unsigned best = REGION_PAGES;
        if (!member) {
            while (from < REGION_PAGES && leaf_has(leaf, from))
                from++;
            return from;
        }
        for (unsigned i = 0; i < leaf->count; i++)
            if (list_of(leaf)[i] >= from && list_of(leaf)[i] < best)
                best = list_of(leaf)[i];
        return best;
    }
    uint64_t mask = ~(uint64_t)0 << (from % 64);
    for (unsigned w = from / 64; w < WORDS; w++, mask = ~(uint64_t)0) {
        const uint64_t word = (member ? bits_of(leaf)[w] : ~bits_of(leaf)[w]) & mask;
        if (word != 0)
            return w * 64 + (unsigned)__builtin_ctzll(word);
    }
    return REGION_PAGES;
}

/* The last member <= upto; REGION_PAGES = none. */
static unsigned leaf_find_last(const struct pageset_leaf *leaf, unsigned upto)
{
    if (!leaf->dense) {
        unsigned best = REGION_PAGES;
        for (unsigned i = 0; i < leaf->count; i++)
            if (list_of(leaf)[i] <= upto &&
                (best == REGION_PAGES || list_of(leaf)[i] > best))
                best = list_of(leaf)[i];
        return best;
    }
    uint64_t mask = ~(uint64_t)0 >> (63 - upto % 64);
    for (unsigned w = upto / 64 + 1; w-- > 0; mask = ~(uint64_t)0) {
        const uint64_t word = bits_of(leaf)[w] & mask;
        if (word != 0)
            return w * 64 + 63 - (unsigned)__builtin_clzll(word);
    }
    return REGION_PAGES;
}

/* ---- the tree ---- */

/* Where the pointer to this region's leaf is kept, or NULL when no node leads there. */
static void **leaf_slot(const struct pageset *set, uint64_t region)
{
    if (set->root == NULL || !region_fits(region, set->height))
        return NULL;
    void *const *slot = &set->root;
    for (unsigned level = set->height; level > 0; level--) {
        struct node *node = *slot;
        if (node == NULL)
            return NULL;
        slot = &node->child[way_of(region, level)];
    }
    return (void **)(uintptr_t)slot;
}

static struct pageset_leaf *leaf_of(struct pageset *set, uint64_t region)
{
    if (set->last_leaf != NULL && set->last_region == region)
        return set->last_leaf;
    void **slot = leaf_slot(set, region);
    if (slot == NULL || *slot == NULL)
        return NULL;
    set->last_region = region;
    set->last_leaf = *slot;
    return *slot;
}

static struct node *node_new(struct pageset *set)
{
    struct node *node = calloc(1, sizeof *node);
    if (node != NULL)
        set->bytes += sizeof *node;
    return node;
}

/* Put nodes above the root until the region fits below it. */
static pf_err grow_to(struct pageset *set, uint64_t region)
{
    while (!region_fits(region, set->height)) {
        if (set->root != NULL) {
            struct node *top = node_new(set);
            if (top == NULL)
                return PF_E_NO_MEMORY;
            top->child[0] = set->root;
            top->used = 1;
            set->root = top;
        }
        set->height++;
    }
    return PF_OK;
}

/* Take out the leaf of `region` if it is NULL or empty, and every node above that then
 * holds nothing. */
static void prune(struct pageset *set, uint64_t region)
{
    void **path[MAX_HEIGHT + 1];
    unsigned depth = 0;
    void **slot = &set->root;
    for (unsigned level = set->height; level > 0 && *slot != NULL; level--) {
        path[depth++] = slot;
        slot = &((struct node *)*slot)->child[way_of(region, level)];
    }
    if (depth == set->height && *slot != NULL) {
        struct pageset_leaf *leaf = *slot;
        if (leaf->count > 0)
            return;
        set->bytes -= leaf_bytes(leaf);
        free(leaf);
        *slot = NULL;
        if (depth > 0)
            ((struct node *)*path[depth - 1])->used--;
    }
    while (depth > 0 && ((struct node *)*path[depth - 1])->used == 0) {
        depth--;
        set->bytes -= sizeof(struct node);
        free(*path[depth]);
        *path[depth] = NULL;
        if (depth > 0)
            ((struct node *)*path[depth - 1])->used--;
    }
    if (set->root == NULL)
        set->height = 0;
    set->last_leaf = NULL;
}

/* Make what a slot lacks, a node or an empty leaf, and count it in the node above. */
static bool fill_slot(struct pageset *set, void **slot, struct node *above, bool leaf)
{
    if (*slot != NULL)
        return true;
    if (leaf) {
        struct pageset_leaf *made = leaf_new(false);
        set->bytes += made == NULL ? 0 : leaf_bytes(made);
        *slot = made;
    } else {
        *slot = node_new(set);
    }
    if (*slot != NULL && above != NULL)
        above->used++;
    return *slot != NULL;
}

/* The slot of this region's leaf, with all nodes above it and the leaf made. */
static void **make_slot(struct pageset *set, uint64_t region)
{
    if (grow_to(set, region) != PF_OK)
        return NULL;
    void **slot = &set->root;
    struct node *above = NULL;
    for (unsigned level = set->height;; level--) {
        if (!fill_slot(set, slot, above, level == 0)) {
            prune(set, region);
            return NULL;
        }
        if (level == 0)
            return slot;
        above = *slot;
        slot = &above->child[way_of(region, level)];
    }
}

/* Replace a region's leaf by the same members in the other shape. */
static void reshape(struct pageset *set, void **slot, struct pageset_leaf *shaped)
{
    struct pageset_leaf *old = *slot;
    set->bytes += leaf_bytes(shaped);
    set->bytes -= leaf_bytes(old);
    free(old);
    *slot = shaped;
    set->last_leaf = NULL;
}

/* ---- the set ---- */

/* The region's leaf, made when there is none, with room for `count` more members. */
static struct pageset_leaf *leaf_with_room(struct pageset *set, uint64_t region,
                                           unsigned count)
{
    void **slot = make_slot(set, region);
    if (slot == NULL)
        return NULL;
    struct pageset_leaf *leaf = *slot;
    if (!leaf->dense && leaf->count + count > SPARSE_MAX) {
        struct pageset_leaf *dense = leaf_densified(leaf);
        if (dense == NULL) {
            prune(set, region);
            return NULL;
        }
        reshape(set, slot, dense);
        leaf = dense;
    }
    set->last_region = region;
    set->last_leaf = leaf;
    return leaf;
}

pf_err pageset_add(struct pageset *set, uint64_t id, bool *out_added)
{
    const uint64_t region = region_of(id);
    struct pageset_leaf *leaf = leaf_of(set, region);
    *out_added = leaf == NULL || !leaf_has(leaf, place_of(id));
    if (!*out_added)
        return PF_OK;
    if (leaf == NULL || (!leaf->dense && leaf->count == SPARSE_MAX))
        leaf = leaf_with_room(set, region, 1);
    if (leaf == NULL)
        return PF_E_NO_MEMORY;
    leaf_insert(leaf, place_of(id));
    set->count++;
    return PF_OK;
}

/* The part of a run that lies in the region of `first`. */
static unsigned part_in_region(uint64_t first, uint64_t count)
{
    const unsigned left = REGION_PAGES - place_of(first);
    return count < left ? (unsigned)count : left;
}

/* All of one region. */
static pf_err add_part(struct pageset *set, uint64_t first, unsigned count,
                       bool *out_added)
{
    const uint64_t region = region_of(first);
    const unsigned place = place_of(first);
    struct pageset_leaf *leaf = leaf_of(set, region);
    *out_added = leaf == NULL || !leaf_has_any(leaf, place, count);
    if (!*out_added)
        return PF_OK;
    if (leaf == NULL || (!leaf->dense && leaf->count + count > SPARSE_MAX))
        leaf = leaf_with_room(set, region, count);
    if (leaf == NULL)
        return PF_E_NO_MEMORY;
    leaf_insert_run(leaf, place, count);
    set->count += count;
    return PF_OK;
}

pf_err pageset_add_run(struct pageset *set, uint64_t first, uint64_t count,
                       bool *out_added)
{
    pf_err err = PF_OK;
    bool added = true;
    uint64_t done = 0;
    if (count == 1)
        return pageset_add(set, first, out_added);
    while (done < count && added && err == PF_OK) {
        const unsigned part = part_in_region(first + done, count - done);
        err = add_part(set, first + done, part, &added);
        done += added && err == PF_OK ? part : 0;
    }
    if (done < count)
        (void)pageset_remove_run(set, first, done);
    *out_added = added;
    return err;
}

/* After members were taken out of a leaf. */
static void shrink_leaf(struct pageset *set, uint64_t region, struct pageset_leaf *leaf)
{
    if (leaf->count == 0) {
        prune(set, region);
    } else if (leaf->dense && leaf->count <= SPARSE_AGAIN) {
        struct pageset_leaf *thin = leaf_thinned(leaf);
        void **slot = leaf_slot(set, region);
        if (thin != NULL && slot != NULL) /* otherwise it just stays a bitmap */
            reshape(set, slot, thin);
    }
}

bool pageset_remove(struct pageset *set, uint64_t id)
{
    const uint64_t region = region_of(id);
    struct pageset_leaf *leaf = leaf_of(set, region);
    if (leaf == NULL || !leaf_has(leaf, place_of(id)))
        return false;
    leaf_delete(leaf, place_of(id));
    set->count--;
    shrink_leaf(set, region, leaf);
    return true;
}

/* All of one region. */
static unsigned remove_part(struct pageset *set, uint64_t first, unsigned count)
{
    const uint64_t region = region_of(first);
    struct pageset_leaf *leaf = leaf_of(set, region);
    const unsigned removed =
        leaf == NULL ? 0 : leaf_delete_run(leaf, place_of(first), count);
    if (removed > 0) {
        set->count -= removed;
        shrink_leaf(set, region, leaf);
    }
    return removed;
}

uint64_t pageset_remove_run(struct pageset *set, uint64_t first, uint64_t count)
{
    uint64_t removed = 0;
    if (count == 1)
        return pageset_remove(set, first);
    while (count > 0) {
        const unsigned part = part_in_region(first, count);
        removed += remove_part(set, first, part);
        first += part;
        count -= part;
    }
    return removed;
}

bool pageset_has(struct pageset *set, uint64_t id)
{
    const struct pageset_leaf *leaf = leaf_of(set, region_of(id));
    return leaf != NULL && leaf_has(leaf, place_of(id));
}

/* Where the part of the tree that hangs on child `way` of region's node at `level`
 * starts, seen by someone who goes upwards or downwards: its first region or its last. */
static inline uint64_t near_edge(uint64_t region, unsigned level, unsigned way,
                                 bool upwards)
{
    const unsigned below = WAY_BITS * (level - 1);
    const uint64_t high = below + WAY_BITS >= 64 ? 0 : region >> (below + WAY_BITS);
    const uint64_t first = ((high << WAY_BITS) | way) << below;
    return upwards ? first : first | (((uint64_t)1 << below) - 1);
}

/* The region nearest to `from` that has a leaf, itself or on one side of it. Down from
 * the root; where a child is missing, on to the next one, and up when a node has no more.
 */
static inline struct pageset_leaf *leaf_near(const struct pageset *set, uint64_t from,
                                             bool upwards, uint64_t *out_region)
{
    struct node *path[MAX_HEIGHT + 1];
    unsigned way[MAX_HEIGHT + 1];
    unsigned level = set->height;
    uint64_t region = from;
    void *at = set->root;

    for (;;) {
        if (at != NULL && level == 0) {
            *out_region = region;
            return at;
        }
        if (at != NULL) {
            path[level] = at;
            way[level] = way_of(region, level);
            at = path[level]->child[way[level]];
            level--;
            continue;
        }
        do { /* up to a node that has another way, and one way on */
            if (++level > set->height)
                return NULL;
        } while (upwards ? ++way[level] == WAYS : way[level]-- == 0);
        region = near_edge(region, level, way[level], upwards);
        at = path[level]->child[way[level]];
        level--;
    }
}

static struct pageset_leaf *leaf_from(const struct pageset *set, uint64_t from,
                                      uint64_t *out_region)
{
    if (!region_fits(from, set->height))
        return NULL;
    return leaf_near(set, from, true, out_region);
}

static struct pageset_leaf *leaf_upto(const struct pageset *set, uint64_t upto,
                                      uint64_t *out_region)
{
    if (!region_fits(upto, set->height))
        upto = ((uint64_t)1 << (set->height * WAY_BITS)) - 1;
    return leaf_near(set, upto, false, out_region);
}

bool pageset_next(const struct pageset *set, uint64_t from, uint64_t *out_id)
{
    uint64_t region = region_of(from);
    unsigned place = place_of(from);
    for (;;) {
        uint64_t found;
        const struct pageset_leaf *leaf = leaf_from(set, region, &found);
        if (leaf == NULL)
            return false;
        const unsigned at = leaf_find(leaf, found == region ? place : 0, true);
        if (at < REGION_PAGES) {
            *out_id = (found << REGION_BITS) | at;
            return true;
        }
        region = found + 1;
        place = 0;
    }
}

bool pageset_last(const struct pageset *set, uint64_t end, uint64_t *out_id)
{
    while (end > 0) {
        uint64_t found;
        const uint64_t region = region_of(end - 1);
        const struct pageset_leaf *leaf = leaf_upto(set, region, &found);
        if (leaf == NULL)
            return false;
        const unsigned at =
            leaf_find_last(leaf, found == region ? place_of(end - 1) : REGION_PAGES - 1);
        if (at < REGION_PAGES) {
            *out_id = (found << REGION_BITS) | at;
            return true;
        }
        end = found << REGION_BITS;
    }
    return false;
}

uint64_t pageset_next_gap_below(const struct pageset *set, uint64_t from, uint64_t limit)
{
    while (from < limit) {
        void **slot = leaf_slot(set, region_of(from));
        if (slot == NULL || *slot == NULL)
            return from;
        const unsigned at = leaf_find(*slot, place_of(from), false);
        const uint64_t id = (region_of(from) << REGION_BITS) + at;
        if (at < REGION_PAGES)
            return id < limit ? id : limit;
        from = id; /* the next region's first */
    }
    return limit;
}

uint64_t pageset_next_gap(const struct pageset *set, uint64_t from)
{
    return pageset_next_gap_below(set, from, UINT64_MAX);
}

void pageset_clear(struct pageset *set)
{
    uint64_t region;
    struct pageset_leaf *leaf;
    while ((leaf = leaf_from(set, 0, &region)) != NULL) {
        leaf->count = 0;
        prune(set, region);
    }
    *set = (struct pageset){0};
}

pf_err pageset_copy(const struct pageset *set, struct pageset *out_copy)
{
    uint64_t region = 0;
    const struct pageset_leaf *leaf;
    while ((leaf = leaf_from(set, region, &region)) != NULL) {
        void **slot = make_slot(out_copy, region);
        struct pageset_leaf *twin = slot == NULL ? NULL : malloc(leaf_bytes(leaf));
        if (twin == NULL) {
            pageset_clear(out_copy);
            return PF_E_NO_MEMORY;
        }
        memcpy(twin, leaf, leaf_bytes(leaf));
        reshape(out_copy, slot, twin);
        out_copy->count += leaf->count;
        region++;
    }
    return PF_OK;
}
