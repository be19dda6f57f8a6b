#include "usemap.h"

#include <stdlib.h>

#include "format.h"

enum {
    REGION_BITS = 8,
    REGION_PAGES = 1 << REGION_BITS,
    LIST_FIRST = 4, /* room of a new list; doubled until it has LIST_MAX */
    LIST_MAX = 64,
    USE_BITS = 4,
    NARROW_BITS = 28,
    USER_BITS = 52,
};

_Static_assert(USE_COUNT <= 1 << USE_BITS, "a use fits its bits");
_Static_assert(PF_MAX_PAGE_ID >> USER_BITS == 0, "a page id fits its bits");

enum shape { SHAPE_LIST, SHAPE_NARROW, SHAPE_WIDE };

/* An entry is user << 4 | use; in a list the page's place is above that. Entries of 64
 * bits take two words. */
struct usemap_region {
    uint8_t shape;
    uint16_t count, room; /* of a list */
    uint32_t words[];
};

static uint64_t entry_of(enum page_use use, uint64_t user_id)
{
    return user_id << USE_BITS | (uint64_t)use;
}

static unsigned place_of(uint64_t page_id)
{
    return (unsigned)(page_id & (REGION_PAGES - 1));
}

static size_t region_bytes(enum shape shape, size_t room)
{
    static const size_t words[] = {
        [SHAPE_NARROW] = REGION_PAGES, [SHAPE_WIDE] = (size_t)2 * REGION_PAGES};
    return sizeof(struct usemap_region) +
           (shape == SHAPE_LIST ? 2 * room : words[shape]) * sizeof(uint32_t);
}

static uint64_t long_get(const struct usemap_region *region, unsigned i)
{
    const uint32_t *words = region->words + (size_t)i * 2;
    return (uint64_t)words[1] << 32 | words[0];
}

static void long_set(struct usemap_region *region, unsigned i, uint64_t value)
{
    uint32_t *words = region->words + (size_t)i * 2;
    words[0] = (uint32_t)value;
    words[1] = (uint32_t)(value >> 32);
}

static unsigned listed_place(const struct usemap_region *region, unsigned i)
{
    return (unsigned)(long_get(region, i) >> (USER_BITS + USE_BITS));
}

static uint64_t listed_entry(const struct usemap_region *region, unsigned i)
{
    return long_get(region, i) & (((uint64_t)1 << (USER_BITS + USE_BITS)) - 1);
}

/* The page's index in a list, or the list's count when the page is not in it. */
static unsigned list_find(const struct usemap_region *region, unsigned place)
{
    unsigned i = 0;
    while (i < region->count && listed_place(region, i) != place)
        i++;
    return i;
}

static uint64_t region_get(const struct usemap_region *region, unsigned place)
{
    if (region->shape == SHAPE_NARROW)
        return region->words[place];
    if (region->shape == SHAPE_WIDE)
        return long_get(region, place);
    const unsigned i = list_find(region, place);
    return i < region->count ? listed_entry(region, i) : 0;
}

/* There is room: region_fit() was asked. */
static void region_set(struct usemap_region *region, unsigned place, uint64_t entry)
{
    if (region->shape == SHAPE_NARROW) {
        region->words[place] = (uint32_t)entry;
        return;
    }
    if (region->shape == SHAPE_WIDE) {
        long_set(region, place, entry);
        return;
    }
    const unsigned i = list_find(region, place);
    long_set(region, i, (uint64_t)place << (USER_BITS + USE_BITS) | entry);
    if (i == region->count)
        region->count++;
}

static bool is_wide(uint64_t entry)
{
    return entry >> (USE_BITS + NARROW_BITS) != 0;
}

static bool list_needs_wide(const struct usemap_region *region)
{
    for (unsigned i = 0; i < region->count; i++)
        if (is_wide(listed_entry(region, i)))
            return true;
    return false;
}

static void region_copy(const struct usemap_region *from, struct usemap_region *to)
{
    if (from->shape == SHAPE_LIST)
        for (unsigned i = 0; i < from->count; i++)
            region_set(to, listed_place(from, i), listed_entry(from, i));
    else
        for (unsigned place = 0; place < REGION_PAGES; place++)
            region_set(to, place, region_get(from, place));
}

/* Exchange *slot for a region of another shape or room with the same entries. */
static pf_err region_reshape(struct usemap *map, uint64_t *slot, enum shape shape,
                             size_t room)
{
    struct usemap_region *old = (struct usemap_region *)(uintptr_t)*slot;
    struct usemap_region *region = calloc(1, region_bytes(shape, room));
    if (region == NULL)
        return PF_E_NO_MEMORY;
    region->shape = (uint8_t)shape;
    region->room = (uint16_t)room;
    map->bytes += region_bytes(shape, room);
    if (old != NULL) {
        region_copy(old, region);
        map->bytes -= region_bytes(old->shape, old->room);
        free(old);
    }
    map->last_region = NULL;
    *slot = (uint64_t)(uintptr_t)region;
    return PF_OK;
}

