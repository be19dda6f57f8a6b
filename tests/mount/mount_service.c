/* What scripts and service managers see: readiness, signals, failures of the start. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a service manager ---- */

/* Listens at `name` ('@' for the abstract namespace), and tells pagefs. */
static int manager_open(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_true(strlen(name) < sizeof(address.sun_path));
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    const size_t length = name[0] == '@'
                              ? offsetof(struct sockaddr_un, sun_path) + strlen(name)
                              : sizeof(address);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, (socklen_t)length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

/* The next message within a minute must hold this line. */
static void manager_expect(int fd, const char *line)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    char message[1024] = "\n";

    assert_int_equal(poll(&pollfd, 1, 60000), 1);
    const ssize_t length = recv(fd, message + 1, sizeof(message) - 2, 0);
    assert_true(length > 0);
    message[1 + length] = '\0';
    const char *const found = strstr(message, line);
    if (found == NULL || found[-1] != '\n')
        fail_msg("\"%s\" lacks %s", message, line);
}

static void manager_close(int fd)
{
    close(fd);
    unsetenv("NOTIFY_SOCKET");
}

static void one_line_with(const struct mnt *m, const char *part)
{
    const char *const end = strchr(m->err, '\n');

    if (strstr(m->err, part) == NULL)
        fail_msg("stderr lacks \"%s\": %s", part, m->err);
    if (end == NULL || end[1] != '\0')
        fail_msg("stderr is not one line: %s", m->err);
}

/* Root, and a root directory that is a mount, which one of chroot(8) need not be. */
static void skip_unless_it_can_unshare(struct mnt *m)
{
    if (geteuid() != 0 || sh(m, "unshare -m true") != 0) {
        print_message("not root, or no mount namespaces here\n");
        skip();
    }
}

/* ---- readiness ---- */

static void
a_daemon_tells_the_service_manager_when_it_is_ready_and_when_it_stops(void **state)
{
    struct mnt *m = *state;
    char path[256];
    char line[64];

    scratch_path(&m->t, "notify", path);
    const int fd = manager_open(path);
    mnt_pages(m, 20);
    snprintf(line, sizeof(line), "MAINPID=%d\n", (int)m->daemon);
    char ready[128];
    snprintf(ready, sizeof(ready), "READY=1\n%s", line);
    manager_expect(fd, ready);
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    assert_int_equal(mnt_wait(m), 0);
    manager_expect(fd, "STOPPING=1\n");
    manager_close(fd);
}

static void so_does_one_in_the_foreground_through_the_abstract_namespace(void **state)
{
    struct mnt *m = *state;
    char name[64];

    snprintf(name, sizeof(name), "@pagefs-test-%d", (int)getpid());
    const int fd = manager_open(name);
    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    manager_expect(fd, "READY=1\n");
    mnt_stop(m);
    manager_expect(fd, "STOPPING=1\n");

    assert_int_equal(sh(m, "\"$PAGEFS\" -f \"$DB\" \"$P\" & echo $!"), 0);
    m->daemon = (pid_t)strtol(m->out, NULL, 10);
    manager_expect(fd, "READY=1\n");
    assert_u64(20, m_number(m, "stats", "total_pages")); /* it is true */
    mnt_stop(m);
    manager_expect(fd, "STOPPING=1\n");
    manager_close(fd);
}

static void a_notify_socket_that_is_none_does_no_harm(void **state)
{
    static const char *const names[] = {"/nonexistent/socket", "relative", "@", "/", ""};
    struct mnt *m = *state;
    char long_name[300];

    v3_make_pages(m->t.db, 20);
    for (size_t i = 0; i <= sizeof(names) / sizeof(names[0]); i++) {
        memset(long_name, '/', sizeof(long_name) - 1);
        long_name[sizeof(long_name) - 1] = '\0';
        setenv("NOTIFY_SOCKET",
               i < sizeof(names) / sizeof(names[0]) ? names[i] : long_name, 1);
        mnt_start(m, NULL);
        assert_string_equal(m->err, "");
        mnt_stop(m);
    }
    unsetenv("NOTIFY_SOCKET");
}

/* ---- a start that does not get through ---- */

/* The parent hands the signal on: nothing is mounted afterwards. */
static void a_start_that_is_interrupted_says_so_and_leaves_nothing(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    mnt_stop(m);
    const int fd = open(m->t.db, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0); /* pagefs waits for it for 2 s */
    expect(m, "2\n",
           "exec 2>stopped; \"$PAGEFS\" \"$DB\" \"$P\" & pid=$!;"
           "until [[ -n $(</proc/$pid/task/$pid/children) ]]; do :; done;"
           "kill $pid; wait $pid; echo $?");
    close(fd);
    expect(m, "1\n", "grep -c 'ended by a signal' stopped");
    expect(m, "1\n", "wc -l <stopped");
    assert_false(mnt_mounted(m));
}

