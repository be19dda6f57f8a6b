/* session.h: a FUSE session, from the options to the mount. */
#ifndef PAGEFS_SESSION_H
#define PAGEFS_SESSION_H

#include "fsctx.h"
#include "options.h"

struct helper;

/* Make ctx->session and mount it. 0, or an exit status after one line on stderr. A
 * session that was made stays in `ctx` in any case: for fuse_session_destroy(). */
int session_mount(struct fsctx *ctx, const struct options *options,
                  const char *mountpoint);
/* The other way round. The helper does it where there is one. */
void session_unmount(struct fsctx *ctx, struct helper *helper);

#endif
