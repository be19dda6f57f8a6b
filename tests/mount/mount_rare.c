/* What is rarely met: names and options of odd forms, pages that a shrink has taken while
 * somebody held them, changes during a check. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODE_ROOT = 31 }; /* of the sample medium, which has 1276 pages */

/* ---- the command line ---- */

static void each_value_of_an_option_is_judged(void **state)
{
    static const struct {
        const char *options, *said; /* NULL: it is mounted */
    } table[] = {
        {"umask=", "umask: bad value \"\""},
        {"umask=8", "umask: bad value \"8\""},
        {"umask=0/", "umask: bad value \"0/\""},
        {"umask=1000", "umask: bad value \"1000\""},
        {"umask=77777777", "umask: bad value"},
        {"umask", "umask: needs a value"},
        {"sync=maybe", "sync: bad value \"maybe\""},
        {"uid=-1", "uid: bad value"},
        {"gid=4294967295", "gid: bad value"},
        {"max_pages=1", "max_pages: bad value"},
        {"create=1", "create: bad value"},
        {"rw=1", "rw: takes no value"},
        {"x", "x: unknown option"},
        {"y-x", "y-x: unknown option"},
        {"remount", "remount: a mount cannot be changed"},
        {"ro,rw,x-systemd.automount,noatime,sync=commit,sync,umask=022,uid=0,gid=0",
         NULL},
    };
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const int status = mnt_try(m, table[i].options);

        if (table[i].said == NULL)
            assert_int_equal(status, 0);
        else if (status != 1 || strstr(m->err, table[i].said) == NULL)
            fail_msg("-o %s: exit status %d: %s", table[i].options, status, m->err);
    }
    expect(m, "mode rw\n", "grep ^mode status");
    mnt_stop(m);
}

/* Where the locale of the reader is not that of the name, JSON must still be JSON. */
static void json_holds_any_file_name(void **state)
{
    static const struct {
        const char *name, *json;
    } table[] = {
        {"q\"b\\", "q\\\"b\\\\"},
        {"\x01\x7f", "\\u0001\\u007f"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"\xc3(", "\\ufffd("},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xe2(\x82", "\\ufffd(\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"}, /* a surrogate */
        {"\xf0\x9f\x92\xbe", "\xf0\x9f\x92\xbe"},
        {"\xf5\x80", "\\ufffd\\ufffd"},
        {"\x80", "\\ufffd"},
        {"\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd"}, /* too long a form */
        {"\xe2\x82", "\\ufffd\\ufffd"},            /* cut */
    };
    struct mnt *m = *state;
    char path[256];
    char expected[400];

    v3_make_pages(m->t.db, 20);
    v3_poke64(m->t.db, V3_AT_FREE_HEAD, UINT64_MAX / 2); /* advice names the file */
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", m->t.dir, table[i].name);
        const char *const arguments[] = {"check", "--json", path, NULL};
        assert_int_equal(rename(m->t.db, path), 0);
        assert_int_equal(mnt_pagefs(m, arguments), 4);
        snprintf(expected, sizeof(expected), "--repair '%s/%s'\"", m->t.dir,
                 table[i].json);
        if (strstr(m->out, expected) == NULL)
            fail_msg("%s is not in: %s", expected, m->out);
        assert_int_equal(rename(path, m->t.db), 0);
    }
}

static void a_map_ends_with_the_file_whatever_the_header_claims(void **state)
{
    static const struct {
        const char *form;
        uint64_t size;
        const char *said;
    } table[] = {
        {"map", 0, "ends with page 19"},
        {"map", V3_HEADER, "ends with page 1:"},
    };
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    v3_poke64(m->t.db, V3_AT_TOTAL, UINT64_C(1) << 40);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *const arguments[] = {table[i].form, m->t.db, NULL};

        if (table[i].size != 0)
            assert_int_equal(truncate(m->t.db, (off_t)table[i].size), 0);
        assert_int_equal(mnt_pagefs(m, arguments), 0);
        if (strstr(m->err, table[i].said) == NULL)
            fail_msg("\"%s\" is not in: %s", table[i].said, m->err);
        assert_ptr_equal(strchr(m->out, '\n') + 1, m->out + m->out_length); /* one line */
    }
}

