#include "report.h"

#include "attr_cache.h"
#include "checks.h"
#include "events.h"
#include "last_error.h"

void report_pages(struct fsctx *ctx, const char *op, uint64_t first, uint64_t last,
                  const struct actor *actor)
{
    const struct event event = {op, first, last, actor, 0};
    const uint64_t low = first < last ? first : last;
    const uint64_t high = first < last ? last : first;

    events_log(ctx->events, &event);
    checks_pages_changed(ctx->checks, low, high - low + 1);
    attr_cache_drop(ctx->attr_cache, ctx->session, low, high);
}

void report_line(struct fsctx *ctx, const char *op, uint64_t page_id,
                 const struct actor *actor, pf_err err)
{
    const struct event event = {op, page_id, page_id, actor, pf_err_errno(err)};

    events_log(ctx->events, &event);
}

/* What is known of the page, or EVENT_NO_PAGE. */
static uint64_t page_of(const struct report *report)
{
    if (report->bad_id != REPORT_NO_ID)
        return report->bad_id;
    return node_has_page(report->node) ? report->node.id : EVENT_NO_PAGE;
}

void report_end(struct fsctx *ctx, const struct report *report,
                const struct pf_range *ranges, size_t range_count)
{
    const char *const file = node_row(report->node.kind)->name;
    const char *const op = report->op != NULL ? report->op : file;

    last_error_note(ctx->last_error, report->node, report->words, report->bad_id,
                    report->err);
    if (report->err != PF_OK || range_count == 0) {
        report_line(ctx, op, page_of(report), report->actor, report->err);
        return;
    }
    for (size_t i = 0; i < range_count; i++)
        report_pages(ctx, op, ranges[i].first, ranges[i].first + (ranges[i].count - 1),
                     report->actor);
}
