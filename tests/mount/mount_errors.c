/* Which errno a mistake gets, and that last_error puts it in words. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

struct mistake {
    const char *path, *text;
    int number;
};

/* Pages 5, 6, 7 are free, allocated, pinned; there are 20. */
static const struct mistake mistakes[] = {
    {"free", "x\n", EINVAL},
    {"free", "\n", EINVAL},
    {"free", " ", EINVAL},
    {"free", "-1\n", EINVAL},
    {"free", "+6\n", EINVAL},
    {"free", "06\n", EINVAL},
    {"free", "6,8\n", EINVAL},
    {"free", "8-6\n", EINVAL},
    {"free", "6 x\n", EINVAL},
    {"free", "18446744073709551616\n", ERANGE},
    {"free", "6-18446744073709551616\n", ERANGE},
    {"free", "0\n", EPERM},
    {"free", "1\n", EPERM},
    {"free", "0-3\n", EPERM},
    {"free", "6 1\n", EPERM},
    {"free", "20\n", ENOENT},
    {"free", "99999\n", ENOENT},
    {"free", "18446744073709551615\n", ENOENT},
    {"free", "6-18446744073709551615\n", ENOENT},
    {"free", "5\n", EALREADY},
    {"free", "6 6\n", EALREADY},
    {"free", "6 5\n", EALREADY},
    {"free", "7\n", EBUSY},
    {"free", "6 7\n", EBUSY},
    {"pin", "x\n", EINVAL},
    {"pin", "5\n", EINVAL},
    {"pin", "6 5\n", EINVAL},
    {"pin", "1\n", EPERM},
    {"pin", "20\n", ENOENT},
    {"pin", "18446744073709551616\n", ERANGE},
    {"unpin", "5\n", EINVAL},
    {"unpin", "6\n", EALREADY},
    {"unpin", "7 7\n", EALREADY},
    {"unpin", "1\n", EPERM},
    {"unpin", "20\n", ENOENT},
};

static void every_mistake_has_its_errno_and_changes_nothing(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5\n");
    assert_write(0, m, "pin", "7\n");
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        assert_write(mistakes[i].number, m, mistakes[i].path, mistakes[i].text);
        assert_string_not_equal(m_read(m, "last_error"), "ok\n");
        assert_state(m, 5, "free");
        assert_state(m, 6, "allocated");
        assert_state(m, 7, "pinned");
        assert_u64(1, m_number(m, "stats", "free_pages"));
    }
    assert_int_equal(m_write_bytes(m, "free", "6\0", 2), EINVAL);
    assert_int_equal(m_write_bytes(m, "free", "6 \0 8", 5), EINVAL);
    mnt_stop(m);
}

static void last_error_names_command_page_and_reason(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_string_equal(m_read(m, "last_error"), "ok\n");
    assert_write(0, m, "pin", "7\n");
    assert_write(EBUSY, m, "free", "6 7\n");
    assert_non_null(strstr(m_read(m, "last_error"), "free"));
    assert_non_null(strstr(m->out, "7"));
    assert_non_null(strstr(m->out, "pinned"));
    assert_write(EALREADY, m, "pages/6/state", "allocated\n");
    assert_non_null(strstr(m_read(m, "last_error"), "6"));
    assert_open(EACCES, m, "free", O_RDONLY); /* refused opens do not change it */
    assert_non_null(strstr(m_read(m, "last_error"), "6"));
    assert_write(0, m, "free", "6\n");
    assert_string_equal(m_read(m, "last_error"), "ok\n");
    mnt_stop(m);
}

/* Whoever is root passes ordinary permission checks, not these. */
static void mode_bits_hold_for_root_too(void **state)
{
    static const char *const write_only[] = {"free", "pin", "unpin"};
    static const char *const read_only[] = {
        "README",     "status",   "header",     "stats",
        "stats.json", "freelist", "last_error", "pages/7/offset",
    };
    struct mnt *m = *state;

    mnt_pages(m, 20);
    for (size_t i = 0; i < sizeof(write_only) / sizeof(write_only[0]); i++) {
        assert_open(EACCES, m, write_only[i], O_RDONLY);
        assert_open(EACCES, m, write_only[i], O_RDWR);
        assert_open(0, m, write_only[i], O_WRONLY);
    }
    for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
        assert_open(EACCES, m, read_only[i], O_WRONLY);
        assert_open(EACCES, m, read_only[i], O_RDWR);
        assert_open(0, m, read_only[i], O_RDONLY);
    }
    mnt_stop(m);
}

static void what_does_not_exist_is_enoent(void **state)
{
    static const char *const names[] = {
        "nothing",
        "pages/20",
        "pages/007",
        "pages/+7",
        "pages/-1",
        "pages/7x",
        "pages/0x7",
        "pages/ 7",
        "pages/7/nothing",
        "pages/20/state",
        "Stats",
        "pages/00",
        "pages/18446744073709551615",
        "pages/18446744073709551616",
        "pages/72057594037927943", /* 7 + 2^56 */
        "pages/4294967303",        /* 7 + 2^32 */
    };
    struct mnt *m = *state;

    mnt_pages(m, 20);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_open(ENOENT, m, names[i], O_RDONLY);
    mnt_stop(m);
}

/* Never ENOSYS: tools would draw conclusions for the whole mount. */
static void the_tree_cannot_be_rearranged(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_int_equal(chdir(m->point), 0);
    assert_int_equal(mkdir("new", 0755), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(mkdir("pages/20", 0755), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(unlink("stats"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(rmdir("pages/7"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(rename("stats", "other"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(rename("pages/7", "pages/8"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(link("stats", "other"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(symlink("stats", "other"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(mkfifo("other", 0644), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(chmod("stats", 0666), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(chown("stats", 1, 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(open("other", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(open("pages/7/other", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(setxattr("stats", "user.x", "y", 1, 0), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    assert_int_equal(chdir("/"), 0);
    expect(m, "", "touch stats pages/7/state pages/7 .");
    expect_error(m, "Operation not permitted", "rm -rf pages/7");
    expect_error(m, "Operation not permitted",
                 "find pages -depth -type d -exec rmdir {} +");
    assert_u64(20, m_number(m, "stats", "allocated_pages"));
    mnt_stop(m);
}

static void errors_come_from_write_and_not_from_close(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    const int fd = m_open(m, "free", O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0\n", 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(write(fd, "7\n", 2), 2); /* the same open goes on */
    assert_int_equal(write(fd, "7\n", 2), -1);
    assert_int_equal(errno, EALREADY);
    assert_int_equal(close(fd), 0);
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(every_mistake_has_its_errno_and_changes_nothing),
        MOUNT_TEST(last_error_names_command_page_and_reason),
        MOUNT_TEST(mode_bits_hold_for_root_too),
        MOUNT_TEST(what_does_not_exist_is_enoent),
        MOUNT_TEST(the_tree_cannot_be_rearranged),
        MOUNT_TEST(errors_come_from_write_and_not_from_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
