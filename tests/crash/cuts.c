#include "cuts.h"

#include <inttypes.h>

#include "store.h"

void cuts_init(struct cuts *r, const struct judge_start *start)
{
    *r = (struct cuts){.start = start};
    judge_init(&r->judge);
    judge_use(&r->judge, start);
    crash_init(&r->crash);
    r->arena = arena_new();
    faultdisk_init(&r->disk, r->arena);
}

void cuts_clear(struct cuts *r)
{
    judge_clear(&r->judge);
    crash_clear(&r->crash);
    faultdisk_clear(&r->disk);
    arena_delete(r->arena);
}

static void judge_one(struct cuts *r, uint64_t position)
{
    struct judge *judge = &r->judge;
    struct fd_image *image = &judge->images_built[0];
    char reason[PF_REASON_SIZE], why[512] = "";
    struct faultdisk *disk;
    pf_store *store = NULL;

    crash_build(&r->crash, image);
    const pf_err err = judge_recover(judge, image, &store, &disk, reason);
    if (err != PF_OK) {
        judge_say(judge, "position %" PRIu64 ": store_open: %s (%s)", position,
                  pf_err_name(err), reason);
        return;
    }
    const struct oracle_source source = judge_source(disk);
    if (!oracle_read(&judge->oracle, &source))
        judge_say(judge, "position %" PRIu64 ": %s", position, judge->oracle.finding);
    else if (oracle_finds_stale_trunk(&judge->oracle, &source, NULL, 0))
        judge_say(judge, "position %" PRIu64 ": %s", position, judge->oracle.finding);
    else if (!claims_fit(r->claims, &judge->oracle, &source, why, sizeof(why)))
        judge_say(judge, "position %" PRIu64 ": %s", position, why);
    store_delete(store);
}

static void cut_here(struct cuts *r, uint64_t position, uint64_t limit)
{
    bool is_new;

    if (judge_is_done(&r->judge))
        return;
    claims_at(r->claims, position);
    crash_begin(&r->crash, &r->disk, limit, position);
    r->points++;
    r->judge.made_by = &r->crash;
    while (crash_next(&r->crash) && !judge_is_done(&r->judge)) {
        (void)imagemap_at(&r->judge.seen, r->crash.hash, &is_new);
        r->judge.images++;
        if (is_new)
            judge_one(r, position);
    }
    r->judge.made_by = NULL;
}

static void replay_sync(struct cuts *r, const struct trace_record *record,
                        uint64_t position)
{
    struct faultdisk *disk = &r->disk;
    const bool begins = record->type == TRACE_SYNC_BEGIN;

    if (begins)
        cut_here(r, position, r->limit);
    if (!begins && record->b != 0)
        judge_say(&r->judge, "a sync failed");
    if (record->a == 2) {
        if (!begins)
            fd_dir_sync(disk);
        return;
    }
    struct fd_inode *inode = &disk->db;
    if (record->a == 1 && disk->entry == FD_NONE)
        return; /* nobody can find it any more */
    if (record->a == 1)
        inode = disk->journals[disk->entry];
    if (begins)
        r->sync_order[record->a] = inode->order;
    else
        fd_sync(inode, r->sync_order[record->a]);
}

static void replay_record(struct cuts *r, const struct trace_record *record,
                          uint64_t position)
{
    struct faultdisk *disk = &r->disk;
    struct fd_inode *inode = record->a == 0 || disk->entry == FD_NONE
                                 ? &disk->db
                                 : disk->journals[disk->entry];

    disk->changes++;
    switch (record->type) {
    case TRACE_WRITE:
        fd_write(disk, inode, record + 1, record->length, record->b);
        break;
    case TRACE_TRUNCATE:
        fd_truncate(disk, inode, record->b);
        break;
    case TRACE_CREATE:
        (void)fd_create(disk);
        break;
    case TRACE_REMOVE:
        fd_remove(disk);
        break;
    case TRACE_SYNC_BEGIN:
    case TRACE_SYNC_END:
        replay_sync(r, record, position);
        break;
    case TRACE_PROBLEM:
        judge_say(&r->judge, "the trace cannot be replayed: %.*s", (int)record->length,
                  (const char *)(record + 1));
        break;
    default:
        disk->changes--;
        break;
    }
}

static void replay_records(struct cuts *r)
{
    uint64_t position = trace_begin();
    const struct trace_record *record;

    arena_reset(r->arena);
    faultdisk_load(&r->disk, &r->start->image);
    for (uint64_t at = position; (record = trace_next(&r->trace, &position)) != NULL;
         at = position)
        replay_record(r, record, at);
    if (position != trace_end(&r->trace))
        judge_say(&r->judge, "the trace is too short for what happened");
    cut_here(r, position, r->limit);
}

void cuts_judge(struct cuts *r)
{
    r->claims = claims_new(r->start->model.total_pages, r->start->model.stack,
                           r->start->model.depth);
    claims_load(r->claims, &r->trace);
    replay_records(r);
    claims_delete(r->claims);
}
