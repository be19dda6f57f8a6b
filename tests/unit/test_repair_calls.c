/* pf_repair() while system calls and allocations of core fail one by one, once or from
 * then on: whatever it answers, a second repair ends with the very bytes that one without
 * failures gives, or with fewer free pages where the list could not be read; and a dry
 * run never changes a byte. A page whose use could not be read must not be taken for a
 * leaked one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing.h"
#include "oracle.h"
#include "scratch.h"
#include "v3file.h"

struct damage {
    const char *name;
    void (*make)(struct scratch *t);
    struct pf_repair_options options;
};

struct plan {
    enum failing_kind kind;
    uint64_t at;
    bool forever;
    int error;
};

struct truth {
    uint64_t damaged, repaired;    /* hashes of the file */
    struct v3_image before, image; /* of the damaged one, of the repaired one */
    uint64_t *free;                /* its list */
    size_t free_count;
};

static uint64_t points, failed;

/* ---- what is wrong with the file ---- */

static void journal_path(const struct scratch *t, const char *suffix, char out[256])
{
    snprintf(out, 256, "%s-journal%s", t->db, suffix);
}

static void leak_pages(struct scratch *t)
{
    scratch_copy_sample(t, "small");
    v3_poke64(t->db, V3_AT_EDGE_ROOT,
              0); /* only the side file says where the edges are */
    scratch_open(t, NULL);
    for (int i = 0; i < 3; i++)
        (void)alloc_one(t->store);
    scratch_close(t);
}

static void break_the_list(struct scratch *t)
{
    scratch_create(t, 700);
    free_range(t->store, 100, 506);
    free_range(t->store, 650, 40);
    scratch_close(t);
    v3_poke64(t->db, v3_offset(100) + V3_TRUNK_LEAVES + 80, 100);
}

static void free_a_used_page(struct scratch *t)
{
    scratch_copy_sample(t, "small");
    scratch_open(t, NULL);
    for (int i = 0; i < 3; i++)
        (void)alloc_one(t->store);
    free_range(t->store, 23, 3);
    free_one(t->store, 10); /* a leaf: its bytes stay */
    scratch_close(t);
}

