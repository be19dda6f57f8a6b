/* sequence.h: one sequence of random operations through a mount, and the naive model that
 * takes every step, too. */
#ifndef TEST_STRESS_SEQUENCE_H
#define TEST_STRESS_SEQUENCE_H

#include <inttypes.h>

#include "harness.h"
#include "naive.h"

enum { SEQUENCE_HOLDS = 4, SEQUENCE_TAG_AT = 1000, SEQUENCE_ALLOC_MOST = 40 };

struct sequence {
    struct mnt *m;
    struct naive model, before; /* before: of the snapshot */
    uint64_t rng;
    uint64_t seed;
    unsigned step;
    bool snapshot; /* there is one */
    struct {
        int fd; /* -1 = none */
        uint64_t id;
    } holds[SEQUENCE_HOLDS];
    uint64_t events; /* bytes that were there before this step */
    char done[160];  /* the step in words */
};

/* Fail, saying how to come here again. */
#define wrong(q, ...)                                                                    \
    do {                                                                                 \
        print_error("seed %" PRIu64 ", step %u: %s: ", (q)->seed, (q)->step, (q)->done); \
        fail_msg(__VA_ARGS__);                                                           \
    } while (0)

/* ---- sequence_steps.c ---- */

/* Any step but a remount, in the mount and in the model: the errno, the answer and the
 * event are the model's. */
void sequence_step(struct sequence *q);
/* A page of the database, or one of two behind it. */
uint64_t sequence_page(struct sequence *q);
void sequence_end_holds(struct sequence *q);

/* ---- sequence_compare.c: the mount shows what the model says ---- */

void compare_stats(struct sequence *q);
/* Every page. Where the free list has written, the data is not what it was. */
void compare_map(struct sequence *q);
void compare_freelist(struct sequence *q);
/* State, pins and data; nothing when there is no such page. */
void compare_page(struct sequence *q, uint64_t id);
/* Of the snapshot. */
void compare_diff(struct sequence *q);
/* The closed file, by code that shares nothing with what wrote it. */
void compare_file(struct sequence *q);

#endif
