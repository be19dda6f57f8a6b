/* write.h: what file.c needs of writing. */
#ifndef PAGEFS_WRITE_H
#define PAGEFS_WRITE_H

#include "handle.h"

/* At release: run the token that was waiting for its rest, if any. Takes effect before
 * any later request is looked at. */
void write_carried(struct fsctx *ctx, struct handle *handle);

#endif
