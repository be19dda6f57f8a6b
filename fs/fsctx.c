#include "fsctx.h"

#include "attr_cache.h"
#include "cached_pages.h"
#include "checks.h"
#include "events.h"
#include "handle.h"
#include "last_error.h"
#include "snapshots.h"
#include "transitions.h"
#include "walks.h"

pf_err fsctx_init(struct fsctx *ctx, struct timespec database_mtime)
{
    ctx->transitions = transitions_new(database_mtime);
    ctx->last_error = last_error_new();
    ctx->events = events_new();
    ctx->snapshots = snapshots_new();
    ctx->cached_pages = cached_pages_new();
    ctx->attr_cache = attr_cache_new();
    ctx->handles = handles_new();
    ctx->walks = walks_new();
    ctx->checks = checks_new();
    ctx->actors = actors_new();
    return ctx->transitions != NULL && ctx->last_error != NULL && ctx->events != NULL &&
                   ctx->snapshots != NULL && ctx->cached_pages != NULL &&
                   ctx->attr_cache != NULL && ctx->handles != NULL &&
                   ctx->walks != NULL && ctx->checks != NULL && ctx->actors != NULL
               ? PF_OK
               : PF_E_NO_MEMORY;
}

void fsctx_clear(struct fsctx *ctx)
{
    handles_free(ctx->handles);
    checks_free(ctx->checks);
    walks_free(ctx->walks);
    actors_free(ctx->actors);
    attr_cache_free(ctx->attr_cache);
    cached_pages_free(ctx->cached_pages);
    snapshots_free(ctx->snapshots);
    events_free(ctx->events);
    last_error_free(ctx->last_error);
    transitions_free(ctx->transitions);
}
