#include "report.h"

#include "events.h"
#include "last_error.h"

static void log_ranges(struct fsctx *ctx, struct event *event,
                       const struct pf_range *ranges, size_t range_count)
{
    for (size_t i = 0; i < range_count; i++) {
        event->first = ranges[i].first;
        event->last = ranges[i].first + (ranges[i].count - 1);
        events_log(ctx->events, event);
    }
}

void report_end(struct fsctx *ctx, const struct report *report,
                const struct pf_range *ranges, size_t range_count)
{
    const char *const file = node_row(report->node.kind)->name;
    struct event event = {
        .op = report->op != NULL ? report->op : file,
        .first = report->bad_id,
        .actor = report->actor,
        .error = pf_err_errno(report->err),
    };

    last_error_note(ctx->last_error, report->node, report->words, report->bad_id,
                    report->err);
    if (report->err == PF_OK && range_count > 0) {
        log_ranges(ctx, &event, ranges, range_count);
        return;
    }
    if (event.first == REPORT_NO_ID)
        event.first = node_has_page(report->node) ? report->node.id : EVENT_NO_PAGE;
    event.last = event.first;
    events_log(ctx->events, &event);
}

void report_event(struct fsctx *ctx, const char *op, uint64_t page_id,
                  const struct actor *actor, pf_err err)
{
    const struct event event = {op, page_id, page_id, actor, pf_err_errno(err)};

    events_log(ctx->events, &event);
}
