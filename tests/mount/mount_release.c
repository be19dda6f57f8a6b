/* free: many pages in one write, exact order, numbers cut between writes. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The walk-through that the first release was accepted by. */
static void medium_allocates_frees_and_remembers(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "1276\n1277\n1278\n", "cat alloc; cat alloc; cat alloc");
    assert_write(0, m, "free", "1277\n");
    assert_write(0, m, "free", "1276\n");
    assert_write(EALREADY, m, "free", "1276\n");
    assert_write(EPERM, m, "free", "0\n");
    assert_write(EPERM, m, "free", "1\n");
    assert_write(0, m, "pin", "1278\n");
    assert_write(EBUSY, m, "free", "1278\n");
    assert_write(ENOENT, m, "free", "99999\n");
    mnt_restart(m);
    assert_state(m, 1275, "allocated");
    assert_state(m, 1276, "free");
    assert_state(m, 1277, "free");
    assert_state(m, 1278, "allocated");
    assert_write(EALREADY, m, "free", "1276\n");
    expect(m, "1276\n1277\n1279\n", "cat alloc; cat alloc; cat alloc");
    mnt_stop(m);
}

/* One write, 198 blocks: the file changes in their trunks and the header. */
static void one_write_frees_100000_pages_and_changes_about_200(void **state)
{
    enum { COUNT = 100000, TRUNKS = (COUNT + 505) / 506 };
    struct mnt *m = *state;
    struct v3_image before;
    struct v3_image after;

    v3_make_pages(m->t.db, COUNT + 2);
    v3_image_read(m->t.db, &before);
    mnt_start(m, NULL);
    assert_write(0, m, "free", "2-100001\n");
    assert_u64(COUNT, m_number(m, "stats", "free_pages"));
    assert_u64(1, m_number(m, "stats", "commits"));
    mnt_stop(m);
    v3_image_read(m->t.db, &after);
    assert_int_equal(v3_image_differences(&before, &after), TRUNKS + 1);
    v3_image_free(&after);

    mnt_start(m, NULL);
    expect(m, "", "exec 3<>alloc; echo 100000 >&3; cmp <(cat <&3) <(seq 100001 -1 2)");
    expect(m, "100002\n", "cat alloc");
    assert_u64(0, m_number(m, "stats", "free_pages"));
    mnt_stop(m);
    v3_image_read(m->t.db, &after);
    assert_true(v3_image_differences(&before, &after) <= TRUNKS + 2);
    v3_image_free(&after);
    v3_image_free(&before);
}

/* All 100,000 ids as text: one write of 588,890 bytes. */
static void one_large_write_is_one_transaction(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 100002);
    expect(m, "",
           "seq 2 100001 > \"$D/ids\"; dd if=\"$D/ids\" of=free bs=1M conv=notrunc "
           "status=none");
    assert_u64(100000, m_number(m, "stats", "free_pages"));
    assert_u64(1, m_number(m, "stats", "commits"));
    assert_u64(100001, m_number(m, "stats", "free_list_head"));
    mnt_stop(m);
}

/* stdio writes multiples of 4096 bytes and cuts numbers in two. */
static void seq_into_free_carries_cut_numbers_over(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 100001);
    expect(m, "", "seq 2 100000 > free");
    assert_string_equal(m_read(m, "last_error"), "ok\n");
    assert_u64(99999, m_number(m, "stats", "free_pages"));
    assert_u64(100000, m_number(m, "stats", "free_list_head"));
    expect(m, "", "diff <(tr -d ' ' < freelist) <(seq 100000 -1 2)");
    mnt_stop(m);
}

static void a_number_cut_at_any_byte_is_one_number(void **state)
{
    struct mnt *m = *state;
    char text[1025];

    mnt_pages(m, 30000);
    for (int cut = 0; cut < 5; cut++) { /* 12345 straddles byte 512 */
        memset(text, ' ', sizeof(text));
        memcpy(text + 512 - cut, "12345", 5);
        const int fd = m_open(m, "free", O_WRONLY);
        assert_true(fd >= 0);
        if (cut > 0)
            memcpy(text, "7", 1); /* so that the first write has something to do */
        else
            memcpy(text, "8", 1);
        assert_int_equal(write(fd, text, 512), 512);
        assert_int_equal(write(fd, text + 512, 6), 6);
        assert_int_equal(close(fd), 0);
        assert_state(m, 12345, "free");
        assert_state(m, cut > 0 ? 7 : 8, "free");
        assert_state(m, 12, "allocated");
        assert_write(0, m, "pages/12345/state", "allocated\n");
        assert_write(0, m, cut > 0 ? "pages/7/state" : "pages/8/state", "allocated\n");
    }
    mnt_stop(m);
}

