/* Every errno that README of the mount tells of, met: a row each, and none too many. */
#include "faults.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 20 };

/* ---- the ways to meet them; each returns what it got ---- */

static int bad_syntax(struct faulty *f)
{
    return m_write(f->m, "free", "x\n");
}

static int too_large_a_number(struct faulty *f)
{
    return m_write(f->m, "free", "18446744073709551616\n");
}

static int reserved_page(struct faulty *f)
{
    return m_write(f->m, "free", "1\n");
}

static int no_such_page(struct faulty *f)
{
    return m_write(f->m, "free", "99\n");
}

static int double_free(struct faulty *f)
{
    assert_write(0, f->m, "free", "5\n");
    return m_write(f->m, "free", "5\n");
}

static int free_of_a_pinned_page(struct faulty *f)
{
    assert_write(0, f->m, "pin", "7\n");
    return m_write(f->m, "free", "7\n");
}

static int mode_bits(struct faulty *f)
{
    return mnt_open_errno(f->m, "free", O_RDONLY);
}

static int open_by_a_tool_that_walks(struct faulty *f)
{
    return mnt_open_errno(f->m, "alloc", O_RDONLY | O_NONBLOCK);
}

static int wrong_checksum(struct faulty *f)
{
    return m_write(f->m, "pages/7/checksum", "0\n");
}

static int data_of_a_free_page(struct faulty *f)
{
    assert_write(0, f->m, "free", "5\n");
    return m_write(f->m, "pages/5/data", "x");
}

static int data_past_the_page(struct faulty *f)
{
    const int fd = m_open(f->m, "pages/7/data", O_WRONLY);

    assert_true(fd >= 0);
    const int error = pwrite(fd, "x", 1, 4096) == -1 ? errno : 0;
    close(fd);
    return error;
}

static int limit_of_pages(struct faulty *f)
{
    assert_write(0, f->m, "limits/max_pages", "20\n");
    assert_int_equal(sh(f->m, "cat alloc"), 1);
    return strstr(m_read(f->m, "last_error"), "(ENOSPC)") != NULL ? ENOSPC : 0;
}

static int quota(struct faulty *f)
{
    faults_fail(f, FAULT_DB, FAULT_RESERVE, 0, FAULTS_FOR_EVER, EDQUOT);
    const int fd = m_open(f->m, "alloc", O_RDWR);
    assert_true(fd >= 0);
    const int error = write(fd, "5000", 4) == -1 ? errno : 0;
    close(fd);
    return error;
}

static int broken_disk(struct faulty *f)
{
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO);
    return m_write(f->m, "free", "5\n");
}

static int read_only(struct faulty *f)
{
    mnt_unmount(f->m);
    (void)mnt_wait(f->m);
    faults_start(f, "ro");
    return mnt_open_errno(f->m, "alloc", O_RDONLY);
}

static int corrupt_free_list(struct faulty *f)
{
    mnt_unmount(f->m);
    (void)mnt_wait(f->m);
    v3_poke64(f->m->t.db, V3_AT_FREE_HEAD, 13); /* no trunk there */
    faults_start(f, NULL);
    const int fd = m_open(f->m, "freelist", O_RDONLY);
    char byte;
    assert_true(fd >= 0);
    const int error = read(fd, &byte, 1) == -1 ? errno : 0;
    close(fd);
    return error;
}

static int change_by_someone_else(struct faulty *f)
{
    v3_poke64(f->m->t.db, V3_AT_FREE_HEAD, 13);
    return m_write(f->m, "free", "5\n");
}

static void ignore(int signal_number)
{
    (void)signal_number;
}

/* A client that reads the type of a page while no page can be read, and gets a signal
 * when it is inside. */
