/* The end of a daemon: by signals with operations in flight, by kill -9, by an
 * unmount that others do not expect. What was answered is held, whatever came.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 20, WAITING = 8 };

/* ---- signals ---- */

/* A remount shows every page that a client got, and no more allocated than
 * clients asked.
 */
static void assert_clients_hold_their_pages(struct faulty *f, unsigned asked)
{
    struct mnt *const m = f->m;

    mnt_start(m, NULL);
    clients_assert_distinct(f);
    for (unsigned i = 0; i < f->client_count; i++)
        if (client_id(f, i) != 0)
            assert_state(m, client_id(f, i), "allocated");
    assert_in_range(m_number(m, "stats", "allocated_pages"),
                    PAGES + 1 + clients_with(f, 0), PAGES + 1 + asked);
    mnt_stop(m);
}

static bool is_unmounted(struct faulty *f)
{
    return !mnt_mounted(f->m);
}

/* The sync of one client's page is under way, the others wait for the next: all
 * are answered with a page, and nothing is left to replay. */
static void ends_after_finishing(void **state, int signal_number)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, WAITING);
    clients_wait_blocked(f);
    for (int i = 0; i < 3; i++) /* people press ^C more than once */
        assert_int_equal(kill(m->daemon, signal_number), 0);
    faults_release(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_wait(f);
    const int status = mnt_wait(m);
    if (status != 0)
        fail_msg("wait status %#x after signal %d: %s", (unsigned)status, signal_number,
                 faults_said(f));
    assert_true(is_unmounted(f));
    clients_assert_all(f, 0);
    assert_int_equal(faults_lines_said(f), 0);
    expect(m, "0\n", "ls \"$DB-journal\" 2> /dev/null | wc -l");
    assert_clients_hold_their_pages(f, WAITING);
}

static void sigterm_finishes_what_is_in_flight(void **state)
{
    ends_after_finishing(state, SIGTERM);
}

static void sigint_finishes_what_is_in_flight(void **state)
{
    ends_after_finishing(state, SIGINT);
}

static void sighup_finishes_what_is_in_flight(void **state)
{
    ends_after_finishing(state, SIGHUP);
}

/* Whatever moment the signal comes at: allocations go on until the mount is
 * gone. */
static void no_answered_allocation_is_lost_by_a_signal(void **state)
{
    static const char *const loops =
        "cd /; for i in 1 2 3 4; do while cat \"$P/alloc\" >> \"$D/ids.$i\" 2> "
        "/dev/null; "
        "do :; done & done; "
        "until test -s \"$D/ids.4\" -a $(cat \"$D\"/ids.* | wc -l) -ge 40; do :; "
        "done; "
        "kill -TERM %d; wait";
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char command[400];

    v3_make_pages(m->t.db, PAGES);
    mnt_start(m, NULL);
    snprintf(command, sizeof(command), loops, (int)m->daemon);
    assert_int_equal(sh(m, command), 0);
    assert_int_equal(mnt_wait(m), 0);
    assert_true(is_unmounted(f));
    mnt_start(m, NULL);
    expect(m, "", "sort \"$D\"/ids.* | uniq -d");
    expect(m, "",
           "cat \"$D\"/ids.* | while read -r id; do "
           "test $(cat pages/$id/state) = allocated || echo $id; done");
    mnt_stop(m);
}

/* The connection ends, the files do not keep the daemon. */
static void sigterm_ends_a_mount_whose_files_are_open(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char byte;

    v3_make_pages(m->t.db, PAGES);
    mnt_start(m, NULL);
    const int fd = m_open(m, "pages/7/hold", O_RDONLY);
    const int stats = m_open(m, "stats", O_RDONLY);
    assert_true(stats >= 0);
    assert_int_equal(kill(m->daemon, SIGTERM), 0);
    assert_int_equal(mnt_wait(m), 0);
    assert_true(is_unmounted(f));
    assert_int_equal(read(stats, &byte, 1), -1);
    if (fd >= 0)
        close(fd);
    close(stats);
    mnt_start(m, NULL);
    mnt_stop(m);
}

/* None of these may end the daemon, break off a sync or make an answer fail. */
static void other_signals_do_no_harm_to_operations_in_flight(void **state)
{
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ, SIGURG, SIGWINCH};
    struct faulty *const f = *state;

    faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, WAITING);
    clients_wait_blocked(f);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
            assert_int_equal(kill(f->m->daemon, signals[i]), 0);
    faults_release(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_wait(f);
    clients_assert_all(f, 0);
    faults_stop(f, 0);
    assert_clients_hold_their_pages(f, WAITING);
}

/* ---- the client dies ---- */

/* Interrupts cancel nothing: what was taken up completes, though nobody hears
 * of it. */
static void the_page_of_a_killed_reader_is_allocated(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    char event[100];

    const uint64_t first = faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, 1);
    clients_wait_blocked(f);
    assert_int_equal(kill(client_pid(f, 0), SIGKILL), 0);
    faults_release(f, FAULT_JOURNAL, FAULT_SYNC);
    while (waitpid(client_pid(f, 0), NULL, 0) < 0)
        assert_int_equal(errno, EINTR);
    snprintf(event, sizeof(event), "awk '$4 == %llu {print $3, $5 == %d, $7}' events",
             (unsigned long long)first + 1, (int)client_pid(f, 0));
    clients_forget(f);
    expect(m, "alloc 1 ok\n", event);
    assert_u64(2, m_number(m, "stats", "allocations"));
    assert_state(m, first + 1, "allocated");
    faults_stop(f, 0);
    mnt_start(m, NULL);
    assert_state(m, first + 1, "allocated");
    mnt_stop(m);
}

