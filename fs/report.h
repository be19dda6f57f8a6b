/* report.h: the end of a command: `last_error` and `events`. */
#ifndef PAGEFS_REPORT_H
#define PAGEFS_REPORT_H

#include "actor.h"
#include "node.h"

struct report {
    struct node node;  /* which was written to, or for alloc read from */
    const char *op;    /* NULL: the command was not understood */
    const char *words; /* the command or the token at fault, for last_error */
#define REPORT_NO_ID UINT64_MAX
    uint64_t bad_id; /* the page that was refused; REPORT_NO_ID = none, or not known */
    const struct actor *actor;
    pf_err err;
};

/* Note how it ended; `ranges` are the pages it has changed, if it went well. Call this
 * right before the reply: from then on the kernel has to ask for their attributes. */
void report_end(struct fsctx *ctx, const struct report *report,
                const struct pf_range *ranges, size_t range_count);
/* Part of it, for who knows his pages one by one: pages first .. last, rising or falling,
 * have changed. */
void report_pages(struct fsctx *ctx, const char *op, uint64_t first, uint64_t last,
                  const struct actor *actor);
/* A line in `events` about a page that has not changed, or EVENT_NO_PAGE. */
void report_line(struct fsctx *ctx, const char *op, uint64_t page_id,
                 const struct actor *actor, pf_err err);

#endif
