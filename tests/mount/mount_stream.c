/* One open `alloc` that several read and write at once, and what is asked of the free
 * list while it is not there yet. The disk waits for the test. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 20, TEXT = 64 };

/* A child in a system call. Whatever works on one open file takes turns in the kernel,
 * but not with a process that had it for itself when it began. So `fd` is -1, and the
 * child opens `alloc`, or it is taken from another. */
struct actor {
    pid_t pid;
    long call; /* SYS_read or SYS_write */
    int out;   /* what it has read */
};

enum { ACTOR_FD = 100 };

static struct actor act(struct mnt *m, const char *path, int fd, const char *text)
{
    char bytes[TEXT];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int opened =
            fd != -1 ? fd : m_open(m, path, text == NULL ? O_RDWR : O_WRONLY);
        if (opened < 0 || dup2(opened, ACTOR_FD) == -1 || close(opened) != 0)
            _exit(EBADF);
        const ssize_t n = text == NULL ? read(ACTOR_FD, bytes, sizeof(bytes))
                                       : write(ACTOR_FD, text, strlen(text));
        if (n > 0 && text == NULL && write(ends[1], bytes, (size_t)n) != n)
            _exit(EPIPE);
        _exit(n < 0 ? errno : 0);
    }
    close(ends[1]);
    if (fd != -1)
        close(fd);
    return (struct actor){pid, text == NULL ? SYS_read : SYS_write, ends[0]};
}

/* The open file that it works on. */
static int file_of(const struct actor *actor)
{
    const int process = (int)syscall(SYS_pidfd_open, actor->pid, 0);
    const int fd = (int)syscall(SYS_pidfd_getfd, process, ACTOR_FD, 0);

    if (fd == -1 && (errno == EPERM || errno == ENOSYS)) {
        print_message("the kernel does not let a process take the files of its child\n");
        skip();
    }
    assert_true(process >= 0 && fd >= 0);
    close(process);
    return fd;
}

/* Until it is asleep in its call, and the daemon has taken all that came until then. */
static void wait_blocked(struct mnt *m, const struct actor *actor)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)actor->pid);
    for (int i = 0;; i++) {
        char *const text = scratch_slurp(path, NULL);
        const bool blocked = text[0] != 'r' && strtol(text, NULL, 10) == actor->call;

        free(text);
        if (blocked)
            break;
        if (i == 6000)
            fail_msg("process %d is not blocked after a minute", (int)actor->pid);
        poll(NULL, 0, 10);
    }
    (void)m_read(m, "stats");
}

/* Errno of its call; what it has read is `text`. */
static void expect_end(const struct actor *actor, int error, const char *text)
{
    char got[TEXT + 1] = "";
    int status;

    assert_int_equal(waitpid(actor->pid, &status, 0), actor->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), error);
    assert_true(read(actor->out, got, TEXT) >= 0);
    close(actor->out);
    assert_string_equal(got, text);
}

/* The second waits for what the first has started, which is for the first alone. */
static void two_readers_of_one_open_file_share_one_page(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    const struct actor first = act(m, "alloc", -1, NULL);
    wait_blocked(m, &first);
    const struct actor second = act(m, "alloc", file_of(&first), NULL);
    wait_blocked(m, &second);
    faults_heal(f);
    expect_end(&first, 0, "21\n");
    expect_end(&second, 0, "");
    assert_u64(PAGES + 2, m_number(m, "stats", "total_pages"));
    faults_stop(f, 0);
}

static void a_reader_waits_for_what_is_being_written(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    const struct actor writer = act(m, "alloc", m_open(m, "alloc", O_RDWR), "3\n");
    wait_blocked(m, &writer);
    const struct actor reader = act(m, "alloc", file_of(&writer), NULL);
    wait_blocked(m, &reader);
    faults_heal(f);
    expect_end(&writer, 0, "");
    expect_end(&reader, 0, "21\n22\n23\n");
    assert_u64(PAGES + 4, m_number(m, "stats", "total_pages"));
    faults_stop(f, 0);
}

/* Two blocks of free pages: opening reads the newest one, the older one is held. */
static void start_without_free_list(struct faulty *f)
{
    enum { OLDER_TRUNK = 5 };
    struct mnt *const m = f->m;

    scratch_create(&m->t, 2000);
    free_range(m->t.store, OLDER_TRUNK, 600);
    free_range(m->t.store, 1900, 2);
    scratch_close(&m->t);
    faults_hold_reads(f, v3_offset(OLDER_TRUNK));
    faults_start(f, NULL);
    faults_wait_read_held(f);
}

static void what_needs_the_free_list_waits_for_it(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char ids[TEXT] = "";

    start_without_free_list(f);
    const int alloc = m_open(m, "alloc", O_RDWR);
    assert_true(alloc >= 0);
    const struct actor run = act(m, "alloc", dup(alloc), "3 contiguous\n");
    wait_blocked(m, &run);
    const struct actor refused = act(m, "pin", -1, "7 1500\n");
    wait_blocked(m, &refused);
    const struct actor pinned = act(m, "pin", -1, "1500\n");
    wait_blocked(m, &pinned);
    assert_u64(0, m_number(m, "stats", "allocations"));
    faults_hold_reads(f, 0);
    expect_end(&run, 0, "");
    expect_end(&refused, EINVAL, ""); /* page 7 is free */
    expect_end(&pinned, 0, "");
    assert_true(read(alloc, ids, sizeof(ids) - 1) > 0);
    close(alloc);
    assert_string_equal(ids, "5\n6\n7\n");
    assert_state(m, 1500, "pinned");
    faults_stop(f, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(two_readers_of_one_open_file_share_one_page),
        FAULT_TEST(a_reader_waits_for_what_is_being_written),
        FAULT_TEST(what_needs_the_free_list_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