static int interrupted_walk(struct faulty *f)
{
    struct sigaction action;
    int status;

    mnt_unmount(f->m);
    (void)mnt_wait(f->m);
    unlink(f->m->t.db);
    scratch_copy_sample(&f->m->t, "medium");
    faults_start(f, NULL);
    const unsigned reads = faults_entered(f, FAULT_DB, FAULT_READ);
    faults_hold(f, FAULT_DB, FAULT_READ);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte;
        memset(&action, 0, sizeof(action));
        action.sa_handler = ignore;
        sigaction(SIGUSR1, &action, NULL);
        const int fd = m_open(f->m, "pages/5/type", O_RDONLY);
        _exit(fd < 0 ? 255 : read(fd, &byte, 1) == -1 ? errno : 0);
    }
    faults_wait_entered(f, FAULT_DB, FAULT_READ, reads + 1);
    expect(f->m, "total_pages 1276\n", "grep total_pages stats"); /* others go on */
    while (waitpid(child, &status, WNOHANG) == 0) {
        kill(child, SIGUSR1); /* again: the first may have come before the read */
        usleep(1000);
    }
    faults_heal(f);
    expect(f->m, "blob\n", "cat pages/5/type"); /* and who asks again is answered */
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- the table ---- */

static const struct way {
    int number;
    int (*meet)(struct faulty *f);
    int exit_status; /* of the daemon */
} ways[] = {
    {EINVAL, bad_syntax, 0},         {ERANGE, too_large_a_number, 0},
    {EPERM, reserved_page, 0},       {ENOENT, no_such_page, 0},
    {EALREADY, double_free, 0},      {EBUSY, free_of_a_pinned_page, 0},
    {ENXIO, data_of_a_free_page, 0}, {EFBIG, data_past_the_page, 0},
    {ENOSPC, limit_of_pages, 0},     {EDQUOT, quota, 0},
    {EACCES, mode_bits, 0},          {EROFS, read_only, 0},
    {EUCLEAN, corrupt_free_list, 0}, {ESTALE, change_by_someone_else, 2},
    {EIO, broken_disk, 2},           {EAGAIN, open_by_a_tool_that_walks, 0},
    {EBADMSG, wrong_checksum, 0},    {EINTR, interrupted_walk, 0},
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void each_errno_is_met(void **state)
{
    struct faulty *const f = *state;

    for (size_t i = 0; i < WAYS; i++) {
        faults_pages(f, PAGES);
        const int got = ways[i].meet(f);
        if (got != ways[i].number)
            fail_msg("%s expected, got %s", strerrorname_np(ways[i].number),
                     got != 0 ? strerrorname_np(got) : "success");
        faults_heal(f);
        faults_stop(f, ways[i].exit_status);
        expect(f->m, "", "rm -f \"$DB\" \"$DB-journal\"");
    }
}

/* ---- README has the same ---- */

static bool is_a_way(const char *name, size_t length)
{
    for (size_t i = 0; i < WAYS; i++) {
        const char *const known = strerrorname_np(ways[i].number);
        if (strlen(known) == length && strncmp(known, name, length) == 0)
            return true;
    }
    return false;
}

/* The word of capitals at `at`. */
static size_t capitals(const char *at)
{
    size_t length = 0;

    while (isupper((unsigned char)at[length]))
        length++;
    return length;
}

static void readme_tells_of_these_and_no_others(void **state)
{
    struct faulty *const f = *state;
    bool told[WAYS] = {false};

    faults_pages(f, PAGES);
    const char *const readme = m_read(f->m, "README");
    for (const char *at = readme; *at != '\0'; at++) {
        const size_t length = capitals(at);
        if (length > 2 && *at == 'E' &&
            (at == readme || !isalpha((unsigned char)at[-1])) && !is_a_way(at, length))
            fail_msg("no way to meet %.*s", (int)length, at);
        at += length > 0 ? length - 1 : 0;
    }
    for (size_t i = 0; i < WAYS; i++) {
        const char *const name = strerrorname_np(ways[i].number);
        const char *at = readme;
        while (!told[i] && (at = strstr(at, name)) != NULL) {
            told[i] = capitals(at) == strlen(name);
            at++;
        }
        if (!told[i])
            fail_msg("README does not tell of %s", name);
    }
    faults_stop(f, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(each_errno_is_met),
        FAULT_TEST(readme_tells_of_these_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
