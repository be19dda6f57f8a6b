/* What the daemon may still do once it is mounted: very little. And that it still can do
 * what it must: unmount, and say who else opened the database. */
#include "calllib.h"
#include "harness.h"
#include "shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 65534 };

static bool landlock_is_there(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
                   LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

/* Field of every thread; fails unless all have it. */
static void expect_status(struct mnt *m, const char *field, const char *value)
{
    char command[256];

    snprintf(command, sizeof(command), "cat /proc/%d/task/*/status | grep ^%s: | sort -u",
             (int)m->daemon, field);
    assert_int_equal(sh(m, command), 0);
    char expected[128];
    snprintf(expected, sizeof(expected), "%s:\t%s\n", field, value);
    assert_string_equal(m->out, expected);
}

static pid_t helper_of(struct mnt *m)
{
    char command[160];

    snprintf(command, sizeof(command),
             "grep -l \"^PPid:.%d$\" /proc/[0-9]*/status | "
             "cut -d/ -f3",
             (int)m->daemon);
    assert_int_equal(sh(m, command), 0);
    return (pid_t)strtol(m->out, NULL, 10);
}

static void only_root(void)
{
    if (geteuid() != 0) {
        print_message("not root\n");
        skip();
    }
}

/* ---- what is given up ---- */

/* CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_LEASE. */
static void a_writing_daemon_of_root_keeps_four_capabilities(void **state)
{
    struct mnt *m = *state;

    only_root();
    mnt_pages(m, 20);
    expect_status(m, "CapEff", "000000001000000b");
    expect_status(m, "CapPrm", "000000001000000b");
    expect_status(m, "NoNewPrivs", "1");
    expect_status(m, "Seccomp", "2");
    expect(m, "20\n", "cat alloc");
    mnt_stop(m);
}

static void a_reading_daemon_keeps_no_capability(void **state)
{
    struct mnt *m = *state;

    only_root();
    v3_make_pages(m->t.db, 20);
    for (int i = 0; i < 2; i++) {
        mnt_start(m, i == 0 ? "ro" : "scratch");
        expect_status(m, "CapEff", "0000000000000000");
        expect(m, "allocated\n", "cat pages/7/state");
        mnt_stop(m);
    }
}

/* A thread that walked before the mount must not be left with more rights. */
static void walking_first_leaves_no_thread_with_more(void **state)
{
    struct mnt *m = *state;

    only_root();
    scratch_copy_sample(&m->t, "medium");
    mnt_start(m, "walk");
    expect_status(m, "CapEff", "000000001000000b");
    expect_status(m, "Seccomp", "2");
    expect(m, "node-leaf\n", "cat pages/*/type 2>/dev/null | grep -m 1 node-leaf");
    mnt_stop(m);
}

static void a_daemon_that_is_taken_over_gets_nowhere(void **state)
{
    struct mnt *m = *state;
    const char *const probe = getenv("PF_TEST_PROBELIB");
    char report[256];

    assert_non_null(probe);
    if (!landlock_is_there() || built_with_sanitizer() ||
        getenv("PF_TEST_COUNTS") != NULL) /* see tests/support/counts.c */
        skip();
    v3_make_pages(m->t.db, 20);
    scratch_path(&m->t, "report", report);
    assert_int_equal(sh(m, "touch $D/report"), 0);
    setenv("PF_TEST_PROBE", report, 1);
    setenv("PF_TEST_PROBE_DIRECTORY", m->t.dir, 1);
    mnt_start_foreground(m, NULL, probe);
    unsetenv("PF_TEST_PROBE");
    expect(m, "20\n", "cat alloc");
    expect(m,
           "passwd EACCES\nnew-file EACCES\nproc works\nmemory EACCES\n"
           "environment EACCES\nbeside works\ndirectory EACCES\nlink EACCES\n"
           "inet EAFNOSUPPORT\nunix works\nfork EPERM\nexec EPERM\nmount EPERM\n"
           "namespace EPERM\nkill EPERM\nsetuid EPERM\nbpf EPERM\n",
           "cat $D/report; ls /tmp/pf-probe 2> /dev/null; true");
    expect(m, "21\n", "cat alloc"); /* it goes on, and ends well */
    mnt_stop(m);
}

static void without_the_sandbox_it_works_as_well(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    setenv("PAGEFS_SANDBOX", "none", 1);
    mnt_start(m, NULL);
    unsetenv("PAGEFS_SANDBOX");
    expect_status(m, "NoNewPrivs", "0");
    expect_status(m, "Seccomp", "0");
    assert_int_equal(helper_of(m), 0);
    expect(m, "20\n", "cat alloc");
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    assert_int_equal(mnt_wait(m), 0);
    assert_false(mnt_mounted(m));
}

static void only_none_leaves_the_sandbox_out(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    setenv("PAGEFS_SANDBOX", "no", 1);
    mnt_start(m, NULL);
    unsetenv("PAGEFS_SANDBOX");
    expect_status(m, "Seccomp", "2");
    mnt_stop(m);
}

/* Asked for more than it knows, a kernel would refuse all of it. */
static void an_older_landlock_is_asked_for_what_it_knows(void **state)
{
    struct mnt *m = *state;
    char path[256];

    if (built_with_sanitizer() || getenv("PF_TEST_CALLLIB") == NULL) {
        print_message("this build has calls of its own\n");
        skip();
    }
    scratch_path(&m->t, "control", path);
    struct call_control *const control = shared_file_make(path, sizeof(*control));
    assert_non_null(control);
    assert_int_equal(setenv(CALLS_ENVIRONMENT, path, 1), 0);
    for (int version = -1; version <= 4; version++) {
        atomic_store(&control->landlock_version, version);
        v3_make_pages(m->t.db, 20);
        mnt_start_foreground(m, NULL, getenv("PF_TEST_CALLLIB"));
        assert_int_equal(atomic_load(&control->count.working), 1);
        expect(m, "20\n", "cat alloc");
        mnt_stop(m);
        assert_int_equal(unlink(m->t.db), 0);
        if (control->name[0] != '\0')
            fail_msg("version %d is asked for too much", version);
    }
    assert_int_equal(unsetenv(CALLS_ENVIRONMENT), 0);
    munmap(control, sizeof(*control));
}

/* ---- what must go on to work ---- */

static void the_helper_has_no_file_of_the_daemon_and_ends_with_it(void **state)
{
    struct mnt *m = *state;
    char command[160];

    mnt_pages(m, 20);
    const pid_t helper = helper_of(m);
    assert_true(helper > 0);
    snprintf(command, sizeof(command),
             "cat /proc/%d/comm; readlink /proc/%d/cwd; "
             "readlink /proc/%d/fd/* | grep -v -e /dev/null -e ^socket:; true",
             (int)helper, (int)helper, (int)helper);
    expect(m, "pagefs-helper\n/\n", command);
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    (void)mnt_wait(m);
    assert_int_equal(waitpid(helper, NULL, 0), helper); /* it came to us */
    mnt_unmount(m);
    mnt_start(m, NULL); /* and holds no lock */
    mnt_stop(m);
}

static void signals_to_the_whole_group_leave_the_helper_to_its_work(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    const pid_t helper = helper_of(m);
    assert_true(helper > 0);
    assert_int_equal(kill(helper, SIGTERM), 0);
    assert_int_equal(kill(helper, SIGINT), 0);
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    assert_int_equal(mnt_wait(m), 0);
    assert_false(mnt_mounted(m));
}

/* Nothing is lost but the comfort. */
static void without_its_helper_the_daemon_still_ends_well(void **state)
{
    struct mnt *m = *state;
    char line[64];

    v3_make_pages(m->t.db, 20);
    mnt_start_foreground(m, NULL, NULL);
    expect(m, "20\n", "cat alloc");
    assert_int_equal(kill(helper_of(m), SIGKILL), 0);
    expect(m, "21\n", "cat alloc");
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    assert_int_equal(mnt_wait(m), 0);
    assert_string_equal(
        mnt_said(m),
        "pagefs: cannot unmount: fusermount3 -u does, unless somebody has\n");
    mnt_unmount(m);
    snprintf(line, sizeof(line), "total_pages %d\n", 22);
    expect(m, line, "$PAGEFS stat $DB | grep total_pages");
}

/* ---- a user who is not root ---- */

/* In a mount namespace of our own /dev/fuse is for everybody, and so is allow_other. */
static void open_fuse_to_everybody(struct mnt *m)
{
    char device[256];

    only_root();
    (void)umount2("/dev/fuse", MNT_DETACH); /* that of the test before */
    scratch_path(&m->t, "fuse", device);
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mknod(device, S_IFCHR | 0666, makedev(10, 229)) != 0 ||
        chmod(device, 0666) != 0 ||
        mount(device, "/dev/fuse", NULL, MS_BIND, NULL) != 0) {
        print_message("no mount namespace, or no device node: %s\n", strerror(errno));
        skip();
    }
    expect(m, "", "chmod 755 $D; chown 65534 $D $P; cp $PAGEFS $D/pagefs");
}

