/* imagemap.h: which disk images were seen, and what was found in each. */
#ifndef TEST_IMAGEMAP_H
#define TEST_IMAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct imagemap { /* all zero = empty */
    struct imagemap_slot {
        uint64_t image;
        uint64_t found;
    } * slots;
    size_t count, room;
};

void imagemap_clear(struct imagemap *map);
/* The slot of this image; *out_new: it was not there, and `found` is 0. Valid until the
 * next call. */
struct imagemap_slot *imagemap_at(struct imagemap *map, uint64_t image, bool *out_new);

#endif
