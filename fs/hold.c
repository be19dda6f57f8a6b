#include "hold.h"

#include "report.h"

pf_err hold_begin(struct fsctx *ctx, struct handle *handle)
{
    const uint64_t page_id = handle->node.id;
    pf_err err = pf_page_hold(ctx->store, page_id);

    if (err == PF_E_IS_FREE)
        err = PF_E_NO_PAGE;
    handle->held = err == PF_OK;
    if (handle->held)
        report_pages(ctx, "hold", page_id, page_id, &handle->actor);
    else
        report_line(ctx, "hold", page_id, &handle->actor, err);
    return err;
}

void hold_end(struct fsctx *ctx, struct handle *handle)
{
    if (!handle->held)
        return;
    handle->held = false;
    pf_page_unhold(ctx->store, handle->node.id);
    report_pages(ctx, "unhold", handle->node.id, handle->node.id, &handle->actor);
}
