/* cuts.h: cut the power anywhere in a trace.
 *
 * The changes of a trace are made again on a fault disk. Where a sync begins, and at the
 * end, the disks that a power cut can leave there are recovered and compared with what
 * the clients had been told by then. */
#ifndef TEST_CUTS_H
#define TEST_CUTS_H

#include "claims.h"
#include "judge.h"
#include "trace.h"

struct cuts {
    struct judge judge;
    const struct judge_start *start;
    struct trace trace;
    uint64_t limit; /* images for each cut */
    uint64_t points;

    struct claims *claims;
    struct arena *arena;
    struct faultdisk disk;
    struct crash crash;
    uint32_t sync_order[2]; /* of a sync that began */
};

void cuts_init(struct cuts *replay, const struct judge_start *start);
void cuts_clear(struct cuts *cuts);
/* Judge all cuts of `trace`, which began with the start. */
void cuts_judge(struct cuts *cuts);

#endif
