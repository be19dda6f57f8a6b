#include "idmap.h"

#include <stdlib.h>
#include <sys/random.h>

enum { FIRST_SLOTS = 16 };

#define FIRST_MULTIPLIER UINT64_C(0x9E3779B97F4A7C15)

/* Multiplicative hashing: neighbouring ids land far apart. slot_count is a power of two.
 */
static size_t home_of(const struct idmap *map, uint64_t key)
{
    return (size_t)((key * map->multiplier) >> 32) & (map->slot_count - 1);
}

/* Keys come from files: whoever makes one must not know where they will land, or all of
 * them land in one place and every look is a long walk. */
static uint64_t random_multiplier(void)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = 0;
    return (random ^ FIRST_MULTIPLIER) | 1;
}

/* Among a few it does not matter where they land: the batch of one allocation need not
 * ask the system for a number. */
static uint64_t multiplier_for(const struct idmap *map, size_t slot_count)
{
    if (slot_count == FIRST_SLOTS)
        return FIRST_MULTIPLIER;
    return map->slot_count > FIRST_SLOTS ? map->multiplier : random_multiplier();
}

static size_t next_of(const struct idmap *map, size_t at)
{
    return (at + 1) & (map->slot_count - 1);
}

/* The slot of `key`, or the free slot where it would go. */
static struct idmap_slot *find(const struct idmap *map, uint64_t key)
{
    size_t at = home_of(map, key);
    while (map->slots[at].key != key && map->slots[at].key != IDMAP_NONE)
        at = next_of(map, at);
    return &map->slots[at];
}

void idmap_clear(struct idmap *map)
{
    free(map->slots);
    *map = (struct idmap){0};
}

pf_err idmap_reserve(struct idmap *map, size_t more)
{
    if (more > SIZE_MAX / 4 - map->count)
        return PF_E_NO_MEMORY;
    size_t slot_count = map->slot_count > 0 ? map->slot_count : FIRST_SLOTS;
    while (map->count + more > slot_count / 4 * 3)
        slot_count *= 2;
    if (slot_count == map->slot_count)
        return PF_OK;

    struct idmap bigger = {.slot_count = slot_count,
                           .count = map->count,
                           .multiplier = multiplier_for(map, slot_count)};
    bigger.slots = malloc(slot_count * sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return PF_E_NO_MEMORY;
    for (size_t i = 0; i < slot_count; i++)
        bigger.slots[i].key = IDMAP_NONE;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].key != IDMAP_NONE)
            *find(&bigger, map->slots[i].key) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return PF_OK;
}

uint64_t *idmap_get(const struct idmap *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;
    struct idmap_slot *slot = find(map, key);
    return slot->key == key ? &slot->value : NULL;
}

void idmap_put(struct idmap *map, uint64_t key, uint64_t value)
{
    struct idmap_slot *slot = find(map, key);
    if (slot->key == IDMAP_NONE)
        map->count++;
    *slot = (struct idmap_slot){.key = key, .value = value};
}

/* Linear probing without tombstones: close the gap by moving back every later entry of
 * the cluster whose home is not behind the gap. */
bool idmap_remove(struct idmap *map, uint64_t key)
{
    if (map->count == 0)
        return false;
    struct idmap_slot *slot = find(map, key);
    if (slot->key != key)
        return false;
    size_t gap = (size_t)(slot - map->slots);
    for (size_t at = next_of(map, gap); map->slots[at].key != IDMAP_NONE;
         at = next_of(map, at)) {
        const size_t mask = map->slot_count - 1;
        const size_t home = home_of(map, map->slots[at].key);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->slots[gap] = map->slots[at];
            gap = at;
        }
    }
    map->slots[gap].key = IDMAP_NONE;
    map->count--;
    return true;
}

struct idmap_slot *idmap_each(const struct idmap *map, size_t *cursor)
{
    while (*cursor < map->slot_count) {
        struct idmap_slot *slot = &map->slots[(*cursor)++];
        if (slot->key != IDMAP_NONE)
            return slot;
    }
    return NULL;
}
