/* render.h: the text of every small readable file.
 *
 * Each renderer appends to `out` and leaves out-of-memory to out->failed. */
#ifndef PAGEFS_RENDER_H
#define PAGEFS_RENDER_H

#include "fsctx.h"
#include "text.h"

PF_CHECK pf_err render_readme(const struct fsctx *ctx, uint64_t page_id,
                              struct text *out);
PF_CHECK pf_err render_status(const struct fsctx *ctx, uint64_t page_id,
                              struct text *out);
PF_CHECK pf_err render_header(const struct fsctx *ctx, uint64_t page_id,
                              struct text *out);
PF_CHECK pf_err render_stats(const struct fsctx *ctx, uint64_t page_id, struct text *out);
PF_CHECK pf_err render_stats_json(const struct fsctx *ctx, uint64_t page_id,
                                  struct text *out);
PF_CHECK pf_err render_last_error(const struct fsctx *ctx, uint64_t page_id,
                                  struct text *out);

PF_CHECK pf_err render_state(const struct fsctx *ctx, uint64_t page_id, struct text *out);
PF_CHECK pf_err render_pins(const struct fsctx *ctx, uint64_t page_id, struct text *out);
PF_CHECK pf_err render_offset(const struct fsctx *ctx, uint64_t page_id,
                              struct text *out);
PF_CHECK pf_err render_checksum(const struct fsctx *ctx, uint64_t page_id,
                                struct text *out);

#endif