/* ---- kill -9 ---- */

static void kill_9(struct faulty *f)
{
    assert_int_equal(kill(f->m->daemon, SIGKILL), 0);
    const int status = mnt_wait(f->m);
    assert_true(WIFSIGNALED(status));
}

static void
a_dead_mount_answers_with_an_error_and_waiting_clients_are_let_go(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, WAITING);
    clients_wait_blocked(f);
    kill_9(f);
    clients_wait(f);
    assert_int_equal(clients_with(f, 0), 0);
    assert_true(mnt_mounted(m));
    assert_open(ENOTCONN, m, "alloc", O_RDONLY);
    assert_open(ENOTCONN, m, "stats", O_RDONLY);
    assert_open(ENOTCONN, m, "pages", O_RDONLY | O_DIRECTORY);
    mnt_unmount(m);
    assert_clients_hold_their_pages(f, WAITING);
}

/* Killed when the record is durable and the database has nothing of it. */
static void the_next_mount_replays_what_the_database_lacks(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    const uint64_t first = faults_pages(f, PAGES);
    faults_hold(f, FAULT_DB, FAULT_TRUNCATE);
    clients_start(f, 1);
    faults_wait_entered(f, FAULT_DB, FAULT_TRUNCATE,
                        faults_left(f, FAULT_DB, FAULT_TRUNCATE) + 1);
    kill_9(f);
    clients_wait(f);
    assert_int_equal(clients_with(f, 0), 0);
    assert_u64(v3_nominal(first + 1), v3_size(m->t.db));
    mnt_unmount(m);
    mnt_start(m, "ro"); /* in memory only */
    expect(m, "1\n", "grep -c '^journal.* replayed at open in memory only' status");
    assert_state(m, first + 1, "allocated");
    mnt_stop(m);
    assert_u64(v3_nominal(first + 1), v3_size(m->t.db));
    mnt_start(m, NULL);
    expect(m, "1\n", "grep -c '^journal.* replayed at open' status");
    assert_state(m, first + 1, "allocated");
    assert_u64(first + 2, m_number(m, "stats", "total_pages"));
    mnt_stop(m);
    assert_u64(v3_nominal(first + 2), v3_size(m->t.db));
    mnt_start(m, NULL);
    expect(m, "0\n", "grep -c '^journal.* replayed' status; :");
    mnt_stop(m);
}

/* ---- unmounting while files are open ---- */

static void a_lazy_unmount_serves_until_the_last_close_then_lets_go(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char text[32] = "";
    char page[V3_PAGE];
    char holder[32];

    v3_make_pages(m->t.db, PAGES);
    mnt_start_foreground(m, NULL, NULL);
    snprintf(holder, sizeof(holder), "%d", (int)m->daemon);
    const int alloc = m_open(m, "alloc", O_RDWR);
    const int data = m_open(m, "pages/7/data", O_RDWR);
    assert_true(alloc >= 0 && data >= 0);
    expect(m, "", "cd /; fusermount3 -uz \"$P\"");
    assert_true(is_unmounted(f));
    assert_int_equal(write(alloc, "2", 1), 1); /* still served, and durable */
    assert_int_equal(read(alloc, text, sizeof(text)), 6);
    assert_string_equal(text, "20\n21\n");
    assert_int_equal(pwrite(data, "kept", 4, 0), 4);
    assert_int_equal(pread(data, page, sizeof(page), 0), V3_PAGE);
    assert_memory_equal(page, "kept", 4);
    assert_int_equal(mnt_try(m, NULL), 32); /* it still has the file */
    if (strstr(m->err, holder) == NULL)
        fail_msg("stderr lacks the pid %s: %s", holder, m->err);
    close(alloc);
    assert_int_equal(mnt_try(m, NULL), 32);
    close(data);
    const int status = mnt_wait(m);
    if (status != 0)
        fail_msg("the daemon ended with wait status %#x; it said: %s", (unsigned)status,
                 mnt_said(m));
    mnt_start(m, NULL);
    assert_u64(PAGES + 2, m_number(m, "stats", "allocated_pages"));
    expect(m, "kept\n", "head -c 4 pages/7/data; echo");
    mnt_stop(m);
}

static void an_unmount_that_was_busy_changes_nothing(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char text[32] = "";

    v3_make_pages(m->t.db, PAGES);
    mnt_start(m, NULL);
    const int alloc = m_open(m, "alloc", O_RDWR);
    assert_true(alloc >= 0);
    expect_error(m, "busy", "cd /; fusermount3 -u \"$P\"");
    assert_int_equal(read(alloc, text, sizeof(text)), 3);
    expect(m, "21\n", "cat alloc");
    close(alloc);
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(sigterm_finishes_what_is_in_flight),
        FAULT_TEST(sigint_finishes_what_is_in_flight),
        FAULT_TEST(sighup_finishes_what_is_in_flight),
        FAULT_TEST(no_answered_allocation_is_lost_by_a_signal),
        FAULT_TEST(sigterm_ends_a_mount_whose_files_are_open),
        FAULT_TEST(other_signals_do_no_harm_to_operations_in_flight),
        FAULT_TEST(the_page_of_a_killed_reader_is_allocated),
        FAULT_TEST(a_dead_mount_answers_with_an_error_and_waiting_clients_are_let_go),
        FAULT_TEST(the_next_mount_replays_what_the_database_lacks),
        FAULT_TEST(a_lazy_unmount_serves_until_the_last_close_then_lets_go),
        FAULT_TEST(an_unmount_that_was_busy_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
