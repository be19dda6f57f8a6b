/* The command line without a mount. */
#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int pagefs(struct mnt *m, const char *a, const char *b, const char *c,
                  const char *d)
{
    const char *const arguments[] = {a, b, c, d, NULL};

    return mnt_pagefs(m, arguments);
}

static void help_and_version_go_to_stdout_with_status_0(void **state)
{
    static const char *const options[] = {"-h", "--help", "-V", "--version"};
    struct mnt *m = *state;

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pagefs(m, options[i], NULL, NULL, NULL), 0);
        assert_true(strlen(m->out) > 0);
        assert_string_equal(m->err, "");
    }
    assert_int_equal(strncmp(m->out, "pagefs ", 7), 0);
}

static void usage_errors_exit_1(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    assert_int_equal(pagefs(m, NULL, NULL, NULL, NULL), 1);
    assert_int_equal(pagefs(m, m->t.db, NULL, NULL, NULL), 1);
    assert_int_equal(pagefs(m, "-x", m->t.db, m->point, NULL), 1);
    assert_int_equal(pagefs(m, m->t.db, m->point, "more", NULL), 1);
    assert_int_equal(pagefs(m, "-o", "nonsense_option", m->t.db, m->point), 1);
    assert_true(strlen(m->err) > 0);
    assert_string_equal(m->out, "");
    assert_int_equal(pagefs(m, "-o", "max_pages=x", m->t.db, m->point), 1);
    assert_int_equal(pagefs(m, "-o", "create=1x", m->t.db, m->point), 1);
    assert_int_equal(pagefs(m, "create", NULL, NULL, NULL), 1);
    assert_int_equal(pagefs(m, "create", "new.v3", "x", NULL), 1);
    assert_int_equal(pagefs(m, "stat", NULL, NULL, NULL), 1);
    assert_false(mnt_mounted(m));
}

static void create_makes_a_database(void **state)
{
    struct mnt *m = *state;
    uint8_t expected[V3_HEADER];
    uint8_t got[V3_HEADER];

    assert_int_equal(pagefs(m, "create", m->t.db, NULL, NULL), 0);
    assert_u64(V3_HEADER, v3_size(m->t.db));
    v3_header(expected);
    v3_peek(m->t.db, 0, got, sizeof(got));
    assert_memory_equal(expected, got, V3_HEADER);
    unlink(m->t.db);
    assert_int_equal(pagefs(m, "create", m->t.db, "100", NULL), 0);
    assert_u64(v3_nominal(100), v3_size(m->t.db));
}

static void create_never_replaces_a_file(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    const uint64_t before = v3_hash(m->t.db);
    assert_int_not_equal(pagefs(m, "create", m->t.db, "100", NULL), 0);
    assert_non_null(strstr(m->err, "exists"));
    assert_u64(before, v3_hash(m->t.db));
}

static void stat_shows_the_counts_and_changes_nothing(void **state)
{
    struct mnt *m = *state;

    scratch_copy_sample(&m->t, "medium");
    const uint64_t before = v3_hash(m->t.db);
    assert_int_equal(pagefs(m, "stat", m->t.db, NULL, NULL), 0);
    assert_string_equal(m->err, "");
    assert_non_null(strstr(m->out, "total_pages 1276\n"));
    assert_non_null(strstr(m->out, "free_pages 0\n"));
    assert_u64(before, v3_hash(m->t.db));
}

static void stat_of_no_database_fails_with_one_line(void **state)
{
    struct mnt *m = *state;

    assert_int_not_equal(pagefs(m, "stat", m->t.db, NULL, NULL), 0);
    assert_string_equal(m->out, "");
    assert_non_null(strchr(m->err, '\n'));
    assert_string_equal(strchr(m->err, '\n'), "\n");
}

static void a_database_called_like_a_command_is_reached_by_its_path(void **state)
{
    struct mnt *m = *state;

    assert_int_equal(pagefs(m, "create", "stat", NULL, NULL), 0);
    assert_int_equal(pagefs(m, "stat", "./stat", NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(help_and_version_go_to_stdout_with_status_0),
        MOUNT_TEST(usage_errors_exit_1),
        MOUNT_TEST(create_makes_a_database),
        MOUNT_TEST(create_never_replaces_a_file),
        MOUNT_TEST(stat_shows_the_counts_and_changes_nothing),
        MOUNT_TEST(stat_of_no_database_fails_with_one_line),
        MOUNT_TEST(a_database_called_like_a_command_is_reached_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
