/* fdinode.c: one file of a fault disk: what it holds now, and what it may hold after a
 * power cut. */
#include <stdlib.h>
#include <string.h>

#include "faultdisk.h"

static void make_room(struct fd_inode *inode, size_t count)
{
    if (count <= inode->room)
        return;
    const size_t room = count + count / 2 + 64;
    inode->now = must_realloc(inode->now, room * sizeof(*inode->now));
    inode->dim_of = must_realloc(inode->dim_of, room * sizeof(*inode->dim_of));
    memset(inode->now + inode->room, 0, (room - inode->room) * sizeof(*inode->now));
    memset(inode->dim_of + inode->room, 0, (room - inode->room) * sizeof(*inode->dim_of));
    inode->room = room;
}

static struct fd_dim *dim_at(struct fd_inode *inode, uint32_t number)
{
    if (inode->dim_of[number] == 0) {
        MUST_GROW(inode->dims, inode->dim_count, inode->dim_room);
        inode->dims[inode->dim_count++] = (struct fd_dim){
            .sector = number,
            .first = UINT32_MAX,
            .last = UINT32_MAX,
            .durable = inode->now[number],
        };
        inode->dim_of[number] = (uint32_t)inode->dim_count;
    }
    return &inode->dims[inode->dim_of[number] - 1];
}

static void set_now(struct fd_inode *inode, uint32_t number, const struct sector *content)
{
    inode->hash ^= sector_weight(inode->now[number], inode->stream, number);
    inode->hash ^= sector_weight(content, inode->stream, number);
    inode->now[number] = content;
}

static void write_sector(struct fd_inode *inode, uint32_t number,
                         const struct sector *content)
{
    if (sector_same(inode->now[number], content))
        return;
    struct fd_dim *dim = dim_at(inode, number);
    MUST_GROW(inode->versions, inode->version_count, inode->version_room);
    const uint32_t at = (uint32_t)inode->version_count++;
    inode->versions[at] = (struct fd_version){content, UINT32_MAX, inode->order++};
    if (dim->last == UINT32_MAX)
        dim->first = at;
    else
        inode->versions[dim->last].next = at;
    dim->last = at;
    set_now(inode, number, content);
}

static void note_size(struct fd_inode *inode, uint64_t size)
{
    MUST_GROW(inode->resizes, inode->resize_count, inode->resize_room);
    inode->resizes[inode->resize_count++] = (struct fd_resize){size, inode->order++};
    inode->size = size;
}

void fd_write(struct faultdisk *disk, struct fd_inode *inode, const void *bytes,
              size_t length, uint64_t offset)
{
    const uint8_t *from = bytes;

    if (length == 0)
        return;
    make_room(inode, (size_t)((offset + length + DISK_SECTOR - 1) / DISK_SECTOR));
    if (offset + length > inode->size)
        note_size(inode, offset + length);
    while (length > 0) {
        const uint32_t number = (uint32_t)(offset / DISK_SECTOR);
        const size_t at = (size_t)(offset % DISK_SECTOR);
        const size_t n = length < DISK_SECTOR - at ? length : DISK_SECTOR - at;
        uint8_t content[DISK_SECTOR];

        if (n < DISK_SECTOR)
            memcpy(content, sector_bytes(inode->now[number]), DISK_SECTOR);
        memcpy(content + at, from, n);
        write_sector(inode, number, sector_make(disk->arena, content));
        from += n;
        offset += n;
        length -= n;
    }
}

