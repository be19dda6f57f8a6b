/* onefault.h: the script of script.h again and again, each time with one call failing,
 * once or from then on, until every call was tried. What was acknowledged stays; a store
 * that goes on is as if the failed operation had never been asked for; one that does not
 * is closed and opened again, with and without a power cut, and the opens fail, too.
 *
 * Which calls fail, and how they are checked, is the fault_kind of each test program.
 * PF_CRASH_FAULT="seed part call forever error applied" repeats one. */
#ifndef TEST_ONEFAULT_H
#define TEST_ONEFAULT_H

#include "script.h"

struct fault_plan {
    uint64_t seed, call; /* the call-th of the part fails */
    unsigned part;
    bool forever;            /* and all later ones */
    int error;               /* errno; of the disk's calls only, as is `applied` */
    enum fd_applied applied; /* how much a failing call does all the same */
};

struct onefault {
    const struct fault_kind *kind;
    struct fault_plan plan; /* of what is played now */
    struct judge judge;
    struct run run;
    struct script script;
    struct arena *arena;     /* of `second` */
    struct faultdisk second; /* for the opens after a failure */
    struct crash crash;
    uint64_t points, refused, latched, unnoticed;
    uint64_t opens; /* that failed after a failure */
};

struct fault_kind {
    const char *name;
    uint64_t seeds;
    uint64_t crashes; /* disks of a power cut whose opens fail */

    /* Let it fail as `plan` says; let nothing fail any more; how many calls failed. */
    void (*arm)(struct onefault *t);
    void (*disarm)(struct onefault *t);
    uint64_t (*faults)(const struct onefault *t);

    /* onefault_play() for all plans of a part. */
    void (*play_part)(struct onefault *t, uint64_t seed, unsigned part);

    /* An operation succeeded although this many calls had failed before it. */
    void (*check_success)(struct onefault *t, char letter, uint64_t faults_before);
    /* An operation failed; run.store may be NULL. */
    void (*check_failure)(struct onefault *t);
    /* The store takes no more changes; it is about to be closed. */
    void (*check_stopped)(struct onefault *t);
    /* Shall the opens after this failure fail, too? Then all of this image's. */
    bool (*wants_failing_opens)(const struct onefault *t);
    void (*fail_opens)(struct onefault *t, const struct fd_image *image);
};

void onefault_init(struct onefault *t, const struct fault_kind *kind);
void onefault_clear(struct onefault *t);
/* Play one part with one failure; adds to the figures. False: there is no such call. */
bool onefault_play(struct onefault *t, const struct fault_plan *plan);
/* Everything, or what PF_CRASH_FAULT says; prints the figures and asserts that there was
 * no violation. */
void onefault_test(const struct fault_kind *kind);

/* A violation, at the operation that is played. */
void onefault_say(struct onefault *t, const char *what);
/* What a power cut leaves of `second` is one of the states of the run. */
void onefault_judge_second(struct onefault *t, const char *when);

#endif
