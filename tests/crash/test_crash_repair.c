/* The power goes at any write of a repair. What is left is repaired again, and that must
 * come to what an undisturbed repair comes to: the same total_pages, the same pages free,
 * a list that is valid by the book, a second check that is clean, and every byte of the
 * graph as it was, at the moment of the cut and afterwards. A second cut, in the repair
 * of what the first one left, changes nothing of that.
 *
 * PF_CRASH_CASE=name runs one case. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broken.h"
#include "crash.h"
#include "fixedrandom.h"
#include "imagemap.h"
#include "oracle.h"
#include "repair.h"
#include "store.h"

enum { DEPTH = 2, EVERY = 8, CASE_PAGES = 2048 };

struct bench;

struct level { /* a repair, and the cuts in it */
    struct bench *bench;
    struct arena *arena;
    struct faultdisk disk;
    struct crash crash;
    struct fd_image built;
};

struct bench {
    const struct broken *broken;
    struct image file;     /* bytes of the broken file */
    struct fd_image start; /* the same on a disk */
    struct arena *arena;   /* of the start */
    bool kept[CASE_PAGES]; /* pages of the graph */
    uint64_t total;        /* after an undisturbed repair */
    uint64_t free_ids[CASE_PAGES];
    size_t free_count;

    struct level levels[DEPTH + 1]; /* [0] is the first repair; the last is not cut */
    unsigned depth;
    uint64_t limits[DEPTH];
    struct imagemap seen[DEPTH];
    struct oracle oracle;
    uint64_t points, images, repairs, second_cuts;
    unsigned violations;
};

