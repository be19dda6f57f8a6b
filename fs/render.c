#include "render.h"

#include <stdio.h>

#include "checks.h"
#include "checksum.h"
#include "columns.h"
#include "findings.h"
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

/* Paths and names of processes may hold anything but NUL; a line of ours is ASCII, and
 * does nothing to a terminal. */
static void put_words(struct text *out, const char *words)
{
    char escaped[8];

    for (; *words != '\0'; words++) {
        const unsigned char c = (unsigned char)*words;
        if (c == '\n')
            text_str(out, "\\n");
        else if (c == '\\')
            text_str(out, "\\\\");
        else if (c >= ' ' && c <= '~')
            text_add(out, words, 1);
        else {
            snprintf(escaped, sizeof(escaped), "\\x%02x", c);
            text_str(out, escaped);
        }
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
    text_str(out, "reason ");
    put_words(out, info.reason[0] != '\0' ? info.reason : "none");
    text_str(out, "\nsource ");
    put_words(out, ctx->source);
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

pf_err render_last_error(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    (void)page_id;
    last_error_render(ctx->last_error, out);
    return PF_OK;
}

pf_err render_max_pages(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    const uint64_t max_pages = ctx->max_pages;

    (void)page_id;
    if (max_pages == 0)
        text_str(out, "max");
    else
        text_u64(out, max_pages);
    text_str(out, "\n");
    return PF_OK;
}

/* ---- check ---- */

pf_err render_check_action(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    (void)id;
    text_str(out, checks_running(ctx->checks) ? "check\n" : "idle\n");
    return PF_OK;
}

pf_err render_check_progress(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    uint64_t done, total;

    (void)id;
    checks_progress(ctx->checks, &done, &total);
    text_u64(out, done);
    text_str(out, " / ");
    text_u64(out, total);
    text_str(out, "\n");
    return PF_OK;
}

pf_err render_check_count(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    (void)id;
    text_u64(out, findings_count(checks_findings(ctx->checks)));
    text_str(out, "\n");
    return PF_OK;
}

/* ---- files of a page ---- */

pf_err render_state(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct pf_page page;
    const pf_err err = pf_page_get(ctx->store, page_id, &page);

    if (err == PF_OK) {
        text_str(out, state_name(page.state));
        text_str(out, "\n");
    }
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

/* Where a change has just made the walk void, nothing is known until the next. */
pf_err render_type(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct pf_page_use use;
    const pf_err err = pf_page_use_get(ctx->store, page_id, &use);

    if (err == PF_OK) {
        text_str(out, use.type);
        text_str(out, "\n");
    }
    return err;
}

pf_err render_used_by(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct pf_page_use use;
    const pf_err err = pf_page_use_get(ctx->store, page_id, &use);

    if (err == PF_OK) {
        text_str(out, use.used ? use.path : "none");
        text_str(out, "\n");
    }
    return err;
}

pf_err render_offset(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    uint64_t offset = 0;
    const pf_err err = pf_page_offset(page_id, &offset);

    (void)ctx;
    text_u64(out, offset);
    text_str(out, "\n");
    return err;
}

pf_err render_checksum(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    struct checksum sum;
    const pf_err err = checksum_get(ctx->store, page_id, &sum);

    if (err != PF_OK)
        return err;
    text_str(out, "xxh3=");
    text_hex(out, sum.xxh3, 16);
    if (sum.carried) {
        text_str(out, " stored=");
        text_hex(out, sum.stored, 16);
        text_str(out, " computed=");
        text_hex(out, sum.computed, 16);
    } else {
        text_str(out, " stored=- computed=-");
    }
    text_str(out, " status=");
    text_str(out, checksum_status(&sum));
    text_str(out, "\n");
    return PF_OK;
}