/* A signal that was pending when pagefs started. */
static void a_start_with_a_pending_signal_mounts_nothing(void **state)
{
    static const char *const commands[] = {
        "python3 -c 'import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "os.execv(sys.argv[1], sys.argv[1:])' \"$PAGEFS\" -f \"$DB\" \"$P\"",
        "python3 -c 'import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "os.execv(sys.argv[1], sys.argv[1:])' \"$PAGEFS\" -f \"$DB\" \"$P\"",
    };
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    mnt_stop(m);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        assert_int_equal(sh(m, commands[i]), 2);
        one_line_with(m, "ended by a signal before it was mounted");
        assert_false(mnt_mounted(m));
    }
}

static void a_lock_that_is_released_in_time_is_waited_for(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    assert_int_equal(sh(m, "flock -x \"$DB\" sleep 0.5 & sleep 0.2"), 0);
    mnt_start(m, NULL);
    mnt_stop(m);
    while (waitpid(-1, NULL, 0) > 0) /* flock */
        ;
}

#define FUSE_WITH_MODE(mode)                                                             \
    "unshare -m bash -c 'mount -t tmpfs none /dev && "                                   \
    "mknod -m " mode " /dev/fuse c 10 229 && "
#define SOMEBODY "setpriv --reuid 65534 --clear-groups ./pagefs db.v3 \"$P\"'"
#define NO_ADMIN                                                                         \
    "setpriv --bounding-set -sys_admin --inh-caps -sys_admin \"$PAGEFS\" \"$DB\" \"$P\""
/* With two lines of a fusermount3 that gives no name. */
#define SAYING(one, two)                                                                 \
    "{ echo \"#!/bin/sh\"; echo \"echo " one " >&2; echo " two                           \
    " >&2; exit 1\"; } > says; "                                                         \
    "chmod 755 says; unshare -m bash -c 'mount --bind says "                             \
    "\"$(command -v fusermount3)\" && "

static void a_mount_that_fails_says_why_in_one_line(void **state)
{
    static const struct {
        const char *command, *part;
    } cases[] = {
        {"unshare -m bash -c 'mount -t tmpfs none /dev && \"$PAGEFS\" \"$DB\" \"$P\"'",
         "--device /dev/fuse"},
        {NO_ADMIN, "--cap-add SYS_ADMIN"},
        {"unshare -m bash -c 'mount --bind /dev/null \"$(command -v fusermount3)\" "
         "&& " NO_ADMIN "'",
         "is the package fuse3 installed?"},
        {SAYING("no", "such") NO_ADMIN "'",
         "mnt: cannot mount: no;such: see mount.fuse3(8)"},
        {SAYING("ab", "No such file") NO_ADMIN "'", ": is the package fuse3 installed?"},
        {FUSE_WITH_MODE("600") SOMEBODY,
         ": you may not open /dev/fuse; a container needs --device /dev/fuse"},
        {FUSE_WITH_MODE("666") SOMEBODY, ": mount on a directory of your own"},
        {FUSE_WITH_MODE("666") "mount -t tmpfs none /etc && " SOMEBODY,
         ": ln -s /proc/mounts /etc/mtab makes it"},
    };
    struct mnt *m = *state;

    skip_unless_it_can_unshare(m);
    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    mnt_stop(m);
    /* for another user */
    expect(m, "", "cp \"$PAGEFS\" pagefs; chmod 755 \"$D\"; chmod 644 db.v3");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sh(m, cases[i].command), 2);
        one_line_with(m, cases[i].part);
        one_line_with(m, m->point);
    }
}

static void without_dev_null_nothing_is_opened_in_its_place(void **state)
{
    struct mnt *m = *state;

    skip_unless_it_can_unshare(m);
    v3_make_pages(m->t.db, 20);
    assert_int_equal(sh(m, "unshare -m bash -c 'mount -t tmpfs none /dev && "
                           "\"$PAGEFS\" stat \"$DB\" <&-'"),
                     2);
    assert_string_equal(m->err, "pagefs: /dev/null: No such file or directory\n");
}

static void nothing_is_made_where_nothing_can_be_written(void **state)
{
    struct mnt *m = *state;

    skip_unless_it_can_unshare(m);
    assert_int_equal(sh(m, "mkdir ro; unshare -m bash -c 'mount -t tmpfs -o ro none ro; "
                           "\"$PAGEFS\" create ro/new.v3'"),
                     2);
    assert_string_equal(
        m->err, "pagefs: ro/new.v3: cannot be made: the file system is read-only\n");
}

static void a_mount_over_a_mount_says_what_to_type(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_int_equal(sh(m, "cd \"$D\"; \"$PAGEFS\" create b.v3; "
                           "\"$PAGEFS\" b.v3 \"$P\""),
                     32);
    one_line_with(m, "mounted there already");
    one_line_with(m, "fusermount3 -u ");
    mnt_stop(m);
}

static void what_is_typed_is_quoted_for_the_shell(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    strcat(m->point, "-it's");
    expect(m, "", "mkdir \"$P\"");
    mnt_start(m, NULL);
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    assert_true(WIFSIGNALED(mnt_wait(m)));
    assert_int_equal(mnt_try(m, NULL), 32);
    char *const command = strstr(m->err, "fusermount3 -u '");
    char *const end = strstr(m->err, " removes it");
    assert_non_null(command);
    assert_non_null(end);
    *end = '\0';
    assert_int_equal(system(command), 0);
    assert_false(mnt_mounted(m));
}

