/* crash.h: every disk that a power cut can leave now.
 *
 * What is uncertain are independent choices: for each sector with unsynced writes, which
 * of its contents; for each file, which of its sizes; for the directory, which of its
 * entries. crash_next() makes all combinations of an entry when there are at most
 * `limit`, else `limit` of them: first the telling ones (nothing and everything kept, one
 * file only, each single choice lost or kept alone, every prefix in the order of
 * writing), then random ones. */
#ifndef TEST_CRASH_H
#define TEST_CRASH_H

#include "faultdisk.h"

struct crash_choice {
    const struct fd_inode *inode;
    uint32_t dim;     /* into the inode's dims; UINT32_MAX = its size */
    uint32_t options; /* 0 = as at the last sync, then from oldest to youngest */
    uint32_t chosen;
    size_t table; /* a sector's contents: [option * sizes of the inode + size chosen] */
};

struct crash {
    const struct faultdisk *disk;
    uint64_t limit;
    uint64_t rng;
    struct arena *cut_sectors; /* that a smaller size cut */

    uint32_t entry_option; /* 0 = the synced one, then the changes */
    bool fresh;            /* no combination of this entry was made yet */
    bool all;              /* all of this entry are made */
    uint64_t made;         /* of this entry */

    struct crash_choice *choices; /* the sizes are the last two */
    size_t count, room;
    const struct sector **contents;
    uint64_t *weights;
    size_t table_count, table_room;
    uint64_t certain; /* hash of what is certain */
    uint64_t hash;    /* of the disk that the current combination leaves */
};

void crash_init(struct crash *crash);
void crash_clear(struct crash *crash);
/* Start over for the present state of `disk`, which must not change until done. */
void crash_begin(struct crash *crash, const struct faultdisk *disk, uint64_t limit,
                 uint64_t seed);
/* Go to the next combination and set `hash`; false: done. */
bool crash_next(struct crash *crash);
/* Build the disk that the current combination leaves; valid until the next crash_begin().
 */
void crash_build(const struct crash *crash, struct fd_image *image);
/* The same for good: sectors that are not the disk's come from `arena`. */
void crash_keep(const struct crash *crash, struct arena *arena, struct fd_image *image);
/* The current combination in words, for repeating it by hand. */
void crash_describe(const struct crash *crash, char *out, size_t size);

#endif
