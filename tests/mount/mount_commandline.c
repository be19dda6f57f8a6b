/* The command line without a mount. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
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

static void each_command_has_help(void **state)
{
    static const char *const commands[] = {"create", "stat", "map"};
    struct mnt *m = *state;

    for (size_t i = 0; i < 3; i++) {
        char first[64];

        snprintf(first, sizeof(first), "usage: pagefs %s", commands[i]);
        assert_int_equal(pagefs(m, commands[i], "--help", NULL, NULL), 0);
        assert_int_equal(strncmp(m->out, first, strlen(first)), 0);
        assert_int_equal(pagefs(m, commands[i], "-h", NULL, NULL), 0);
        assert_string_equal(m->err, "");
        assert_int_equal(pagefs(m, commands[i], "--nonsense", NULL, NULL), 1);
        assert_string_equal(m->out, "");
        assert_non_null(strstr(m->err, "--help"));
        assert_int_equal(pagefs(m, "-h", NULL, NULL, NULL), 0);
        assert_non_null(strstr(m->out, first + strlen("usage: ")));
    }
}

static void what_cannot_be_printed_is_an_error(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    expect_error(m, "No space left", "\"$PAGEFS\" -h >/dev/full || exit 2");
    expect_error(m, "No space left", "\"$PAGEFS\" -V >/dev/full || exit 2");
    expect_error(m, "No space left", "\"$PAGEFS\" stat -h >/dev/full");
    expect_error(m, "No space left", "\"$PAGEFS\" stat \"$DB\" >/dev/full");
}

/* One line on stderr, which holds `part`, and exit status 1. */
static void assert_misused(struct mnt *m, const char *options, const char *part)
{
    assert_int_equal(pagefs(m, "-o", options, m->t.db, m->point), 1);
    const char *const end = strchr(m->err, '\n');
    if (end == NULL || end[1] != '\0' || strstr(m->err, part) == NULL)
        fail_msg("-o %s: expected one line with \"%s\": %s", options, part, m->err);
    assert_string_equal(m->out, "");
}

static void a_wrong_option_is_named_with_what_it_should_be(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    assert_misused(m, "nonsense", "nonsense: unknown option");
    assert_misused(m, "ro,nonsense=1", "nonsense: unknown option");
    assert_misused(m, "ro=1", "ro: takes no value");
    assert_misused(m, "max_pages", "max_pages: needs a value");
    assert_misused(m, "max_pages=", "max_pages: bad value");
    assert_misused(m, "max_pages=1", "from 2 on");
    assert_misused(m, "max_pages=18446744073709551616", "max_pages: bad value");
    assert_misused(m, "create=1", "0, or 2 and more");
    assert_misused(m, "sync=never", "commit or none");
    assert_misused(m, "uid=4294967295", "uid: bad value");
    assert_misused(m, "gid=-1", "gid: bad value");
    assert_misused(m, "umask=8", "octal");
    assert_misused(m, "umask=1000", "octal");
    assert_misused(m, "remount", "unmount it");
    assert_misused(m, "ro,require_rw", "require_rw: contradicts ro");
    assert_misused(m, "ro,scratch", "scratch: contradicts ro");
    assert_misused(m, "ro,create", "create: contradicts ro");
    assert_misused(m, "scratch,require_rw", "require_rw: contradicts scratch");
    assert_misused(m, "scratch,create", "create: contradicts scratch");
    assert_int_equal(pagefs(m, m->t.db, m->point, "-o", NULL), 1);
    assert_non_null(strstr(m->err, "-o: needs a value"));
}

static void a_message_is_one_line_whatever_the_names(void **state)
{
    struct mnt *m = *state;

    assert_int_equal(pagefs(m, "stat", "a\nb\033[2Jc", NULL, NULL), 2);
    assert_string_equal(
        m->err, "pagefs: a\\nb\\x1b[2Jc: no such file: pagefs create makes one\n");
}

