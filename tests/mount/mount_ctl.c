/* ctl, limits/, -o scratch, and the checkpoint of an idle mount. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool journal_is_empty(struct mnt *m)
{
    return strstr(m_read(m, "status"), ", 0 records") != NULL;
}

static void shrink_gives_the_free_end_back(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "5 250-299\n");
    assert_write(0, m, "ctl", "shrink\n");
    expect(m, "total_pages 250\nallocated_pages 249\nfree_pages 1\n", "head -n 3 stats");
    assert_u64(v3_nominal(250), v3_size(m->t.db));
    expect(m, "shrink 250-299\n", "tail -n 1 events | awk '{print $3, $4}'");
    assert_write(0, m, "ctl", "shrink\n"); /* nothing left to do is no error */
    expect(m, "5\n250\n", "cat alloc; cat alloc");
    mnt_restart(m);
    assert_u64(251, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

/* The kernel knows the names and attributes of all of them. */
static void pages_that_were_given_back_are_gone_at_once(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    const int fd = m_open(m, "pages/299/state", O_RDONLY);
    assert_true(fd >= 0);
    expect(m, "",
           "ls -lR pages > /dev/null; echo 200-299 > free; ls -l pages > /dev/null; "
           "echo shrink > ctl; for n in 200 250 299; do [ -e pages/$n ] && echo $n; "
           "[ -e pages/$n/state ] && echo $n/state; done; true");
    expect(m, "200\n", "ls pages | wc -l");
    assert_open(ENOENT, m, "pages/299", O_RDONLY | O_DIRECTORY);
    assert_open(ENOENT, m, "pages/299/data", O_RDONLY);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    char byte;
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ENOENT);
    close(fd);
    expect_error(m, "No such file", "cd pages/299");
    /* and they come back */
    expect(m, "200\n", "cat alloc");
    assert_state(m, 200, "allocated");
    expect(m, "4096\n", "stat -c %s pages/200");
    mnt_stop(m);
}

static void rebuilding_the_free_list_puts_the_lowest_page_first(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "20 5 280-299 100\n");
    expect(m, "100\n299\n", "tr -d ' ' < freelist | head -n 2");
    assert_write(0, m, "ctl", "rebuild-freelist\n");
    expect(m, "5\n20\n100\n280\n", "tr -d ' ' < freelist | head -n 4");
    expect(m, "5\n20\n100\n", "cat alloc; cat alloc; cat alloc");
    mnt_restart(m);
    expect(m, "280\n", "cat alloc");
    mnt_stop(m);
}

static void checkpoint_brings_the_journal_into_the_file(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5\n");
    assert_false(journal_is_empty(m));
    assert_write(0, m, "ctl", "checkpoint\n");
    assert_true(journal_is_empty(m));
    mnt_stop(m);
}

static void an_idle_second_brings_the_journal_into_the_file(void **state)
{
    struct mnt *m = *state;
    int tenths = 0;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5\n");
    assert_false(journal_is_empty(m));
    while (!journal_is_empty(m) && tenths < 100) {
        poll(NULL, 0, 100);
        tenths++;
    }
    assert_in_range(tenths, 8, 60);
    assert_write(0, m, "free", "6\n"); /* and again */
    assert_false(journal_is_empty(m));
    for (tenths = 0; !journal_is_empty(m) && tenths < 100; tenths++)
        poll(NULL, 0, 100);
    assert_in_range(tenths, 8, 60);
    mnt_stop(m);
}

static void a_busy_mount_is_not_checkpointed(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5\n");
    for (int i = 0; i < 25; i++) {
        assert_write(0, m, "pages/7/state", i % 2 == 0 ? "free\n" : "allocated\n");
        poll(NULL, 0, 100);
    }
    assert_false(journal_is_empty(m));
    mnt_stop(m);
}

static void sync_makes_all_durable_without_a_word(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "sync=none");
    assert_write(0, m, "free", "5\n");
    assert_write(0, m, "ctl", "sync\n");
    assert_write(0, m, "ctl", " sync ");
    mnt_stop(m);
}