/* Make room in the region for this entry. */
static pf_err region_fit(struct usemap *map, uint64_t *slot, unsigned place,
                         uint64_t entry)
{
    struct usemap_region *region = (struct usemap_region *)(uintptr_t)*slot;
    if (region->shape == SHAPE_WIDE || (region->shape == SHAPE_NARROW && !is_wide(entry)))
        return PF_OK;
    if (region->shape == SHAPE_NARROW)
        return region_reshape(map, slot, SHAPE_WIDE, 0);
    if (region->count < region->room || list_find(region, place) < region->count)
        return PF_OK;
    if (region->room < LIST_MAX)
        return region_reshape(map, slot, SHAPE_LIST, (size_t)region->room * 2);
    const bool wide = is_wide(entry) || list_needs_wide(region);
    return region_reshape(map, slot, wide ? SHAPE_WIDE : SHAPE_NARROW, 0);
}

static struct usemap_region *region_find(struct usemap *map, uint64_t number)
{
    if (map->last_region == NULL || map->last_number != number) {
        const uint64_t *slot = idmap_get(&map->regions, number);
        map->last_number = number;
        map->last_region = slot == NULL ? NULL : (struct usemap_region *)(uintptr_t)*slot;
    }
    return map->last_region;
}

static pf_err region_add(struct usemap *map, uint64_t number)
{
    uint64_t slot = 0;
    if (idmap_reserve(&map->regions, 1) != PF_OK ||
        region_reshape(map, &slot, SHAPE_LIST, LIST_FIRST) != PF_OK)
        return PF_E_NO_MEMORY;
    idmap_put(&map->regions, number, slot);
    return PF_OK;
}

pf_err usemap_put(struct usemap *map, uint64_t page_id, enum page_use use,
                  uint64_t user_id)
{
    const uint64_t number = page_id >> REGION_BITS;
    const uint64_t entry = entry_of(use, user_id);
    uint64_t *slot = idmap_get(&map->regions, number);
    if (slot == NULL) {
        if (region_add(map, number) != PF_OK)
            return PF_E_NO_MEMORY;
        slot = idmap_get(&map->regions, number);
    }
    const pf_err err = region_fit(map, slot, place_of(page_id), entry);
    if (err == PF_OK)
        region_set((struct usemap_region *)(uintptr_t)*slot, place_of(page_id), entry);
    return err;
}

enum page_use usemap_get(struct usemap *map, uint64_t page_id, uint64_t *out_user_id)
{
    struct usemap_region *region = region_find(map, page_id >> REGION_BITS);
    const uint64_t entry = region == NULL ? 0 : region_get(region, place_of(page_id));
    if (out_user_id != NULL)
        *out_user_id = entry >> USE_BITS;
    return (enum page_use)(entry & ((1 << USE_BITS) - 1));
}

uint64_t usemap_bytes(const struct usemap *map)
{
    return map->bytes + map->regions.slot_count * sizeof *map->regions.slots +
           map->order_count * sizeof *map->order;
}

/* ---- in order ---- */

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

pf_err usemap_sort(struct usemap *map)
{
    const size_t count = map->regions.count;
    const struct idmap_slot *slot;
    size_t cursor = 0;
    size_t at = 0;
    if (count == map->order_count) /* regions are never removed */
        return PF_OK;
    uint64_t *order = malloc(count * sizeof *order);
    if (order == NULL)
        return PF_E_NO_MEMORY;
    while ((slot = idmap_each(&map->regions, &cursor)) != NULL)
        order[at++] = slot->key;
    qsort(order, count, sizeof *order, compare_numbers);
    free(map->order);
    map->order = order;
    map->order_count = count;
    return PF_OK;
}

/* The first region in order whose number is not below this one. */
static size_t order_find(const struct usemap *map, uint64_t number)
{
    size_t low = 0;
    size_t high = map->order_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (map->order[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool usemap_next(struct usemap *map, uint64_t from, uint64_t *out_page_id)
{
    unsigned place = place_of(from);
    size_t at = order_find(map, from >> REGION_BITS);
    if (at < map->order_count && map->order[at] != from >> REGION_BITS)
        place = 0;
    for (; at < map->order_count; at++, place = 0) {
        const struct usemap_region *region = region_find(map, map->order[at]);
        for (; place < REGION_PAGES; place++) {
            if (region_get(region, place) == 0)
                continue;
            *out_page_id = map->order[at] << REGION_BITS | place;
            return true;
        }
    }
    return false;
}

uint64_t usemap_next_gap(struct usemap *map, uint64_t from)
{
    uint64_t id = from;
    while (usemap_get(map, id, NULL) != USE_NONE)
        id++;
    return id;
}

void usemap_clear(struct usemap *map)
{
    size_t cursor = 0;
    const struct idmap_slot *slot;
    while ((slot = idmap_each(&map->regions, &cursor)) != NULL)
        free((void *)(uintptr_t)slot->value);
    idmap_clear(&map->regions);
    free(map->order);
    *map = (struct usemap){0};
}
