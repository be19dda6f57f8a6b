/* runs.h: the file as runs of pages in equal state, trunks being free pages. */
#ifndef PAGEFS_RUNS_H
#define PAGEFS_RUNS_H

#include "../core/pf.h"

struct run {
    uint64_t start, end; /* end is not in it */
    pf_state state;
};

/* The run that starts at page_id (whatever comes before it); *out_found is false at the
 * end of the file. Needs the free list. */
PF_CHECK pf_err run_at(pf_store *store, uint64_t page_id, struct run *out_run,
                       bool *out_found);

#endif