static void ctl_refuses_what_it_does_not_know(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(EINVAL, m, "ctl", "format\n");
    expect(m,
           "ctl format: expected sync, checkpoint, shrink or rebuild-freelist (EINVAL)\n",
           "cat last_error");
    assert_write(EINVAL, m, "ctl", "shrink now\n");
    assert_write(EINVAL, m, "ctl", "\n");
    assert_open(EACCES, m, "ctl", O_RDONLY);
    mnt_stop(m);
    mnt_start(m, "ro");
    assert_open(EROFS, m, "ctl", O_WRONLY);
    assert_open(EROFS, m, "limits/max_pages", O_WRONLY);
    expect(m, "max\n", "cat limits/max_pages");
    mnt_stop(m);
}

static void max_pages_limits_growth_and_not_reuse(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "max\n", "cat limits/max_pages");
    assert_write(0, m, "limits/max_pages", "21\n");
    expect(m, "21\n20\n", "cat limits/max_pages; cat alloc");
    expect_error(m, "No space left", "cat alloc");
    expect(m, "alloc: the limit of pages is reached (ENOSPC)\n", "cat last_error");
    assert_write(0, m, "free", "5\n");
    expect(m, "5\n", "cat alloc");
    assert_write(0, m, "limits/max_pages", "max\n");
    expect(m, "max\n21\n", "cat limits/max_pages; cat alloc");
    assert_write(0, m, "limits/max_pages", "3\n"); /* below what there is: no growth */
    expect_error(m, "No space left", "cat alloc");
    assert_write(EINVAL, m, "limits/max_pages", "0\n");
    assert_write(EINVAL, m, "limits/max_pages", "many\n");
    assert_write(EINVAL, m, "limits/max_pages", "-1\n");
    assert_write(ERANGE, m, "limits/max_pages", "18446744073709551616\n");
    expect(m, "3\n", "cat limits/max_pages");
    mnt_stop(m);
    mnt_start(m, "max_pages=22");
    expect(m, "22\n", "cat limits/max_pages");
    expect_error(m, "No space left", "cat alloc");
    mnt_stop(m);
}

static void a_scratch_mount_does_everything_and_changes_nothing(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 300);
    const uint64_t before = v3_hash(m->t.db);
    mnt_start(m, "scratch");
    expect(m, "mode scratch\n", "grep ^mode status");
    expect(m, "300\n", "cat alloc");
    expect(m, "hello\n",
           "echo 5 250-300 > free; echo 7 > pin; echo hello > pages/8/data; "
           "echo allocated > pages/5/state; echo rebuild-freelist > ctl; "
           "echo shrink > ctl; echo checkpoint > ctl; echo sync > ctl; sync -f .; "
           "mkdir snapshots/s; head -c 6 pages/8/data");
    assert_state(m, 7, "pinned");
    assert_u64(250, m_number(m, "stats", "total_pages"));
    expect(m, "",
           "ls \"$D\" | grep journal"
           "; true");
    mnt_stop(m);
    assert_u64(before, v3_hash(m->t.db));
    mnt_start(m, "ro");
    assert_u64(300, m_number(m, "stats", "total_pages"));
    assert_state(m, 7, "allocated");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(shrink_gives_the_free_end_back),
        MOUNT_TEST(pages_that_were_given_back_are_gone_at_once),
        MOUNT_TEST(rebuilding_the_free_list_puts_the_lowest_page_first),
        MOUNT_TEST(checkpoint_brings_the_journal_into_the_file),
        MOUNT_TEST(an_idle_second_brings_the_journal_into_the_file),
        MOUNT_TEST(a_busy_mount_is_not_checkpointed),
        MOUNT_TEST(sync_makes_all_durable_without_a_word),
        MOUNT_TEST(ctl_refuses_what_it_does_not_know),
        MOUNT_TEST(max_pages_limits_growth_and_not_reuse),
        MOUNT_TEST(a_scratch_mount_does_everything_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
