/* Any inode number, any name, any place in a listing: what is decoded is what was
 * encoded, and what is listed can be looked up.
 *
 * Input: inode number u64, cookie u64, name. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "snapshots.h"

enum { PAGES = 300 };

static void add_snapshot(struct fsctx *ctx, const char *name)
{
    pf_snapshot *snapshot = NULL;
    uint64_t id;

    require(pf_snapshot_take(ctx->store, &snapshot) == PF_OK);
    require(snapshots_add(ctx->snapshots, name, snapshot, &id) == PF_OK);
}

/* A mount without a kernel: some pages free, some pinned, some snapshots, one of them
 * gone again. */
static const struct fsctx *the_mount(void)
{
    static struct fsctx ctx;

    if (ctx.store != NULL)
        return &ctx;
    require(pf_open_memory(PAGES, &ctx.store) == PF_OK);
    ctx.snapshots = snapshots_new();
    require(ctx.snapshots != NULL);
    require(pf_page_free(ctx.store, 9, NULL) == PF_OK);
    require(pf_page_pin(ctx.store, 2) == PF_OK);
    require(pf_page_pin(ctx.store, PAGES - 1) == PF_OK);
    add_snapshot(&ctx, "a");
    add_snapshot(&ctx, "gone");
    add_snapshot(&ctx, "7");
    require(snapshots_remove(ctx.snapshots, "gone") == PF_OK);
    return &ctx;
}

static bool same(struct node a, struct node b)
{
    return a.id == b.id && a.kind == b.kind;
}

static void check_round_trip(struct node node)
{
    struct node decoded;
    const uint64_t ino = node_ino(node);

    require(ino != 0 && (uint32_t)ino != 0);
    require(node_of_ino(ino, &decoded) && same(decoded, node));
}

static void check_path(struct node node)
{
    char path[NODE_PATH_SIZE];

    node_path(node, path);
    require(memchr(path, 0, sizeof(path)) != NULL);
    require((path[0] == '\0') == (node.kind == NODE_ROOT));
}

static void check_child(const struct fsctx *ctx, struct node directory, const char *name)
{
    struct node child;

    if (!node_child(ctx, directory, name, &child))
        return;
    require(name[0] != '\0' && strchr(name, '/') == NULL);
    check_round_trip(child);
    check_path(child);
    require(node_exists(ctx, child) || !node_exists(ctx, directory));
    require(same(node_parent(child), directory));
}

static void check_entry(const struct fsctx *ctx, struct node directory,
                        const struct node_entry *entry)
{
    struct node child;

    require(memchr(entry->name, 0, sizeof(entry->name)) != NULL);
    require(entry->cookie != 0);
    check_round_trip(entry->node);
    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
        return;
    require(node_child(ctx, directory, entry->name, &child));
    require(same(child, entry->node) && entry->cookie == node_ino(child));
}

/* From `.` on, as a reader gets it. */
static void check_listing(const struct fsctx *ctx, struct node directory)
{
    struct node_entry entry;
    uint64_t cookie = 0;

    for (unsigned i = 0; i < 20 && node_next(ctx, directory, cookie, &entry); i++) {
        check_entry(ctx, directory, &entry);
        require(i < 3 || entry.cookie > cookie);
        cookie = entry.cookie;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const struct fsctx *const ctx = the_mount();
    const uint64_t ino = in_u64(&in);
    const uint64_t cookie = in_u64(&in);
    struct node_entry entry;
    struct node node;

    if (!node_of_ino(ino, &node))
        return 0;
    require(node_ino(node) == ino);
    check_path(node);
    (void)node_exists(ctx, node);
    check_round_trip(node_parent(node));
    if (node_row(node.kind)->content != NODE_IS_DIRECTORY)
        return 0;
    char *const name = malloc(in.left + 1);
    require(name != NULL);
    memcpy(name, in.at, in.left);
    name[in.left] = '\0';
    check_child(ctx, node, name);
    free(name);
    if (node_next(ctx, node, cookie, &entry))
        check_entry(ctx, node, &entry);
    check_listing(ctx, node);
    return 0;
}
