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
typedef size_t entry_function(fuse_req_t req, struct fsctx *ctx, char *buffer,
                              size_t room, const struct node_entry *entry);

static size_t add_entry(fuse_req_t req, struct fsctx *ctx, char *buffer, size_t room,
                        const struct node_entry *entry)
{
    const struct stat stat = {
        .st_ino = node_ino(entry->node),
        .st_mode = node_row(entry->node.kind)->mode,
    };

    (void)ctx;
    return fuse_add_direntry(req, buffer, room, entry->name, &stat, (off_t)entry->cookie);
}

/* Attributes that take long are left out: the kernel asks for them if somebody wants to
 * know. A listing so never waits. */
static size_t add_entry_plus(fuse_req_t req, struct fsctx *ctx, char *buffer, size_t room,
                             const struct node_entry *entry)
{
    const struct node_row *const row = node_row(entry->node.kind);
    struct fuse_entry_param param = {
        .attr = {.st_ino = node_ino(entry->node), .st_mode = row->mode},
    };

    if (call_at_once(ctx, row->to_stat)) {
        param.ino = node_ino(entry->node);
        param.attr_timeout = attr_grant(ctx, entry->node);
        param.entry_timeout = attr_entry_timeout(entry->node);
        attr_fill(ctx, entry->node, &param.attr);
    }
    return fuse_add_direntry_plus(req, buffer, room, entry->name, &param,
                                  (off_t)entry->cookie);
}

static void list(fuse_req_t req, struct fsctx *ctx, const struct call *call,
                 entry_function *add)
{
    const size_t size = call->size < LISTING_MAX_BYTES ? call->size : LISTING_MAX_BYTES;
    uint64_t cookie = (uint64_t)call->offset;
    struct node_entry entry;
    size_t length = 0;
    char *const buffer = malloc(size);

    if (buffer == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    while (node_next(ctx, call->node, cookie, &entry)) {
        const size_t need = add(req, ctx, buffer + length, size - length, &entry);
        if (need > size - length)
            break;
        length += need;
        cookie = entry.cookie;
    }
    fuse_reply_buf(req, buffer, length);
    free(buffer);
}

/* Asked so that a directory that is gone is not opened: its name may be cached. */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct node node;

    if (call_node(req, ino, &node))
        fuse_reply_open(req, fi);
}

static void reply_list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       entry_function *add)
{
    struct call call = {.size = size, .offset = offset};

    if (!call_node(req, ino, &call.node))
        return;
    const enum node_content content = node_row(call.node.kind)->content;
    if (content != NODE_IS_DIRECTORY) { /* unreachable: the kernel has opened it as one */
        fuse_reply_err(req, ENOTDIR);
        return;
    }
    list(req, call_ctx(req), &call, add);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                struct fuse_file_info *fi)
{
    (void)fi;
    reply_list(req, ino, size, offset, add_entry);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    (void)fi;
    reply_list(req, ino, size, offset, add_entry_plus);
}
