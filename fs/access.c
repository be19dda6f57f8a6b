#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "attr.h"

static bool refused_read_only(const struct fsctx *ctx, const struct node_row *row)
{
    return !(row->flags & NODE_READ_ONLY_OK) && !pf_writable(ctx->store);
}

int access_open(const struct fsctx *ctx, const struct node_row *row, int flags)
{
    const int access_mode = flags & O_ACCMODE;
    const bool reads = access_mode != O_WRONLY;
    const bool writes = access_mode != O_RDONLY;
    const mode_t mode = attr_mode(ctx, row);

    /* The owner's bits: the kernel has checked those of others (default_permissions), or
     * lets nobody else in. */
    if ((reads && !(mode & S_IRUSR)) || (writes && !(mode & S_IWUSR)))
        return EACCES;
    /* What walks a tree (cp -r, grep -r, backups) opens with one of these, what a user
     * types does not: a walk must not allocate. */
    if (row->flags & NODE_ACTION && flags & (O_NONBLOCK | O_NOFOLLOW | O_NOATIME))
        return EAGAIN;
    if ((writes || row->flags & NODE_ACTION) && refused_read_only(ctx, row))
        return EROFS;
    return 0;
}

int access_truncate(const struct fsctx *ctx, const struct node_row *row)
{
    if (!(attr_mode(ctx, row) & S_IWUSR))
        return EACCES;
    return refused_read_only(ctx, row) ? EROFS : 0;
}

int access_check(const struct fsctx *ctx, const struct node_row *row, uid_t uid,
                 gid_t gid, int mask)
{
    const mode_t mode = attr_mode(ctx, row);
    mode_t bits = mode;

    if (uid == ctx->uid || uid == 0)
        bits = mode >> 6;
    else if (gid == ctx->gid)
        bits = mode >> 3;
    if ((mode_t)mask & ~bits & 7) /* R_OK, W_OK and X_OK are mode bits */
        return EACCES;
    if (mask & W_OK && S_ISREG(mode) && refused_read_only(ctx, row))
        return EROFS;
    return 0;
}

int access_refusal(const struct fsctx *ctx)
{
    return pf_writable(ctx->store) ? EPERM : EROFS;
}
