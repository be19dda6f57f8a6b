/* From the command to the mount and back: order, refusals, locks, signals. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_refused(struct mnt *m, int status, const char *part)
{
    assert_int_equal(mnt_try(m, NULL), status);
    if (strstr(m->err, part) == NULL)
        fail_msg("stderr lacks \"%s\": %s", part, m->err);
    const char *end = strchr(m->err, '\n');
    if (end == NULL || end[1] != '\0')
        fail_msg("stderr is not one line: %s", m->err);
    assert_int_equal(m->daemon, 0);
}

static void a_mount_answers_as_soon_as_the_command_returns(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    for (int i = 0; i < 20; i++) { /* and an unmount lets go at once */
        mnt_start(m, NULL);
        assert_u64(20, m_number(m, "stats", "total_pages"));
        mnt_stop(m);
    }
}

/* Not even waiting for the daemon's end in between. */
static void a_remount_right_after_an_unmount_works_20_times(void **state)
{
    struct mnt *m = *state;
    const char *command =
        "cd \"$D\"; for i in $(seq 20); do \"$PAGEFS\" \"$DB\" \"$P\" || "
        "exit; cat \"$P/alloc\"; fusermount3 -u \"$P\" || exit; done";
    char expected[200] = "";

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    mnt_stop(m);
    for (int i = 0; i < 20; i++)
        snprintf(expected + 3 * (size_t)i, sizeof(expected) - 3 * (size_t)i, "%d\n",
                 20 + i);
    expect(m, expected, command);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) /* the 20 daemons */
        ;
}

static void a_mountpoint_that_is_not_empty_is_refused(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    expect(m, "", "touch \"$P/file\"");
    assert_refused(m, 32, "not empty");
    assert_false(mnt_mounted(m));
}

static void a_mountpoint_that_contains_the_database_is_refused(void **state)
{
    struct mnt *m = *state;

    snprintf(m->t.db, sizeof(m->t.db), "%.90s/mnt/db.v3", m->t.dir);
    v3_make_pages(m->t.db, 20);
    assert_int_equal(mnt_try(m, NULL), 32);
    assert_false(mnt_mounted(m));
    assert_true(strlen(m->err) > 0);
}

static void a_mountpoint_that_is_no_directory_is_refused(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    assert_int_equal(rmdir(m->point), 0);
    assert_refused(m, 32, m->point);
    expect(m, "", "touch \"$P\"");
    assert_refused(m, 32, m->point);
    expect(m, "", "rm \"$P\"; mkdir \"$P\"");
}

