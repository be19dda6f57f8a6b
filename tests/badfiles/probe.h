/* probe.h: one bad file through the real program: mounted and looked at from all sides,
 * written to where that is allowed, and given to each subcommand. */
#ifndef BAD_PROBE_H
#define BAD_PROBE_H

#include "specimen.h"

enum {
    STEP_SECONDS = 5,       /* longer is a hang */
    MEMORY_LIMIT_MB = 512,  /* address space of the program; resident in ASan builds */
    RESIDENT_LIMIT_MB = 48, /* what it may really use, for files as small as these */
};

enum bad_mode { MODE_DEFAULT, MODE_RO, MODE_SCRATCH, MODE_WALK, MODE_COUNT };

/* What came of it; in memory that is shared with the process that watches. */
struct outcome {
    char step[160];  /* what is being done */
    char wrong[600]; /* the first thing that was not as it has to be; "" = none */
    bool mounted, writable;
    uint64_t resident_kb; /* of the daemon */
};

/* To be run in a process of its own, which is killed by SIGALRM when a step hangs. `dir`
 * is an empty directory. */
void probe(const struct specimen *s, enum bad_mode mode, const char *dir,
           struct outcome *out);

#endif
