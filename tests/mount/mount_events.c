/* events: who did what, and that no offset is ever reused. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RING = 1 << 20 };

static void each_command_is_one_line_with_pid_and_command(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "20\n", "cat alloc");
    expect(
        m, "",
        "echo 5 7-9 > free; echo 6 > pin; echo allocated > pages/8/state; "
        "echo x > pages/6/data; echo 0 > pages/6/pins; exec 3< pages/10/hold; exec 3<&-; "
        "echo 100 > limits/max_pages; echo sync > ctl; echo shrink > ctl");
    expect(m,
           "1 alloc 20 cat ok\n2 free 5 bash ok\n3 free 7-9 bash ok\n4 pin 6 bash ok\n"
           "5 take 8 bash ok\n6 write 6 bash ok\n7 unpin 6 bash ok\n8 hold 10 bash ok\n"
           "9 unhold 10 bash ok\n10 max_pages - bash ok\n11 sync - bash ok\n"
           "12 shrink - bash ok\n",
           "awk '{print $1, $3, $4, $6, $7}' events");
    expect(m, "",
           "exec 3> free; echo 11 >&3; [ \"$(tail -n 1 events | cut -d' ' -f5)\" = $$ ] "
           "|| cat events");
    mnt_stop(m);
}

static void refusals_are_logged_with_their_errno(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "pin", "7\n");
    assert_write(EBUSY, m, "free", "6 7\n");
    assert_write(EINVAL, m, "free", "x\n");
    assert_write(EPERM, m, "free", "1\n");
    assert_write(EINVAL, m, "pages/9/state", "bad\n");
    assert_write(EALREADY, m, "pages/9/state", "allocated\n");
    assert_write(EBADMSG, m, "pages/9/checksum", "1\n");
    assert_open(EACCES, m, "free", O_RDONLY); /* refused opens are not */
    expect(m,
           "free 7 EBUSY\nfree - EINVAL\nfree 1 EPERM\nstate 9 EINVAL\nunpin 9 EALREADY\n"
           "checksum 9 EBADMSG\n",
           "tail -n +2 events | awk '{print $3, $4, $7}'");
    mnt_stop(m);
}

static void odd_command_names_are_one_word(void **state)
{
    static const char *const names[] = {"a b\x7f\xc3\xa9", "fifteen-letters", "\n", ""};
    struct mnt *m = *state;
    char own[16];

    mnt_pages(m, 20);
    assert_int_equal(prctl(PR_GET_NAME, own), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(prctl(PR_SET_NAME, names[i]), 0);
        assert_write(0, m, "pin", "7\n");
    }
    assert_int_equal(prctl(PR_SET_NAME, own), 0);
    expect(m, "a_b___ ok\nfifteen-letters ok\n_ ok\n? ok\n",
           "awk '{print $6, $7}' events");
    mnt_stop(m);
}

static void times_are_microseconds_since_1970(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "a=$(date +%s%6N); echo 5 > free; b=$(date +%s%6N); "
           "t=$(cut -d' ' -f2 events); [ $t -ge $a ] && [ $t -le $b ] || echo $a $t $b");
    mnt_stop(m);
}

static void an_allocation_of_many_pages_is_an_event_a_run(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 40);
    assert_write(0, m, "free", "10-12 20 30-31\n");
    expect(m, "31\n30\n20\n12\n11\n10\n40\n41\n", "exec 3<>alloc; echo 8 >&3; cat <&3");
    expect(m, "alloc 31-30\nalloc 20\nalloc 12-10\nalloc 40-41\n",
           "tail -n 4 events | awk '{print $3, $4}'");
    expect(m, "42\n43\n", "exec 3<>alloc; echo 2 contiguous >&3; cat <&3");
    expect(m, "alloc 42-43\n", "tail -n 1 events | awk '{print $3, $4}'");
    mnt_stop(m);
}

static void tail_f_follows(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(
        m, "free 5\nfree 6\n",
        "tail -n 0 -s 0.05 -f events > \"$D/followed\" & tail=$!; sleep 0.4; "
        "echo 5 > free; sleep 0.2; echo 6 > free; "
        "for i in $(seq 100); do [ $(wc -l < \"$D/followed\") = 2 ] && break; sleep 0.1; "
        "done; kill $tail; wait $tail 2>/dev/null; awk '{print $3, $4}' \"$D/followed\"");
    mnt_stop(m);
}

static void its_size_is_the_bytes_ever_logged(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "0\n", "stat -c %s events");
    expect(m, "", "echo 5 > free; [ $(stat -c %s events) = $(wc -c < events) ]");
    mnt_stop(m);
}

/* Enough events for the ring to go round; a sum of what the lines were. */
static void log_more_than_the_ring_holds(struct mnt *m)
{
    for (int i = 0; i < 40; i++)
        expect(m, "", "seq 100 2 2900 > pin; seq 100 2 2900 > unpin");
}

static void what_is_gone_is_said_to_be_lost(void **state)
{
    struct mnt *m = *state;
    char line[128];
    char first[64];
    struct stat stat_buffer;

    mnt_pages(m, 3000);
    const int fd = m_open(m, "events", O_RDONLY);
    assert_true(fd >= 0);
    assert_write(0, m, "free", "5\n");
    const ssize_t read_before = read(fd, first, 10); /* in the middle of a line */
    assert_int_equal(read_before, 10);
    log_more_than_the_ring_holds(m);
    assert_int_equal(fstat(fd, &stat_buffer), 0);
    assert_true(stat_buffer.st_size > RING + 4096);

    ssize_t n = read(fd, line, sizeof(line) - 1);
    assert_true(n > 0);
    line[n] = '\0';
    unsigned long long lost = 0;
    assert_int_equal(sscanf(line, "\nlost %llu\n", &lost), 1);
    /* the rest is what the ring keeps, whole lines from the oldest on */
    size_t rest = (size_t)n - (size_t)(strchr(line + 1, '\n') + 1 - line);
    while ((n = read(fd, line, sizeof(line))) > 0)
        rest += (size_t)n;
    assert_int_equal(n, 0);
    assert_u64((uint64_t)stat_buffer.st_size, 10 + lost + rest);
    assert_true(rest <= RING && rest > RING - 200);
    close(fd);
    mnt_stop(m);
}

/* Whoever starts late, or reads a byte at a time, gets the same. */
static void a_late_reader_starts_with_lost_and_the_oldest_line(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 3000);
    log_more_than_the_ring_holds(m);
    expect(m, "", "head -n 1 events | grep -qx 'lost [0-9]*' || head -n 1 events");
    expect(m, "7\n", "head -n 2 events | tail -n 1 | wc -w");
    expect(m, "", "cmp <(head -c 100 events) <(dd if=events bs=1 count=100 status=none)");
    expect(m, "",
           "tail -n +2 events | awk 'NF != 7 {print} NR > 1 && $1 != last + 1 {print} "
           "{last = $1}'");
    expect(m, "3\n", "tail -n 3 events | wc -l");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(each_command_is_one_line_with_pid_and_command),
        MOUNT_TEST(refusals_are_logged_with_their_errno),
        MOUNT_TEST(odd_command_names_are_one_word),
        MOUNT_TEST(times_are_microseconds_since_1970),
        MOUNT_TEST(an_allocation_of_many_pages_is_an_event_a_run),
        MOUNT_TEST(tail_f_follows),
        MOUNT_TEST(its_size_is_the_bytes_ever_logged),
        MOUNT_TEST(what_is_gone_is_said_to_be_lost),
        MOUNT_TEST(a_late_reader_starts_with_lost_and_the_oldest_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
