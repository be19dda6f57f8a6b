/* Journals that are not what a power cut leaves: damaged ones, those of another
 * generation, those beside another database. Each is opened, and the oracle's replay by
 * the book says what must have become of it. PF_CRASH_SEED=n repeats one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "fixedrandom.h"
#include "run.h"
#include "scratch.h"
#include "store.h"
#include "v3file.h"

static const struct start_spec spec = {"journal", 24, 13, 3, 0};

struct bench {
    struct judge judge;
    struct judge_start start;
    struct run run;
    struct fd_image hot, changed, expected;
    struct oracle_replay replay;
    uint64_t rng;
    uint64_t refused, replayed, nothing;
};

static uint64_t below(struct bench *b, uint64_t bound)
{
    return rng_below(&b->rng, bound);
}

/* ---- a disk with records to replay ---- */

/* A random history; the disk is what a power cut left, with a journal in use. */
static bool make_hot(struct bench *b, uint64_t seed)
{
    static const char letters[] = "aAfFwWtg";
    struct crash crash;

    fd_image_reset(&b->hot);
    if (!run_begin(&b->run, &b->start, seed))
        return false;
    for (uint64_t i = 0; i < 2 + seed % 5; i++)
        (void)run_operation(&b->run, letters[below(b, sizeof(letters) - 1)]);
    run_end(&b->run);
    crash_init(&crash);
    crash_begin(&crash, &b->run.disk, 64, seed);
    for (uint64_t left = 1 + below(b, 64); left > 0 && crash_next(&crash); left--)
        crash_keep(&crash, b->run.arena, &b->hot);
    crash_clear(&crash);
    return b->hot.has_journal;
}

/* ---- what can be wrong with it ---- */

static void put_bytes(struct bench *b, unsigned stream, const void *bytes, size_t length,
                      uint64_t offset)
{
    fd_image_write(&b->changed, b->run.arena, stream, bytes, length, offset);
}

static void change_sector(struct bench *b, unsigned stream)
{
    const uint64_t count = b->changed.size[stream] / DISK_SECTOR;
    const uint64_t used = stream == 1 && below(b, 4) != 0 ? 24 : count;
    const uint64_t number = below(b, count < used ? count : used);
    uint8_t bytes[DISK_SECTOR];

    fd_image_read(&b->changed, stream, bytes, sizeof(bytes), number * DISK_SECTOR);
    switch (below(b, 3)) {
    case 0:
        memset(bytes, 0, sizeof(bytes));
        break;
    case 1:
        fd_image_read(&b->changed, stream, bytes, sizeof(bytes),
                      below(b, count) * DISK_SECTOR);
        break;
    default:
        bytes[below(b, DISK_SECTOR)] ^= (uint8_t)(1 + below(b, 255));
        break;
    }
    put_bytes(b, stream, bytes, sizeof(bytes), number * DISK_SECTOR);
}

/* A valid header of the journal with another salt, LSN or size. */
static void change_header(struct bench *b)
{
    uint8_t header[56];
    const uint64_t at = 8 + 8 * below(b, 3);

    fd_image_read(&b->changed, 1, header, sizeof(header), 0);
    v3_put64(header + at,
             at == 8 ? rng_next(&b->rng) : v3_get64(header + at) + below(b, 4));
    v3_put64(header + 48, XXH3_64bits(header, 48));
    put_bytes(b, 1, header, sizeof(header), 0);
}

static void change_size(struct bench *b, unsigned stream)
{
    static const uint64_t steps[] = {1, 512, 4096, 8192};
    const uint64_t step = steps[below(b, 4)], size = b->changed.size[stream];

    fd_image_resize(&b->changed, b->run.arena, stream,
                    below(b, 2) == 0 && size > step ? size - step : size + step);
}