/* The order of words, --, and what may stand behind the operands. */
static void options_may_stand_anywhere(void **state)
{
    struct mnt *m = *state;
    const char *const dash[] = {"-oro", "--", "-db.v3", m->point, NULL};

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    mnt_stop(m);
    assert_int_equal(setenv("POSIXLY_CORRECT", "1", 1), 0); /* as mount(8) calls us */
    assert_int_equal(pagefs(m, m->t.db, m->point, "-o", "ro"), 0);
    assert_int_equal(unsetenv("POSIXLY_CORRECT"), 0);
    expect(m, "mode ro\n", "grep ^mode status");
    mnt_stop(m);
    assert_int_equal(pagefs(m, "-o", "ro,rw", m->t.db, m->point),
                     0); /* the last counts */
    expect(m, "mode rw\n", "grep ^mode status");
    mnt_stop(m);
    expect(m, "", "cp db.v3 ./-db.v3");
    assert_int_equal(mnt_pagefs(m, dash), 0);
    expect(m, "mode ro\n", "grep ^mode status");
    mnt_stop(m);
}

/* `db` does not contain `db.v3`; and -s, which other file systems know, changes nothing.
 */
static void a_mountpoint_may_begin_like_the_database(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    assert_int_equal(snprintf(m->point, sizeof(m->point), "%s/db", m->t.dir),
                     strlen(m->t.db) - strlen(".v3"));
    expect(m, "", "mkdir db");
    assert_int_equal(pagefs(m, "-s", m->t.db, "db", NULL), 0);
    expect(m, "20\n", "cat alloc");
    mnt_stop(m);
}

static void scratch_keeps_nothing(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    const uint64_t before = v3_hash(m->t.db);
    mnt_start(m, "scratch");
    expect(m, "mode scratch\n20\n", "grep ^mode status; cat alloc");
    mnt_stop(m);
    assert_u64(before, v3_hash(m->t.db));
    assert_int_equal(access(m->t.db, F_OK), 0);
    expect(m, "db.v3\n", "ls | grep v3");
}

