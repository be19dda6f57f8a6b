/* ramdisk.h: a database and its journal in memory, which count what is done to them.
 *
 * The files live in the disk, not in what opens them: a store that is closed leaves them
 * as they are. */
#ifndef FUZZ_RAMDISK_H
#define FUZZ_RAMDISK_H

#include "dev.h"
#include "input.h"
#include "oracle.h"
#include "place.h"

struct ram {
    struct pf_file *bytes; /* NULL: there is no such file */
    uint64_t changes;      /* writes and truncates */
    uint64_t fail_at;      /* this change and all later ones fail; UINT64_MAX = none */
};

struct ramdisk {
    struct ram db, journal;
};

void ram_make(struct ram *ram, const uint8_t *bytes, uint64_t length, uint64_t size);
void ram_read(struct ram *ram, uint64_t offset, void *bytes, size_t length);
uint64_t ram_size(struct ram *ram);
/* XXH3 of size and of the first IMAGE_ROOM bytes. */
uint64_t ram_hash(struct ram *ram);

void ramdisk_clear(struct ramdisk *disk);
/* What store_open() takes, and closes. */
struct pf_file *ramdisk_file(struct ram *ram);
struct pf_place *ramdisk_place(struct ramdisk *disk);
/* For the reader that shares no code with core/. */
struct oracle_source ramdisk_source(struct ramdisk *disk);

#endif
