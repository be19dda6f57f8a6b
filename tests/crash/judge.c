#include "judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixedrandom.h"
#include "store.h"

enum { WHY = 256, HEADER = 112, HEAD_AT = 88, TOTAL_END = 104 };

void judge_init(struct judge *judge)
{
    memset(judge, 0, sizeof(*judge));
    judge->checks = JUDGE_ALL;
    judge->every = 16;
    judge->cut_limit = 24;
    judge->max_violations = 3;
    for (int i = 0; i < 2; i++) {
        judge->arenas[i] = arena_new();
        faultdisk_init(&judge->disks[i], judge->arenas[i]);
        crash_init(&judge->crashes[i]);
    }
    oracle_init(&judge->oracle);
}

void judge_clear(struct judge *judge)
{
    for (int i = 0; i < 2; i++) {
        faultdisk_clear(&judge->disks[i]);
        arena_delete(judge->arenas[i]);
        crash_clear(&judge->crashes[i]);
        fd_image_clear(&judge->images_built[i]);
    }
    fd_image_clear(&judge->kept);
    oracle_clear(&judge->oracle);
    oracle_replay_clear(&judge->replay);
    imagemap_clear(&judge->seen);
    imagemap_clear(&judge->seen_in_recovery);
    free(judge->untouched);
    free(judge->plain);
    free(judge->journal_bytes);
}

void judge_use(struct judge *judge, const struct judge_start *start)
{
    judge->start = start;
    judge->untouched =
        must_realloc(judge->untouched, (size_t)start->model.total_pages + 1);
    judge->plain = must_realloc(judge->plain, (size_t)start->model.total_pages + 1);
}

bool judge_is_done(const struct judge *judge)
{
    return judge->violations >= judge->max_violations;
}

void judge_say(struct judge *judge, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    judge->violations++;
    if (judge->violations > judge->max_violations)
        return;
    fprintf(stderr, "# VIOLATION in %s%s%s: %s\n", judge->label,
            judge->where == NULL ? "" : ", ", judge->where == NULL ? "" : judge->where,
            text);
    if (judge->made_by != NULL) {
        crash_describe(judge->made_by, text, sizeof(text));
        fprintf(stderr, "#   power cut at change %" PRIu64 "; the disk kept: %s\n",
                judge->made_by->disk->changes, text);
    }
}

/* ---- reading what a disk, an image or a store holds ---- */

static void read_disk(void *context, uint64_t offset, void *bytes, size_t length)
{
    fd_read(context, bytes, length, offset);
}

static struct oracle_source source_of(struct fd_inode *inode)
{
    return (struct oracle_source){
        .read = read_disk, .context = inode, .size = inode->size};
}

struct oracle_source judge_source(const struct faultdisk *disk)
{
    return source_of((struct fd_inode *)(uintptr_t)&disk->db);
}

static void read_image(void *context, uint64_t offset, void *bytes, size_t length)
{
    fd_image_read(context, 0, bytes, length, offset);
}

static void read_store(void *context, uint64_t offset, void *bytes, size_t length)
{
    uint8_t *to = bytes;

    while (length > 0) {
        uint8_t page[PF_PAGE_SIZE];
        const uint64_t id =
            offset < PF_HEADER_SIZE ? 0 : 1 + (offset - PF_HEADER_SIZE) / PF_PAGE_SIZE;
        const size_t at = (size_t)(offset - oracle_page_offset(id));
        const size_t room = (id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE) - at;
        const size_t n = length < room ? length : room;

        if (pf_page_read(context, id, page) != PF_OK)
            memset(page, 0, sizeof(page));
        memcpy(to, page + at, n);
        to += n;
        offset += n;
        length -= n;
    }
}

static void note_touched(struct judge *judge, uint64_t sector)
{
    const uint64_t total = judge->start->model.total_pages;
    const uint64_t at = sector * DISK_SECTOR, end = at + DISK_SECTOR;
    const uint64_t first = at < HEADER ? 1 : 1 + (at - HEADER) / PF_PAGE_SIZE;

    for (uint64_t id = first; id < total && oracle_page_offset(id) < end; id++)
        judge->untouched[id] = judge->plain[id] = 0;
}