static void spoil_the_journal(struct scratch *t)
{
    char path[256];

    scratch_create(t, 50);
    scratch_close(t);
    journal_path(t, "", path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("PFJRNL, but not really: a journal whose header is damaged", f);
    for (int i = 0; i < 1000; i++)
        fputc('x', f);
    fclose(f);
}

static const struct damage damages[] = {
    {"leaked", leak_pages, {.free_leaked = true}},
    {"list", break_the_list, {.free_leaked = false}},
    {"used", free_a_used_page, {.free_leaked = false}},
    {"journal", spoil_the_journal, {.discard_journal = true}},
};

/* ---- one failure ---- */

static void remove_files(const struct scratch *t)
{
    char path[256];

    (void)unlink(t->db);
    snprintf(path, sizeof(path), "%sedgemeta", t->db); /* db.v3edgemeta */
    (void)unlink(path);
    journal_path(t, "", path);
    (void)unlink(path);
    journal_path(t, ".refused", path);
    (void)unlink(path);
}

static void ignore(void *ctx, const char *change)
{
    assert_null(ctx);
    assert_non_null(change);
}

static pf_err repair(struct scratch *t, const struct pf_repair_options *options)
{
    struct pf_repair_result result;

    return pf_repair(t->db, options, NULL, ignore, NULL, &result, t->reason);
}

static void learn(struct scratch *t, const struct damage *damage, struct truth *truth)
{
    damage->make(t);
    truth->damaged = v3_hash(t->db);
    v3_image_read(t->db, &truth->before);
    assert_ok(repair(t, &damage->options));
    truth->repaired = v3_hash(t->db);
    truth->free = v3_free_list(t->db, &truth->free_count);
    v3_image_read(t->db, &truth->image);
    remove_files(t);
}

static bool is_free(const struct truth *truth, uint64_t page_id)
{
    for (size_t i = 0; i < truth->free_count; i++)
        if (truth->free[i] == page_id)
            return true;
    return false;
}

static void read_file(void *context, uint64_t offset, void *bytes, size_t length)
{
    const struct scratch *t = context;
    const uint64_t size = v3_size(t->db);

    memset(bytes, 0, length);
    if (offset < size)
        v3_peek(t->db, offset, bytes, length < size - offset ? length : size - offset);
}

/* A trunk that could not be read ends the list, and may go on looking like one: then
 * fewer pages are free, and none that should not be; the others hold what they held. */
static bool is_repaired(struct scratch *t, const struct truth *truth)
{
    const struct oracle_source source = {read_file, t, v3_size(t->db)};
    struct v3_image image;
    struct oracle oracle;

    oracle_init(&oracle);
    v3_image_read(t->db, &image);
    bool right = oracle_read(&oracle, &source);
    for (size_t i = 0; i < oracle.free_count && right; i++)
        right = is_free(truth, oracle.free_ids[i]);
    for (size_t id = 1; id < truth->image.page_count && right; id++)
        right = id < image.page_count &&
                (is_free(truth, id) || image.hashes[id] == truth->image.hashes[id] ||
                 image.hashes[id] == truth->before.hashes[id]);
    v3_image_free(&image);
    oracle_clear(&oracle);
    return right;
}

static void check(bool right, const struct damage *damage, const struct plan *plan,
                  const char *what)
{
    if (!right)
        fail_msg("%s: kind %d, call %" PRIu64 "%s, errno %d (%s): %s", damage->name,
                 (int)plan->kind, plan->at, plan->forever ? " and all later ones" : "",
                 plan->error, failing.name, what);
}

/* False: there is no such call. */
static bool play(struct scratch *t, const struct damage *damage,
                 const struct truth *truth, const struct plan *plan, bool dry_run)
{
    struct pf_repair_options options = damage->options;
    char journal[256];

    options.dry_run = dry_run;
    damage->make(t);
    failing_start(plan->kind, plan->at, plan->forever, plan->error);
    const pf_err first = repair(t, &options);
    failing_stop();
    failed += first != PF_OK;
    if (first == PF_OK && v3_hash(t->db) != truth->damaged)
        check(is_repaired(t, truth), damage, plan, "a repair was no repair");
    if (dry_run)
        check(v3_hash(t->db) == truth->damaged, damage, plan,
              "a dry run changed the file");
    const pf_err err = repair(t, &damage->options);
    if (err != PF_OK)
        fail_msg("%s: a second repair: %s (%s)", damage->name, pf_err_name(err),
                 t->reason);
    scratch_open(t, NULL); /* the first one may be complete in its journal */
    assert_true(pf_writable(t->store));
    scratch_close(t);
    const bool unread = plan->kind == FAILING_SYSTEM && !dry_run;
    check(v3_hash(t->db) == truth->repaired || (unread && is_repaired(t, truth)), damage,
          plan, "a second repair gives another file");
    journal_path(t, "", journal);
    assert_int_not_equal(access(journal, F_OK), 0);
    remove_files(t);
    return failing.faults > 0;
}

static void play_all(struct scratch *t, const struct damage *damage,
                     const struct truth *truth, enum failing_kind kind, int error,
                     uint64_t step)
{
    for (int i = 0; i < 4; i++) {
        struct plan plan = {.kind = kind,
                            .at = (uint64_t)error % step,
                            .forever = i % 2 == 1,
                            .error = error};

        if (plan.forever && error == EINTR)
            continue; /* what is broken off is begun again */
        for (; play(t, damage, truth, &plan, i / 2 == 1); plan.at += step)
            points++;
    }
}

static void a_repair_that_fails_can_be_done_again(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EACCES, EINTR, FAILING_SHORT};
    struct scratch *t = *state;

    for (size_t d = 0; d < sizeof(damages) / sizeof(damages[0]); d++) {
        struct truth truth;

        learn(t, &damages[d], &truth);
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
            play_all(t, &damages[d], &truth, FAILING_SYSTEM, errors[i], scaled(23, 1));
        play_all(t, &damages[d], &truth, FAILING_MEMORY, ENOMEM, scaled(11, 1));
        free(truth.free);
        v3_image_free(&truth.before);
        v3_image_free(&truth.image);
    }
    print_message("#= repair: %" PRIu64 " points, %" PRIu64 " repairs failed\n", points,
                  failed);
    assert_true(points > 0 && failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_repair_that_fails_can_be_done_again),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (access("/dev/shm", W_OK) == 0) /* nothing here needs a disk */
        (void)setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