/* Carried at the end of a write, it runs when the file is let go, not at a flush. */
static void a_waiting_number_runs_at_the_last_close(void **state)
{
    struct mnt *m = *state;
    char text[512];

    mnt_pages(m, 30000);
    memset(text, ' ', sizeof(text));
    memcpy(text, "7", 1);
    memcpy(text + 507, "12345", 5);
    const int fd = m_open(m, "free", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, 512), 512);
    const int copy = dup(fd);
    assert_int_equal(close(copy), 0); /* a flush, as from a child of a shell */
    assert_state(m, 7, "free");
    assert_state(m, 12345, "allocated");
    assert_int_equal(close(fd), 0);
    /* release is asynchronous; the next command of this client comes after it */
    assert_state(m, 12345, "free");
    mnt_stop(m);
}

static void a_short_write_runs_at_once(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 30);
    const int fd = m_open(m, "free", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "2", 1), 1);
    assert_state(m, 2, "free");
    assert_int_equal(write(fd, "3", 1), 1);
    assert_state(m, 3, "free");
    assert_state(m, 23, "allocated");
    close(fd);
    mnt_stop(m);
}

static void a_batch_with_one_bad_page_frees_nothing(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 2000);
    assert_write(0, m, "pin", "1500\n");
    assert_write(EBUSY, m, "free", "2-1999\n");
    assert_write(EALREADY, m, "free", "2-1000 999\n");
    assert_write(ENOENT, m, "free", "2-2000\n");
    assert_u64(0, m_number(m, "stats", "free_pages"));
    mnt_stop(m);
}

/* `range` as often as that, and `last`. */
static void write_repeated(int expected, struct mnt *m, const char *path,
                           const char *range, unsigned times, const char *last)
{
    const size_t length = strlen(range);
    char *const text = malloc(times * length + strlen(last) + 1);

    assert_non_null(text);
    for (unsigned i = 0; i < times; i++)
        memcpy(text + i * length, range, length + 1);
    strcpy(text + times * length, last);
    mnt_assert_errno(expected, m_write(m, path, text), path, range, __FILE__, __LINE__);
    free(text);
}

/* Whoever names each page of a file a hundred thousand times would hold up everybody. */
static void a_list_names_a_bounded_number_of_pages(void **state)
{
    enum { FREE_MAX = 1 << 24, PINS_MAX = 1 << 22, PAGES = 1024 };
    static const char all[] = "2-1025\n";
    struct mnt *m = *state;

    mnt_pages(m, PAGES + 2);
    if (scaled(0, 1)) /* takes its time */
        write_repeated(EALREADY, m, "free", all, FREE_MAX / PAGES, "");
    write_repeated(ERANGE, m, "free", all, FREE_MAX / PAGES, "2\n");
    write_repeated(ERANGE, m, "free", all, 150000, "");
    assert_string_equal(m_read(m, "last_error"),
                        "free 2-1025 2-1025 2-1025 2-1025 2-1025 "
                        "2-1025 2-102: a number is too large, or all ranges together: "
                        "16777216 pages at most (ERANGE)\n");
    write_repeated(0, m, "pin", all, PINS_MAX / PAGES, "");
    assert_string_equal(m_read(m, "pages/1025/pins"), "4096\n");
    write_repeated(ERANGE, m, "pin", all, PINS_MAX / PAGES, "1025\n");
    write_repeated(ERANGE, m, "pin", all, 150000, "");
    write_repeated(ERANGE, m, "unpin", all, PINS_MAX / PAGES, "1025\n");
    assert_string_equal(m_read(m, "pages/1025/pins"), "4096\n");
    write_repeated(0, m, "unpin", all, PINS_MAX / PAGES, "");
    assert_u64(0, m_number(m, "stats", "pinned_pages"));
    assert_u64(0, m_number(m, "stats", "free_pages"));
    write_repeated(ENOENT, m, "free", "1026-18446744073709551615\n", 100, "");
    mnt_stop(m);
}

static void lists_take_any_white_space_and_any_order(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 30);
    assert_write(0, m, "free", "\n 4\t7\r\n10-12\n\n3 ");
    expect(m, "3\n12\n11\n10\n7\n4\n", "tr -d ' ' < freelist");
    mnt_stop(m);
}

static void frees_and_allocations_of_a_shell_loop_are_in_order(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 30);
    expect(m, "",
           "for i in $(seq 20 29); do echo $i; done >> free; "
           "diff <(for i in 1 2 3 4 5 6 7 8 9 10; do cat alloc; done) <(seq 29 -1 20)");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(medium_allocates_frees_and_remembers),
        MOUNT_TEST(one_write_frees_100000_pages_and_changes_about_200),
        MOUNT_TEST(one_large_write_is_one_transaction),
        MOUNT_TEST(seq_into_free_carries_cut_numbers_over),
        MOUNT_TEST(a_number_cut_at_any_byte_is_one_number),
        MOUNT_TEST(a_waiting_number_runs_at_the_last_close),
        MOUNT_TEST(a_short_write_runs_at_once),
        MOUNT_TEST(a_batch_with_one_bad_page_frees_nothing),
        MOUNT_TEST(a_list_names_a_bounded_number_of_pages),
        MOUNT_TEST(lists_take_any_white_space_and_any_order),
        MOUNT_TEST(frees_and_allocations_of_a_shell_loop_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
