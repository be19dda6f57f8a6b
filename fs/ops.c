#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "access.h"
#include "attr.h"
#include "call.h"

enum { NAME_MAX_BYTES = 255 };

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct fsctx *const ctx = userdata;

    /* An O_TRUNC that is part of open() lets the kernel believe the file empty, and a
     * program that has page data mapped gets SIGBUS; asked separately we can answer
     * that the size has not changed. */
    conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
    /* Only our own commits change what may be cached, and they say so. */
    conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
    conn->want |= conn->capable & (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_READDIRPLUS |
                                   FUSE_CAP_READDIRPLUS_AUTO);
    if (conn->max_write > ctx->max_write)
        conn->max_write = (unsigned)ctx->max_write;
    ctx->max_write = conn->max_write;
    ctx->ready(ctx->ready_arg);
}

/* ---- names and attributes ---- */

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct call call = {0};
    struct node directory;

    if (!call_node(req, parent, &directory))
        return;
    if (!node_child(call_ctx(req), directory, name, &call.node)) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    /* a size that takes a walk of the graph is left to getattr: opening never blocks */
    call_run(req, &call, node_row(call.node.kind)->to_stat & ~(unsigned)NODE_NEEDS_GRAPH,
             call_reply_entry);
}

/* Inodes are arithmetic: there is nothing to forget. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    (void)ino;
    (void)count;
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
                            struct fuse_forget_data *forgets)
{
    (void)count;
    (void)forgets;
    fuse_reply_none(req);
}

static void attr_now(fuse_req_t req, struct fsctx *ctx, const struct call *call)
{
    struct stat stat;

    attr_fill(ctx, call->node, &stat);
    fuse_reply_attr(req, &stat, attr_timeout(call->node));
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct call call = {0};

    (void)fi;
    if (call_node(req, ino, &call.node))
        call_run(req, &call, node_row(call.node.kind)->to_stat, attr_now);
}

/* Truncating (`echo >` does) and touching succeed and do nothing. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *stat, int to_set,
                       struct fuse_file_info *fi)
{
    const struct fsctx *const ctx = call_ctx(req);
    struct call call = {0};
    int error = 0;

    (void)stat;
    if (!call_node(req, ino, &call.node))
        return;
    if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
        error = access_refusal(ctx);
    else if (to_set & FUSE_SET_ATTR_SIZE && fi == NULL)
        error = access_truncate(ctx, node_row(call.node.kind));
    if (error != 0)
        fuse_reply_err(req, error);
    else
        call_run(req, &call, node_row(call.node.kind)->to_stat, attr_now);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct node node;
    char target[NODE_PATH_SIZE];

    if (!call_node(req, ino, &node))
        return;
    snprintf(target, sizeof(target), "../pages/%llu", (unsigned long long)node.id);
    fuse_reply_readlink(req, target);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
    const struct fuse_ctx *const who = fuse_req_ctx(req);
    struct node node;

    if (call_node(req, ino, &node))
        fuse_reply_err(req, access_check(call_ctx(req), node_row(node.kind), who->uid,
                                         who->gid, mask));
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct pf_stats stats;

    (void)ino;
    pf_stats_get(call_ctx(req)->store, &stats);
    const struct statvfs statvfs = {
        .f_bsize = PF_PAGE_SIZE,
        .f_frsize = PF_PAGE_SIZE,
        .f_blocks = stats.total_pages,
        .f_bfree = stats.free_pages,
        .f_bavail = stats.free_pages,
        .f_files = stats.total_pages,
        .f_namemax = NAME_MAX_BYTES,
    };
    fuse_reply_statfs(req, &statvfs);
}

/* ---- the tree's shape is not the user's to change: see also snapshot_ops.c ---- */

static void refuse(fuse_req_t req)
{
    fuse_reply_err(req, access_refusal(call_ctx(req)));
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     dev_t device)
{
    (void)parent;
    (void)name;
    (void)mode;
    (void)device;
    refuse(req);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    (void)parent;
    (void)name;
    refuse(req);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                       const char *name)
{
    (void)target;
    (void)parent;
    (void)name;
    refuse(req);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                      fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    (void)parent;
    (void)name;
    (void)new_parent;
    (void)new_name;
    (void)flags;
    refuse(req);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino;
    (void)parent;
    (void)name;
    refuse(req);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    (void)parent;
    (void)name;
    (void)mode;
    (void)fi;
    refuse(req);
}

/* What is missing answers ENOSYS, which the kernel remembers and turns into what a file
 * system without the feature says: no flush at close, EOPNOTSUPP for xattrs, fallocate
 * and copy_file_range. */
const struct fuse_lowlevel_ops pagefs_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .access = op_access,
    .statfs = op_statfs,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .create = op_create,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .fsyncdir = op_fsync,
    .open = op_open,
    .read = op_read,
    .release = op_release,
    .write = op_write,
    .fsync = op_fsync,
};
