/* arena.h: 512-byte sectors that never change once made, and the arena they live in.
 *
 * A disk's content is an array of pointers to sectors (NULL = zeros), so copying a disk
 * is copying pointers, and comparing two copies is mostly comparing pointers. */
#ifndef TEST_ARENA_H
#define TEST_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum { DISK_SECTOR = 512 };

struct sector {
    uint64_t hash; /* of the bytes */
    uint8_t bytes[DISK_SECTOR];
};

struct arena; /* sectors that are dropped all at once */

struct arena *arena_new(void);
void arena_delete(struct arena *arena);
/* Drop all sectors; pointers to them are invalid. */
void arena_reset(struct arena *arena);
/* A sector with these bytes; NULL when they are all zero. */
const struct sector *sector_make(struct arena *arena, const uint8_t bytes[DISK_SECTOR]);
/* The bytes, also of NULL. */
const uint8_t *sector_bytes(const struct sector *sector);
/* Equal content. */
int sector_same(const struct sector *a, const struct sector *b);
/* What a sector adds (by xor) to the hash of the content it is part of. */
uint64_t sector_weight(const struct sector *sector, unsigned stream, uint64_t number);
/* The same for a size, or any other number. */
uint64_t number_weight(uint64_t number, unsigned stream);

/* realloc and calloc that end the program when there is no memory. */
void *must_realloc(void *old, size_t size);
void *must_calloc(size_t count, size_t size);
/* Make room for one more element of an array. */
#define MUST_GROW(array, count, room)                                                    \
    do {                                                                                 \
        if ((count) == (room)) {                                                         \
            (room) = (room)*2 + 32;                                                      \
            (array) = must_realloc((array), (room) * sizeof(*(array)));                  \
        }                                                                                \
    } while (0)

#endif