static void usage_errors_exit_1(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    assert_int_equal(pagefs(m, NULL, NULL, NULL, NULL), 1);
    assert_int_equal(pagefs(m, m->t.db, NULL, NULL, NULL), 1);
    assert_int_equal(pagefs(m, "-x", m->t.db, m->point, NULL), 1);
    assert_non_null(strstr(m->err, "-x: unknown option: pagefs -h lists them\n"));
    assert_int_equal(pagefs(m, "--bogus", m->t.db, m->point, NULL), 1);
    assert_non_null(strstr(m->err, "--bogus: unknown option: pagefs -h lists them\n"));
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

static void what_cannot_be_created_says_what_to_do(void **state)
{
    struct mnt *m = *state;

    assert_int_equal(pagefs(m, "create", "no/new.v3", NULL, NULL), 2);
    assert_string_equal(m->err, "pagefs: no/new.v3: cannot be made: no such directory: "
                                "mkdir it first\n");
    assert_int_equal(pagefs(m, "-o", "create", "no/new.v3", m->point), 2);
    assert_non_null(strstr(m->err, "no such directory: mkdir it first\n"));
    assert_int_equal(sh(m, "echo > file; \"$PAGEFS\" create file/new.v3"), 2);
    assert_non_null(strstr(m->err, "file/new.v3: cannot be made: "));
    assert_int_equal(pagefs(m, "create", "new.v3", "18446744073709551615", NULL), 2);
    assert_non_null(strstr(m->err, "the format cannot hold so many pages\n"));
    assert_int_equal(sh(m, "ulimit -f 100; \"$PAGEFS\" create new.v3 1000"), 2);
    assert_string_equal(m->err, "pagefs: new.v3: cannot be made: the file would exceed a "
                                "size limit\n");
    expect(m, "", "ls | grep new; true");
}

static void a_mistake_is_answered_with_what_to_do(void **state)
{
    static const struct {
        const char *command, *answer;
        int status;
    } cases[] = {
        {"chekc db.v3",
         "chekc: neither a file nor a command: pagefs -h lists the commands", 2},
        {"loop mnt", "loop: Too many levels of symbolic links", 2},
        {"mnt db.v3", "mnt: not a regular file: expected the database here", 32},
        {"\"$UNSET\" mnt", "\"\": no such file: pagefs create makes one", 2},
        {"check text",
         "text: not a V3 database: shorter than the 112-byte header: if it was one, "
         "restore a backup",
         8},
        {"stat zeros",
         "zeros: not a V3 database: wrong magic: if it was one, restore a backup", 32},
        {"gone.v3 mnt",
         "gone.v3: no such file, but its journal is there: bring the database back to "
         "where the journal is",
         2},
        {"gone mnt",
         "gone: no such file, but its journal is there: bring the database back to where "
         "the journal is",
         2},
        {"create gone.v3 20",
         "gone.v3: cannot be made: a journal is there already: bring its database back, "
         "or move the journal away",
         2},
        {"-o create gone.v3 mnt",
         "gone.v3: cannot be made: a journal is there already: bring its database back, "
         "or move the journal away",
         2},
    };
    struct mnt *m = *state;
    char command[128];
    char expected[256];

    v3_make_pages(m->t.db, 20);
    expect(m, "",
           "echo hello >text; head -c 5000 /dev/zero >zeros; touch gone.v3-journal "
           "gone-journal; mkdir -p mnt; ln -s loop loop");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(command, sizeof(command), "\"$PAGEFS\" %s", cases[i].command);
        snprintf(expected, sizeof(expected), "pagefs: %s\n", cases[i].answer);
        const int status = sh(m, command);
        assert_string_equal(m->err, expected);
        assert_int_equal(status, cases[i].status);
    }
    expect(m, "", "ls | grep '^gone[^-]*$'; true");
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

/* Mounted; 200 pages, 10 to 19 and 199 free, of which 10 is the trunk. */
static void make_map_database(struct mnt *m)
{
    v3_make_pages(m->t.db, 200);
    mnt_start(m, NULL);
    assert_write(0, m, "free", "10-19 199\n");
}

static void map_shows_what_the_mount_shows(void **state)
{
    struct mnt *m = *state;

    make_map_database(m);
    expect(m, "", "cat map >\"$D/map\"; cat map.svg >\"$D/map.svg\"");
    mnt_stop(m);
    const uint64_t before = v3_hash(m->t.db);
    expect(m, "", "\"$PAGEFS\" map \"$DB\" | cmp - map");
    expect(m, "", "\"$PAGEFS\" map --svg \"$DB\" | cmp - map.svg");
    expect(m, "HR########T.........####\n", "head -n 1 map | cut -c 12-35");
    expect(m, "4\n", "wc -l <map");
    assert_u64(before, v3_hash(m->t.db));
}

static void map_has_colours_and_a_legend_on_a_terminal_only(void **state)
{
    struct mnt *m = *state;
    const char *on_a_terminal = "TERM=xterm script -qec '\"$PAGEFS\" map \"$DB\"' "
                                "/dev/null | tr -d '\\r' >colour; "
                                "grep -c \"$(printf '\\033')\" colour; true";

    make_map_database(m);
    mnt_stop(m);
    expect(m, "5\n", on_a_terminal); /* lines */
    expect(m, "",
           "sed 's/\x1b\\[[0-9;]*m//g' colour | head -n 4 >plain; "
           "\"$PAGEFS\" map \"$DB\" | cmp - plain");
    expect(m, "1\n", "grep -c allocated colour");
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    expect(m, "0\n", on_a_terminal);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    expect(m, "", "\"$PAGEFS\" map \"$DB\" | cmp - colour");
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
        MOUNT_TEST(each_command_has_help),
        MOUNT_TEST(what_cannot_be_printed_is_an_error),
        MOUNT_TEST(a_wrong_option_is_named_with_what_it_should_be),
        MOUNT_TEST(a_message_is_one_line_whatever_the_names),
        MOUNT_TEST(options_may_stand_anywhere),
        MOUNT_TEST(a_mountpoint_may_begin_like_the_database),
        MOUNT_TEST(scratch_keeps_nothing),
        MOUNT_TEST(usage_errors_exit_1),
        MOUNT_TEST(create_makes_a_database),
        MOUNT_TEST(create_never_replaces_a_file),
        MOUNT_TEST(what_cannot_be_created_says_what_to_do),
        MOUNT_TEST(a_mistake_is_answered_with_what_to_do),
        MOUNT_TEST(stat_shows_the_counts_and_changes_nothing),
        MOUNT_TEST(stat_of_no_database_fails_with_one_line),
        MOUNT_TEST(map_shows_what_the_mount_shows),
        MOUNT_TEST(map_has_colours_and_a_legend_on_a_terminal_only),
        MOUNT_TEST(a_database_called_like_a_command_is_reached_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