/* As that user, with $P, $DB and $D; root cannot even look into a mount of his. Returns
 * the exit status; stdout in m->out, stderr in $D/said. */
static int as_somebody(struct mnt *m, const char *command)
{
    char wrapped[600];
    char said[256];

    setenv("P", m->point, 1);
    setenv("DB", m->t.db, 1);
    setenv("D", m->t.dir, 1);
    scratch_path(&m->t, "said", said);
    snprintf(wrapped, sizeof(wrapped),
             "cd / && exec setpriv --reuid %d --regid %d --clear-groups bash -c '%s' "
             "2> %s",
             SOMEBODY, SOMEBODY, command, said);
    FILE *const pipe = popen(wrapped, "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    m->out = realloc(m->out, 4096);
    assert_non_null(m->out);
    m->out[fread(m->out, 1, 4095, pipe)] = '\0';
    const int status = pclose(pipe);
    (void)mnt_said(m);
    return WEXITSTATUS(status);
}

static void a_user_mounts_and_a_signal_unmounts_without_rights(void **state)
{
    struct mnt *m = *state;
    char command[160];

    open_fuse_to_everybody(m);
    assert_int_equal(
        as_somebody(
            m, "$D/pagefs create $DB 20 && "
               "{ $D/pagefs -f $DB $P > /dev/null & echo $!; "
               "for i in {1..500}; do mountpoint -q $P && break; sleep 0.02; done; }"),
        0);
    m->daemon = (pid_t)strtol(m->out, NULL, 10);
    assert_int_equal(as_somebody(m, "cat $P/alloc"), 0);
    assert_string_equal(m->out, "20\n");
    assert_int_equal(as_somebody(m, "ls -l $DB-journal | cut -c 1-10"), 0);
    assert_string_equal(m->out, "-rw-r--r--\n");
    snprintf(command, sizeof(command),
             "cat /proc/%d/task/*/status | grep -E \"^(NoNewPrivs|Seccomp):\" | sort -u",
             (int)m->daemon);
    assert_int_equal(as_somebody(m, command), 0);
    assert_string_equal(m->out, "NoNewPrivs:\t1\nSeccomp:\t2\n");
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    assert_int_equal(mnt_wait(m), 0);
    assert_false(mnt_mounted(m));
    assert_string_equal(mnt_said(m), "");
    assert_int_equal(as_somebody(m, "ls $D | grep -c journal"), 1);
    assert_string_equal(m->out, "0\n");
}

static void a_user_may_not_let_others_in_unless_the_machine_does(void **state)
{
    struct mnt *m = *state;

    open_fuse_to_everybody(m);
    assert_int_equal(sh(m, "echo > $D/fuse.conf"), 0);
    char path[256];
    scratch_path(&m->t, "fuse.conf", path);
    assert_int_equal(mount(path, "/etc/fuse.conf", NULL, MS_BIND, NULL), 0);
    assert_int_equal(as_somebody(m, "$D/pagefs create $DB 20 && "
                                    "$D/pagefs -o allow_other $DB $P"),
                     2);
    assert_non_null(strstr(m->err, "user_allow_other"));
    assert_ptr_equal(strchr(m->err, '\n'), m->err + strlen(m->err) - 1); /* one line */
    assert_false(mnt_mounted(m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(a_writing_daemon_of_root_keeps_four_capabilities),
        MOUNT_TEST(a_reading_daemon_keeps_no_capability),
        MOUNT_TEST(walking_first_leaves_no_thread_with_more),
        MOUNT_TEST(a_daemon_that_is_taken_over_gets_nowhere),
        MOUNT_TEST(without_the_sandbox_it_works_as_well),
        MOUNT_TEST(only_none_leaves_the_sandbox_out),
        MOUNT_TEST(an_older_landlock_is_asked_for_what_it_knows),
        MOUNT_TEST(the_helper_has_no_file_of_the_daemon_and_ends_with_it),
        MOUNT_TEST(signals_to_the_whole_group_leave_the_helper_to_its_work),
        MOUNT_TEST(without_its_helper_the_daemon_still_ends_well),
        /* these change the mount namespace of this program */
        MOUNT_TEST(a_user_mounts_and_a_signal_unmounts_without_rights),
        MOUNT_TEST(a_user_may_not_let_others_in_unless_the_machine_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