/* Which pages are the very sectors of the start, and which of them are no trunks there?
 * Blocks of sectors first: nearly all of them are as they were. */
static void find_untouched(struct judge *judge, const struct fd_inode *db)
{
    enum { BLOCK = 64 };
    const struct fd_image *start = &judge->start->image;
    const uint64_t total = judge->start->model.total_pages;
    const size_t sectors = (size_t)(oracle_nominal_size(total) / DISK_SECTOR + 1);
    const size_t most = start->count[0] < db->room ? start->count[0] : db->room;

    memset(judge->untouched, 1, (size_t)total);
    memcpy(judge->plain, judge->start->plain, (size_t)total);
    for (size_t i = 0; i < most; i += BLOCK) {
        const size_t n = most - i < BLOCK ? most - i : BLOCK;

        if (memcmp(db->now + i, start->sectors[0] + i, n * sizeof(db->now[0])) == 0)
            continue;
        for (size_t k = i; k < i + n; k++)
            if (db->now[k] != start->sectors[0][k])
                note_touched(judge, k);
    }
    for (size_t i = most; i < sectors; i++)
        note_touched(judge, i);
}

static bool header_is_kept(const struct judge *judge, const struct oracle_source *source)
{
    uint8_t now[HEADER];
    uint8_t then[HEADER];

    source->read(source->context, 0, now, HEADER);
    fd_image_read(&judge->start->image, 0, then, HEADER, 0);
    return memcmp(now, then, HEAD_AT) == 0 &&
           memcmp(now + TOTAL_END, then + TOTAL_END, HEADER - TOTAL_END) == 0;
}

/* Which of `allowed` does the database hold? -1: none, and `why` says more. */
static int match(struct judge *judge, const struct oracle_source *source,
                 const uint8_t *untouched, const struct model *const *allowed,
                 size_t allowed_count, char *why, size_t why_size)
{
    char one[WHY] = "";
    size_t used = 0;

    if (!oracle_read(&judge->oracle, source)) {
        snprintf(why, why_size, "%s", judge->oracle.finding);
        return -1;
    }
    if (!header_is_kept(judge, source)) {
        snprintf(why, why_size, "another field of the header changed");
        return -1;
    }
    for (size_t i = allowed_count; i > 0; i--) { /* newest first */
        if (model_fits(allowed[i - 1], &judge->oracle, source, &judge->start->model,
                       untouched, one))
            return (int)i - 1;
        if (used < why_size)
            used +=
                (size_t)snprintf(why + used, why_size - used, "%sstate %zu of %zu: %s",
                                 used == 0 ? "" : "; ", i, allowed_count, one);
    }
    return -1;
}

int judge_match(struct judge *judge, const struct faultdisk *disk,
                const struct model *const *allowed, size_t allowed_count, char *why,
                size_t why_size)
{
    const struct oracle_source source = judge_source(disk);

    find_untouched(judge, &disk->db);
    return match(judge, &source, judge->untouched, allowed, allowed_count, why, why_size);
}

/* ---- recovery ---- */

static pf_err recover(struct judge *judge, int level, const struct fd_image *image,
                      bool write, void (*hook)(void *, enum fd_call),
                      pf_store **out_store, char *reason)
{
    struct faultdisk *disk = &judge->disks[level];

    judge->recoveries++;
    arena_reset(judge->arenas[level]);
    faultdisk_load(disk, image);
    disk->hook = hook;
    disk->hook_context = judge;
    fixed_random_set(image->hash);
    reason[0] = '\0';
    const pf_err err = store_open(faultdisk_db(disk), faultdisk_place(disk), write, false,
                                  reason, out_store);
    if (err == PF_OK && judge->journal_size != 0)
        store_set_journal_size(*out_store, judge->journal_size);
    return err;
}