static void colours_are_for_terminals_that_have_them(void **state)
{
    static const struct {
        const char *environment, *coloured_lines;
    } table[] = {
        {"TERM=xterm NO_COLOR=", "2\n"}, /* empty: not set, says no-color.org */
        {"-u TERM", "2\n"},
        {"TERM=dumb", "0\n"},
    };
    struct mnt *m = *state;
    char command[300];

    v3_make_pages(m->t.db, 20);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        snprintf(command, sizeof(command),
                 "script -qec 'env %s \"$PAGEFS\" map \"$DB\"' /dev/null | "
                 "grep -c \"$(printf '\\033')\"; true",
                 table[i].environment);
        expect(m, table[i].coloured_lines, command);
    }
}

static pid_t daemon_of(struct mnt *m, const char *name)
{
    char command[200];

    snprintf(command, sizeof(command), "pgrep -f \"^$PAGEFS .* %s$\"", name);
    assert_int_equal(sh(m, command), 0);
    return (pid_t)strtol(m->out, NULL, 10);
}

/* /proc/self/mountinfo has \040 for the blank. */
static void a_blank_in_a_path_is_no_end_of_it(void **state)
{
    struct mnt *m = *state;
    char path[200];

    v3_make_pages(m->t.db, 20);
    expect(m, "",
           "mkdir 'a mount'; mv db.v3 'a b\\c.v3'; \"$PAGEFS\" 'a b\\c.v3' 'a mount'");
    m->daemon = daemon_of(m, "a mount");
    snprintf(path, sizeof(path), "it is mounted on %s/a mount: ", m->t.dir);
    expect_error(m, path, "\"$PAGEFS\" 'a b\\c.v3' \"$P\"");
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    (void)mnt_wait(m);
    snprintf(path, sizeof(path), "fusermount3 -u '%s/a mount' removes it", m->t.dir);
    expect_error(m, path, "\"$PAGEFS\" 'a b\\c.v3' 'a mount'");
    expect(m, "", "fusermount3 -u 'a mount'");
}

/* ---- whose rights count ---- */

/* access(2) of the owner that the options name, his group, and others. */
static void rights_follow_uid_gid_and_mode(void **state)
{
    enum { OWNER = 1000, GROUP = 2000, OTHER = 3000 };
    static const struct {
        const char *path;
        uid_t uid;
        gid_t gid;
        int mask, expected;
    } table[] = {
        {"alloc", OWNER, OTHER, R_OK, 0},
        {"alloc", OTHER, GROUP, R_OK, EACCES},
        {"alloc", OTHER, OTHER, R_OK, EACCES},
        {"stats", OTHER, GROUP, R_OK, 0},
        {"stats", OTHER, OTHER, R_OK, 0},
        {"stats", OWNER, GROUP, W_OK, EACCES},
        {"limits/max_pages", OWNER, OTHER, W_OK, 0},
        {"limits/max_pages", OTHER, GROUP, W_OK, EACCES},
        {"stats", 0, 0, W_OK, EACCES},
        {"alloc", 0, 0, R_OK | W_OK, 0},
    };
    struct mnt *m = *state;
    char path[256];

    if (geteuid() != 0) {
        print_message("not root\n");
        skip();
    }
    v3_make_pages(m->t.db, 20);
    mnt_start(m, "uid=1000,gid=2000");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const int fd = m_open(m, table[i].path, O_PATH);
        assert_true(fd >= 0);
        setfsgid(table[i].gid);
        setfsuid(table[i].uid);
        const int rc = faccessat(fd, "", table[i].mask, AT_EMPTY_PATH | AT_EACCESS);
        const int error = rc == 0 ? 0 : errno;
        setfsuid(0);
        setfsgid(0);
        close(fd);
        if (error != table[i].expected)
            fail_msg("row %zu, %s: %s", i, table[i].path, strerror(error));
    }
    mnt_stop(m);
    mnt_start(m, "ro");
    snprintf(path, sizeof(path), "%s/limits/max_pages", m->point);
    assert_int_equal(faccessat(AT_FDCWD, path, W_OK, AT_EACCESS), -1);
    assert_int_equal(errno, EROFS);
    snprintf(path, sizeof(path), "%s/snapshots", m->point); /* kept in memory */
    assert_int_equal(faccessat(AT_FDCWD, path, W_OK, AT_EACCESS), 0);
    mnt_stop(m);
}

