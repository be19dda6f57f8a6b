#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CHUNK_SECTORS = 1024 };

struct chunk {
    struct chunk *next;
    size_t used;
    struct sector sectors[CHUNK_SECTORS];
};

struct arena {
    struct chunk *first;
    struct chunk *current; /* the chunks behind it are empty */
};

static const uint8_t zeros[DISK_SECTOR];

void *must_realloc(void *old, size_t size)
{
    void *fresh = realloc(old, size);

    if (fresh == NULL && size > 0) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return fresh;
}

void *must_calloc(size_t count, size_t size)
{
    void *fresh = calloc(count, size);

    if (fresh == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return fresh;
}

static struct chunk *chunk_new(void)
{
    struct chunk *chunk = must_realloc(NULL, sizeof(*chunk));

    chunk->next = NULL;
    chunk->used = 0;
    return chunk;
}

struct arena *arena_new(void)
{
    struct arena *arena = must_calloc(1, sizeof(*arena));

    arena->first = arena->current = chunk_new();
    return arena;
}

void arena_delete(struct arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->first != NULL) {
        struct chunk *next = arena->first->next;

        free(arena->first);
        arena->first = next;
    }
    free(arena);
}

void arena_reset(struct arena *arena)
{
    for (struct chunk *chunk = arena->first; chunk != arena->current; chunk = chunk->next)
        chunk->used = 0;
    arena->current->used = 0;
    arena->current = arena->first;
}

const struct sector *sector_make(struct arena *arena, const uint8_t bytes[DISK_SECTOR])
{
    struct chunk *chunk = arena->current;
    struct sector *sector;

    if (bytes[0] == 0 && memcmp(bytes, zeros, DISK_SECTOR) == 0)
        return NULL;
    if (chunk->used == CHUNK_SECTORS) {
        if (chunk->next == NULL)
            chunk->next = chunk_new();
        chunk = arena->current = chunk->next;
    }
    sector = &chunk->sectors[chunk->used++];
    memcpy(sector->bytes, bytes, DISK_SECTOR);
    sector->hash = XXH3_64bits(bytes, DISK_SECTOR);
    return sector;
}

const uint8_t *sector_bytes(const struct sector *sector)
{
    return sector == NULL ? zeros : sector->bytes;
}

int sector_same(const struct sector *a, const struct sector *b)
{
    if (a == b)
        return 1;
    if (a == NULL || b == NULL)
        return 0;
    return a->hash == b->hash && memcmp(a->bytes, b->bytes, DISK_SECTOR) == 0;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93U;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93U;
    return x ^ x >> 32;
}

uint64_t sector_weight(const struct sector *sector, unsigned stream, uint64_t number)
{
    if (sector == NULL)
        return 0;
    return mix(sector->hash + mix(number * 8 + stream + 1));
}

uint64_t number_weight(uint64_t number, unsigned stream)
{
    return mix(mix(number + 0x9E3779B97F4A7C15U) + stream);
}