pf_err judge_recover(struct judge *judge, const struct fd_image *image,
                     pf_store **out_store, struct faultdisk **out_disk, char *reason)
{
    *out_disk = &judge->disks[0];
    return recover(judge, 0, image, true, NULL, out_store, reason);
}

static uint64_t db_hash(const struct faultdisk *disk)
{
    return disk->db.hash ^ number_weight(disk->db.size, 0);
}

/* ---- close looks ---- */

static void replay_by_the_book(struct judge *judge, const struct fd_image *image)
{
    const struct oracle_source database = {
        .read = read_image, .context = (void *)(uintptr_t)image, .size = image->size[0]};
    const size_t length = image->has_journal ? (size_t)image->size[1] : 0;

    if (length > judge->journal_room) {
        judge->journal_room = length;
        judge->journal_bytes = must_realloc(judge->journal_bytes, length);
    }
    fd_image_read(image, 1, judge->journal_bytes, length, 0);
    oracle_replay(&judge->replay, &database, judge->journal_bytes, length);
}

static void check_replay(struct judge *judge, const struct fd_image *image)
{
    replay_by_the_book(judge, image);
    judge->replays++;
    if (judge->replay.verdict == ORACLE_REFUSE) {
        judge_say(judge, "by FORMAT.md this journal is refused: %s", judge->replay.why);
        return;
    }
    /* `arenas[1]` is free for use: nothing of it is alive now */
    arena_reset(judge->arenas[1]);
    fd_image_copy(&judge->kept, image);
    for (size_t i = 0; i < judge->replay.sector_count; i++) {
        const struct oracle_sector *s = &judge->replay.sectors[i];

        if (s->number * DISK_SECTOR < judge->replay.size)
            fd_image_write(&judge->kept, judge->arenas[1], 0, s->content, DISK_SECTOR,
                           s->number * DISK_SECTOR);
    }
    if (judge->replay.verdict == ORACLE_REPLAY)
        fd_image_resize(&judge->kept, judge->arenas[1], 0, judge->replay.size);
    fd_image_rehash(&judge->kept);
    if ((judge->kept.content_hash[0] ^ number_weight(judge->kept.size[0], 0)) !=
        judge->recovered_db)
        judge_say(judge, "a replay by FORMAT.md (%" PRIu64 " records) gives other bytes",
                  judge->replay.record_count);
}

static void check_read_only(struct judge *judge, const struct fd_image *image,
                            const struct model *expected)
{
    char why[512];
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;
    const pf_err err = recover(judge, 1, image, false, NULL, &store, reason);

    if (err != PF_OK) {
        judge_say(judge, "read-only open: %s (%s)", pf_err_name(err), reason);
        return;
    }
    const struct oracle_source source = {
        .read = read_store,
        .context = store,
        .size = oracle_nominal_size(pf_total_pages(store)),
    };
    if (match(judge, &source, NULL, &expected, 1, why, sizeof(why)) < 0)
        judge_say(judge, "a read-only open shows something else: %s", why);
    store_delete(store);
    if (judge->disks[1].changes != 0)
        judge_say(judge, "a read-only open made %" PRIu64 " changes",
                  judge->disks[1].changes);
}

/* The store agrees with the oracle, and hands out what the list says. */
static void check_store(struct judge *judge, pf_store *store,
                        const struct model *expected)
{
    const size_t count = expected->depth + 1;
    uint64_t *ids = must_realloc(NULL, count * sizeof(*ids));
    struct pf_stats stats;
    uint64_t lsn;

    pf_stats_get(store, &stats);
    if (stats.total_pages != expected->total_pages ||
        stats.free_pages != expected->depth ||
        stats.allocated_pages + stats.free_pages != stats.total_pages)
        judge_say(judge, "stats: %" PRIu64 " pages, %" PRIu64 " free", stats.total_pages,
                  stats.free_pages);
    const pf_err err = pf_pages_alloc(store, count, ids, &lsn);
    if (err != PF_OK)
        judge_say(judge, "draining the list: %s", pf_err_name(err));
    for (size_t i = 0; i < count && err == PF_OK; i++) {
        const uint64_t id = i < expected->depth ? expected->stack[expected->depth - 1 - i]
                                                : expected->total_pages;
        if (ids[i] != id)
            judge_say(judge, "draining the list: page %" PRIu64 ", expected %" PRIu64,
                      ids[i], id);
    }
    free(ids);
}