/* ---- a page that is gone ---- */

static int errno_of(long rc)
{
    return rc == -1 ? errno : 0;
}

static void what_a_shrink_took_is_not_there_for_those_who_hold_it(void **state)
{
    struct mnt *m = *state;
    struct stat st;
    char link[32];
    char bytes[64];

    mnt_pages(m, 20);
    assert_write(0, m, "pin", "19\n");
    const int directory = m_open(m, "pages/19", O_PATH);
    const int state_file = m_open(m, "pages/19/state", O_PATH);
    const int state_writer = m_open(m, "pages/19/state", O_WRONLY);
    const int sum_writer = m_open(m, "pages/19/checksum", O_WRONLY);
    const int listing = m_open(m, "pages/19", O_RDONLY | O_DIRECTORY);
    const int pinned = m_open(m, "pinned/19", O_PATH | O_NOFOLLOW);
    assert_true(directory >= 0 && state_file >= 0 && pinned >= 0);
    assert_true(state_writer >= 0 && sum_writer >= 0 && listing >= 0);
    assert_true(readlinkat(pinned, "", bytes, sizeof(bytes)) > 0);
    assert_write(0, m, "unpin", "19\n");
    assert_int_equal(errno_of(readlinkat(pinned, "", bytes, sizeof(bytes))), ENOENT);
    assert_write(0, m, "free", "19\n");
    assert_write(0, m, "ctl", "shrink\n");
    assert_u64(19, m_number(m, "stats", "total_pages"));
    assert_int_equal(errno_of(fstatat(directory, "state", &st, 0)), ENOENT);
    assert_int_equal(errno_of(openat(directory, ".", O_RDONLY | O_DIRECTORY)), ENOENT);
    assert_int_equal(errno_of(mkdirat(directory, "x", 0755)), ENOENT);
    assert_int_equal(errno_of(unlinkat(directory, "x", AT_REMOVEDIR)), ENOENT);
    assert_int_equal(errno_of(faccessat(directory, "", R_OK, AT_EMPTY_PATH | AT_EACCESS)),
                     ENOENT);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", state_file);
    assert_int_equal(errno_of(open(link, O_RDONLY)), ENOENT);
    assert_int_equal(errno_of(open(link, O_WRONLY)), ENOENT);
    assert_int_equal(errno_of(truncate(link, 0)), ENOENT);
    assert_int_equal(errno_of(write(state_writer, "allocated", 9)), ENOENT);
    assert_int_equal(errno_of(write(state_writer, "pinned", 6)), ENOENT);
    assert_int_equal(errno_of(write(state_writer, "free", 4)), ENOENT);
    assert_int_equal(errno_of(write(sum_writer, "0", 1)), ENOENT);
    assert_int_equal(errno_of(getdents64(listing, bytes, sizeof(bytes))), ENOENT);
    close(state_writer);
    close(sum_writer);
    close(listing);
    close(directory);
    close(state_file);
    close(pinned);
    mnt_stop(m);
}

/* ---- while something else goes on ---- */

static void a_check_names_the_pages_that_changed_meanwhile(void **state)
{
    enum { NAMED = 256 };
    struct faulty *f = *state;
    struct mnt *m = f->m;
    char text[32];

    scratch_copy_sample(&m->t, "medium");
    faults_start(f, NULL);
    expect(m, "700\n",
           "exec 3<>alloc; echo 700 >&3; mapfile -t -n 700 -u 3 ids; echo ${#ids[@]}");
    faults_hold_reads(f, v3_offset(NODE_ROOT));
    assert_write(0, m, "check/action", "check\n");
    faults_wait_read_held(f);
    assert_write(0, m, "pin", "1280-1289\n");
    assert_write(0, m, "pin", "1290\n");
    assert_write(0, m, "unpin", "1282-1285 1290\n"); /* these are noted already */
    assert_write(0, m, "pin", "1288-1293\n");        /* of these some are not */
    for (unsigned i = 0; i < NAMED + 4; i++) {
        snprintf(text, sizeof(text), "%u\n", 1300 + 2 * i);
        assert_write(0, m, "pin", text);
    }
    faults_hold_reads(f, 0);
    expect(m, "", "until grep -q idle check/action; do sleep 0.01; done");
    expect(m,
           "pages 1280-1290: changed during the check\n"
           "pages 1288-1293: changed during the check\n"
           "page 1300: changed during the check\n"
           "6 more changes during the check\n",
           "grep -E '128|1300:|more' check/findings");
    faults_stop(f, 0);
}