static void mounting_over_a_dead_mount_says_what_to_type(void **state)
{
    struct mnt *m = *state;
    char line[200];

    mnt_pages(m, 20);
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    assert_true(WIFSIGNALED(mnt_wait(m)));
    assert_true(mnt_mounted(m));
    snprintf(line, sizeof(line), "fusermount3 -u %s", m->point);
    assert_refused(m, 32, line);
    mnt_unmount(m);
    mnt_start(m, NULL); /* the lock went with the process */
    assert_u64(20, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5-9\n");
    expect(m, "9\n8\n", "cat alloc; cat alloc");
    expect(m, "", "printf kept > pages/8/data");
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    assert_true(WIFSIGNALED(mnt_wait(m)));
    mnt_unmount(m);
    mnt_start(m, NULL);
    assert_state(m, 7, "free");
    assert_state(m, 8, "allocated");
    expect(m, "kept\n", "head -c 4 pages/8/data; echo");
    expect(m, "7\n", "cat alloc");
    mnt_stop(m);
}

static void a_second_mount_is_refused_at_once_naming_the_holder(void **state)
{
    struct mnt *m = *state;
    char holder[32];

    mnt_pages(m, 20);
    snprintf(holder, sizeof(holder), "%d", (int)m->daemon);
    assert_int_equal(sh(m, "cd \"$D\"; mkdir second; \"$PAGEFS\" \"$DB\" second"), 32);
    if (strstr(m->err, holder) == NULL)
        fail_msg("stderr lacks the pid %s: %s", holder, m->err);
    assert_int_equal(sh(m, "cd \"$D\"; \"$PAGEFS\" -o ro \"$DB\" second"), 32);
    assert_u64(20, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

static void a_file_that_is_no_database_is_refused_with_the_reason(void **state)
{
    struct mnt *m = *state;

    assert_refused(m, 2, "no such file");
    expect(m, "", "echo hello > \"$DB\"");
    assert_refused(m, 32, "112");
    expect(m, "", "head -c 200 /dev/zero > \"$DB\"");
    assert_refused(m, 32, "magic");
    expect(m, "", "printf 'SQLTGF\\0\\0' | dd of=\"$DB\" conv=notrunc status=none");
    assert_refused(m, 32, "V2");
    expect(m, "", "rm \"$DB\"; mkdir \"$DB\"");
    assert_refused(m, 32, "regular");
}

static void signals_unmount_and_exit_0(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    for (size_t i = 0; i < 3; i++) {
        mnt_start(m, NULL);
        assert_write(0, m, "free", i == 0 ? "5\n" : i == 1 ? "6\n" : "7\n");
        assert_int_equal(kill(m->daemon, signals[i]), 0);
        assert_int_equal(mnt_wait(m), 0);
        assert_false(mnt_mounted(m));
    }
    mnt_start(m, NULL);
    expect(m, "7\n6\n5\n", "cat alloc; cat alloc; cat alloc");
    mnt_stop(m);
}

static void sigusr1_and_sigpipe_do_not_kill(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_int_equal(kill(m->daemon, SIGUSR1), 0);
    assert_int_equal(kill(m->daemon, SIGPIPE), 0);
    assert_u64(20, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

/* With descriptors 0-2 closed the database must not become descriptor 1. */
static void closed_standard_descriptors_do_no_harm(void **state)
{
    struct mnt *m = *state;
    struct v3_image before;
    struct v3_image after;

    v3_make_pages(m->t.db, 20);
    v3_image_read(m->t.db, &before);
    if (mnt_try(m, NULL) != 0)
        fail_msg("%s", m->err);
    mnt_stop(m);
    expect(m, "", "\"$PAGEFS\" \"$DB\" \"$P\" <&- >&- 2>&-");
    assert_true(mnt_mounted(m));
    expect(m, "20\n", "cat \"$P/alloc\"");
    expect(m, "", "fusermount3 -u \"$P\"");
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    v3_image_read(m->t.db, &after);
    assert_int_equal(v3_image_differences(&before, &after), 2); /* header, new page */
    v3_image_free(&before);
    v3_image_free(&after);
}

static void relative_paths_are_those_of_the_caller(void **state)
{
    struct mnt *m = *state;
    const char *const arguments[] = {"db.v3", "mnt", NULL}; /* run in the directory */

    v3_make_pages(m->t.db, 20);
    mnt_start(m, NULL);
    mnt_stop(m);
    assert_int_equal(mnt_pagefs(m, arguments), 0);
    assert_true(mnt_mounted(m));
    expect(m, "0\n", "grep -qx \"source $DB\" status; echo $?");
    expect(m, "20\n", "cat alloc");
    mnt_stop(m);
}

static void the_daemon_keeps_no_descriptor_or_directory_of_the_caller(void **state)
{
    struct mnt *m = *state;
    char command[256], byte;
    int ends[2];

    /* a lock that the shell holds, a pipe that somebody reads to its end */
    assert_int_equal(pipe(ends), 0);
    mnt_pages(m, 20);
    close(ends[1]);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    snprintf(
        command, sizeof(command),
        "readlink /proc/%d/cwd; ls -l /proc/%d/fd | grep -c -e 'stdout$' -e 'stderr$'",
        (int)m->daemon, (int)m->daemon);
    sh(m, command);
    assert_string_equal(m->out, "/\n0\n");
    mnt_stop(m);
}

static void unmounting_with_an_open_file_is_busy(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    const int fd = m_open(m, "stats", O_RDONLY);
    assert_true(fd >= 0);
    expect_error(m, "busy", "cd /; fusermount3 -u \"$P\"");
    assert_u64(20, m_number(m, "stats", "total_pages"));
    close(fd);
    mnt_stop(m);
}

static void mount_options_are_safe(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "dev,suid,exec,rw");
    expect(m, "nodev noexec nosuid\n",
           "grep \" $P fuse.pagefs \" /proc/self/mounts | cut -d' ' -f4 | tr , '\\n' | "
           "grep -x -e nosuid -e nodev -e noexec | sort | xargs");
    mnt_stop(m);
}

static void create_makes_the_database_first(void **state)
{
    struct mnt *m = *state;

    mnt_start(m, "create=50");
    assert_u64(50, m_number(m, "stats", "total_pages"));
    expect(m, "50\n", "cat alloc");
    mnt_stop(m);
    mnt_start(m, "create"); /* an existing one is used as it is */
    assert_u64(51, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(a_mount_answers_as_soon_as_the_command_returns),
        MOUNT_TEST(a_remount_right_after_an_unmount_works_20_times),
        MOUNT_TEST(a_mountpoint_that_is_not_empty_is_refused),
        MOUNT_TEST(a_mountpoint_that_contains_the_database_is_refused),
        MOUNT_TEST(a_mountpoint_that_is_no_directory_is_refused),
        MOUNT_TEST(mounting_over_a_dead_mount_says_what_to_type),
        MOUNT_TEST(what_was_acknowledged_survives_kill_9),
        MOUNT_TEST(a_second_mount_is_refused_at_once_naming_the_holder),
        MOUNT_TEST(a_file_that_is_no_database_is_refused_with_the_reason),
        MOUNT_TEST(signals_unmount_and_exit_0),
        MOUNT_TEST(sigusr1_and_sigpipe_do_not_kill),
        MOUNT_TEST(closed_standard_descriptors_do_no_harm),
        MOUNT_TEST(relative_paths_are_those_of_the_caller),
        MOUNT_TEST(the_daemon_keeps_no_descriptor_or_directory_of_the_caller),
        MOUNT_TEST(unmounting_with_an_open_file_is_busy),
        MOUNT_TEST(mount_options_are_safe),
        MOUNT_TEST(create_makes_the_database_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
