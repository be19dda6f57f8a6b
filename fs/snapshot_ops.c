/* snapshot_ops.c: mkdir and rmdir in snapshots/. Elsewhere the tree's shape is not the
 * user's to change. */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "attr.h"
#include "call.h"
#include "report.h"
#include "snapshots.h"
#include "worker.h"

/* Copying the states of large files takes a while: not in the session loop. */
struct taking {
    struct job job; /* first: the job is the whole */
    fuse_req_t req;
    struct actor actor;
    char name[];
};

static void note(struct fsctx *ctx, const char *op, const struct actor *actor,
                 const char *name, pf_err err)
{
    const struct report report = {
        .node = {0, NODE_SNAPSHOTS},
        .op = op,
        .words = name,
        .bad_id = REPORT_NO_ID,
        .actor = actor,
        .err = err,
    };

    report_end(ctx, &report, NULL, 0);
}

static pf_err take(struct fsctx *ctx, const char *name, uint64_t *out_id)
{
    pf_snapshot *snapshot = NULL;
    pf_err err;

    err = pf_snapshot_take(ctx->store, &snapshot);
    if (err != PF_OK)
        return err;
    err = snapshots_add(ctx->snapshots, name, snapshot, out_id);
    if (err != PF_OK)
        pf_snapshot_drop(snapshot);
    return err;
}

static void taking_run(struct fsctx *ctx, struct job *job)
{
    struct taking *const taking = (struct taking *)job;
    struct call call = {.node.kind = NODE_SNAPSHOT};
    const pf_err err = take(ctx, taking->name, &call.node.id);

    note(ctx, "snapshot", &taking->actor, taking->name, err);
    if (err == PF_OK)
        call_reply_entry(taking->req, ctx, &call);
    else
        call_reply_err(taking->req, err);
    free(taking);
}

/* 0 or an errno. */
static int check_name(const char *name)
{
    if (strlen(name) > SNAPSHOT_NAME_MAX)
        return ENAMETOOLONG;
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return EINVAL;
    }
    return 0;
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct fsctx *const ctx = call_ctx(req);
    struct node directory;

    (void)mode;
    if (!call_node(req, parent, &directory))
        return;
    const int error =
        directory.kind == NODE_SNAPSHOTS ? check_name(name) : access_refusal(ctx);
    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    const size_t name_size = strlen(name) + 1;
    struct taking *const taking = calloc(1, sizeof(*taking) + name_size);
    if (taking == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    taking->job.run = taking_run;
    taking->req = req;
    taking->actor = actor_of(ctx->actors, fuse_req_ctx(req)->pid);
    memcpy(taking->name, name, name_size);
    worker_submit(ctx->worker, &taking->job);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fsctx *const ctx = call_ctx(req);

    if (parent != node_ino((struct node){0, NODE_SNAPSHOTS})) {
        fuse_reply_err(req, access_refusal(ctx));
        return;
    }
    const struct actor actor = actor_of(ctx->actors, fuse_req_ctx(req)->pid);
    const pf_err err = snapshots_remove(ctx->snapshots, name);
    note(ctx, "drop", &actor, name, err);
    call_reply_err(req, err);
}