/* ---- a mount that does not get on ---- */

/* pagefs in the background, whose walk before the mount is held. */
static pid_t start_held(struct faulty *f)
{
    struct mnt *const m = f->m;
    char said[256];

    scratch_copy_sample(&m->t, "medium");
    scratch_path(&m->t, "said", said);
    snprintf(f->control->db, sizeof(f->control->db), "%s", m->t.db);
    faults_hold_reads(f, v3_offset(NODE_ROOT));
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
        if (fd == -1 || dup2(fd, STDERR_FILENO) == -1 ||
            setenv("LD_PRELOAD", getenv("PF_TEST_FAULTLIB"), 1) != 0)
            _exit(126);
        execl(getenv("PF_TEST_PAGEFS"), "pagefs", "-o", "walk", m->t.db, m->point,
              (char *)NULL);
        _exit(127);
    }
    faults_wait_read_held(f);
    return pid;
}

static pid_t child_of(struct mnt *m, pid_t parent)
{
    char command[64];

    snprintf(command, sizeof(command), "pgrep -P %d", (int)parent);
    assert_int_equal(sh(m, command), 0);
    return (pid_t)strtol(m->out, NULL, 10);
}

static void assert_ends(pid_t pid, int expected)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void a_signal_ends_a_start_and_a_second_one_the_wait(void **state)
{
    struct faulty *f = *state;
    char line[100];

    if (built_with_sanitizer())
        skip();
    const pid_t pid = start_held(f);
    const pid_t daemon = child_of(f->m, pid);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_ends(pid, 2);
    snprintf(line, sizeof(line),
             "pagefs: process %d has not ended yet: kill -9 ends it\n", (int)daemon);
    assert_string_equal(mnt_said(f->m), line);
    faults_hold_reads(f, 0);
    assert_ends(daemon, 2); /* it came to us */
    assert_non_null(strstr(mnt_said(f->m), "ended by a signal before it was mounted\n"));
    assert_false(mnt_mounted(f->m));
    expect(f->m, "", "\"$PAGEFS\" stat \"$DB\" >/dev/null"); /* and is locked no more */
}

static void a_daemon_that_dies_before_the_mount_is_reported(void **state)
{
    struct faulty *f = *state;

    if (built_with_sanitizer())
        skip();
    const pid_t pid = start_held(f);
    assert_int_equal(kill(child_of(f->m, pid), SIGKILL), 0);
    assert_ends(pid, 2);
    assert_string_equal(
        mnt_said(f->m),
        "pagefs: the daemon was ended by signal 9 before it had mounted\n");
    assert_false(mnt_mounted(f->m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(each_value_of_an_option_is_judged),
        MOUNT_TEST(json_holds_any_file_name),
        MOUNT_TEST(a_map_ends_with_the_file_whatever_the_header_claims),
        MOUNT_TEST(colours_are_for_terminals_that_have_them),
        MOUNT_TEST(a_blank_in_a_path_is_no_end_of_it),
        MOUNT_TEST(rights_follow_uid_gid_and_mode),
        MOUNT_TEST(what_a_shrink_took_is_not_there_for_those_who_hold_it),
        FAULT_TEST(a_check_names_the_pages_that_changed_meanwhile),
        FAULT_TEST(a_signal_ends_a_start_and_a_second_one_the_wait),
        FAULT_TEST(a_daemon_that_dies_before_the_mount_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
