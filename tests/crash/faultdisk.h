/* faultdisk.h: a disk in memory that can lose what was not synced, and that can fail.
 *
 * It holds a database and, under one directory entry, a journal, and is used through
 * struct pf_file and struct pf_place. What it promises is what a careful program may
 * expect of a disk and a file system, and no more:
 *
 *  - Sectors of 512 bytes are written whole or not at all. Until a sync() returned 0,
 * each sector holds what it held at the last sync or any of the contents it was given
 *    since, whatever happened to the other sectors.
 *  - Changes of a file's size happen in their order, and each can be lost until a sync.
 *    Bytes that come into being with a larger size are zeros.
 *  - A created journal may vanish and a removed one may come back until the directory is
 *    synced, also when the file itself was synced.
 *  - A failed sync may have kept anything, and a later sync that succeeds does not bring
 *    back what it lost.
 *
 * crash.h makes the disks that a power cut can leave. */
#ifndef TEST_FAULTDISK_H
#define TEST_FAULTDISK_H

#include <pthread.h>
#include <stdbool.h>

#include "arena.h"
#include "dev.h"
#include "place.h"

enum fd_call {
    FD_READ,
    FD_SIZE,
    FD_RESERVE,
    FD_OPEN,
    /* from here on: what changes the disk, or makes changes durable */
    FD_WRITE,
    FD_TRUNCATE,
    FD_SYNC,
    FD_CREATE,
    FD_REMOVE,
    FD_DIR_SYNC,
    FD_CALL_COUNT
};

enum { FD_NONE = -1 };

struct fd_image;

struct fd_version { /* one content that a sector was given since the last sync */
    const struct sector *content;
    uint32_t next; /* the next younger one of the same sector, UINT32_MAX = none */
    uint32_t order;
};

struct fd_dim { /* a sector whose content after a power cut is not certain */
    uint32_t sector;
    uint32_t first, last; /* into versions; UINT32_MAX = only a truncate changed it */
    const struct sector *durable;
};

struct fd_resize {
    uint64_t size;
    uint32_t order;
};

struct fd_inode {
    const struct sector **now;
    size_t room;      /* sectors that `now` and `dim_of` have place for */
    uint32_t *dim_of; /* 1 + index into dims, 0 = the sector is certain */
    uint64_t size, durable_size;
    uint64_t hash;   /* xor of the weights of `now` */
    unsigned stream; /* 0 database, 1 journal: part of the weights */
    struct fd_dim *dims;
    struct fd_version *versions;
    struct fd_resize *resizes;
    size_t dim_count, dim_room, version_count, version_room, resize_count, resize_room;
    uint32_t order; /* of the next change */
    uint32_t floor; /* changes before it went with a failed sync */
};

/* Fail the `at`-th call (0 = the first) of the kinds in `kinds`, and all later ones when
 * `forever`. error: an errno, or FD_SHORT: transfers stop half-way and other calls
 * succeed. A write that fails has done nothing, half, or all. */
enum { FD_SHORT = 0 };
enum fd_applied { FD_NOTHING, FD_HALF, FD_ALL };
struct fd_fault {
    bool armed;
    bool forever;
    uint32_t kinds; /* bits 1 << enum fd_call */
    uint64_t at;
    int error;
    enum fd_applied applied;
};

struct faultdisk {
    pthread_mutex_t lock;
    struct arena *arena; /* of the sectors that are written; not owned */
    struct fd_inode db;
    struct fd_inode **journals; /* every journal there was since the disk was loaded */
    size_t journal_count, journal_room;
    int entry, durable_entry; /* into journals, or FD_NONE */
    int *entry_changes;       /* since the last sync of the directory */
    size_t entry_change_count, entry_change_room;