static void a_database_in_use_names_its_mountpoint(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_int_equal(sh(m, "\"$PAGEFS\" stat \"$DB\""), 32);
    one_line_with(m, m->point);
    assert_string_equal(m->out, "");
    mnt_stop(m);
}

/* Whatever leads into it: fusermount3 wants the root of the mount, not a link to it. */
static void a_path_into_a_dead_mount_names_its_root(void **state)
{
    static const char *const paths[] = {"mnt",           "mnt/", "mnt/pages/7",
                                        "mnt/no/no",     "link", "link/pages",
                                        "./mnt/../mnt/."};
    struct mnt *m = *state;
    const char *const stat[] = {"stat", "mnt/stats", NULL};
    char line[256];

    mnt_pages(m, 20);
    expect(m, "", "ls pages/7 > \"$D/listing\"; ln -s \"$P\" \"$D/link\"");
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    assert_true(WIFSIGNALED(mnt_wait(m)));
    snprintf(line, sizeof(line), " fusermount3 -u %s removes it\n", m->point);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *const arguments[] = {m->t.db, paths[i], NULL};
        assert_int_equal(mnt_pagefs(m, arguments), 32);
        one_line_with(m, line);
    }
    assert_int_equal(mnt_pagefs(m, stat), 2);
    one_line_with(m, "in a mount whose daemon died: unmount that first");
    mnt_unmount(m);
}

/* `fusermount3 -u /proc` is no good advice. */
static void a_mount_of_another_kind_is_not_to_be_removed(void **state)
{
    struct mnt *m = *state;

    skip_unless_it_can_unshare(m);
    v3_make_pages(m->t.db, 20);
    assert_int_equal(sh(m, "unshare -m bash -c 'mount -t tmpfs none \"$P\"; "
                           "touch \"$P/file\"; \"$PAGEFS\" \"$DB\" \"$P\"'"),
                     32);
    one_line_with(m, "not empty: mount on an empty directory");
}

/* ---- the log of the system ---- */

/* In a mount namespace of its own, with a /dev in which the test is syslogd. $DB is
 * overwritten under the mount, which is the end of writing. */
static void what_a_daemon_has_to_say_goes_to_syslog(void **state)
{
    static const char script[] =
        "unshare -m --propagation private bash -e <<'EOF'\n"
        "mkdir dev; mount -t tmpfs none dev; touch dev/fuse dev/null\n"
        "for f in fuse null; do mount --bind /dev/$f dev/$f; done; mount --move dev "
        "/dev\n"
        "python3 -c 'import socket\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.bind(\"/dev/log\"); s.settimeout(20); print(s.recv(9999).decode())' > log &\n"
        "until [ -S /dev/log ]; do sleep 0.01; done\n"
        "\"$PAGEFS\" \"$DB\" \"$P\"\n"
        "printf x | dd of=\"$DB\" bs=1 seek=20 conv=notrunc status=none\n"
        "(echo 5 > \"$P/free\") 2> /dev/null || wait %1\n"
        "fusermount3 -u \"$P\"\n"
        "EOF\n"
        "sed 's/^<27>[A-Z][a-z][a-z] [ 0-9:]*pagefs\\[[0-9]*\\]: /27 /; s,/.*/db,db,' "
        "log";
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, NULL); /* skips when there is no fuse */
    mnt_stop(m);
    skip_unless_it_can_unshare(m);
    expect(m,
           "27 db.v3: read-only from now on: the file was changed by someone else; "
           "unmount and mount again\n",
           script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(a_daemon_tells_the_service_manager_when_it_is_ready_and_when_it_stops),
        MOUNT_TEST(so_does_one_in_the_foreground_through_the_abstract_namespace),
        MOUNT_TEST(a_notify_socket_that_is_none_does_no_harm),
        MOUNT_TEST(a_start_that_is_interrupted_says_so_and_leaves_nothing),
        MOUNT_TEST(a_start_with_a_pending_signal_mounts_nothing),
        MOUNT_TEST(a_lock_that_is_released_in_time_is_waited_for),
        MOUNT_TEST(a_mount_that_fails_says_why_in_one_line),
        MOUNT_TEST(without_dev_null_nothing_is_opened_in_its_place),
        MOUNT_TEST(nothing_is_made_where_nothing_can_be_written),
        MOUNT_TEST(a_mount_over_a_mount_says_what_to_type),
        MOUNT_TEST(what_is_typed_is_quoted_for_the_shell),
        MOUNT_TEST(a_database_in_use_names_its_mountpoint),
        MOUNT_TEST(a_path_into_a_dead_mount_names_its_root),
        MOUNT_TEST(a_mount_of_another_kind_is_not_to_be_removed),
        MOUNT_TEST(what_a_daemon_has_to_say_goes_to_syslog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
