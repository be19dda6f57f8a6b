/* script.h: 200 operations, for tests that fail one call at a time.
 *
 * They are cut into parts, each a word of letters that starts from the file the part
 * before it left, journal and all: so a call deep in the script can be failed without
 * playing everything before it, and every part begins with what a killed process left.
 *
 * Beside the letters of run.h:
 *
 *   C  clone, allocate from the clone      n  snapshot, compare with now
 *   v  check the whole file                l  list and look up every page
 *   P  pin some pages, unpin them          u  pf_sync() */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H

#include "run.h"

enum { SCRIPT_PARTS = 15, SCRIPT_OPERATIONS = 200, SCRIPT_JOURNAL = 12 * 1024 };

struct script {
    struct judge_start starts[SCRIPT_PARTS];
    uint64_t seed;
};

/* The letters of a part. */
const char *script_part(unsigned part);
/* Play all parts without a failure, and keep what each starts from. False: a violation,
 * which was printed. */
bool script_prepare(struct script *script, struct run *run, uint64_t seed);
void script_clear(struct script *script);
/* Start the run anew for this part, its store open. */
bool script_begin(const struct script *script, struct run *run, unsigned part);
enum run_result script_operation(struct run *run, char letter);
/* Does this store, open for reading, show one of the run's states? */
bool script_shows_state(const struct run *run, pf_store *store);

#endif
