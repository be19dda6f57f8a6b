/* fdimage.c: the disks that tests make by hand, copy and compare. */
#include <stdlib.h>
#include <string.h>

#include "faultdisk.h"

static void make_room(struct fd_image *image, unsigned stream, size_t count)
{
    if (count > image->room[stream]) {
        const size_t room = count + count / 2 + 16;

        image->sectors[stream] = must_realloc(image->sectors[stream],
                                              room * sizeof(image->sectors[stream][0]));
        image->room[stream] = room;
    }
    for (size_t i = image->count[stream]; i < count; i++)
        image->sectors[stream][i] = NULL;
    if (count > image->count[stream])
        image->count[stream] = count;
}

static size_t sectors_of(uint64_t size)
{
    return (size_t)((size + DISK_SECTOR - 1) / DISK_SECTOR);
}

void fd_image_clear(struct fd_image *image)
{
    for (unsigned stream = 0; stream < 2; stream++)
        free(image->sectors[stream]);
    memset(image, 0, sizeof(*image));
}

void fd_image_reset(struct fd_image *image)
{
    image->count[0] = image->count[1] = 0;
    image->size[0] = image->size[1] = 0;
    image->has_journal = false;
    image->hash = 0;
}

void fd_image_copy(struct fd_image *to, const struct fd_image *from)
{
    fd_image_reset(to);
    for (unsigned stream = 0; stream < 2; stream++) {
        make_room(to, stream, from->count[stream]);
        if (from->count[stream] > 0)
            memcpy(to->sectors[stream], from->sectors[stream],
                   from->count[stream] * sizeof(to->sectors[stream][0]));
        to->size[stream] = from->size[stream];
    }
    to->has_journal = from->has_journal;
    memcpy(to->content_hash, from->content_hash, sizeof(to->content_hash));
    to->hash = from->hash;
}

void fd_image_write(struct fd_image *image, struct arena *arena, unsigned stream,
                    const void *bytes, size_t length, uint64_t offset)
{
    const uint8_t *from = bytes;

    if (offset + length > image->size[stream])
        image->size[stream] = offset + length;
    make_room(image, stream, sectors_of(image->size[stream]));
    while (length > 0) {
        const size_t number = (size_t)(offset / DISK_SECTOR);
        const size_t at = (size_t)(offset % DISK_SECTOR);
        const size_t n = length < DISK_SECTOR - at ? length : DISK_SECTOR - at;
        uint8_t content[DISK_SECTOR];

        memcpy(content, sector_bytes(image->sectors[stream][number]), DISK_SECTOR);
        memcpy(content + at, from, n);
        image->sectors[stream][number] = sector_make(arena, content);
        from += n;
        offset += n;
        length -= n;
    }
}

void fd_image_read(const struct fd_image *image, unsigned stream, void *bytes,
                   size_t length, uint64_t offset)
{
    uint8_t *to = bytes;

    while (length > 0) {
        const uint64_t number = offset / DISK_SECTOR;
        const size_t at = (size_t)(offset % DISK_SECTOR);
        const size_t n = length < DISK_SECTOR - at ? length : DISK_SECTOR - at;
        const struct sector *sector =
            number < image->count[stream] ? image->sectors[stream][number] : NULL;

        memcpy(to, sector_bytes(sector) + at, n);
        to += n;
        offset += n;
        length -= n;
    }
}

void fd_image_resize(struct fd_image *image, struct arena *arena, unsigned stream,
                     uint64_t size)
{
    const size_t count = sectors_of(size);

    make_room(image, stream, count);
    image->count[stream] = count;
    if (size < image->size[stream] && size % DISK_SECTOR != 0) {
        uint8_t content[DISK_SECTOR];

        memcpy(content, sector_bytes(image->sectors[stream][count - 1]), DISK_SECTOR);
        memset(content + size % DISK_SECTOR, 0,
               DISK_SECTOR - (size_t)(size % DISK_SECTOR));
        image->sectors[stream][count - 1] = sector_make(arena, content);
    }
    image->size[stream] = size;
}

uint64_t fd_image_hash(const struct fd_image *image)
{
    uint64_t hash = image->content_hash[0] ^ number_weight(image->size[0], 0);

    if (image->has_journal)
        hash ^= image->content_hash[1] ^ number_weight(image->size[1], 1);
    return hash;
}

void fd_image_rehash(struct fd_image *image)
{
    for (unsigned stream = 0; stream < 2; stream++) {
        image->content_hash[stream] = 0;
        for (size_t i = 0; i < image->count[stream]; i++)
            image->content_hash[stream] ^=
                sector_weight(image->sectors[stream][i], stream, i);
    }
    image->hash = fd_image_hash(image);
}