    uint64_t calls[FD_CALL_COUNT];
    uint64_t changes; /* calls from FD_WRITE on */
    uint64_t cut_at;  /* the power goes, or the process dies, during this change (0 = the
                         first); UINT64_MAX = never */
    bool dead;        /* since then every call gives -EIO */
    struct fd_fault fault;
    uint64_t fault_calls; /* that the fault looked at */
    uint64_t faults;      /* that happened */
    struct {              /* the last of them */
        enum fd_call kind;
        unsigned stream; /* 0 database, 1 journal, 2 their directory */
    } failed;
    unsigned sync_usec; /* how long a sync takes */
    bool no_reserve;    /* reserve() is not supported */

    /* Called during each change: a sync before it did anything, the others when done.
     * The disk must not be used through its files meanwhile. May be NULL. */
    void (*hook)(void *context, enum fd_call call);
    void *hook_context;
    /* Called as trace.h wants it: before a change, and before and after a sync (then
     * `done` says that it succeeded). May be NULL. stream 2 = the directory. */
    void (*record)(void *context, enum fd_call call, unsigned stream, uint64_t at,
                   const void *bytes, size_t length, bool done);
    void *record_context;
};

/* What a disk holds when the power comes back. The sectors belong to arenas. */
struct fd_image {
    const struct sector **sectors[2]; /* database, journal */
    size_t count[2], room[2];
    uint64_t size[2];
    bool has_journal;
    uint64_t content_hash[2]; /* xor of the weights of the sectors */
    uint64_t hash;            /* of everything: equal images have equal hashes */
};

void faultdisk_init(struct faultdisk *disk, struct arena *arena);
void faultdisk_clear(struct faultdisk *disk);
/* Start over with this content, all durable; counters, cut, fault and hook are reset. */
void faultdisk_load(struct faultdisk *disk, const struct fd_image *image);
/* Only the process had died: everything that was written is there, though not durable. */
void faultdisk_revive(struct faultdisk *disk);
/* What is there now. */
void faultdisk_now(const struct faultdisk *disk, struct fd_image *image);

/* The files, to be closed by whoever gets them (store_open() does). */
struct pf_file *faultdisk_db(struct faultdisk *disk);
struct pf_place *faultdisk_place(struct faultdisk *disk);

/* The calls themselves, without cut, fault and hook: for replaying a trace. */
void fd_write(struct faultdisk *disk, struct fd_inode *inode, const void *bytes,
              size_t length, uint64_t offset);
void fd_truncate(struct faultdisk *disk, struct fd_inode *inode, uint64_t size);
/* Everything before `order` is durable. */
void fd_sync(struct fd_inode *inode, uint32_t order);
void fd_read(const struct fd_inode *inode, void *bytes, size_t length, uint64_t offset);
int fd_create(struct faultdisk *disk); /* an index into journals */
void fd_remove(struct faultdisk *disk);
void fd_dir_sync(struct faultdisk *disk);

/* ---- for faultdisk.c ---- */

/* What was changed from `from` on and before `to` becomes durable, the rest stays
 * uncertain. */
void fd_settle(struct fd_inode *inode, uint32_t from, uint32_t to);
void fd_inode_clear(struct fd_inode *inode);
/* Start over with what the image has in this stream; NULL = an empty file. */
void fd_inode_load(struct fd_inode *inode, const struct fd_image *image, unsigned stream);

/* ---- images ---- */

void fd_image_clear(struct fd_image *image);
/* Make room, size 0, no journal. */
void fd_image_reset(struct fd_image *image);
void fd_image_copy(struct fd_image *to, const struct fd_image *from);
/* Set bytes of the database (stream 0) or the journal (1); the size grows as needed. */
void fd_image_write(struct fd_image *image, struct arena *arena, unsigned stream,
                    const void *bytes, size_t length, uint64_t offset);
void fd_image_read(const struct fd_image *image, unsigned stream, void *bytes,
                   size_t length, uint64_t offset);
void fd_image_resize(struct fd_image *image, struct arena *arena, unsigned stream,
                     uint64_t size);
/* Compute the hashes anew: to be called after changes by hand. */
void fd_image_rehash(struct fd_image *image);
/* `hash`, from the hashes of the contents. */
uint64_t fd_image_hash(const struct fd_image *image);

#endif