static void change(struct bench *b)
{
    fd_image_copy(&b->changed, &b->hot);
    for (uint64_t i = below(b, 3); i < 3; i++) {
        switch (below(b, 8)) {
        case 0:
        case 1:
        case 2:
            change_sector(b, 1);
            break;
        case 3:
        case 4:
            change_sector(b, 0);
            break;
        case 5:
            change_header(b);
            break;
        case 6:
            change_size(b, (unsigned)below(b, 2));
            break;
        default: /* a database restored from a backup */
            for (uint64_t n = 0; n < b->start.image.count[0]; n++)
                b->changed.sectors[0][n] = b->start.image.sectors[0][n];
            break;
        }
    }
    fd_image_rehash(&b->changed);
}

/* ---- what must become of it ---- */

static void read_image(void *context, uint64_t offset, void *bytes, size_t length)
{
    fd_image_read(context, 0, bytes, length, offset);
}

static struct oracle_source source_of(struct fd_image *image)
{
    return (struct oracle_source){
        .read = read_image, .context = image, .size = image->size[0]};
}

static void replay_by_the_book(struct bench *b)
{
    const struct oracle_source database = source_of(&b->changed);
    const size_t length = (size_t)b->changed.size[1];
    uint8_t *journal = must_realloc(NULL, length + 1);

    fd_image_read(&b->changed, 1, journal, length, 0);
    oracle_replay(&b->replay, &database, journal, length);
    fd_image_copy(&b->expected, &b->changed);
    if (b->replay.verdict == ORACLE_REPLAY) {
        for (size_t i = 0; i < b->replay.sector_count; i++)
            if (b->replay.sectors[i].number * DISK_SECTOR < b->replay.size)
                fd_image_write(&b->expected, b->run.arena, 0,
                               b->replay.sectors[i].content, DISK_SECTOR,
                               b->replay.sectors[i].number * DISK_SECTOR);
        fd_image_resize(&b->expected, b->run.arena, 0, b->replay.size);
    }
    fd_image_rehash(&b->expected);
    free(journal);
}

static bool database_is_as_expected(const struct bench *b, const struct faultdisk *disk)
{
    return disk->db.hash == b->expected.content_hash[0] &&
           disk->db.size == b->expected.size[0];
}

static void judge_change(struct bench *b)
{
    const struct oracle_source expected = source_of(&b->expected);
    const bool sound = oracle_read(&b->judge.oracle, &expected);
    char reason[PF_REASON_SIZE];
    struct faultdisk *disk;
    pf_store *store = NULL;
    const pf_err err = judge_recover(&b->judge, &b->changed, &store, &disk, reason);
    const bool refused = b->replay.verdict == ORACLE_REFUSE;

    b->refused += refused;
    b->replayed += b->replay.verdict == ORACLE_REPLAY;
    b->nothing += b->replay.verdict == ORACLE_NOTHING;
    if (refused && err == PF_OK)
        judge_say(&b->judge, "opened, but must refuse its journal: %s", b->replay.why);
    else if (!refused && sound && err != PF_OK)
        judge_say(&b->judge, "%s (%s), but the journal is fine", pf_err_name(err),
                  reason);
    else if (refused && disk->changes != 0)
        judge_say(&b->judge, "refused, but changed a file");
    else if (!database_is_as_expected(b, disk) && (refused || sound))
        judge_say(&b->judge, "the database is not as FORMAT.md has it (%s)",
                  b->replay.verdict == ORACLE_REPLAY ? "records to replay" : "no replay");
    if (store != NULL)
        store_delete(store);
}

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    judge_init(&b->judge);
    run_init(&b->run, &b->judge);
    b->run.journal_size = 24 * 1024;
    start_make(&b->start, &spec);
}

static void bench_clear(struct bench *b)
{
    const unsigned violations = b->judge.violations;

    run_clear(&b->run);
    start_clear(&b->start);
    judge_clear(&b->judge);
    fd_image_clear(&b->hot);
    fd_image_clear(&b->changed);
    fd_image_clear(&b->expected);
    oracle_replay_clear(&b->replay);
    if (violations > 0)
        fail_msg("%u violations", violations);
}

static void judge_seed(struct bench *b, uint64_t seed)
{
    snprintf(b->judge.label, sizeof(b->judge.label), "PF_CRASH_SEED=%" PRIu64, seed);
    b->rng = seed * 0x9E3779B97F4A7C15U + 7;
    if (!make_hot(b, seed))
        return;
    for (int i = 0; i < 4; i++) {
        change(b);
        replay_by_the_book(b);
        judge_change(b);
    }
}

