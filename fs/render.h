/* render.h: the text of every small readable file.
 *
 * Each renderer appends to `out` and leaves out-of-memory to out->failed. `id` is that
 * of the page or snapshot. */
#ifndef PAGEFS_RENDER_H
#define PAGEFS_RENDER_H

#include "fsctx.h"
#include "text.h"

typedef pf_err render_function(const struct fsctx *ctx, uint64_t id, struct text *out);

PF_CHECK render_function render_readme;                   /* readme.c */
PF_CHECK render_function render_status, render_header;    /* render.c */
PF_CHECK render_function render_stats, render_stats_json; /* render_stats.c */
PF_CHECK render_function render_snapshot_stats;           /* render_stats.c */
PF_CHECK render_function render_last_error, render_max_pages;
PF_CHECK render_function render_check_action, render_check_progress, render_check_count;
PF_CHECK render_function render_map_svg;   /* map_svg.c */
PF_CHECK render_function render_histogram; /* histogram.c */
PF_CHECK render_function render_state, render_pins, render_offset, render_checksum;
PF_CHECK render_function render_type, render_used_by;

uint64_t render_histogram_size(const struct fsctx *ctx);

#endif
