#include "ramdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct ram_file {
    struct pf_file file;
    struct ram *ram;
};

struct ram_place {
    struct pf_place place;
    struct ramdisk *disk;
};

static struct ram *ram_of(struct pf_file *file)
{
    return ((struct ram_file *)file)->ram;
}

static struct ramdisk *disk_of(struct pf_place *place)
{
    return ((struct ram_place *)place)->disk;
}

/* ---- files ---- */

static ssize_t ram_pread(struct pf_file *file, void *bytes, size_t length,
                         uint64_t offset)
{
    struct pf_file *const under = ram_of(file)->bytes;

    return under->ops->pread(under, bytes, length, offset);
}

static bool may_change(struct ram *ram)
{
    return ram->changes++ < ram->fail_at;
}

static ssize_t ram_pwrite(struct pf_file *file, const void *bytes, size_t length,
                          uint64_t offset)
{
    struct pf_file *const under = ram_of(file)->bytes;

    if (!may_change(ram_of(file)))
        return -EIO;
    return under->ops->pwrite(under, bytes, length, offset);
}

static int ram_truncate(struct pf_file *file, uint64_t size)
{
    struct pf_file *const under = ram_of(file)->bytes;

    if (!may_change(ram_of(file)))
        return -EIO;
    return under->ops->truncate(under, size);
}

static int ram_reserve(struct pf_file *file, uint64_t offset, uint64_t length)
{
    (void)file;
    (void)offset;
    (void)length;
    return 0;
}

static int ram_sync(struct pf_file *file)
{
    (void)file;
    return 0;
}

static int ram_size_call(struct pf_file *file, uint64_t *out_size)
{
    struct pf_file *const under = ram_of(file)->bytes;

    return under->ops->size(under, out_size);
}

static bool ram_is_dense(struct pf_file *file)
{
    (void)file;
    return true;
}

static void ram_close(struct pf_file *file)
{
    free(file);
}

static const struct pf_file_ops file_ops = {
    .pread = ram_pread,
    .pwrite = ram_pwrite,
    .truncate = ram_truncate,
    .reserve = ram_reserve,
    .sync = ram_sync,
    .size = ram_size_call,
    .is_dense = ram_is_dense,
    .close = ram_close,
};

struct pf_file *ramdisk_file(struct ram *ram)
{
    struct ram_file *const file = calloc(1, sizeof(*file));

    require(file != NULL);
    *file = (struct ram_file){{&file_ops}, ram};
    return &file->file;
}

void ram_make(struct ram *ram, const uint8_t *bytes, uint64_t length, uint64_t size)
{
    enum { PIECE = 4096 };
    static const uint8_t zeros[PIECE];

    *ram = (struct ram){.fail_at = UINT64_MAX};
    require(dev_mem_new(NULL, size, &ram->bytes) == PF_OK);
    if (length > size)
        length = size;
    for (uint64_t at = 0; at < length; at += PIECE) {
        const size_t n = length - at < PIECE ? (size_t)(length - at) : PIECE;
        if (memcmp(bytes + at, zeros, n) != 0)
            require(dev_write(ram->bytes, at, bytes + at, n) == PF_OK);
    }
}

void ram_read(struct ram *ram, uint64_t offset, void *bytes, size_t length)
{
    size_t got = 0;

    memset(bytes, 0, length);
    require(dev_read(ram->bytes, offset, bytes, length, &got) == PF_OK);
}

uint64_t ram_size(struct ram *ram)
{
    uint64_t size = 0;

    if (ram->bytes != NULL)
        require(dev_size(ram->bytes, &size) == PF_OK);
    return size;
}

uint64_t ram_hash(struct ram *ram)
{
    const uint64_t size = ram_size(ram);
    const size_t length = size < IMAGE_ROOM ? (size_t)size : IMAGE_ROOM;
    static uint8_t bytes[IMAGE_ROOM];

    if (ram->bytes != NULL)
        ram_read(ram, 0, bytes, length);
    return XXH3_64bits_withSeed(bytes, length, size);
}

/* ---- the directory ---- */

static int place_open(struct pf_place *place, bool write, struct pf_file **out_file)
{
    struct ramdisk *const disk = disk_of(place);

    (void)write;
    if (disk->journal.bytes == NULL)
        return -ENOENT;
    *out_file = ramdisk_file(&disk->journal);
    return 0;
}

static int place_create(struct pf_place *place, struct pf_file **out_file)
{
    struct ramdisk *const disk = disk_of(place);
    const uint64_t changes = disk->journal.changes;

    if (disk->journal.bytes != NULL)
        return -EEXIST;
    ram_make(&disk->journal, NULL, 0, 0);
    disk->journal.changes = changes + 1;
    *out_file = ramdisk_file(&disk->journal);
    return 0;
}

static int place_remove(struct pf_place *place)
{
    struct ram *const journal = &disk_of(place)->journal;

    if (journal->bytes == NULL)
        return -ENOENT;
    dev_close(journal->bytes);
    journal->bytes = NULL;
    journal->changes++;
    return 0;
}

static int place_sync(struct pf_place *place)
{
    (void)place;
    return 0;
}

static void place_end(struct pf_place *place)
{
    free(place);
}

static const struct pf_place_ops place_ops = {
    .open = place_open,
    .create = place_create,
    .remove = place_remove,
    .set_aside = place_remove,
    .sync = place_sync,
    .close = place_end,
};

struct pf_place *ramdisk_place(struct ramdisk *disk)
{
    struct ram_place *const place = calloc(1, sizeof(*place));

    require(place != NULL);
    *place = (struct ram_place){{&place_ops}, disk};
    return &place->place;
}

void ramdisk_clear(struct ramdisk *disk)
{
    dev_close(disk->db.bytes);
    dev_close(disk->journal.bytes);
    *disk = (struct ramdisk){0};
}

static void source_read(void *context, uint64_t offset, void *bytes, size_t length)
{
    ram_read(context, offset, bytes, length);
}

struct oracle_source ramdisk_source(struct ramdisk *disk)
{
    return (struct oracle_source){source_read, &disk->db, ram_size(&disk->db)};
}
