/* overtake.h: what is written while a walk is under way, and whether the walk saw it.
 *
 * For graph.c only; needs its lock. A walk reads the file for minutes without a lock. It
 * holds when no page that it reached was written meanwhile: which pages are reached
 * follows from the bytes of those that are, so a write elsewhere cannot matter. */
#ifndef PF_OVERTAKE_H
#define PF_OVERTAKE_H

#include "walk.h"

enum { OVERTAKE_RANGES = 64 };

struct overtake { /* all zero but `next` = nothing was written */
    struct overtake *next;
    struct pf_range ranges[OVERTAKE_RANGES];
    size_t count;
    bool overflow; /* more than is kept here: any page may have been */
};

void overtake_note(struct overtake *overtake, const struct pf_range *written);
bool overtake_hits(const struct overtake *overtake, struct walk *walk);
/* Does the walk reach one of these pages? out_page_id: the lowest. */
bool overtake_reaches(struct walk *walk, const struct pf_range *range,
                      uint64_t *out_page_id);

#endif
