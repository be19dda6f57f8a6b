/* pages/N/hold and pinned/. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_hold_is_a_pin_until_it_is_closed(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "pinned 1\nallocated 0\n",
           "exec 3< pages/7/hold; echo $(cat pages/7/state pages/7/pins); "
           "exec 3<&-; echo $(cat pages/7/state pages/7/pins)");
    mnt_stop(m);
}

/* The release is over before the next request is looked at, every time. */
static void the_next_command_finds_the_hold_gone(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "for i in $(seq 300); do exec 3< pages/7/hold; exec 3<&-; echo free > "
           "pages/7/state; echo allocated > pages/7/state; done");
    mnt_stop(m);
}

static void a_hold_ends_with_the_process_that_has_it(void **state)
{
    struct mnt *m = *state;
    int ready[2];
    char byte;

    mnt_pages(m, 20);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (m_open(m, "pages/7/hold", O_RDONLY) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_state(m, 7, "pinned");
    assert_write(EBUSY, m, "free", "7\n");
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_state(m, 7, "allocated");
    assert_write(0, m, "free", "7\n");
    close(ready[0]);
    close(ready[1]);
    mnt_stop(m);
}

static void holds_are_counted_apart_from_pins(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    const int first = m_open(m, "pages/7/hold", O_RDONLY);
    const int second = m_open(m, "pages/7/hold", O_RDONLY);
    assert_true(first >= 0 && second >= 0);
    assert_write(0, m, "pages/7/pins", "+1\n");
    expect(m, "3\n", "cat pages/7/pins");
    assert_write(0, m, "pages/7/pins", "0\n"); /* drops all but the holds */
    expect(m, "2\n", "cat pages/7/pins");
    assert_write(EBUSY, m, "pages/7/pins", "-1\n");
    assert_write(EBUSY, m, "pages/7/state", "allocated\n");
    assert_write(EBUSY, m, "pages/7/state", "free\n");
    close(first);
    expect(m, "1\n", "cat pages/7/pins");
    close(second);
    expect(m, "0\n", "cat pages/7/pins");
    mnt_stop(m);
}

/* A child that inherited the descriptor keeps the page held. */
static void a_hold_ends_with_the_last_close(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(
        m, "1\n0\n",
        "exec 3< pages/7/hold; sleep 5 & exec 3<&-; cat pages/7/pins; kill $!; wait $! "
        "2>/dev/null; cat pages/7/pins");
    mnt_stop(m);
}

static void hold_reads_as_empty(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "0\n0\n", "wc -c < pages/7/hold; stat -c %s pages/7/hold");
    mnt_stop(m);
}

static void what_cannot_be_held_says_why(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "9\n");
    assert_open(ENOENT, m, "pages/9/hold", O_RDONLY);
    assert_open(EPERM, m, "pages/1/hold", O_RDONLY);
    assert_open(EACCES, m, "pages/7/hold", O_WRONLY);
    assert_open(EAGAIN, m, "pages/7/hold", O_RDONLY | O_NONBLOCK);
    assert_open(EAGAIN, m, "pages/7/hold", O_RDONLY | O_NOFOLLOW);
    expect(m, "ok\n", "cat last_error"); /* refused opens do not change it */
    mnt_stop(m);
    mnt_start(m, "ro");
    assert_open(EROFS, m, "pages/7/hold", O_RDONLY);
    mnt_stop(m);
}

static void pinned_links_to_the_pinned_pages(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_string_equal(m_read(m, "pinned/../last_error"), "ok\n");
    expect(m, "", "ls pinned");
    assert_write(0, m, "pin", "7 11 7\n");
    expect(m, "7 ../pages/7\n11 ../pages/11\n", "find pinned -type l -printf '%f %l\\n'");
    expect(m, "pinned\n", "cat pinned/7/state");
    expect(m, "10\n11\n", "stat -c %s pinned/7 pinned/11"); /* the length of the target */
    assert_write(0, m, "pinned/7/pins", "0\n");
    expect(m, "11\n", "ls pinned");
    assert_open(ENOENT, m, "pinned/7/state", O_RDONLY);
    assert_open(ENOENT, m, "pinned/8", O_RDONLY);
    assert_open(ENOENT, m, "pinned/011", O_RDONLY);
    expect_error(m, "not permitted", "rm pinned/11");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(a_hold_is_a_pin_until_it_is_closed),
        MOUNT_TEST(the_next_command_finds_the_hold_gone),
        MOUNT_TEST(a_hold_ends_with_the_process_that_has_it),
        MOUNT_TEST(holds_are_counted_apart_from_pins),
        MOUNT_TEST(a_hold_ends_with_the_last_close),
        MOUNT_TEST(hold_reads_as_empty),
        MOUNT_TEST(what_cannot_be_held_says_why),
        MOUNT_TEST(pinned_links_to_the_pinned_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
