/* attr.h: the stat of a node, and how long the kernel may believe it. */
#ifndef PAGEFS_ATTR_H
#define PAGEFS_ATTR_H

#include "node.h"

/* Never fails: what cannot be known (a corrupt free list) is shown as allocated, a text
 * that cannot be rendered as empty; reading it gives the error. */
void attr_fill(const struct fsctx *ctx, struct node node, struct stat *out_stat);

/* Seconds. Names never vanish while mounted, so entries are kept for long. */
double attr_timeout(struct node node);
double attr_entry_timeout(void);

bool attr_needs_freelist(struct node node);
/* Permission bits after -o umask. */
mode_t attr_mode(const struct fsctx *ctx, const struct node_row *row);

#endif
