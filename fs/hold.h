/* hold.h: an open `pages/N/hold` is a pin that ends with the open file. */
#ifndef PAGEFS_HOLD_H
#define PAGEFS_HOLD_H

#include "handle.h"

/* PF_E_NO_PAGE also for a page that is free: there is nothing to hold. */
PF_CHECK pf_err hold_begin(struct fsctx *ctx, struct handle *handle);
/* When it has begun; otherwise nothing. */
void hold_end(struct fsctx *ctx, struct handle *handle);

#endif
