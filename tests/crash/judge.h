/* judge.h: recover every disk that a power cut can leave, and compare what comes out with
 * what may come out.
 *
 * A violation is printed with the run (label), the place, and the choice that made the
 * disk; the judge counts it and goes on, so that one bug shows more than one face. */
#ifndef TEST_JUDGE_H
#define TEST_JUDGE_H

#include "crash.h"
#include "imagemap.h"
#include "model.h"
#include "oracle.h"
#include "pf.h"

/* What is looked at beside the recovered state; each costs as much again. */
enum {
    JUDGE_STORE = 1,     /* the recovered store says the same, and drains in order */
    JUDGE_READ_ONLY = 2, /* a read-only open shows the same and changes nothing */
    JUDGE_REPLAY = 4,    /* the oracle's own replay gives the same bytes */
    JUDGE_CUT = 8,       /* power cuts during recovery, and recovery again */
    JUDGE_GO_ON = 16, /* the recovered store works, is closed, and leaves a valid file */
    JUDGE_ALL = 31,
};

/* What a run starts from. */
struct judge_start {
    const char *name;
    struct model model;
    struct fd_image image;
    uint8_t *plain;          /* a byte a page: it does not begin like a trunk */
    struct arena *arena;     /* of the image */
    struct model_pool *pool; /* of the model's pages */
};

struct judge {
    const struct judge_start *start;
    char label[512];       /* the run: enough to repeat it */
    unsigned checks;       /* JUDGE_ bits */
    unsigned every;        /* of so many new images one is looked at so closely */
    uint64_t cut_limit;    /* images for each cut during recovery */
    uint64_t journal_size; /* of recovered stores; 0 = as it is */
    unsigned max_violations;

    uint64_t images;     /* looked at, repeats included */
    uint64_t recoveries; /* images that were recovered, cuts during recovery too */
    uint64_t close_looks;
    uint64_t replays;
    uint64_t cut_images;              /* distinct, during recovery */
    uint64_t points, points_complete; /* crash points, and those with every combination */
    unsigned violations;
    struct imagemap seen; /* distinct images */
    struct imagemap seen_in_recovery;

    /* scratch */
    struct arena *arenas[2];
    struct faultdisk disks[2]; /* recovery, and recovery of a recovery */
    struct fd_image images_built[2], kept;
    struct crash crashes[2];
    struct oracle oracle;
    struct oracle_replay replay;
    uint8_t *untouched, *plain; /* a byte a page of the start, see find_untouched() */
    uint8_t *journal_bytes;
    size_t journal_room;
    uint64_t recovered_db;       /* hash of the database after recovery */
    const struct crash *made_by; /* the image that is judged; NULL = by hand */
    const char *where;
};

void judge_init(struct judge *judge);
void judge_clear(struct judge *judge);
void judge_use(struct judge *judge, const struct judge_start *start);
bool judge_is_done(const struct judge *judge); /* enough violations */

/* Count and print a violation. */
__attribute__((format(printf, 2, 3))) void judge_say(struct judge *judge,
                                                     const char *format, ...);
/* Judge at most `limit` of the disks that a power cut can leave now. One of `allowed`
 * must be what recovery finds. */
void judge_crashes(struct judge *judge, const struct faultdisk *disk, uint64_t limit,
                   const struct model *const *allowed, size_t allowed_count,
                   const char *where);
/* Recover this image on the judge's own disk; `out_disk` holds the result. */
pf_err judge_recover(struct judge *judge, const struct fd_image *image,
                     pf_store **out_store, struct faultdisk **out_disk, char *reason);
/* What the database on this disk holds now, without any recovery. */
struct oracle_source judge_source(const struct faultdisk *disk);
/* Which of `allowed` the disk holds now, without any recovery; -1: none of them, and
 * `why` says more. */
int judge_match(struct judge *judge, const struct faultdisk *disk,
                const struct model *const *allowed, size_t allowed_count, char *why,
                size_t why_size);

#endif
