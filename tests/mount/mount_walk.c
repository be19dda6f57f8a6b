/* What goes on while the graph is walked. The walk's first read, of the root of medium's
 * node tree, is held for as long as the test wants. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODE_ROOT = 31, BLOB = 100, NODE = 101, LEAKED = 6, WROTE = 200 };

static void start(struct faulty *f)
{
    scratch_copy_sample(&f->m->t, "medium");
    faults_start(f, NULL);
    faults_hold_reads(f, v3_offset(NODE_ROOT));
}

static void on_signal(int number)
{
    (void)number;
}

/* A child that reads `path`, or writes `text` to it. Exit status: 0, WROTE, or the errno.
 */
static pid_t client(struct faulty *f, const char *path, const char *text)
{
    const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    struct sigaction ours[2];
    char full[256];
    char bytes[64];

    snprintf(full, sizeof(full), "%s/%s", f->m->point, path);
    sigaction(SIGINT, &action, &ours[0]); /* before there is a child to be signalled */
    sigaction(SIGTERM, &action, &ours[1]);
    const pid_t pid = fork();
    if (pid != 0) {
        sigaction(SIGINT, &ours[0], NULL);
        sigaction(SIGTERM, &ours[1], NULL);
        assert_true(pid > 0);
        return pid;
    }
    const int fd = open(full, text == NULL ? O_RDONLY : O_WRONLY);
    const ssize_t n = fd < 0         ? -1
                      : text == NULL ? read(fd, bytes, sizeof(bytes))
                                     : write(fd, text, strlen(text));
    _exit(n < 0 ? errno : text == NULL ? 0 : WROTE);
}

static int answer_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Until the daemon has its request. */
static void wait_in_call(struct faulty *f, pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
    for (int i = 0; i < 6000; i++, poll(NULL, 0, 10)) {
        char *const text = scratch_slurp(path, NULL);
        const bool blocked = text[0] != 'r' && strtol(text, NULL, 10) == SYS_write;

        free(text);
        if (blocked) {
            (void)m_read(f->m, "stats");
            return;
        }
    }
    fail_msg("process %d does not write", (int)pid);
}

/* Held in the walk: so the client is inside its system call. */
static pid_t waiting_client(struct faulty *f, const char *path, const char *text)
{
    const pid_t pid = client(f, path, text);

    faults_wait_read_held(f);
    return pid;
}

static void a_waiting_reader_is_interrupted(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct faulty *f = *state;

    start(f);
    const pid_t other = waiting_client(f, "pages/7/type", NULL);
    for (int i = 0; i < 2; i++) {
        const pid_t pid = client(f, "pages/100/used_by", NULL);

        /* it may not be inside its system call yet: so more than one signal */
        for (siginfo_t info = {0}; info.si_pid != pid; poll(NULL, 0, 5)) {
            kill(pid, signals[i]);
            waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        }
        assert_int_equal(answer_of(pid), EINTR);
    }
    kill(other, SIGINT); /* this one is */
    assert_int_equal(answer_of(other), EINTR);
    faults_hold_reads(f, 0);
    expect(f->m, "blob\n", "cat pages/100/type");
    faults_stop(f, 0);
}

static void an_interrupted_free_frees_nothing(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t pid = waiting_client(f, "free", "6\n");
    kill(pid, SIGINT);
    assert_int_equal(answer_of(pid), EINTR);
    faults_hold_reads(f, 0);
    expect(f->m, "unknown\n", "cat pages/6/type");
    assert_u64(0, m_number(f->m, "stats", "free_pages"));
    faults_stop(f, 0);
}

/* Two wait, the first of them goes, and another one comes. */
static void the_first_of_those_who_wait_is_interrupted(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t first = waiting_client(f, "pages/7/type", NULL);
    const pid_t second = waiting_client(f, "free", "6\n");
    wait_in_call(f, second);
    kill(first, SIGINT);
    assert_int_equal(answer_of(first), EINTR);
    const pid_t third = client(f, "pages/7/state", "free\n");
    wait_in_call(f, third);
    faults_hold_reads(f, 0);
    assert_int_equal(answer_of(second), WROTE);
    assert_int_equal(answer_of(third), WROTE);
    assert_state(f->m, 6, "free");
    assert_state(f->m, 7, "free");
    faults_stop(f, 0);
}

/* From the moment that it waits for the disk, it is carried out. */
static void behind_the_walk_an_interrupt_comes_too_late(void **state)
{
    struct faulty *f = *state;

    scratch_copy_sample(&f->m->t, "medium");
    faults_start(f, NULL);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    const pid_t pid = client(f, "free", "6\n");
    faults_wait_entered(f, FAULT_JOURNAL, FAULT_SYNC, 1);
    kill(pid, SIGINT);
    for (int i = 0; i < 20; i++) /* the daemon takes the interrupt with one of these */
        (void)m_read(f->m, "stats");
    faults_heal(f);
    assert_int_equal(answer_of(pid), WROTE);
    assert_state(f->m, 6, "free");
    faults_stop(f, 0);
}

