/* dir.c: listings. They stream: each call goes on behind the entry that its offset, a
 * cookie of node_next(), names; nothing is kept between calls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "call.h"
#include "ops.h"

enum { LISTING_MAX_BYTES = 1 << 16 }; /* per call, whatever the kernel asks for */

/* Append one entry; returns the bytes it needs, more than `room` when it does not fit. */
typedef size_t entry_function(fuse_req_t req, const struct fsctx *ctx, char *buffer,
                              size_t room, const struct node_entry *entry);

static size_t add_entry(fuse_req_t req, const struct fsctx *ctx, char *buffer,
                        size_t room, const struct node_entry *entry)
{
    const struct stat stat = {
        .st_ino = node_ino(entry->node),
        .st_mode = node_row(entry->node.kind)->mode,
    };

    (void)ctx;
    return fuse_add_direntry(req, buffer, room, entry->name, &stat, (off_t)entry->cookie);
}

static size_t add_entry_plus(fuse_req_t req, const struct fsctx *ctx, char *buffer,
                             size_t room, const struct node_entry *entry)
{
    struct fuse_entry_param param = {
        .ino = node_ino(entry->node),
        .attr_timeout = attr_timeout(entry->node),
        .entry_timeout = attr_entry_timeout(),
    };

    attr_fill(ctx, entry->node, &param.attr);
    return fuse_add_direntry_plus(req, buffer, room, entry->name, &param,
                                  (off_t)entry->cookie);
}

static void list(fuse_req_t req, struct fsctx *ctx, const struct call *call,
                 entry_function *add)
{
    const uint64_t total_pages = pf_total_pages(ctx->store);
    const size_t size = call->size < LISTING_MAX_BYTES ? call->size : LISTING_MAX_BYTES;
    uint64_t cookie = (uint64_t)call->offset;
    struct node_entry entry;
    size_t length = 0;
    char *const buffer = malloc(size != 0 ? size : 1);

    if (buffer == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    while (node_next(call->node, cookie, total_pages, ctx->hide_actions, &entry)) {
        const size_t need = add(req, ctx, buffer + length, size - length, &entry);
        if (need > size - length)
            break;
        length += need;
        cookie = entry.cookie;
    }
    fuse_reply_buf(req, buffer, length);
    free(buffer);
}

static void readdir_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    list(req, ctx, call, add_entry);
}

static void readdirplus_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    list(req, ctx, call, add_entry_plus);
}

static bool call_of_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                              struct call *out)
{
    *out = (struct call){.size = size, .offset = offset};
    if (!call_node(req, ino, &out->node))
        return false;
    if (node_row(out->node.kind)->content != NODE_IS_DIRECTORY) {
        fuse_reply_err(req, ENOTDIR);
        return false;
    }
    return true;
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                struct fuse_file_info *fi)
{
    struct call call;

    (void)fi;
    if (call_of_directory(req, ino, size, offset, &call))
        call_run(req, &call, false, readdir_now);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    struct call call;

    (void)fi;
    if (!call_of_directory(req, ino, size, offset, &call))
        return;
    /* the root's own files never need the list: ls must answer whatever happens */
    call_run(req, &call, call.node.kind != NODE_ROOT, readdirplus_now);
}
