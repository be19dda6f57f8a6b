/* access.h: who may open what. Mode bits count for root too: a write-only file is not
 * readable by anyone, so that a backup run by root does not trip over it. */
#ifndef PAGEFS_ACCESS_H
#define PAGEFS_ACCESS_H

#include "node.h"

/* All return 0 or an errno. */

/* For open(2) with these flags: mode bits, read-only mounts, the guard of alloc. */
int access_open(const struct fsctx *ctx, const struct node_row *row, int flags);
/* For truncate(2), which does nothing but needs the right to write. */
int access_truncate(const struct fsctx *ctx, const struct node_row *row);
/* For access(2) by this user. */
int access_check(const struct fsctx *ctx, const struct node_row *row, uid_t uid,
                 gid_t gid, int mask);
/* The answer to everything that would change the tree itself. */
int access_refusal(const struct fsctx *ctx);

#endif
