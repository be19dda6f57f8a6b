/* pagefs check --repair, as a user runs it. */
#include "checking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What --dry-run promises is what --repair then says, and until then nothing changed. */
static void assert_dry_run_tells(struct mnt *m, const char *options)
{
    const uint64_t before = v3_hash(m->t.db);
    char command[512];

    snprintf(command, sizeof(command),
             "\"$PAGEFS\" check --repair %s --dry-run \"$DB\" >dry; s=$?; ls db* >names; "
             "sed -n 's/^would: //p' dry >would; (exit $s)",
             options);
    assert_int_equal(sh(m, command), 4);
    assert_u64(before, v3_hash(m->t.db));
    snprintf(command, sizeof(command),
             "\"$PAGEFS\" check --repair %s \"$DB\" >wet; s=$?; "
             "sed -n 's/^repair: //p' wet | cmp - would && test -s would && (exit $s)",
             options);
    const int status = sh(m, command);
    if (status != 1)
        fail_msg("check --repair %s: exit status %d: %s%s", options, status, m->out,
                 m->err);
}

static void a_repaired_stale_file_is_clean_and_mounts_read_write(void **state)
{
    struct mnt *m = *state;
    struct v3_image before;
    struct v3_image after;
    uint8_t header[V3_HEADER];
    uint8_t repaired[V3_HEADER];

    take_sample(m, "stale");
    v3_image_read(m->t.db, &before);
    v3_peek(m->t.db, 0, header, sizeof(header));
    assert_dry_run_tells(m, "");
    assert_status(m, 0, "");
    assert_count(m, "in_use", 68);
    expect(m, "db.v3\n", "ls db*");
    v3_image_read(m->t.db, &after);
    v3_put64(header + V3_AT_TOTAL, 68);
    v3_peek(m->t.db, 0, repaired, sizeof(repaired));
    assert_memory_equal(header, repaired, sizeof(header));
    assert_u64(1, v3_image_differences(&before, &after));
    v3_image_free(&before);
    v3_image_free(&after);
    mnt_start(m, "require_rw");
    expect(m, "68\n", "cat alloc");
    mnt_stop(m);
    assert_status(m, 0, "");
    assert_count(m, "in_use", 68);
    assert_count(m, "leaked", 1);
}

static void an_unclean_write_ahead_log_prevents_a_repair(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "wal_stale");
    const uint64_t before = v3_hash(m->t.db);
    assert_status(m, 12, "--repair");
    assert_non_null(strstr(m->err, "db.v3wal was not closed cleanly"));
    assert_string_equal(strchr(m->err, '\n'), "\n");
    assert_u64(before, v3_hash(m->t.db));
}

/* Pages whose contents differ must be on the list `ids` or the header. */
static void assert_only_these_differ(const struct v3_image *a, const struct v3_image *b,
                                     const uint64_t *ids, size_t count)
{
    assert_u64(a->size, b->size);
    for (size_t page = 1; page < a->page_count; page++) {
        bool listed = false;
        for (size_t i = 0; i < count; i++)
            listed = listed || ids[i] == page;
        if (!listed && a->hashes[page] != b->hashes[page])
            fail_msg("page %zu was changed", page);
    }
}

static void free_leaked_frees_exactly_the_leaked_pages(void **state)
{
    static const uint64_t leaked[] = {6,  7,  10,  11,  12,  53,  54, 55,
                                      87, 88, 135, 136, 191, 192, 193};
    struct mnt *m = *state;
    struct v3_image before;
    struct v3_image after;
    size_t count;

    take_sample(m, "medium");
    assert_status(m, 0, "--repair"); /* leaks alone are not touched */
    assert_count(m, "leaked", 15);
    v3_image_read(m->t.db, &before);
    assert_dry_run_tells(m, "--free-leaked");
    assert_status(m, 0, "");
    assert_count(m, "free", 15);
    assert_count(m, "leaked", 0);
    assert_count(m, "in_use", 1261);
    assert_count(m, "nodes", 1988);
    assert_count(m, "edges", 1249);
    v3_image_read(m->t.db, &after);
    uint64_t *const ids = v3_free_list(m->t.db, &count);
    assert_u64(15, count);
    for (size_t i = 0; i < count; i++) {
        bool listed = false;
        for (size_t k = 0; k < count; k++)
            listed = listed || ids[k] == leaked[i];
        assert_true(listed);
    }
    assert_only_these_differ(&before, &after, ids, count);
    free(ids);
    v3_image_free(&before);
    v3_image_free(&after);
}

