/* Parts of fs/ that need no mount: the list of snapshots, lines of mountinfo, times. */
#include "mountinfo.h"
#include "scratch.h"
#include "snapshots.h"
#include "transitions.h"

#include <string.h>

/* ---- mountinfo ---- */

static void each_line_of_mountinfo_is_understood_or_refused(void **state)
{
    static const struct {
        const char *line, *point, *type, *source; /* NULL: refused */
    } table[] = {
        {"36 35 0:44 / /mnt rw,nosuid shared:1 - fuse.pagefs /x/db.v3 rw\n", "/mnt",
         "fuse.pagefs", "/x/db.v3"},
        {"36 35 0:44 / /a\\040b rw - fuse.pagefs /x/a\\134b\\054c.v3 rw\n", "/a b",
         "fuse.pagefs", "/x/a\\b,c.v3"},
        {"36 35 0:44 / /mnt rw - proc none\n", "/mnt", "proc", "none"},
        {"36 35 0:44 / /a\\04 rw - t \\8\\\\ rw\n", "/a\\04", "t", "\\8\\\\"},
        {"36 35 0:44 / /mnt rw fuse.pagefs /x rw\n", NULL, NULL, NULL},
        {"36 35 0:44 / - fuse.pagefs /x rw\n", NULL, NULL, NULL},
        {"36 35 0:44 / /mnt rw - proc", NULL, NULL, NULL},
        {"36 35 0:44 / /mnt rw - ", NULL, NULL, NULL},
        {" - ", NULL, NULL, NULL},
        {"\n", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct mountinfo parsed;
        char line[128];

        assert_true(strlen(table[i].line) < sizeof(line));
        strcpy(line, table[i].line);
        if (mountinfo_parse(line, &parsed) != (table[i].point != NULL))
            fail_msg("row %zu: %s", i, table[i].line);
        if (table[i].point == NULL)
            continue;
        assert_string_equal(parsed.point, table[i].point);
        assert_string_equal(parsed.type, table[i].type);
        assert_string_equal(parsed.source, table[i].source);
    }
}

/* ---- snapshots ---- */

static uint64_t add(struct scratch *t, struct snapshots *s, const char *name)
{
    pf_snapshot *snapshot = NULL;
    uint64_t id = 0;

    assert_ok(pf_snapshot_take(t->store, &snapshot));
    assert_ok(snapshots_add(s, name, snapshot, &id));
    return id;
}

static struct snapshots *three(struct scratch *t)
{
    struct snapshots *const s = snapshots_new();

    assert_non_null(s);
    scratch_create(t, 20);
    assert_u64(1, add(t, s, "a"));
    assert_u64(2, add(t, s, "b"));
    assert_u64(3, add(t, s, "c"));
    return s;
}

static void a_name_is_taken_once_and_a_number_never_again(void **state)
{
    struct scratch *t = *state;
    struct snapshots *const s = three(t);
    pf_snapshot *snapshot = NULL;
    uint64_t id = 99;

    assert_ok(pf_snapshot_take(t->store, &snapshot));
    assert_pf(PF_E_EXISTS, snapshots_add(s, "b", snapshot, &id));
    assert_u64(99, id);
    pf_snapshot_drop(snapshot); /* it stayed ours */
    assert_ok(snapshots_remove(s, "c"));
    assert_pf(PF_E_NOT_FOUND, snapshots_remove(s, "c"));
    assert_u64(4, add(t, s, "c"));
    snapshots_free(s);
}

/* Fails unless these are the numbers that a listing shows. */
static void expect_listed(struct snapshots *s, const char *names)
{
    char name[SNAPSHOT_NAME_MAX + 1];
    char listed[64] = "";
    uint64_t id = 0;

    while (snapshots_next(s, id, &id, name)) {
        strcat(listed, name);
        id++;
    }
    assert_string_equal(listed, names);
}

/* Whoever reads it keeps its memory, but nobody else finds it. */
static void one_that_is_read_goes_when_its_last_reader_has(void **state)
{
    struct scratch *t = *state;
    struct snapshots *const s = three(t);
    struct pf_stats stats = {0};
    uint64_t id = 99;

    const pf_snapshot *const first = snapshots_acquire(s, 2);
    const pf_snapshot *const second = snapshots_acquire(s, 2);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_true(snapshots_time(s, 2).tv_sec > 0);
    assert_ok(snapshots_remove(s, "b"));
    assert_pf(PF_E_NOT_FOUND, snapshots_remove(s, "b"));
    assert_false(snapshots_has(s, 2));
    assert_false(snapshots_find(s, "b", &id));
    assert_null(snapshots_acquire(s, 2));
    assert_int_equal(snapshots_time(s, 2).tv_sec, 0);
    expect_listed(s, "ac");
    assert_u64(4, add(t, s, "b")); /* the name is free */
    snapshots_release(s, first);
    pf_snapshot_stats(second, &stats); /* its memory is still there */
    assert_u64(20, stats.total_pages);
    snapshots_release(s, second);
    snapshots_release(s, NULL);
    expect_listed(s, "acb");
    snapshots_free(s);
}

static void one_that_is_read_and_not_removed_stays(void **state)
{
    struct scratch *t = *state;
    struct snapshots *const s = three(t);

    snapshots_release(s, snapshots_acquire(s, 3));
    expect_listed(s, "abc");
    assert_null(snapshots_acquire(s, 4));
    snapshots_free(s);
}

/* ---- times ---- */

/* Of a database that says it is from before 1970. */
static void times_before_the_epoch_keep_their_fraction(void **state)
{
    static const struct timespec table[] = {
        {-2, 500000000}, {-1, 0}, {-1, 999999999}, {0, 0}, {0, 1}, {1700000000, 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct transitions *const t = transitions_new(table[i]);

        assert_non_null(t);
        const struct timespec got = transitions_of(t, 7);
        assert_int_equal(got.tv_sec, table[i].tv_sec);
        assert_int_equal(got.tv_nsec, table[i].tv_nsec);
        transitions_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_of_mountinfo_is_understood_or_refused),
        SCRATCH_TEST(a_name_is_taken_once_and_a_number_never_again),
        SCRATCH_TEST(one_that_is_read_goes_when_its_last_reader_has),
        SCRATCH_TEST(one_that_is_read_and_not_removed_stays),
        cmocka_unit_test(times_before_the_epoch_keep_their_fraction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
