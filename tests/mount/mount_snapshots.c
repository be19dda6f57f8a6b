/* snapshots/: mkdir keeps the states, diff tells what changed since. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_snapshot(const struct mnt *m, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/snapshots/%s", m->point, name);
    return mkdir(path, 0755) == 0 ? 0 : errno;
}

static void diff_lists_every_page_whose_state_differs(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5 6\n");
    assert_write(0, m, "pin", "7\n");
    expect(m, "", "mkdir snapshots/before; cat snapshots/before/diff");
    expect(m, "6\n5\n20\n", "cat alloc; cat alloc; cat alloc");
    assert_write(0, m, "free", "6 9\n");
    assert_write(0, m, "pin", "10\n");
    assert_write(0, m, "unpin", "7\n");
    expect(m,
           "5 free allocated\n7 pinned allocated\n9 allocated free\n10 allocated pinned\n"
           "20 none allocated\n",
           "awk '{print $1, $2, $3}' snapshots/before/diff");
    expect(m, "",
           "[ $(stat -c %s snapshots/before/diff) = $(wc -c < snapshots/before/diff) ]");
    expect(m, "",
           "dd if=snapshots/before/diff bs=5 status=none | cmp - snapshots/before/diff");
    mnt_stop(m);
}

static void diff_shows_pages_that_were_given_back(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "18 allocated none\n19 allocated none\n",
           "mkdir snapshots/s; echo 18 19 > free; echo shrink > ctl; "
           "awk '{print $1, $2, $3}' snapshots/s/diff");
    mnt_stop(m);
}

static void stats_of_a_snapshot_stay_as_they_were(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "cp stats \"$D/stats\"; mkdir snapshots/s; echo 5 6 > free; "
           "diff \"$D/stats\" snapshots/s/stats");
    mnt_stop(m);
}

static void snapshots_are_made_and_dropped_by_name(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "a\nb b\n.c\n",
           "mkdir snapshots/a 'snapshots/b b' snapshots/.c; "
           "find snapshots -mindepth 1 -maxdepth 1 -printf '%f\\n'");
    expect(m, "diff\nstats\n", "ls snapshots/a");
    assert_int_equal(make_snapshot(m, "a"), EEXIST);
    expect(m, "b b\n", "rmdir snapshots/a; ls snapshots");
    assert_open(ENOENT, m, "snapshots/a/diff", O_RDONLY);
    expect_error(m, "No such file", "rmdir snapshots/a");
    assert_int_equal(make_snapshot(m, "a"), 0); /* the name is free again */
    expect(m, "", "cat snapshots/a/diff");
    mnt_stop(m);
}

/* Inode numbers of a snapshot that is gone are not those of a new one. */
static void open_files_of_a_dropped_snapshot_end(void **state)
{
    struct mnt *m = *state;
    char byte;

    mnt_pages(m, 20);
    assert_int_equal(make_snapshot(m, "a"), 0);
    assert_write(0, m, "free", "5\n");
    const int fd = m_open(m, "snapshots/a/diff", O_RDONLY);
    const int stats = m_open(m, "snapshots/a/stats", O_RDONLY);
    assert_true(fd >= 0 && stats >= 0);
    expect(m, "", "rmdir snapshots/a; mkdir snapshots/a");
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(read(stats, &byte, 1), -1);
    assert_int_equal(errno, ENOENT);
    close(fd);
    close(stats);
    mnt_stop(m);
}

static void names_have_limits(void **state)
{
    struct mnt *m = *state;
    char name[300];

    mnt_pages(m, 20);
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_int_equal(make_snapshot(m, name), ENAMETOOLONG);
    name[255] = '\0';
    assert_int_equal(make_snapshot(m, name), 0);
    assert_int_equal(make_snapshot(m, "a\nb"), EINVAL);
    assert_int_equal(make_snapshot(m, "a\x7f"), EINVAL);
    expect(m, "", "cmp snapshots/x*/stats stats");
    mnt_stop(m);
}

static void only_directories_are_made_and_only_here(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_int_equal(make_snapshot(m, "a"), 0);
    assert_int_equal(make_snapshot(m, "a/b"), EPERM);
    expect_error(m, "not permitted", "rm -r snapshots/a");
    expect_error(m, "not permitted", "touch snapshots/file");
    expect_error(m, "not permitted", "mv snapshots/a snapshots/b");
    expect_error(m, "Not a directory", "rmdir snapshots/a/diff");
    expect(m, "a\n", "ls snapshots");
    mnt_stop(m);
}

static void snapshots_work_on_a_read_only_mount(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    const uint64_t before = v3_hash(m->t.db);
    mnt_start(m, "ro");
    expect(m, "20\n",
           "mkdir snapshots/a; awk '/^total/ {print $2}' snapshots/a/stats; cat "
           "snapshots/a/diff; rmdir snapshots/a");
    expect_error(m, "Read-only file system", "mkdir pages/a");
    mnt_stop(m);
    assert_u64(before, v3_hash(m->t.db));
}

/* 1 bit a page of what has free pages: 64 MiB are 536 million pages. */
static void memory_for_snapshots_is_bounded(void **state)
{
    struct mnt *m = *state;
    char name[32];
    int error = 0;
    int made = 0;

    mnt_pages(m, 20000000);
    expect(m, "", "seq 7 1000 19999999 > free");
    while (error == 0 && made < 2000) {
        snprintf(name, sizeof(name), "s%d", made);
        error = make_snapshot(m, name);
        made += error == 0;
    }
    assert_int_equal(error, ENOSPC);
    assert_in_range(made, 10, 1999);
    expect(m, "", "grep -q '64 MiB.*ENOSPC' last_error");
    if (!built_with_sanitizer())
        assert_in_range(proc_status_kb(m->daemon, "VmHWM:"), 1, 96 * 1024);
    expect(m, "", "rmdir snapshots/s0; mkdir snapshots/again");
    mnt_stop(m);
}

static void events_name_who_takes_snapshots(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "snapshot - mkdir ok\ndrop - rmdir ok\n",
           "mkdir snapshots/a; rmdir snapshots/a; awk '{print $3, $4, $6, $7}' events");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(diff_lists_every_page_whose_state_differs),
        MOUNT_TEST(diff_shows_pages_that_were_given_back),
        MOUNT_TEST(stats_of_a_snapshot_stay_as_they_were),
        MOUNT_TEST(snapshots_are_made_and_dropped_by_name),
        MOUNT_TEST(open_files_of_a_dropped_snapshot_end),
        MOUNT_TEST(names_have_limits),
        MOUNT_TEST(only_directories_are_made_and_only_here),
        MOUNT_TEST(snapshots_work_on_a_read_only_mount),
        MOUNT_TEST(memory_for_snapshots_is_bounded),
        MOUNT_TEST(events_name_who_takes_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