/* Use the recovered store on disk 0, close it, and look at the file. */
static void check_going_on(struct judge *judge, pf_store *store,
                           const struct model *found)
{
    const uint8_t text[] = "written after recovery";
    struct model_pool *pool = model_pool_new();
    struct model m = {0};
    const struct model *expected = &m;
    char why[512];
    uint64_t ids[3];

    const struct oracle_source before = judge_source(&judge->disks[0]);
    model_copy(&m, found);
    if (oracle_read(&judge->oracle, &before))
        model_note_trunks(&m, &judge->oracle);
    pf_err err = pf_pages_alloc(store, 3, ids, NULL);
    for (int i = 0; i < 3; i++)
        if (model_alloc(&m) != ids[i] && err == PF_OK)
            judge_say(judge, "after recovery: wrong page allocated");
    if (err == PF_OK)
        err = pf_page_write(store, ids[1], 300, text, sizeof(text), NULL);
    model_write(&m, pool, ids[1], 300, text, sizeof(text));
    if (err == PF_OK)
        err = pf_page_free(store, ids[0], NULL);
    model_free(&m, ids[0]);
    const pf_err closed = pf_close(store);
    if (err == PF_OK)
        err = closed;
    const struct oracle_source source = judge_source(&judge->disks[0]);
    if (err != PF_OK)
        judge_say(judge, "working after recovery: %s", pf_err_name(err));
    else if (match(judge, &source, NULL, &expected, 1, why, sizeof(why)) < 0)
        judge_say(judge, "after recovery, work and close: %s", why);
    else if (judge->disks[0].entry != FD_NONE)
        judge_say(judge, "a clean close left the journal");
    model_clear(&m);
    model_pool_delete(pool);
}

/* ---- cuts during recovery ---- */

static void judge_recovery_image(struct judge *judge)
{
    struct crash *crash = &judge->crashes[1];
    char reason[PF_REASON_SIZE];
    char choice[512];
    pf_store *store = NULL;
    bool is_new;

    (void)imagemap_at(&judge->seen_in_recovery, crash->hash, &is_new);
    judge->images++;
    if (!is_new)
        return;
    judge->cut_images++;
    crash_build(crash, &judge->images_built[1]);
    const pf_err err =
        recover(judge, 1, &judge->images_built[1], true, NULL, &store, reason);
    crash_describe(crash, choice, sizeof(choice));
    if (err != PF_OK)
        judge_say(judge, "recovery of a broken-off recovery: %s (%s); disk: %s",
                  pf_err_name(err), reason, choice);
    else if (db_hash(&judge->disks[1]) != judge->recovered_db)
        judge_say(judge, "recovery of a broken-off recovery gives other bytes; disk: %s",
                  choice);
    if (err == PF_OK)
        store_delete(store);
}

static void recovery_hook(void *context, enum fd_call call)
{
    struct judge *judge = context;
    const uint64_t random = fixed_random_get();

    (void)call;
    if (judge_is_done(judge))
        return;
    crash_begin(&judge->crashes[1], &judge->disks[0], judge->cut_limit,
                judge->disks[0].changes + random);
    while (crash_next(&judge->crashes[1]))
        judge_recovery_image(judge);
    fixed_random_set(random);
}

static void check_cuts(struct judge *judge, const struct fd_image *image)
{
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;
    const pf_err err = recover(judge, 0, image, true, recovery_hook, &store, reason);

    if (err != PF_OK) {
        judge_say(judge, "a second recovery: %s (%s)", pf_err_name(err), reason);
        return;
    }
    if (db_hash(&judge->disks[0]) != judge->recovered_db)
        judge_say(judge, "a second recovery gives other bytes");
    judge->disks[0].hook = NULL;
    recovery_hook(judge, FD_SYNC); /* power goes when recovery is done */
    store_delete(store);
}

