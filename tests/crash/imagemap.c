#include "imagemap.h"

#include <stdlib.h>

#include "arena.h"

void imagemap_clear(struct imagemap *map)
{
    free(map->slots);
    *map = (struct imagemap){0};
}

static struct imagemap_slot *find(const struct imagemap *map, uint64_t image)
{
    size_t at = (size_t)image & (map->room - 1);

    while (map->slots[at].image != 0 && map->slots[at].image != image)
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

static void grow(struct imagemap *map)
{
    struct imagemap bigger = {.room = map->room == 0 ? 4096 : map->room * 2};

    bigger.slots = must_calloc(bigger.room, sizeof(*bigger.slots));
    bigger.count = map->count;
    for (size_t i = 0; i < map->room; i++)
        if (map->slots[i].image != 0)
            *find(&bigger, map->slots[i].image) = map->slots[i];
    free(map->slots);
    *map = bigger;
}

struct imagemap_slot *imagemap_at(struct imagemap *map, uint64_t image, bool *out_new)
{
    struct imagemap_slot *slot;

    if (map->count * 4 >= map->room * 3)
        grow(map);
    image = image == 0 ? 1 : image;
    slot = find(map, image);
    *out_new = slot->image == 0;
    if (*out_new) {
        slot->image = image;
        map->count++;
    }
    return slot;
}
