/* checks.h: the check of the whole file that check/ controls.
 *
 * One at a time, in a thread of its own, on the live store. What changes meanwhile may be
 * seen half before and half after, so these pages are named at the end. Locks itself. */
#ifndef PAGEFS_CHECKS_H
#define PAGEFS_CHECKS_H

#include "fsctx.h"

struct checks;
struct findings;

struct checks *checks_new(void); /* NULL: out of memory */
void checks_free(struct checks *checks);

/* PF_E_CHECKING: one runs. PF_E_IO. */
PF_CHECK pf_err checks_begin(struct fsctx *ctx);
/* End the one that runs, if any. */
void checks_cancel(struct checks *checks);
bool checks_running(struct checks *checks);
void checks_progress(struct checks *checks, uint64_t *out_done, uint64_t *out_total);
struct findings *checks_findings(struct checks *checks);

void checks_pages_changed(struct checks *checks, uint64_t first, uint64_t count);

#endif