static void look_closely(struct judge *judge, const struct fd_image *image,
                         const struct model *found)
{
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;

    judge->close_looks++;
    if ((judge->checks & JUDGE_REPLAY) != 0)
        check_replay(judge, image);
    if ((judge->checks & JUDGE_READ_ONLY) != 0)
        check_read_only(judge, image, found);
    if ((judge->checks & JUDGE_CUT) != 0)
        check_cuts(judge, image);
    if ((judge->checks & JUDGE_STORE) != 0 &&
        recover(judge, 0, image, true, NULL, &store, reason) == PF_OK) {
        check_store(judge, store, found);
        store_delete(store);
    }
    if ((judge->checks & JUDGE_GO_ON) != 0 &&
        recover(judge, 0, image, true, NULL, &store, reason) == PF_OK)
        check_going_on(judge, store, found);
}

/* ---- one image, all images ---- */

/* Which of `allowed` it holds, or -1 after a violation. */
static int judge_image(struct judge *judge, const struct fd_image *image,
                       const struct model *const *allowed, size_t allowed_count,
                       bool closely, const char *where)
{
    char reason[PF_REASON_SIZE];
    char why[1024] = "";
    pf_store *store = NULL;
    int found = -1;
    const uint64_t random = fixed_random_get();

    judge->where = where;
    const pf_err err = recover(judge, 0, image, true, NULL, &store, reason);
    if (err != PF_OK) {
        replay_by_the_book(judge, image);
        judge_say(judge, "store_open: %s (%s; FORMAT.md: %s)", pf_err_name(err), reason,
                  judge->replay.verdict == ORACLE_REFUSE    ? judge->replay.why
                  : judge->replay.verdict == ORACLE_NOTHING ? "nothing to replay"
                                                            : "can be replayed");
    } else {
        const struct oracle_source source = judge_source(&judge->disks[0]);

        found = judge_match(judge, &judge->disks[0], allowed, allowed_count, why,
                            sizeof(why));
        if (found < 0)
            judge_say(judge, "%s", why);
        else if (!pf_writable(store))
            judge_say(judge, "recovered, but read-only");
        else if (oracle_finds_stale_trunk(&judge->oracle, &source, judge->plain,
                                          judge->start->model.total_pages))
            judge_say(judge, "%s", judge->oracle.finding);
        judge->recovered_db = db_hash(&judge->disks[0]);
        store_delete(store);
        if (found >= 0 && closely)
            look_closely(judge, image, allowed[found]);
    }
    fixed_random_set(random);
    judge->where = NULL;
    return found;
}

static bool is_known(const struct imagemap_slot *slot, const uint64_t *hashes,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slot->found == hashes[i])
            return true;
    return false;
}

void judge_crashes(struct judge *judge, const struct faultdisk *disk, uint64_t limit,
                   const struct model *const *allowed, size_t allowed_count,
                   const char *where)
{
    struct crash *crash = &judge->crashes[0];
    uint64_t *hashes = must_realloc(NULL, allowed_count * sizeof(*hashes));
    bool is_new;

    for (size_t i = 0; i < allowed_count; i++)
        hashes[i] = model_hash(allowed[i]);
    crash_begin(crash, disk, limit, disk->changes);
    judge->points++;
    judge->points_complete += crash->all;
    judge->made_by = crash;
    while (crash_next(crash) && !judge_is_done(judge)) {
        struct imagemap_slot *slot = imagemap_at(&judge->seen, crash->hash, &is_new);

        judge->images++;
        if (!is_new && is_known(slot, hashes, allowed_count))
            continue;
        crash_build(crash, &judge->images_built[0]);
        const int found =
            judge_image(judge, &judge->images_built[0], allowed, allowed_count,
                        is_new && judge->seen.count % judge->every == 0, where);
        slot->found = found < 0 ? 0 : hashes[found];
    }
    judge->made_by = NULL;
    free(hashes);
}