static void leaked_pages_below_a_damaged_page_are_not_freed(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "medium");
    flip(m, v3_offset(2) + 20);
    for (uint64_t page = 3; page < 1276 && check_run(m, "") == 0; page++)
        flip(m, v3_offset(page) + 20);
    const uint64_t before = v3_hash(m->t.db);
    assert_status(m, 4, "--repair --free-leaked");
    assert_said(m, "leaked pages may belong to what is damaged, and are not freed");
    assert_u64(before, v3_hash(m->t.db));
}

/* ---- free lists made by hand: small and ten pages more, 23 to 32 ---- */

enum { OLD_TRUNK = 23, NEW_TRUNK = 26 };

static void put_trunk(struct mnt *m, uint64_t self, uint64_t next, uint64_t block,
                      uint64_t total, const uint64_t *leaves, uint32_t count)
{
    uint8_t page[V3_PAGE];

    v3_trunk(page, self, next, block, total, leaves, count);
    v3_poke(m->t.db, v3_offset(self), page, sizeof(page));
}

static void put_list(struct mnt *m, uint64_t old_next, uint64_t old_block,
                     uint64_t old_leaf, uint64_t new_total)
{
    static const uint64_t new_leaves[] = {28, 27, 30};
    const uint64_t old_leaves[] = {24, old_leaf};

    put_trunk(m, OLD_TRUNK, old_next, old_block, 3, old_leaves, 2);
    put_trunk(m, NEW_TRUNK, OLD_TRUNK, 2, new_total, new_leaves, 3);
}

static void make_list(struct mnt *m)
{
    take_sample(m, "small");
    assert_int_equal(truncate(m->t.db, (off_t)v3_nominal(33)), 0);
    v3_poke64(m->t.db, V3_AT_TOTAL, 33);
    v3_poke64(m->t.db, V3_AT_FREE_HEAD, NEW_TRUNK);
    put_list(m, 0, 1, 25, 7);
}

static void break_magic(struct mnt *m)
{
    flip(m, v3_offset(OLD_TRUNK));
}

static void break_sum(struct mnt *m)
{
    flip(m, v3_offset(OLD_TRUNK) + V3_TRUNK_LEAVES);
}

static void break_newest(struct mnt *m)
{
    flip(m, v3_offset(NEW_TRUNK) + V3_TRUNK_SUM);
}

static void break_head(struct mnt *m)
{
    v3_poke64(m->t.db, V3_AT_FREE_HEAD, 1ULL << 60);
}

static void break_head_in_graph(struct mnt *m)
{
    v3_poke64(m->t.db, V3_AT_FREE_HEAD, 3);
}

static void break_by_cycle(struct mnt *m)
{
    put_list(m, NEW_TRUNK, 1, 25, 7);
}

static void break_order(struct mnt *m)
{
    put_list(m, 0, 2, 25, 7);
}

static void break_by_duplicate(struct mnt *m)
{
    put_list(m, 0, 1, 28, 7);
}

static void break_by_range(struct mnt *m)
{
    put_list(m, 0, 1, 33, 7);
}

static void break_total(struct mnt *m)
{
    put_list(m, 0, 1, 25, 8);
}

static void free_a_used_leaf(struct mnt *m)
{
    put_list(m, 0, 1, 3, 7);
}

static void free_a_used_trunk(struct mnt *m)
{
    static const uint64_t leaves[] = {24};

    /* page 4 holds nodes: it cannot be a trunk, so the list ends before it */
    put_trunk(m, OLD_TRUNK, 4, 1, 3, leaves, 1);
}

static const struct breakage {
    const char *name, *class;
    void (*apply)(struct mnt *m);
    bool lost; /* nothing leads to the list any more, so its trunks stay as they are */
} breakages[] = {
    {"magic", "free-list", break_magic, false},
    {"sum", "free-list", break_sum, false},
    {"newest", "free-list", break_newest, false},
    {"head", "free-list", break_head, true},
    {"head in graph", "free-list", break_head_in_graph, true},
    {"cycle", "free-list", break_by_cycle, false},
    {"order", "free-list", break_order, false},
    {"duplicate", "free-list", break_by_duplicate, false},
    {"range", "free-list", break_by_range, false},
    {"total", "free-list", break_total, false},
    {"used leaf", "free-but-used", free_a_used_leaf, false},
    {"used trunk", "free-list", free_a_used_trunk, false},
};

