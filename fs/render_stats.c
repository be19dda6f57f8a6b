/* render_stats.c: `stats`, as text and as JSON, of now and of a snapshot: one list of
 * keys for all of them. */
#include "render.h"

#include "snapshots.h"

enum { STATS_COUNT = 14 };

struct stat_line {
    const char *key;
    uint64_t value;
    bool unknown;
};

static void make_lines(const struct pf_stats *s, uint64_t page_size,
                       struct stat_line out[STATS_COUNT])
{
    const struct stat_line lines[STATS_COUNT] = {
        {"total_pages", s->total_pages, false},
        {"allocated_pages", s->allocated_pages, !s->free_known},
        {"free_pages", s->free_pages, !s->free_known},
        {"pinned_pages", s->pinned_pages, false},
        {"free_list_head", s->free_list_head, false},
        {"page_size", page_size, false},
        {"file_bytes", s->file_bytes, false},
        {"allocations", s->allocations, false},
        {"deallocations", s->deallocations, false},
        {"pins", s->pins, false},
        {"unpins", s->unpins, false},
        {"refused", s->refused, false},
        {"commits", s->commits, false},
        {"synced_bytes", s->synced_bytes, false},
    };

    for (unsigned i = 0; i < STATS_COUNT; i++)
        out[i] = lines[i];
}

static void lines_now(const struct fsctx *ctx, struct stat_line out[STATS_COUNT])
{
    struct pf_stats stats;
    struct pf_header header;

    pf_stats_get(ctx->store, &stats);
    pf_header_get(ctx->store, &header);
    make_lines(&stats, header.page_size, out);
}

static void put_flat(struct text *out, const struct stat_line lines[STATS_COUNT])
{
    for (unsigned i = 0; i < STATS_COUNT; i++) {
        text_str(out, lines[i].key);
        text_str(out, " ");
        if (lines[i].unknown)
            text_str(out, "unknown");
        else
            text_u64(out, lines[i].value);
        text_str(out, "\n");
    }
}

pf_err render_stats(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    struct stat_line lines[STATS_COUNT];

    (void)id;
    lines_now(ctx, lines);
    put_flat(out, lines);
    return PF_OK;
}

pf_err render_stats_json(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    struct stat_line lines[STATS_COUNT];

    (void)id;
    lines_now(ctx, lines);
    for (unsigned i = 0; i < STATS_COUNT; i++) {
        text_str(out, i == 0 ? "{\"" : ",\"");
        text_str(out, lines[i].key);
        text_str(out, "\":");
        if (lines[i].unknown)
            text_str(out, "null");
        else
            text_u64(out, lines[i].value);
    }
    text_str(out, "}\n");
    return PF_OK;
}

pf_err render_snapshot_stats(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    const pf_snapshot *const snapshot = snapshots_acquire(ctx->snapshots, id);
    struct stat_line lines[STATS_COUNT];
    struct pf_stats stats;
    struct pf_header header;

    if (snapshot == NULL)
        return PF_E_NOT_FOUND;
    pf_snapshot_stats(snapshot, &stats);
    snapshots_release(ctx->snapshots, snapshot);
    pf_header_get(ctx->store, &header);
    make_lines(&stats, header.page_size, lines);
    put_flat(out, lines);
    return PF_OK;
}
