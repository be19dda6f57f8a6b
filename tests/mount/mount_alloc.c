/* alloc: the read that does something. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void each_cat_allocates_one_page(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "20\n21\n22\n", "cat alloc; cat alloc; cat alloc");
    expect(m, "23\n", "cat < alloc");
    expect(m, "24\n", "read id < alloc; echo $id");
    expect(m, "25\n26\n", "cat alloc alloc");
    assert_u64(27, m_number(m, "stats", "total_pages"));
    assert_u64(7, m_number(m, "stats", "allocations"));
    mnt_stop(m);
    assert_u64(v3_nominal(27), v3_size(m->t.db));
}

static void reading_byte_by_byte_allocates_one_page(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 1276);
    expect(m, "1276\n", "dd bs=1 if=alloc 2>/dev/null");
    assert_u64(1, m_number(m, "stats", "allocations"));
    expect(m, "12", "head -c 2 alloc");
    assert_u64(2, m_number(m, "stats", "allocations"));
    mnt_stop(m);
}

static void an_open_without_a_read_allocates_nothing(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "", "exec 3< alloc; exec 4<> alloc; exec 5> alloc");
    expect(m, "", ": > alloc; touch alloc; test -r alloc; stat alloc > /dev/null");
    assert_u64(0, m_number(m, "stats", "allocations"));
    assert_u64(20, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

static void each_open_file_has_its_own_cursor(void **state)
{
    struct mnt *m = *state;
    char a[8] = {0};
    char b[8] = {0};

    mnt_pages(m, 20);
    const int one = m_open(m, "alloc", O_RDONLY);
    const int two = m_open(m, "alloc", O_RDONLY);
    assert_true(one >= 0 && two >= 0);
    assert_int_equal(read(one, a, 1), 1);
    assert_int_equal(read(two, b, 7), 3);
    assert_int_equal(read(one, a + 1, 7), 2);
    assert_int_equal(read(one, a + 3, 4), 0);
    assert_int_equal(read(two, b + 3, 4), 0);
    assert_string_equal(a, "20\n");
    assert_string_equal(b, "21\n");
    close(one);
    close(two);
    mnt_stop(m);
}

static void alloc_cannot_be_seeked(void **state)
{
    struct mnt *m = *state;
    char byte;

    mnt_pages(m, 20);
    const int fd = m_open(m, "alloc", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), -1);
    assert_int_equal(errno, ESPIPE);
    assert_int_equal(pread(fd, &byte, 1, 0), -1);
    close(fd);
    assert_u64(0, m_number(m, "stats", "allocations"));
    mnt_stop(m);
}

static void a_written_number_allocates_that_many(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5 9\n");
    expect(m, "9\n5\n20\n21\n", "exec 3<>alloc; echo 4 >&3; cat <&3");
    assert_write(0, m, "free", "7 10-14 3\n");
    expect(m, "10\n11\n12\n13\n", "exec 3<>alloc; echo 4 contiguous >&3; cat <&3");
    expect(m, "22\n23\n24\n25\n26\n27\n",
           "exec 3<>alloc; echo 6 contiguous >&3; cat <&3");
    mnt_stop(m);
}

static void reads_go_on_over_what_several_writes_allocated(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "7 5\n");
    expect(m, "5\n7\n20\n21\n22\n23\n24\n",
           "exec 3<>alloc; echo 2 >&3; echo 3 contiguous >&3; read a <&3; read b <&3; "
           "echo $a; echo $b; echo 1 >&3; cat <&3; echo 1 >&3; cat <&3");
    mnt_stop(m);
}

/* Nobody is given what he does not fetch: each id that waits takes memory. */
static void ids_that_nobody_reads_are_limited(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "scratch");
    expect_error(m, "Numerical result out of range",
                 "exec 3<>alloc; echo 16777215 contiguous >&3; echo 1 >&3; echo 1 >&3");
    expect(m, "ERANGE\n", "grep -o ERANGE last_error");
    assert_u64(20 + 16777216, m_number(m, "stats", "total_pages"));
    expect_error(m, "Numerical result out of range", "exec 3<>alloc; echo 16777217 >&3");
    mnt_stop(m);
}