/* By the reader that shares no code with core. All of them above the pages of the graph.
 */
static uint64_t list_length(struct mnt *m)
{
    size_t count;
    uint64_t *const ids = v3_free_list(m->t.db, &count);

    for (size_t i = 0; i < count; i++)
        assert_in_range(ids[i], 23, 32);
    free(ids);
    return count;
}

static void assert_list_is_repaired(struct mnt *m, const struct breakage *breakage)
{
    struct v3_image before;
    struct v3_image after;

    make_list(m);
    assert_status(m, 0, "");
    assert_count(m, "free", 7);
    breakage->apply(m);
    assert_status(m, 4, "");
    assert_said(m, breakage->class);
    v3_image_read(m->t.db, &before);
    assert_dry_run_tells(m, "");
    assert_status(m, 0, "");
    assert_count(m, "in_use", 23);
    v3_image_read(m->t.db, &after);
    for (size_t page = 1; page < 23; page++)
        assert_true(before.hashes[page] == after.hashes[page]);
    if (breakage->lost)
        assert_count(m, "free", 0);
    else
        assert_status(m, list_length(m) == 10 ? 0 : 1, "--repair --free-leaked");
    assert_status(m, breakage->lost, "--repair --free-leaked"); /* and the rest */
    assert_status(m, 0, "");
    assert_count(m, "free", 10);
    assert_u64(10, list_length(m));
    v3_image_free(&before);
    v3_image_free(&after);
}

static void a_broken_free_list_is_written_anew(void **state)
{
    struct mnt *m = *state;

    for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        print_message("# %s\n", breakages[i].name);
        assert_list_is_repaired(m, &breakages[i]);
    }
}

static void a_used_page_is_taken_off_the_list_and_kept(void **state)
{
    struct mnt *m = *state;
    uint8_t before[V3_PAGE];
    uint8_t after[V3_PAGE];

    make_list(m);
    free_a_used_leaf(m);
    v3_peek(m->t.db, v3_offset(3), before, sizeof(before));
    assert_status(m, 4, "");
    assert_said(m, "page 3: free-but-used: expected free or in use, found both; reached "
                   "by node root\n");
    assert_status(m, 1, "--repair");
    assert_status(m, 0, "");
    assert_count(m, "free", 6);
    v3_peek(m->t.db, v3_offset(3), after, sizeof(after));
    assert_memory_equal(before, after, sizeof(before));
}

/* ---- the journal ---- */

/* A journal with a change, whose header is damaged, beside `small`. */
static void leave_bad_journal(struct mnt *m)
{
    char kept[256];

    take_sample(m, "small");
    scratch_open(&m->t, NULL);
    (void)alloc_one(m->t.store);
    expect(m, "", "cp db.v3-journal kept");
    scratch_close(&m->t);
    take_sample(m, "small");
    scratch_path(&m->t, "kept", kept);
    v3_poke(kept, 17, "?", 1);
    expect(m, "", "cp kept db.v3-journal");
}

static void a_refused_journal_is_a_finding_and_is_set_aside_on_request(void **state)
{
    struct mnt *m = *state;

    leave_bad_journal(m);
    const uint64_t before = v3_hash(m->t.db);
    assert_status(m, 4, "");
    assert_said(m, "page 0: journal: ");
    assert_said(m, "--discard-journal");
    assert_status(m, 12, "--repair");
    assert_non_null(strstr(m->err, "--discard-journal"));
    expect(m, "", "cmp kept db.v3-journal");
    assert_dry_run_tells(m, "--discard-journal");
    assert_status(m, 0, "");
    assert_u64(before, v3_hash(m->t.db));
    expect(m, "db.v3\ndb.v3-journal.refused\ndb.v3edgemeta\n",
           "cmp kept db.v3-journal.refused; ls db*");
}

/* ---- files that cannot be had ---- */

/* Neither a dry run nor a repair says that anything would or did change; nothing does. */
static void assert_not_repaired(struct mnt *m, const char *why)
{
    static const char *const tries[] = {"--repair --dry-run", "--repair"};
    const uint64_t before = v3_hash(m->t.db);

    expect(m, "", "ls -A >\"$D/.names\"");
    for (int i = 0; i < 2; i++) {
        assert_status(m, 12, tries[i]);
        assert_null(strstr(m->out, "repair: "));
        assert_null(strstr(m->out, "would: "));
        assert_non_null(strstr(m->err, why));
        assert_string_equal(strchr(m->err, '\n'), "\n");
        assert_u64(before, v3_hash(m->t.db));
    }
    expect(m, "", "ls -A | cmp - \"$D/.names\"");
}