static void damaged_and_foreign_journals_are_judged_as_specified(void **state)
{
    /* a flipped bit in a root: the journal is fine, the database is not */
    static const uint64_t kept[] = {217667, 288936, 314780};
    const char *only = getenv("PF_CRASH_SEED");
    const uint64_t last = figure(3000, 20000, 2000000);
    struct bench b;

    (void)state;
    bench_init(&b);
    if (only != NULL)
        judge_seed(&b, strtoull(only, NULL, 10));
    for (size_t i = 0; only == NULL && i < sizeof(kept) / sizeof(kept[0]); i++)
        judge_seed(&b, kept[i]);
    for (uint64_t seed = 1; only == NULL && seed <= last && !judge_is_done(&b.judge);
         seed++)
        judge_seed(&b, seed);
    print_message("#= changed journals and databases: %" PRIu64 " refused, %" PRIu64
                  " replayed, %" PRIu64 " with nothing to replay\n",
                  b.refused, b.replayed, b.nothing);
    if (only == NULL)
        assert_true(b.judge.violations > 0 ||
                    (b.refused > 100 && b.replayed > 100 && b.nothing > 100));
    bench_clear(&b);
}

static void records_of_another_generation_are_not_replayed(void **state)
{
    uint8_t header[56];
    struct bench b;

    (void)state;
    bench_init(&b);
    snprintf(b.judge.label, sizeof(b.judge.label), "another salt");
    for (uint64_t seed = 1; seed <= 200; seed++) {
        b.rng = seed * 0x9E3779B97F4A7C15U + 7;
        if (!make_hot(&b, seed))
            continue;
        fd_image_copy(&b.changed, &b.hot);
        fd_image_read(&b.changed, 1, header, sizeof(header), 0);
        v3_put64(header + 8, v3_get64(header + 8) + 1);
        v3_put64(header + 48, XXH3_64bits(header, 48));
        put_bytes(&b, 1, header, sizeof(header), 0);
        for (uint64_t n = 0; n < b.start.image.count[0]; n++)
            b.changed.sectors[0][n] = b.start.image.sectors[0][n];
        fd_image_resize(&b.changed, b.run.arena, 0, b.start.image.size[0]);
        fd_image_rehash(&b.changed);
        replay_by_the_book(&b);
        assert_int_equal(b.replay.verdict, ORACLE_NOTHING);
        judge_change(&b);
    }
    bench_clear(&b);
}

/* ---- another writer, between the journal's sync and the database ---- */

static void change_total_pages(void *context, enum fd_call call)
{
    const uint8_t bytes[] = {0x7F};
    struct faultdisk *disk = context;

    if (call == FD_SYNC)
        fd_write(disk, &disk->db, bytes, sizeof(bytes), 103);
}

static void a_change_during_the_journals_sync_is_not_overwritten(void **state)
{
    struct bench b;
    uint64_t id = 0;

    (void)state;
    bench_init(&b);
    assert_true(run_begin(&b.run, &b.start, 1));
    assert_int_equal(run_operation(&b.run, 'a'), RUN_DONE); /* makes the journal */
    const uint64_t before = b.run.disk.db.hash;
    b.run.disk.hook = change_total_pages;
    b.run.disk.hook_context = &b.run.disk;
    assert_pf(PF_E_STALE, pf_page_alloc(b.run.store, &id, NULL));
    assert_int_not_equal(before, b.run.disk.db.hash);

    /* what is there is what the other one wrote, and nothing else */
    const uint8_t total = 24;
    fd_write(&b.run.disk, &b.run.disk.db, &total, sizeof(total), 103);
    assert_u64(before, b.run.disk.db.hash);
    assert_false(pf_writable(b.run.store));
    bench_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_and_foreign_journals_are_judged_as_specified),
        cmocka_unit_test(records_of_another_generation_are_not_replayed),
        cmocka_unit_test(a_change_during_the_journals_sync_is_not_overwritten),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