static void bad_numbers_allocate_nothing(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect_error(m, "Invalid argument", "exec 3<>alloc; echo 0 >&3");
    expect_error(m, "Invalid argument", "exec 3<>alloc; echo x >&3");
    expect_error(m, "Invalid argument", "exec 3<>alloc; echo -1 >&3");
    expect_error(m, "Invalid argument", "exec 3<>alloc; echo 5 contiguousx >&3");
    expect_error(m, "Numerical result out of range",
                 "exec 3<>alloc; echo 18446744073709551616 >&3");
    assert_u64(20, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
}

/* grep -r, cp -r and backup tools open so; cat, head and shells do not. */
static void guarded_opens_are_refused_without_effect(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_open(EAGAIN, m, "alloc", O_RDONLY | O_NONBLOCK);
    assert_open(EAGAIN, m, "alloc", O_RDONLY | O_NOFOLLOW);
    assert_open(EAGAIN, m, "alloc", O_RDONLY | O_NOATIME);
    assert_open(EAGAIN, m, "alloc", O_RDWR | O_NONBLOCK);
    assert_open(0, m, "alloc", O_RDONLY);
    assert_open(0, m, "stats", O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    assert_string_equal(m_read(m, "last_error"), "ok\n");
    expect_error(m, "alloc", "cp -r . \"$D/copy\"; cat \"$D/copy/alloc\"");
    expect_error(m, "alloc", "grep -r nothing-has-this . ");
    assert_u64(0, m_number(m, "stats", "allocations"));
    mnt_stop(m);
}

static void alloc_has_size_0(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "0 600\n", "stat -c '%s %a' alloc");
    mnt_stop(m);
}

enum { CLIENTS = 16 };

struct client {
    struct mnt *m;
    pthread_t thread;
    unsigned count;
    uint64_t ids[512];
    unsigned failures;
};

static void *allocate_many(void *argument)
{
    struct client *c = argument;

    for (unsigned i = 0; i < c->count; i++) {
        char text[32] = {0};
        const int fd = m_open(c->m, "alloc", O_RDONLY);

        if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
            c->failures++;
        if (fd >= 0)
            close(fd);
        c->ids[i] = strtoull(text, NULL, 10);
    }
    return NULL;
}

static void concurrent_allocations_give_distinct_pages(void **state)
{
    struct mnt *m = *state;
    struct client *clients = calloc(CLIENTS, sizeof(*clients));
    const unsigned count = scaled(40, 400);
    const size_t total = 20 + (size_t)CLIENTS * count;
    bool *seen = calloc(total, sizeof(*seen));

    assert_non_null(clients);
    assert_non_null(seen);
    mnt_pages(m, 20);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].m = m;
        clients[i].count = count;
        assert_int_equal(
            pthread_create(&clients[i].thread, NULL, allocate_many, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].failures, 0);
        for (unsigned k = 0; k < count; k++) {
            const uint64_t id = clients[i].ids[k];

            assert_in_range(id, 20, total - 1);
            if (seen[id])
                fail_msg("page %d was handed out twice", (int)id);
            seen[id] = true;
        }
    }
    assert_u64(total, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
    free(clients);
    free(seen);
}

static void max_pages_is_met_as_enospc(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "max_pages=21");
    expect(m, "20\n", "cat alloc");
    expect_error(m, "No space left on device", "cat alloc");
    expect(m, "7\n", "echo 7 > free; cat alloc");
    mnt_stop(m);
}

static void a_read_that_found_no_room_may_be_tried_again(void **state)
{
    struct mnt *m = *state;
    char text[8] = "";

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "max_pages=20");
    const int fd = m_open(m, "alloc", O_RDONLY);
    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(fd, text, sizeof(text)), -1);
        assert_int_equal(errno, ENOSPC);
    }
    assert_write(0, m, "limits/max_pages", "21\n");
    assert_int_equal(read(fd, text, sizeof(text)), 3);
    assert_string_equal(text, "20\n");
    assert_int_equal(read(fd, text, sizeof(text)), 0);
    close(fd);
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(each_cat_allocates_one_page),
        MOUNT_TEST(reading_byte_by_byte_allocates_one_page),
        MOUNT_TEST(an_open_without_a_read_allocates_nothing),
        MOUNT_TEST(each_open_file_has_its_own_cursor),
        MOUNT_TEST(alloc_cannot_be_seeked),
        MOUNT_TEST(a_written_number_allocates_that_many),
        MOUNT_TEST(reads_go_on_over_what_several_writes_allocated),
        MOUNT_TEST(ids_that_nobody_reads_are_limited),
        MOUNT_TEST(bad_numbers_allocate_nothing),
        MOUNT_TEST(guarded_opens_are_refused_without_effect),
        MOUNT_TEST(alloc_has_size_0),
        MOUNT_TEST(concurrent_allocations_give_distinct_pages),
        MOUNT_TEST(max_pages_is_met_as_enospc),
        MOUNT_TEST(a_read_that_found_no_room_may_be_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