void fd_truncate(struct faultdisk *disk, struct fd_inode *inode, uint64_t size)
{
    const uint32_t end = (uint32_t)((inode->size + DISK_SECTOR - 1) / DISK_SECTOR);
    const uint32_t keep = (uint32_t)(size / DISK_SECTOR);

    if (size == inode->size)
        return;
    make_room(inode, (size_t)((size + DISK_SECTOR - 1) / DISK_SECTOR));
    for (uint32_t number = keep; number < end; number++) {
        uint8_t content[DISK_SECTOR] = {0};

        if (inode->now[number] == NULL)
            continue;
        if (number == keep)
            memcpy(content, inode->now[number]->bytes, (size_t)(size % DISK_SECTOR));
        (void)dim_at(inode, number);
        set_now(inode, number, sector_make(disk->arena, content));
    }
    note_size(inode, size);
}

void fd_read(const struct fd_inode *inode, void *bytes, size_t length, uint64_t offset)
{
    uint8_t *to = bytes;

    while (length > 0) {
        const uint64_t number = offset / DISK_SECTOR;
        const size_t at = (size_t)(offset % DISK_SECTOR);
        const size_t n = length < DISK_SECTOR - at ? length : DISK_SECTOR - at;

        memcpy(to, sector_bytes(number < inode->room ? inode->now[number] : NULL) + at,
               n);
        to += n;
        offset += n;
        length -= n;
    }
}

static void forget_changes(struct fd_inode *inode)
{
    for (size_t i = 0; i < inode->dim_count; i++)
        inode->dim_of[inode->dims[i].sector] = 0;
    inode->dim_count = inode->version_count = inode->resize_count = 0;
    inode->order = inode->floor = 0;
}

/* Some changes become durable, others stay uncertain. Only the versions are looked at:
 * with a smaller size among the changes nothing becomes durable, which is allowed. */
void fd_settle(struct fd_inode *inode, uint32_t from, uint32_t to)
{
    uint64_t size = inode->durable_size;
    size_t settled = 0;

    for (size_t i = 0; i < inode->resize_count; i++) {
        if (inode->resizes[i].size < size)
            return;
        size = inode->resizes[i].size;
    }
    for (size_t i = 0; i < inode->dim_count; i++) {
        struct fd_dim *dim = &inode->dims[i];
        uint32_t keep = dim->first;

        for (uint32_t v = dim->first; v != UINT32_MAX; v = inode->versions[v].next) {
            if (inode->versions[v].order >= from && inode->versions[v].order < to) {
                dim->durable = inode->versions[v].content;
                keep = inode->versions[v].next;
            }
        }
        dim->first = keep;
        if (keep == UINT32_MAX)
            dim->last = UINT32_MAX;
    }
    for (size_t i = 0; i < inode->resize_count; i++) {
        if (inode->resizes[i].order >= from && inode->resizes[i].order < to) {
            inode->durable_size = inode->resizes[i].size;
            settled = i + 1;
        }
    }
    inode->resize_count -= settled;
    if (settled > 0)
        memmove(inode->resizes, inode->resizes + settled,
                inode->resize_count * sizeof(*inode->resizes));
}

void fd_sync(struct fd_inode *inode, uint32_t order)
{
    if (inode->floor == 0 && order == inode->order) {
        forget_changes(inode);
        inode->durable_size = inode->size;
    } else {
        fd_settle(inode, inode->floor, order);
    }
}

void fd_inode_clear(struct fd_inode *inode)
{
    free(inode->now);
    free(inode->dim_of);
    free(inode->dims);
    free(inode->versions);
    free(inode->resizes);
    memset(inode, 0, sizeof(*inode));
}

void fd_inode_load(struct fd_inode *inode, const struct fd_image *image, unsigned stream)
{
    const size_t count = image == NULL ? 0 : image->count[stream];

    forget_changes(inode);
    make_room(inode, count);
    if (count > 0)
        memcpy(inode->now, image->sectors[stream], count * sizeof(*inode->now));
    if (inode->room > count)
        memset(inode->now + count, 0, (inode->room - count) * sizeof(*inode->now));
    inode->stream = stream;
    inode->size = inode->durable_size = image == NULL ? 0 : image->size[stream];
    inode->hash = image == NULL ? 0 : image->content_hash[stream];
}
