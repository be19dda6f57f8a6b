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
        fsctx_pages_changed(ctx, page_id, 1);
    report_event(ctx, "hold", page_id, &handle->actor, err);
    return err;
}

void hold_end(struct fsctx *ctx, struct handle *handle)
{
    if (!handle->held)
        return;
    handle->held = false;
    pf_page_unhold(ctx->store, handle->node.id);
    fsctx_pages_changed(ctx, handle->node.id, 1);
    report_event(ctx, "unhold", handle->node.id, &handle->actor, PF_OK);
}
