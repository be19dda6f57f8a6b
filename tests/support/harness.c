#include "harness.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- processes ---- */

static void redirect(const struct mnt *m, const char *name, int to)
{
    char path[256];

    scratch_path(&m->t, name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
    if (fd < 0 || dup2(fd, to) != to)
        _exit(126);
    close(fd);
}

/* The environment of a child: where things are, and where sanitizers report. */
static void set_environment(const struct mnt *m)
{
    static const char *const sanitizers[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS"};
    char options[512];

    for (size_t i = 0; i < 2; i++) {
        const char *was = getenv(sanitizers[i]);

        snprintf(options, sizeof(options), "%.200s:log_path=%s/sanitizer",
                 was != NULL ? was : "", m->t.dir);
        setenv(sanitizers[i], options, 1);
    }
    setenv("P", m->point, 1);
    setenv("DB", m->t.db, 1);
    setenv("D", m->t.dir, 1);
    setenv("PAGEFS", getenv("PF_TEST_PAGEFS"), 1);
    setenv("LC_ALL", "C", 1);
}

static int run(struct mnt *m, const char *directory, const char *const arguments[])
{
    char path[256];
    int status = 0;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        set_environment(m);
        redirect(m, "stdout", 1);
        redirect(m, "stderr", 2);
        if (directory != NULL && chdir(directory) != 0)
            _exit(127);
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    free(m->out);
    free(m->err);
    scratch_path(&m->t, "stdout", path);
    m->out = scratch_slurp(path, &m->out_length);
    scratch_path(&m->t, "stderr", path);
    m->err = scratch_slurp(path, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A child that somebody else left to us: the daemon. 0 when there is none. */
static pid_t adopted_child(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    assert_non_null(proc);
    while (found == 0 && (entry = readdir(proc)) != NULL) {
        char path[300];
        char state = '?';
        int parent = 0;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        char *text = scratch_slurp(path, NULL);
        const char *after_name = strrchr(text, ')');
        if (after_name != NULL &&
            sscanf(after_name + 1, " %c %d", &state, &parent) == 2 &&
            parent == (int)getpid() && state != 'Z')
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        free(text);
    }
    closedir(proc);
    return found;
}

/* ---- mounting ---- */

bool mnt_mounted(const struct mnt *m)
{
    char *mounts = scratch_slurp("/proc/self/mounts", NULL);
    char needle[160];

    snprintf(needle, sizeof(needle), " %s ", m->point);
    const bool found = strstr(mounts, needle) != NULL;
    free(mounts);
    return found;
}

int mnt_pagefs(struct mnt *m, const char *const arguments[])
{
    const char *argv[32] = {getenv("PF_TEST_PAGEFS")};
    size_t n = 0;

    if (argv[0] == NULL)
        fail_msg("PF_TEST_PAGEFS does not say where pagefs is");
    for (; arguments[n] != NULL; n++) {
        assert_true(n < 30);
        argv[n + 1] = arguments[n];
    }
    argv[n + 1] = NULL;
    const int status = run(m, m->t.dir, argv);
    if (m->daemon == 0)
        m->daemon = adopted_child();
    return status;
}

static void skip_without_fuse(void)
{
    const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        print_message("cannot open /dev/fuse: %s\n", strerror(errno));
        skip();
    }
    close(fd);
}

int mnt_try(struct mnt *m, const char *options)
{
    const char *with[] = {"-o", options, m->t.db, m->point, NULL};
    const char *without[] = {m->t.db, m->point, NULL};

    skip_without_fuse();
    return mnt_pagefs(m, options != NULL ? with : without);
}

void mnt_start(struct mnt *m, const char *options)
{
    const int status = mnt_try(m, options);

    if (status != 0)
        fail_msg("pagefs -o %s %s %s: exit status %d: %s",
                 options != NULL ? options : "rw", m->t.db, m->point, status, m->err);
    if (!mnt_mounted(m))
        fail_msg("pagefs returned 0 before %s was mounted", m->point);
    if (m->daemon == 0)
        fail_msg("pagefs left no daemon");
}

/* In the child that becomes the daemon. */
static void exec_foreground(const struct mnt *m, const char *options, const char *preload)
{
    const char *const pagefs = getenv("PF_TEST_PAGEFS");
    char sanitizer[600];

    set_environment(m);
    redirect(m, "said", 1);
    redirect(m, "said", 2);
    if (preload != NULL) {
        snprintf(sanitizer, sizeof(sanitizer), "%s:verify_asan_link_order=0",
                 getenv("ASAN_OPTIONS"));
        setenv("ASAN_OPTIONS", sanitizer, 1);
        setenv("LD_PRELOAD", preload, 1);
    }
    if (options != NULL)
        execl(pagefs, pagefs, "-f", "-o", options, m->t.db, m->point, NULL);
    else
        execl(pagefs, pagefs, "-f", m->t.db, m->point, NULL);
    _exit(127);
}

/* It is mounted, and it answers. */
static bool answers(const struct mnt *m)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/status", m->point);
    return mnt_mounted(m) && access(path, F_OK) == 0;
}

void mnt_start_foreground(struct mnt *m, const char *options, const char *preload)
{
    int status = 0;

    skip_without_fuse();
    m->daemon = fork();
    assert_true(m->daemon >= 0);
    if (m->daemon == 0)
        exec_foreground(m, options, preload);
    for (int i = 0; !answers(m); i++) {
        if (waitpid(m->daemon, &status, WNOHANG) == m->daemon) {
            m->daemon = 0;
            fail_msg("pagefs -f ended with wait status %#x: %s", (unsigned)status,
                     mnt_said(m));
        }
        if (i == 6000)
            fail_msg("pagefs -f did not mount within a minute: %s", mnt_said(m));
        poll(NULL, 0, 10);
    }
}

const char *mnt_said(struct mnt *m)
{
    char path[256];

    scratch_path(&m->t, "said", path);
    free(m->err);
    m->err = scratch_slurp(path, NULL);
    return m->err;
}

void mnt_unmount(struct mnt *m)
{
    const char *const argv[] = {"fusermount3", "-u", m->point, NULL};
    int status = run(m, NULL, argv);

    /* whoever looks through all mounts or open files of a machine is in it for a
     * moment */
    for (int i = 0; status != 0 && strstr(m->err, "busy") != NULL && i < 500; i++) {
        poll(NULL, 0, 10);
        status = run(m, NULL, argv);
    }
    if (status != 0)
        fail_msg("fusermount3 -u %s: %s", m->point, m->err);
}

static bool wait_for(pid_t pid, int *out_status)
{
    for (int i = 0; i < 6000; i++) {
        if (waitpid(pid, out_status, WNOHANG) == pid)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

int mnt_wait(struct mnt *m)
{
    int status = 0;

    if (m->daemon == 0)
        fail_msg("no daemon to wait for");
    if (!wait_for(m->daemon, &status))
        fail_msg("the daemon did not end within a minute");
    m->daemon = 0;
    return status;
}

/* What sanitizers wrote; 0 reports is what a test wants. */
static unsigned print_sanitizer_reports(const struct mnt *m)
{
    DIR *dir = opendir(m->t.dir);
    struct dirent *entry;
    unsigned reports = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        if (strncmp(entry->d_name, "sanitizer", 9) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%.200s", m->t.dir, entry->d_name);
        char *text = scratch_slurp(path, NULL);
        print_error("%s\n", text);
        free(text);
        unlink(path);
        reports++;
    }
    closedir(dir);
    return reports;
}

void mnt_stop(struct mnt *m)
{
    mnt_unmount(m);
    const int status = mnt_wait(m);
    if (status != 0)
        print_error("the daemon ended with wait status %#x\n", (unsigned)status);
    assert_int_equal(print_sanitizer_reports(m), 0);
    assert_int_equal(status, 0);
}

void mnt_restart(struct mnt *m)
{
    mnt_stop(m);
    mnt_start(m, NULL);
}

int mnt_setup(void **state)
{
    struct mnt *m = calloc(1, sizeof(*m));
    void *scratch = NULL;

    if (m == NULL || scratch_setup(&scratch) != 0)
        return -1;
    m->t = *(struct scratch *)scratch;
    free(scratch);
    snprintf(m->point, sizeof(m->point), "%s/mnt", m->t.dir);
    m->out = strdup("");
    m->err = strdup("");
    if (mkdir(m->point, 0755) != 0 || m->out == NULL || m->err == NULL)
        return -1;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return -1;
    *state = m;
    return 0;
}

int mnt_teardown(void **state)
{
    struct mnt *m = *state;
    int status = 0;

    while (mnt_mounted(m) && (umount2(m->point, MNT_DETACH) == 0 ||
                              sh(m, "cd /; fusermount3 -uz \"$P\"") == 0))
        ;
    if (m->daemon != 0) {
        kill(m->daemon, SIGTERM);
        if (!wait_for(m->daemon, &status))
            kill(m->daemon, SIGKILL);
    }
    const unsigned reports = print_sanitizer_reports(m);
    scratch_remove(m->t.dir);
    free(m->out);
    free(m->err);
    free(m);
    return reports == 0 ? 0 : -1;
}

void mnt_pages(struct mnt *m, uint64_t total_pages)
{
    v3_make_pages(m->t.db, total_pages);
    mnt_start(m, NULL);
}

void mnt_sample(struct mnt *m, const char *name)
{
    scratch_copy_sample(&m->t, name);
    mnt_start(m, NULL);
}

/* ---- commands ---- */

int sh(struct mnt *m, const char *command)
{
    const char *const argv[] = {"bash", "-c", command, NULL};

    return run(m, mnt_mounted(m) ? m->point : m->t.dir, argv);
}

void mnt_expect(struct mnt *m, const char *out, const char *command, const char *file,
                int line)
{
    const int status = sh(m, command);

    if (status == 0 && strcmp(m->out, out) == 0 && m->err[0] == '\0')
        return;
    print_error("$ %s\n  exit status %d\n  stdout   \"%.2000s\"\n  expected \"%.2000s\"\n"
                "  stderr   \"%.2000s\"\n",
                command, status, m->out, out, m->err);
    _fail(file, line);
}

void mnt_expect_error(struct mnt *m, const char *part, const char *command,
                      const char *file, int line)
{
    const int status = sh(m, command);

    if (status != 0 && strstr(m->err, part) != NULL)
        return;
    print_error("$ %s\n  exit status %d\n  stdout \"%.2000s\"\n  stderr \"%.2000s\"\n"
                "  expected a failure that says \"%s\"\n",
                command, status, m->out, m->err, part);
    _fail(file, line);
}
