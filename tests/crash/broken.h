/* broken.h: samples broken in every way that a repair mends, for tests that cut the
 * repair short. */
#ifndef TEST_BROKEN_H
#define TEST_BROKEN_H

#include "graph.h"

struct broken { /* a file, and the repair that it needs */
    const char *name, *sample;
    void (*make)(struct image *file);
    struct pf_repair_options options;
    uint64_t portion;  /* see repair.h */
    bool with_journal; /* a refused one lies beside it */
};

extern const struct broken broken_files[];
extern const size_t broken_file_count;

#endif
