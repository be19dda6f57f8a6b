#include "render.h"

#include "last_error.h"
#include "version.h"

static void put_key(struct text *out, const char *key, const char *value)
{
    text_str(out, key);
    text_str(out, " ");
    text_str(out, value);
    text_str(out, "\n");
}

static void put_number(struct text *out, const char *key, uint64_t value)
{
    text_str(out, key);
    text_str(out, " ");
    text_u64(out, value);
    text_str(out, "\n");
}

/* Paths may hold anything but NUL, a line of ours may not. */
static void put_path(struct text *out, const char *path)
{
    for (; *path != '\0'; path++) {
        if (*path == '\n')
            text_str(out, "\\n");
        else if (*path == '\\')
            text_str(out, "\\\\");
        else
            text_add(out, path, 1);
    }
}

static const char *mode_name(const struct pf_info *info)
{
    if (info->mode == PF_MODE_MEMORY)
        return "scratch";
    return info->mode == PF_MODE_RW && !info->failed ? "rw" : "ro";
}

pf_err render_status(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct pf_info info;
    struct pf_header header;

    (void)page_id;
    pf_info_get(ctx->store, &info);
    pf_header_get(ctx->store, &header);
    put_key(out, "version", PAGEFS_VERSION);
    put_key(out, "mode", mode_name(&info));
    put_key(out, "reason", info.reason[0] != '\0' ? info.reason : "none");
    text_str(out, "source ");
    put_path(out, ctx->source);
    text_str(out, "\n");
    put_number(out, "page_size", header.page_size);
    put_key(out, "journal", info.journal);
    put_key(out, "lock", info.lock);
    return PF_OK;
}

pf_err render_header(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct pf_header header;

    (void)page_id;
    pf_header_get(ctx->store, &header);
    text_str(out, "magic ");
    for (size_t i = 0; i < sizeof(header.magic); i++)
        text_hex(out, header.magic[i], 2);
    text_str(out, "\n");
    put_number(out, "version", header.version);
    put_number(out, "flags", header.flags);
    put_number(out, "node_count", header.node_count);
    put_number(out, "edge_count", header.edge_count);
    put_number(out, "schema_version", header.schema_version);
    put_number(out, "reserved", header.reserved);
    put_number(out, "node_data_offset", header.node_data_offset);
    put_number(out, "edge_data_offset", header.edge_data_offset);
    put_number(out, "outgoing_cluster_offset", header.outgoing_cluster_offset);
    put_number(out, "incoming_cluster_offset", header.incoming_cluster_offset);
    put_number(out, "free_space_offset", header.free_space_offset);
    put_number(out, "root_index_page", header.root_index_page);
    put_number(out, "free_page_list_head", header.free_page_list_head);
    put_number(out, "total_pages", header.total_pages);
    put_number(out, "page_size", header.page_size);
    put_number(out, "btree_height", header.btree_height);
    return PF_OK;
}

/* ---- stats: one list of keys for both formats ---- */

enum { STATS_COUNT = 14 };

struct stat_line {
    const char *key;
    uint64_t value;
    bool unknown;
};

static void stats_lines(const struct fsctx *ctx, struct stat_line out[STATS_COUNT])
{
    struct pf_stats s;
    struct pf_header header;

    pf_stats_get(ctx->store, &s);
    pf_header_get(ctx->store, &header);
    const struct stat_line lines[STATS_COUNT] = {
        {"total_pages", s.total_pages, false},
        {"allocated_pages", s.allocated_pages, !s.free_known},
        {"free_pages", s.free_pages, !s.free_known},
        {"pinned_pages", s.pinned_pages, false},
        {"free_list_head", s.free_list_head, false},
        {"page_size", header.page_size, false},
        {"file_bytes", s.file_bytes, false},
        {"allocations", s.allocations, false},
        {"deallocations", s.deallocations, false},
        {"pins", s.pins, false},
        {"unpins", s.unpins, false},
        {"refused", s.refused, false},
        {"commits", s.commits, false},
        {"synced_bytes", s.synced_bytes, false},
    };
    for (unsigned i = 0; i < STATS_COUNT; i++)
        out[i] = lines[i];
}

pf_err render_stats(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct stat_line lines[STATS_COUNT];

    (void)page_id;
    stats_lines(ctx, lines);
    for (unsigned i = 0; i < STATS_COUNT; i++) {
        if (lines[i].unknown)
            put_key(out, lines[i].key, "unknown");
        else
            put_number(out, lines[i].key, lines[i].value);
    }
    return PF_OK;
}

pf_err render_stats_json(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct stat_line lines[STATS_COUNT];

    (void)page_id;
    stats_lines(ctx, lines);
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

pf_err render_last_error(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    (void)page_id;
    last_error_render(ctx->last_error, out);
    return PF_OK;
}

/* ---- files of a page ---- */

pf_err render_state(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    static const char *const words[] = {
        [PF_STATE_FREE] = "free\n",
        [PF_STATE_ALLOCATED] = "allocated\n",
        [PF_STATE_PINNED] = "pinned\n",
    };
    struct pf_page page;
    const pf_err err = pf_page_get(ctx->store, page_id, &page);

    if (err == PF_OK)
        text_str(out, words[page.state]);
    return err;
}

pf_err render_pins(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct pf_page page;
    const pf_err err = pf_page_get(ctx->store, page_id, &page);

    if (err == PF_OK) {
        text_u64(out, page.pins);
        text_str(out, "\n");
    }
    return err;
}

pf_err render_offset(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    uint64_t offset;
    const pf_err err = pf_page_offset(page_id, &offset);

    (void)ctx;
    if (err == PF_OK) {
        text_u64(out, offset);
        text_str(out, "\n");
    }
    return err;
}

pf_err render_checksum(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    uint8_t page[PF_PAGE_SIZE];
    uint64_t stored, computed;
    const pf_err err = pf_page_read(ctx->store, page_id, page);

    if (err != PF_OK)
        return err;
    text_str(out, "xxh3=");
    text_hex(out, pf_checksum(page, page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE), 16);
    if (pf_trunk_sums(page_id, page, &stored, &computed)) {
        text_str(out, " stored=");
        text_hex(out, stored, 16);
        text_str(out, " computed=");
        text_hex(out, computed, 16);
        text_str(out, stored == computed ? " status=ok\n" : " status=mismatch\n");
    } else {
        text_str(out, " stored=- computed=- status=none\n");
    }
    return PF_OK;
}
