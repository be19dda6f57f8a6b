#include "node.h"

#include <string.h>

#include "snapshots.h"

/* Listings need a cookie for `.` and `..` too; these kinds are never files. */
enum { COOKIE_DOT = 254, COOKIE_DOT_DOT = 255 };
_Static_assert((int)NODE_KIND_COUNT <= (int)COOKIE_DOT, "kinds and cookies share a byte");

static bool is_or_is_in(enum node_kind kind, enum node_kind directory)
{
    return kind == directory || node_row(kind)->parent == directory;
}

bool node_has_page(struct node node)
{
    return node_row(node.kind)->content == NODE_IS_LINK ||
           is_or_is_in(node.kind, NODE_PAGE);
}

bool node_has_snapshot(struct node node)
{
    return is_or_is_in(node.kind, NODE_SNAPSHOT);
}

static bool has_id(enum node_kind kind)
{
    const struct node node = {0, kind};

    return node_has_page(node) || node_has_snapshot(node);
}

uint64_t node_ino(struct node node)
{
    return node.id << 8 | (uint64_t)node.kind;
}

bool node_of_ino(uint64_t ino, struct node *out_node)
{
    const struct node node = {ino >> 8, (enum node_kind)(ino & 0xff)};

    *out_node = node;
    return node.kind > NODE_NONE &&       /* unreachable: false, for these are the */
           node.kind < NODE_KIND_COUNT && /* unreachable: numbers that the kernel */
           (node.id == 0 || has_id(node.kind)); /* unreachable: has from us */
}

static bool is_linked(const struct fsctx *ctx, struct node link)
{
    uint64_t found;

    return node_row(link.kind)->next(ctx->store, link.id, &found) && found == link.id;
}

bool node_exists(const struct fsctx *ctx, struct node node)
{
    if (node_has_snapshot(node))
        return snapshots_has(ctx->snapshots, node.id);
    if (node_has_page(node) &&
        (node.id >= NODE_PAGE_LIMIT || node.id >= pf_total_pages(ctx->store)))
        return false;
    return node_row(node.kind)->content != NODE_IS_LINK || is_linked(ctx, node);
}

/* What a directory holds many of; NODE_NONE when its entries are rows of the table. */
static enum node_kind numbered_kind(enum node_kind directory)
{
    switch (directory) {
    case NODE_PAGES:
        return NODE_PAGE;
    case NODE_PINNED:
        return NODE_PINNED_PAGE;
    case NODE_LEAKED:
        return NODE_LEAKED_PAGE;
    case NODE_BAD:
        return NODE_BAD_PAGE;
    case NODE_SNAPSHOTS:
        return NODE_SNAPSHOT;
    default:
        return NODE_NONE;
    }
}

static bool numbered_child(const struct fsctx *ctx, enum node_kind kind, const char *name,
                           struct node *out)
{
    struct node child = {0, kind};

    if (decimal_parse(name, strlen(name), &child.id) != PF_OK || !node_exists(ctx, child))
        return false;
    *out = child;
    return true;
}

bool node_child(const struct fsctx *ctx, struct node directory, const char *name,
                struct node *out_child)
{
    const enum node_kind numbered = numbered_kind(directory.kind);

    if (numbered == NODE_SNAPSHOT) {
        out_child->kind = NODE_SNAPSHOT;
        return snapshots_find(ctx->snapshots, name, &out_child->id);
    }
    if (numbered != NODE_NONE)
        return numbered_child(ctx, numbered, name, out_child);
    for (enum node_kind kind = NODE_ROOT + 1; kind < NODE_KIND_COUNT; kind++) {
        const struct node_row *const row = node_row(kind);
        if (row->parent == directory.kind && strcmp(row->name, name) == 0) {
            *out_child = (struct node){directory.id, kind};
            return true;
        }
    }
    return false;
}

struct node node_parent(struct node node)
{
    const enum node_kind parent = node_row(node.kind)->parent;

    return (struct node){has_id(parent) ? node.id : 0, parent};
}

/* ---- listings ---- */

/* The first page, link or snapshot with an id of at least `id`. */
static bool next_numbered(const struct fsctx *ctx, enum node_kind kind, uint64_t id,
                          struct node_entry *out)
{
    struct node node = {id, kind};

    if (kind == NODE_SNAPSHOT) {
        if (!snapshots_next(ctx->snapshots, id, &node.id, out->name))
            return false;
    } else {
        if (node_row(kind)->content == NODE_IS_LINK &&
            !node_row(kind)->next(ctx->store, id, &node.id))
            return false;
        if (kind == NODE_PAGE && !node_exists(ctx, node))
            return false;
        out->name[decimal_format(node.id, out->name)] = '\0';
    }
    out->node = node;
    out->cookie = node_ino(node);
    return true;
}

static bool next_row(const struct fsctx *ctx, struct node directory, enum node_kind kind,
                     struct node_entry *out)
{
    /* a reader may seek to any offset; the root is in no listing */
    if (kind == NODE_ROOT)
        kind++;
    for (; kind < NODE_KIND_COUNT; kind++) {
        const struct node_row *const row = node_row(kind);
        if (row->parent != directory.kind ||
            (ctx->hide_actions && row->flags & NODE_ACTION))
            continue;
        out->node = (struct node){directory.id, kind};
        out->cookie = node_ino(out->node);
        memcpy(out->name, row->name, strlen(row->name) + 1);
        return true;
    }
    return false;
}

bool node_next(const struct fsctx *ctx, struct node directory, uint64_t cookie,
               struct node_entry *out_entry)
{
    const enum node_kind numbered = numbered_kind(directory.kind);
    const bool first = cookie == COOKIE_DOT_DOT;

    if (cookie == 0) {
        *out_entry = (struct node_entry){directory, COOKIE_DOT, "."};
        return true;
    }
    if (cookie == COOKIE_DOT) {
        *out_entry = (struct node_entry){node_parent(directory), COOKIE_DOT_DOT, ".."};
        return true;
    }
    if (numbered != NODE_NONE)
        return next_numbered(ctx, numbered, first ? 0 : (cookie >> 8) + 1, out_entry);
    return next_row(ctx, directory, first ? NODE_ROOT + 1 : (cookie & 0xff) + 1,
                    out_entry);
}

void node_path(struct node node, char out_path[NODE_PATH_SIZE])
{
    struct text path = {out_path, 0, NODE_PATH_SIZE, false};
    struct node chain[NODE_DEPTH_MAX];
    size_t depth = 0;

    for (; node.kind != NODE_ROOT; node = node_parent(node))
        chain[depth++] = node;
    while (depth-- > 0) {
        const char *const name = node_row(chain[depth].kind)->name;
        if (name != NULL)
            text_str(&path, name);
        else
            text_u64(&path, chain[depth].id);
        if (depth > 0)
            text_str(&path, "/");
    }
    out_path[path.length] = '\0';
}