/* What was cut off is written when the file is closed: nobody waits for it. */
static void a_cut_number_waits_for_the_walk_without_its_writer(void **state)
{
    struct faulty *f = *state;
    char block[512];

    start(f);
    memset(block, ' ', sizeof(block));
    block[sizeof(block) - 1] = '6';
    assert_int_equal(m_write_bytes(f->m, "free", block, sizeof(block)), 0);
    faults_wait_read_held(f);
    assert_u64(0, m_number(f->m, "stats", "free_pages"));
    faults_hold_reads(f, 0);
    expect(f->m, "", "until grep -q 'free 6 ' events; do sleep 0.01; done");
    assert_state(f->m, 6, "free");
    faults_stop(f, 0);
}

static void others_go_on(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t pid = waiting_client(f, "pages/100/type", NULL);
    expect(f->m, "1276\n", "cat alloc");
    assert_write(0, f->m, "pages/1276/data", "a page that nothing uses");
    assert_write(0, f->m, "pin", "7\n");
    assert_u64(1277, m_number(f->m, "stats", "total_pages"));
    faults_hold_reads(f, 0);
    assert_int_equal(answer_of(pid), 0);
    faults_stop(f, 0);
}

static void a_free_waits_for_the_walk_and_is_refused_whole(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t pid = waiting_client(f, "free", "6 7 10-12 99-101\n");
    faults_hold_reads(f, 0);
    assert_int_equal(answer_of(pid), EBUSY);
    assert_u64(0, m_number(f->m, "stats", "free_pages"));
    expect(f->m, "free 99: the graph uses the page (EBUSY)\n", "cat last_error");
    assert_write(0, f->m, "free", "6 7 10-12\n");
    faults_stop(f, 0);
}

/* By force, without waiting; what is found afterwards is what is there then. */
static void pages_forced_free_during_a_walk_are_seen_by_it(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t pid = waiting_client(f, "pages/7/type", NULL);
    assert_write(0, f->m, "pages/101/state", "free!\n"); /* a node page: a trunk now */
    faults_hold_reads(f, 0);
    assert_int_equal(answer_of(pid), 0);
    expect(f->m, "101\n", "ls bad");
    expect(f->m, "unknown\n", "cat pages/100/type"); /* its blob */
    assert_write(0, f->m, "free", "100\n");
    assert_write(EBUSY, f->m, "free", "110\n"); /* the leaf that named it */
    faults_stop(f, 0);
}

static void pages_written_during_a_walk_are_seen_by_it(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t pid = waiting_client(f, "pages/7/type", NULL);
    assert_write(0, f->m, "pages/101/data", "XXXX");
    faults_hold_reads(f, 0);
    assert_int_equal(answer_of(pid), 0);
    expect(f->m, "101\n", "ls bad");
    faults_stop(f, 0);
}

static void a_second_check_is_refused_and_the_first_can_be_cancelled(void **state)
{
    struct faulty *f = *state;

    start(f);
    assert_write(0, f->m, "check/action", "check\n");
    faults_wait_read_held(f);
    expect(f->m, "check\n", "cat check/action");
    assert_write(EBUSY, f->m, "check/action", "check\n");
    assert_write(0, f->m, "check/action", "cancel\n");
    faults_hold_reads(f, 0);
    m_wait_for_check(f->m);
    expect(f->m, "the check did not end: cancelled\n", "cat check/findings");
    expect(f->m, "", "ls leaked"); /* nothing is known */
    assert_write(0, f->m, "check/action", "check\n");
    m_wait_for_check(f->m);
    expect(f->m, "6\n", "cat check/count");
    faults_stop(f, 0);
}

static void pages_that_change_during_a_check_are_named(void **state)
{
    struct faulty *f = *state;

    start(f);
    assert_write(0, f->m, "check/action", "check\n");
    faults_wait_read_held(f);
    assert_write(0, f->m, "pages/700/pins", "+1\n");
    assert_write(0, f->m, "pages/6/state", "free!\n");
    faults_hold_reads(f, 0);
    m_wait_for_check(f->m);
    expect(f->m, "page 700: changed during the check\npage 6: changed during the check\n",
           "grep changed check/findings");
    faults_stop(f, 0);
}

static void a_signal_ends_the_mount_in_the_middle_of_a_walk(void **state)
{
    struct faulty *f = *state;

    start(f);
    const pid_t pid = waiting_client(f, "pages/7/type", NULL);
    assert_write(0, f->m, "check/action", "check\n");
    assert_int_equal(kill(f->m->daemon, SIGTERM), 0);
    faults_hold_reads(f, 0);
    const int status = mnt_wait(f->m);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)answer_of(pid); /* it has one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_waiting_reader_is_interrupted),
        FAULT_TEST(an_interrupted_free_frees_nothing),
        FAULT_TEST(the_first_of_those_who_wait_is_interrupted),
        FAULT_TEST(behind_the_walk_an_interrupt_comes_too_late),
        FAULT_TEST(a_cut_number_waits_for_the_walk_without_its_writer),
        FAULT_TEST(others_go_on),
        FAULT_TEST(a_free_waits_for_the_walk_and_is_refused_whole),
        FAULT_TEST(pages_forced_free_during_a_walk_are_seen_by_it),
        FAULT_TEST(pages_written_during_a_walk_are_seen_by_it),
        FAULT_TEST(a_second_check_is_refused_and_the_first_can_be_cancelled),
        FAULT_TEST(pages_that_change_during_a_check_are_named),
        FAULT_TEST(a_signal_ends_the_mount_in_the_middle_of_a_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