static void a_file_with_two_names_is_not_repaired(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "stale");
    expect(m, "", "ln db.v3 other");
    assert_not_repaired(m, "2 hard links");
    expect(m, "", "rm other");
    assert_status(m, 1, "--repair");
}

static void a_file_that_is_open_elsewhere_is_not_repaired(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "stale");
    FILE *const other = fopen(m->t.db, "r+");
    assert_non_null(other);
    assert_not_repaired(m, "the file is open in ");
    fclose(other);
    assert_status(m, 1, "--repair");
}

static void a_mounted_file_is_not_repaired(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "stale"); /* which is mounted read-only: its lock is shared */
    mnt_start(m, NULL);
    expect(m, "", "cd \"$D\"; \"$PAGEFS\" check \"$DB\" >report; [ $? = 4 ]");
    assert_int_equal(sh(m, "\"$PAGEFS\" check --repair \"$DB\""), 12);
    assert_non_null(strstr(m->err, "already open in"));
    assert_null(strstr(m->out, "repair: "));
    mnt_stop(m);
    take_sample(m, "small");
    mnt_start(m, NULL); /* read-write: not even a check */
    assert_int_equal(sh(m, "\"$PAGEFS\" check --json \"$DB\""), 8);
    assert_non_null(strstr(m->err, "already open in"));
    mnt_stop(m);
}

/* As the daemon of a read-only mount that has just ended has. */
static void a_shared_lock_that_is_released_in_time_is_waited_for(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "stale");
    assert_int_equal(sh(m,
                        "{ flock -s 3; sleep 0.5; } 3<\"$DB\" & "
                        "until ! flock -xn \"$DB\" true; do sleep 0.01; done; "
                        "\"$PAGEFS\" check --repair --dry-run \"$DB\" | grep '^would'"),
                     0);
    assert_string_equal(m->err, "");
    assert_int_equal(sh(m, "{ flock -s 3; sleep 0.5; } 3<\"$DB\" & "
                           "until ! flock -xn \"$DB\" true; do sleep 0.01; done; "
                           "\"$PAGEFS\" check --repair \"$DB\" >/dev/null"),
                     1);
    assert_string_equal(m->err, "");
}

static void a_file_that_cannot_be_written_is_not_repaired(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "stale");
    if (geteuid() == 0) { /* whom no mode stops */
        const int status = sh(m, "ulimit -f 1; \"$PAGEFS\" check --repair \"$DB\" "
                                 ">/dev/null");
        assert_int_equal(status, 12);
        assert_non_null(strstr(m->err, "ulimit -f"));
        return;
    }
    expect(m, "", "chmod 444 db.v3");
    assert_not_repaired(m, "cannot be opened for writing");
}

static void a_journal_set_aside_earlier_is_never_written_over(void **state)
{
    struct mnt *m = *state;

    leave_bad_journal(m);
    expect(m, "", "echo precious >db.v3-journal.refused");
    assert_status(m, 12, "--repair --discard-journal");
    assert_non_null(strstr(m->err, "db.v3-journal.refused"));
    expect(m, "precious\n", "cmp kept db.v3-journal; cat db.v3-journal.refused");
    expect(m, "", "rm db.v3-journal.refused");
    assert_status(m, 1, "--repair --discard-journal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(a_repaired_stale_file_is_clean_and_mounts_read_write),
        MOUNT_TEST(an_unclean_write_ahead_log_prevents_a_repair),
        MOUNT_TEST(free_leaked_frees_exactly_the_leaked_pages),
        MOUNT_TEST(leaked_pages_below_a_damaged_page_are_not_freed),
        MOUNT_TEST(a_broken_free_list_is_written_anew),
        MOUNT_TEST(a_used_page_is_taken_off_the_list_and_kept),
        MOUNT_TEST(a_refused_journal_is_a_finding_and_is_set_aside_on_request),
        MOUNT_TEST(a_file_with_two_names_is_not_repaired),
        MOUNT_TEST(a_file_that_is_open_elsewhere_is_not_repaired),
        MOUNT_TEST(a_mounted_file_is_not_repaired),
        MOUNT_TEST(a_shared_lock_that_is_released_in_time_is_waited_for),
        MOUNT_TEST(a_file_that_cannot_be_written_is_not_repaired),
        MOUNT_TEST(a_journal_set_aside_earlier_is_never_written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
