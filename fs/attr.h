/* attr.h: the stat of a node, and how long the kernel may believe it. */
#ifndef PAGEFS_ATTR_H
#define PAGEFS_ATTR_H

#include "node.h"

/* Never fails: what cannot be known (a corrupt free list) is shown as allocated, a text
 * that cannot be rendered as empty; reading it gives the error. */
void attr_fill(const struct fsctx *ctx, struct node node, struct stat *out_stat);

/* Seconds for which the kernel may keep attributes: as an answer to getattr, and as part
 * of a listing or lookup, where those of pages are kept for a moment (attr_cache.h; call
 * it before attr_fill()). */
double attr_timeout(struct node node);
double attr_grant(struct fsctx *ctx, struct node node);
/* And for which it may keep a name. For long: it always stands for the same inode, and
 * whether that (still) exists is asked with each use. A page that was given back by
 * `shrink` so gives ENOENT although its name is cached. */
double attr_entry_timeout(struct node node);

/* Permission bits after -o umask. */
mode_t attr_mode(const struct fsctx *ctx, const struct node_row *row);

#endif
