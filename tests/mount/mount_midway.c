/* What changes while somebody is in the middle of something: the file shrinks below a
 * reader, a write is queued before a free, the mount is taken away by force. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WROTE = 200 };

/* A child that writes `text`. Exit status: WROTE, or the errno. */
static pid_t writer(struct faulty *f, const char *path, const char *text)
{
    const int fd = m_open(f->m, path, O_WRONLY);
    const pid_t pid = fork();

    assert_true(fd >= 0 && pid >= 0);
    if (pid == 0)
        _exit(write(fd, text, strlen(text)) < 0 ? errno : WROTE);
    close(fd);
    return pid;
}

static int answer_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static pid_t waiting_for;

static bool is_in_write(struct faulty *f)
{
    char path[64], text[64] = "";

    (void)f;
    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)waiting_for);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && text[0] != 'r' /* running */ && strtol(text, NULL, 10) == SYS_write;
}

/* It waits for its answer, and the daemon has its request: that of later ones, too. */
static pid_t queued_writer(struct faulty *f, const char *path, const char *text)
{
    const pid_t pid = writer(f, path, text);

    waiting_for = pid;
    faults_wait(f, is_in_write, "the writer to wait for its answer");
    m_read(f->m, "status");
    return pid;
}

/* When the free was taken up, the walk of the graph still held. */
static void a_free_behind_a_write_to_the_graph_walks_again(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    scratch_copy_sample(&m->t, "medium");
    faults_start(f, NULL);
    expect(m, "node\n", "cat pages/101/type");
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    const unsigned syncs = faults_entered(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, 1);
    faults_wait_entered(f, FAULT_JOURNAL, FAULT_SYNC, syncs + 1);
    const pid_t data = queued_writer(f, "pages/101/data", "XXXX");
    const pid_t list = queued_writer(f, "free", "6 7\n");
    faults_release(f, FAULT_JOURNAL, FAULT_SYNC);
    assert_int_equal(answer_of(data), WROTE);
    assert_int_equal(answer_of(list), WROTE);
    clients_wait(f);
    expect(m, "101\n", "ls bad");
    assert_state(m, 6, "free");
    faults_stop(f, 0);
}

/* A child that reads to the end. Exit status: the lines, or WROTE after an error. */
static pid_t line_counter(struct faulty *f, const char *path)
{
    const int fd = m_open(f->m, path, O_RDONLY);
    const pid_t pid = fork();
    char bytes[4096];
    ssize_t n;
    int lines = 0;

    assert_true(fd >= 0 && pid >= 0);
    if (pid == 0) {
        while ((n = read(fd, bytes, sizeof(bytes))) > 0)
            for (ssize_t i = 0; i < n; i++)
                lines += bytes[i] == '\n';
        _exit(n < 0 ? WROTE : lines);
    }
    close(fd);
    return pid;
}

static void a_reader_of_all_pages_ends_where_the_file_has_shrunk(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, 100);
    assert_write(0, m, "free", "50-100\n");
    faults_checkpoint(f);
    faults_hold_reads(f, v3_offset(60));
    const pid_t pid = line_counter(f, "pages.jsonl");
    faults_wait_read_held(f);
    assert_write(0, m, "ctl", "shrink\n");
    assert_u64(50, m_number(m, "stats", "total_pages"));
    faults_hold_reads(f, 0);
    const int lines = answer_of(pid);
    assert_in_range(lines, 50, 61); /* those that it had begun */
    faults_stop(f, 0);
}

/* Whoever has a file open keeps it until the daemon ends. */
static void a_signal_ends_what_was_unmounted_lazily(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char byte;

    if (geteuid() != 0) {
        print_message("not root\n");
        skip();
    }
    faults_pages(f, 20);
    const int fd = m_open(m, "status", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(sh(m, "cd /; umount -l \"$P\""), 0);
    assert_int_equal(pread(fd, &byte, 1, 0), 1);
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    const int status = mnt_wait(m);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(pread(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ENOTCONN);
    close(fd);
    assert_string_equal(
        faults_said(f),
        "pagefs: cannot unmount: fusermount3 -u does, unless somebody has\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_free_behind_a_write_to_the_graph_walks_again),
        FAULT_TEST(a_reader_of_all_pages_ends_where_the_file_has_shrunk),
        FAULT_TEST(a_signal_ends_what_was_unmounted_lazily),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