__attribute__((format(printf, 2, 3))) static void violation(struct bench *b,
                                                            const char *format, ...)
{
    char text[1024], cut[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (b->violations++ >= 5)
        return;
    fprintf(stderr, "# VIOLATION in PF_CRASH_CASE=%s: %s\n", b->broken->name, text);
    for (unsigned i = 0; i < b->depth; i++) {
        crash_describe(&b->levels[i].crash, cut, sizeof(cut));
        fprintf(stderr, "#   cut %u at change %" PRIu64 "; the disk kept: %s\n", i + 1,
                b->levels[i].disk.changes, cut);
    }
}

/* ---- the door of a repair on a fault disk ---- */

static pf_err take_in(struct level *level, pf_err err, pf_store *store,
                      pf_store **out_store)
{
    if (err == PF_OK && store != NULL) {
        store->edgemeta_length = level->bench->file.meta_length;
        if (store->edgemeta_length > 0)
            memcpy(store->edgemeta, level->bench->file.meta, store->edgemeta_length);
        store_set_journal_size(store, 24 * 1024);
        *out_store = store;
    }
    return err;
}

static pf_err look(void *ctx, char *reason, pf_store **out_store)
{
    struct level *level = ctx;
    pf_store *store = NULL;
    const pf_err err =
        store_open(faultdisk_db(&level->disk), faultdisk_place(&level->disk), false,
                   false, reason, &store);

    return take_in(level, err, store, out_store);
}

static pf_err may_enter(void *ctx, bool set_aside, char *reason)
{
    (void)ctx;
    (void)set_aside;
    (void)reason;
    return PF_OK;
}

static pf_err enter(void *ctx, bool set_aside, char *reason, pf_store **out_store)
{
    struct level *level = ctx;
    struct pf_place *place = faultdisk_place(&level->disk);
    pf_store *store = NULL;

    if (set_aside && place->ops->set_aside(place) != 0) {
        place_close(place);
        return PF_E_IO;
    }
    const pf_err err =
        store_open_unjudged(faultdisk_db(&level->disk), place, reason, &store);
    return take_in(level, err, store, out_store);
}

static void said(void *ctx, const char *change)
{
    (void)ctx;
    (void)change;
}

/* False: a violation. */
static bool repair(struct level *level)
{
    struct bench *b = level->bench;
    const struct repair_door door = {.ctx = level,
                                     .portion = b->broken->portion,
                                     .look = look,
                                     .may_enter = may_enter,
                                     .enter = enter};
    char reason[PF_REASON_SIZE];
    struct pf_repair_result result;

    b->repairs++;
    const pf_err err =
        repair_run(&door, &b->broken->options, NULL, said, NULL, &result, reason);
    if (err != PF_OK)
        violation(b, "a repair ends with %s: %s", pf_err_name(err), reason);
    return err == PF_OK;
}

/* ---- what must be so ---- */

static void read_disk(void *context, uint64_t offset, void *bytes, size_t length)
{
    fd_read(context, bytes, length, offset);
}

static struct oracle_source source_of(struct level *level)
{
    return (struct oracle_source){
        .read = read_disk, .context = &level->disk.db, .size = level->disk.db.size};
}

static void judge_graph(struct bench *b, struct level *level, const char *when)
{
    uint8_t now[V3_PAGE], then[V3_PAGE];

    for (uint64_t id = 2; v3_offset(id) < b->file.size; id++) {
        const uint64_t there = b->file.size - v3_offset(id);
        const size_t length = there < V3_PAGE ? (size_t)there : V3_PAGE;

        if (!b->kept[id])
            continue;
        memcpy(then, b->file.bytes + v3_offset(id), length);
        fd_read(&level->disk.db, now, length, v3_offset(id));
        if (memcmp(now, then, length) != 0) {
            violation(b, "page %" PRIu64 " of the graph was changed (%s)", id, when);
            return;
        }
    }
}

/* The header but for the two fields that a repair may set. */
static void judge_header(struct bench *b, struct level *level)
{
    uint8_t now[V3_HEADER];

    fd_read(&level->disk.db, now, sizeof(now), 0);
    if (memcmp(now, b->file.bytes, V3_AT_FREE_HEAD) != 0 ||
        memcmp(now + V3_AT_PAGE_SIZE, b->file.bytes + V3_AT_PAGE_SIZE,
               V3_HEADER - V3_AT_PAGE_SIZE) != 0)
        violation(b, "another field of the header changed");
}

static void judge_check(struct bench *b, pf_store *store)
{
    struct pf_check_summary summary;
    const pf_err err = pf_check(store, NULL, &summary);

    if (err != PF_OK)
        violation(b, "the second check ends with %s", pf_err_name(err));
    else if (summary.finding_count != summary.findings[PF_FINDING_LEAKED])
        violation(b, "the second check has %" PRIu64 " findings", summary.finding_count);
    else if (b->broken->options.free_leaked && summary.leaked != 0)
        violation(b, "%" PRIu64 " pages are leaked still", summary.leaked);
}

/* It opens for writing, which replays what the repair left in its journal. */
static void judge_opens(struct bench *b, struct level *level)
{
    char reason[PF_REASON_SIZE] = "";
    pf_store *store = NULL;
    const pf_err opened =
        store_open(faultdisk_db(&level->disk), faultdisk_place(&level->disk), true, false,
                   reason, &store);
    const pf_err err = take_in(level, opened, store, &store);

    if (err != PF_OK) {
        violation(b, "a repaired file does not open for writing: %s", reason);
        return;
    }
    judge_check(b, store);
    if (pf_close(store) != PF_OK)
        violation(b, "the close fails");
    if (level->disk.entry != FD_NONE)
        violation(b, "a journal is left");
}

static int compare_ids(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static bool read_list(struct bench *b, struct level *level)
{
    const struct oracle_source source = source_of(level);

    if (!oracle_read(&b->oracle, &source) ||
        oracle_finds_stale_trunk(&b->oracle, &source, NULL, 0)) {
        violation(b, "%s", b->oracle.finding);
        return false;
    }
    if (b->oracle.free_count > 0)
        qsort(b->oracle.free_ids, b->oracle.free_count, sizeof(uint64_t), compare_ids);
    for (size_t i = 0; i < b->oracle.free_count; i++)
        if (b->kept[b->oracle.free_ids[i]])
            violation(b, "page %" PRIu64 " of the graph is free", b->oracle.free_ids[i]);
    return true;
}

static void judge_list(struct bench *b, struct level *level)
{
    if (!read_list(b, level))
        return;
    if (b->oracle.total_pages != b->total)
        violation(b, "total_pages %" PRIu64 ", expected %" PRIu64, b->oracle.total_pages,
                  b->total);
    else if (b->oracle.free_count != b->free_count ||
             (b->free_count > 0 && memcmp(b->oracle.free_ids, b->free_ids,
                                          b->free_count * sizeof(uint64_t)) != 0))
        violation(b, "%zu pages are free, not the %zu of an undisturbed repair",
                  b->oracle.free_count, b->free_count);
}

static void judge_repaired(struct bench *b, struct level *level)
{
    judge_opens(b, level);
    judge_list(b, level);
    judge_header(b, level);
    judge_graph(b, level, "after the repair");
}

/* ---- cuts ---- */

static void on_change(void *context, enum fd_call call);

/* Repair what a cut at `level` has left, and cut that, too, now and then. */
static void judge_cut(struct bench *b, struct level *level, bool cut_again)
{
    struct level *next = level + 1;

    crash_build(&level->crash, &level->built);
    arena_reset(next->arena);
    faultdisk_load(&next->disk, &level->built);
    judge_graph(b, next, "at the cut");
    next->disk.hook = cut_again ? on_change : NULL;
    next->disk.hook_context = next;
    b->second_cuts += cut_again;
    if (repair(next)) {
        next->disk.hook = NULL;
        judge_repaired(b, next);
    }
}

static void on_change(void *context, enum fd_call call)
{
    struct level *level = context;
    struct bench *b = level->bench;
    const unsigned depth = (unsigned)(level - b->levels);
    const uint64_t random = fixed_random_get();
    bool is_new;

    (void)call;
    b->points++;
    b->depth = depth + 1;
    crash_begin(&level->crash, &level->disk, b->limits[depth], level->disk.changes);
    while (crash_next(&level->crash) && b->violations == 0) {
        (void)imagemap_at(&b->seen[depth], level->crash.hash, &is_new);
        b->images++;
        if (is_new)
            judge_cut(b, level, depth + 1 < DEPTH && b->seen[depth].count % EVERY == 0);
        b->depth = depth + 1;
    }
    b->depth = depth;
    fixed_random_set(random);
}

/* ---- the test ---- */

/* Pages of the graph, by the walk of the file before it is broken; its totals are those
 * of the published table (test_check, check/v3read.py). */
static void find_kept(struct bench *b)
{
    struct walk *walk = image_walk(&b->file, NULL);
    uint64_t id = 0;

    memset(b->kept, 0, sizeof(b->kept));
    for (; walk_next(walk, id, &id); id++) {
        assert_true(id < CASE_PAGES);
        b->kept[id] = true;
    }
    walk_free(walk);
}

static void make_start(struct bench *b)
{
    static const char journal[] = "PFJRNL\0\1 but the rest of its header is not";

    image_free(&b->file);
    image_load(&b->file, b->broken->sample);
    find_kept(b);
    b->broken->make(&b->file);
    arena_reset(b->arena);
    fd_image_reset(&b->start);
    fd_image_write(&b->start, b->arena, 0, b->file.bytes, b->file.size, 0);
    fd_image_resize(&b->start, b->arena, 0, b->file.size);
    if (b->broken->with_journal) {
        b->start.has_journal = true;
        fd_image_write(&b->start, b->arena, 1, journal, sizeof(journal), 0);
        fd_image_resize(&b->start, b->arena, 1, 8192);
    }
    fd_image_rehash(&b->start);
}

/* What an undisturbed repair comes to; the others are compared with it. */
static void find_expected(struct bench *b)
{
    struct level *level = &b->levels[DEPTH];

    arena_reset(level->arena);
    faultdisk_load(&level->disk, &b->start);
    if (!repair(level) || !read_list(b, level))
        return;
    b->total = b->oracle.total_pages;
    b->free_count = b->oracle.free_count;
    assert_true(b->free_count <= CASE_PAGES);
    if (b->free_count > 0)
        memcpy(b->free_ids, b->oracle.free_ids, b->free_count * sizeof(uint64_t));
    judge_repaired(b, level);
}

static void run_case(struct bench *b, const struct broken *broken)
{
    const uint64_t points = b->points, images = b->images;
    size_t distinct = 0;

    b->broken = broken;
    b->depth = 0;
    fixed_random_set(1);
    make_start(b);
    find_expected(b);
    for (int i = 0; i < DEPTH; i++)
        imagemap_clear(&b->seen[i]);
    struct level *level = &b->levels[0];
    arena_reset(level->arena);
    faultdisk_load(&level->disk, &b->start);
    level->disk.hook = on_change;
    level->disk.hook_context = level;
    if (b->violations == 0 && repair(level))
        judge_repaired(b, level);
    for (int i = 0; i < DEPTH; i++)
        distinct += b->seen[i].count;
    print_message("# %s: %" PRIu64 " pages, %zu free, %" PRIu64 " cuts, %" PRIu64
                  " disks, %zu distinct\n",
                  broken->name, b->total, b->free_count, b->points - points,
                  b->images - images, distinct);
    assert_true(b->points > points);
}

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    b->arena = arena_new();
    oracle_init(&b->oracle);
    b->limits[0] = figure(48, 1000, 2000);
    b->limits[1] = scaled(8, 32);
    for (int i = 0; i <= DEPTH; i++) {
        b->levels[i].bench = b;
        b->levels[i].arena = arena_new();
        faultdisk_init(&b->levels[i].disk, b->levels[i].arena);
        crash_init(&b->levels[i].crash);
    }
}

static void bench_clear(struct bench *b)
{
    for (int i = 0; i <= DEPTH; i++) {
        faultdisk_clear(&b->levels[i].disk);
        crash_clear(&b->levels[i].crash);
        fd_image_clear(&b->levels[i].built);
        arena_delete(b->levels[i].arena);
    }
    for (int i = 0; i < DEPTH; i++)
        imagemap_clear(&b->seen[i]);
    image_free(&b->file);
    fd_image_clear(&b->start);
    oracle_clear(&b->oracle);
    arena_delete(b->arena);
}

static void a_repair_cut_anywhere_is_finished_by_the_next(void **state)
{
    static struct bench bench;
    const char *only = getenv("PF_CRASH_CASE");

    (void)state;
    bench_init(&bench);
    for (size_t i = 0; i < broken_file_count; i++)
        if (only == NULL || strcmp(only, broken_files[i].name) == 0)
            run_case(&bench, &broken_files[i]);
    print_message("#= repair: %" PRIu64 " cuts, %" PRIu64 " disks, %" PRIu64
                  " repairs, %" PRIu64 " of them cut again\n",
                  bench.points, bench.images, bench.repairs, bench.second_cuts);
    const unsigned violations = bench.violations;
    bench_clear(&bench);
    if (violations > 0)
        fail_msg("%u violations", violations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repair_cut_anywhere_is_finished_by_the_next),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
