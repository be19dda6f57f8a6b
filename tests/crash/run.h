/* run.h: a store on a fault disk and the model of it, operated side by side.
 *
 * Operations are letters, so that a history is a word that can be typed again:
 *
 *   a A  allocate one page, three          f F  free one page, several in two ranges
 *   w W  write a whole page, a piece that  t    take a page out of the middle of the list
 *        straddles sectors                 c    allocate two consecutive pages
 *   m M  allocate, free many
 *   g    group: several operations, then   k    checkpoint
 *        one wait                          r    close and open again
 *   e    write the last page               z    free it
 *   s    shrink                            b    rebuild the free list
 *   x    the process dies between two operations; open again
 *
 * What an operation works on is drawn from the run's random numbers. */
#ifndef TEST_RUN_H
#define TEST_RUN_H

#include "judge.h"

enum { RUN_STATES = 12, RUN_GROUP = 5 };
/* Those of the short histories. */
#define RUN_OPERATIONS "aAfFwWtcgkrsbx"

struct run {
    struct judge *judge;
    struct arena *arena;
    struct model_pool *pool;
    struct faultdisk disk;
    pf_store *store; /* NULL: the last open or close failed */
    uint64_t journal_size;
    uint64_t max_pages; /* no operation grows the file beyond */
    uint64_t rng;
    uint64_t limit;  /* images for each crash point; 0 = do not cut */
    bool no_reserve; /* the file system cannot reserve space */
    bool expect_cut; /* an operation may fail: the power goes on purpose */
    pf_err error;    /* of the last operation that failed */
    char where[160];
    unsigned writes;
    struct oracle oracle;

    /* states[0] is acknowledged, the others are what the operations in flight make */
    struct model states[RUN_STATES];
    size_t state_count;
};

void run_init(struct run *run, struct judge *judge);
void run_clear(struct run *run);
/* Load the start, open the store. */
bool run_begin(struct run *run, const struct judge_start *start, uint64_t seed);
/* Let go of the store without closing it. */
void run_end(struct run *run);
/* Do one operation. RUN_INVALID: it cannot be done in this state, nothing happened.
 * RUN_FAILED: a call failed; without expect_cut that is a violation. */
enum run_result { RUN_DONE, RUN_INVALID, RUN_FAILED };
enum run_result run_operation(struct run *run, char operation);
/* Open the store on the disk as it is now, and find out which state it is in. */
bool run_open(struct run *run);
/* The power goes: go on with one of the disks that this leaves. */
bool run_power_cycle(struct run *run);
/* Judge what a power cut leaves now. */
void run_judge(struct run *run, uint64_t limit);

/* ---- starts ---- */

struct start_spec {
    const char *name;
    uint64_t total_pages; /* < 2: a fresh file of 112 bytes */
    uint64_t free_pages;
    uint64_t block_pages;   /* at most 506 */
    uint64_t missing_bytes; /* at the end of the last page */
};

/* A file made by hand from core/FORMAT.md: every page has contents of its own, and free
 * pages are listed in a scrambled order. */
void start_make(struct judge_start *start, const struct start_spec *spec);
void start_clear(struct judge_start *start);

#endif
