/* Someone else at our file: changed, cut, replaced, opened. pagefs stops writing, says
 * why, and makes nothing up. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 100, CUT_TO = 50 };

static const char *const make_backup = "cp --sparse=never \"$DB\" \"$D/backup\"";

/* From the first refusal on. */
static void assert_latched(struct mnt *m, const char *reason)
{
    expect(m, "mode ro\n", "grep ^mode status");
    if (strstr(m_read(m, "status"), reason) == NULL)
        fail_msg("status lacks \"%s\":\n%s", reason, m->out);
    assert_write(EROFS, m, "free", "5\n");
    assert_write(EROFS, m, "pages/5/data", "x");
    assert_open(EROFS, m, "alloc", O_RDONLY);
}

static void assert_alloc_is_stale(struct mnt *m)
{
    expect_error(m, "Stale file handle", "cat alloc");
}

/* The daemon ends by itself, says why in one line, and the file is as the other
 * left it.
 */
static void stop_and_compare(struct faulty *f, uint64_t hash)
{
    assert_u64(hash, v3_hash(f->m->t.db));
    faults_stop(f, 2);
    assert_u64(hash, v3_hash(f->m->t.db));
    if (faults_lines_said(f) != 1)
        fail_msg("stderr is not one line: %s", f->m->err);
}

/* ---- changed ---- */

static void a_header_changed_by_someone_else_is_not_overwritten(void **state)
{
    struct faulty *const f = *state;

    faults_pages(f, PAGES);
    v3_poke64(f->m->t.db, V3_AT_NODE_COUNT, 1);
    const uint64_t hash = v3_hash(f->m->t.db);
    assert_alloc_is_stale(f->m);
    assert_latched(f->m, "by someone else");
    stop_and_compare(f, hash);
}

/* Between the two looks lies a sync, which can take long. */
static void a_change_during_our_sync_is_not_overwritten_either(void **state)
{
    struct faulty *const f = *state;

    faults_pages(f, PAGES);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, 1);
    clients_wait_blocked(f);
    faults_wait_entered(f, FAULT_JOURNAL, FAULT_SYNC,
                        faults_left(f, FAULT_JOURNAL, FAULT_SYNC) + 1);
    v3_poke64(f->m->t.db, V3_AT_NODE_COUNT, 1);
    const uint64_t hash = v3_hash(f->m->t.db);
    faults_release(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_wait(f);
    clients_assert_all(f, ESTALE);
    assert_latched(f->m, "by someone else");
    stop_and_compare(f, hash);
    mnt_start(f->m, NULL); /* its journal is of another file than this one is now */
    expect(f->m, "mode ro\n", "grep ^mode status");
    mnt_stop(f->m);
    assert_u64(hash, v3_hash(f->m->t.db));
}

static void a_backup_copied_over_the_mounted_file_stays_as_it_is(void **state)
{
    struct faulty *const f = *state;

    v3_make_pages(f->m->t.db, PAGES);
    expect(f->m, "", make_backup);
    faults_start(f, NULL);
    expect(f->m, "100\n", "cat alloc");
    faults_checkpoint(f);
    expect(f->m, "", "cp \"$D/backup\" \"$DB\"");
    const uint64_t hash = v3_hash(f->m->t.db);
    assert_alloc_is_stale(f->m);
    assert_latched(f->m, "by someone else");
    stop_and_compare(f, hash);
}

/* ---- truncated ---- */

static void cut(struct mnt *m)
{
    assert_int_equal(truncate(m->t.db, (off_t)v3_nominal(CUT_TO)), 0);
}

static int read_errno(struct mnt *m, const char *path)
{
    char byte;
    const int fd = m_open(m, path, O_RDONLY);

    assert_true(fd >= 0);
    const int error = read(fd, &byte, 1) < 0 ? errno : 0;
    close(fd);
    return error;
}

static void a_truncated_file_gives_errors_and_not_zeros(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, PAGES);
    cut(m);
    const uint64_t hash = v3_hash(m->t.db);
    assert_int_equal(read_errno(m, "pages/80/data"), ESTALE);
    expect(m, "mode ro\n", "grep ^mode status");
    expect(m, "4096\n", "wc -c < pages/7/data"); /* what is there can be read */
    expect(m, "0\n", "cat stats > /dev/null; echo $?");
    assert_latched(m, "by someone else");
    stop_and_compare(f, hash);
}

static void a_truncated_file_does_not_grow_again(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    faults_pages(f, PAGES);
    cut(m);
    const uint64_t hash = v3_hash(m->t.db);
    assert_alloc_is_stale(m);
    assert_latched(m, "someone else");
    stop_and_compare(f, hash);
    assert_u64(v3_nominal(CUT_TO), v3_size(m->t.db));
    mnt_start(m, NULL);
    expect(m, "mode ro\n", "grep ^mode status");
    mnt_stop(m);
    assert_u64(hash, v3_hash(m->t.db));
}

static void a_file_truncated_to_nothing_is_stale(void **state)
{
    struct faulty *const f = *state;

    faults_pages(f, PAGES);
    assert_int_equal(truncate(f->m->t.db, 0), 0);
    assert_alloc_is_stale(f->m);
    assert_latched(f->m, "someone else");
    faults_stop(f, 2);
    assert_u64(0, v3_size(f->m->t.db));
}

/* Fail unless every byte of a mapped page is `expected`; a child looks, for a
 * SIGBUS kills.
 */
static void assert_mapped(const volatile uint8_t *page, uint8_t expected,
                          const char *when)
{
    int status = -1;
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        for (size_t i = 0; i < V3_PAGE; i++)
            if (page[i] != expected)
                _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s: reading the mapped page ended with wait status %#x (%s)", when,
                 (unsigned)status,
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
}

static const uint8_t *map_page(struct mnt *m, const char *path)
{
    const int fd = m_open(m, path, O_RDONLY);

    assert_true(fd >= 0);
    const uint8_t *const page = mmap(NULL, V3_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        fail_msg("mmap of %s: %s", path, strerror(errno));
    return page;
}

static void unmap_page(const uint8_t *page)
{
    munmap((void *)(uintptr_t)page, V3_PAGE);
}

/* A page whose bytes are gone cannot be read; who had it mapped and read keeps
 * it, also when a command was refused since. */
static void mapped_pages_survive_a_truncation(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    uint8_t bytes[V3_PAGE];

    faults_pages(f, PAGES);
    memset(bytes, 0x5a, sizeof(bytes));
    assert_int_equal(m_write_bytes(m, "pages/7/data", bytes, sizeof(bytes)), 0);
    assert_int_equal(m_write_bytes(m, "pages/80/data", bytes, sizeof(bytes)), 0);
    faults_checkpoint(f);
    const uint8_t *const kept = map_page(m, "pages/7/data");
    const uint8_t *const gone = map_page(m, "pages/80/data");
    assert_mapped(kept, 0x5a, "before, page 7");
    assert_mapped(gone, 0x5a, "before, page 80");
    cut(m);
    assert_mapped(kept, 0x5a, "after the cut, page 7");
    assert_mapped(gone, 0x5a, "after the cut, page 80");
    assert_alloc_is_stale(m);
    assert_mapped(kept, 0x5a, "after a refused command, page 7");
    assert_mapped(gone, 0x5a, "after a refused command, page 80");
    assert_int_equal(read_errno(m, "pages/81/data"), ESTALE);
    assert_mapped(kept, 0x5a, "after a read that failed, page 7");
    unmap_page(kept);
    unmap_page(gone);
    faults_stop(f, 2); /* alive until now */
}

/* ---- replaced ---- */

static void replaced(void **state, const char *command)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    v3_make_pages(m->t.db, PAGES);
    expect(m, "", make_backup);
    faults_start(f, NULL);
    expect(m, "100\n", "cat alloc");
    faults_checkpoint(f);
    expect(m, "", command);
    assert_alloc_is_stale(m);
    assert_latched(m, "someone else");
    faults_stop(f, 2);
}

/* What is written into a file without a name is lost. */
static void a_file_replaced_by_rename_is_stale(void **state)
{
    replaced(state, "mv \"$D/backup\" \"$DB\"");
}

static void a_file_moved_aside_and_replaced_is_stale(void **state)
{
    replaced(state, "mv \"$DB\" \"$D/aside\" && cp \"$D/backup\" \"$DB\"");
}

static void a_file_that_was_removed_is_stale(void **state)
{
    replaced(state, "rm \"$DB\"");
}

/* ---- opened ---- */

/* python3 holding it open for reading and writing until it is told to end; its
 * pid is in $D/pid. */
static void open_elsewhere(struct mnt *m)
{
    expect(m, "",
           "cd /; python3 -c 'import os, sys\n"
           "f = open(sys.argv[1], \"r+b\")\n"
           "p = open(sys.argv[2] + \".new\", \"w\"); p.write(str(os.getpid())); "
           "p.close()\n"
           "os.rename(sys.argv[2] + \".new\", sys.argv[2])\n"
           "open(sys.argv[3]).read()\n' \"$DB\" \"$D/pid\" \"$D/end\" "
           "> \"$D/python\" 2>&1 < /dev/null & "
           "until test -s \"$D/pid\"; do kill -0 $! || exit; done");
}

/* It must not outlive a test that failed. */
static int foreign_teardown(void **state)
{
    struct faulty *const f = *state;
    const int had_one = sh(f->m, "cat \"$D/pid\"");
    const pid_t pid = had_one == 0 ? (pid_t)strtol(f->m->out, NULL, 10) : 0;

    if (pid > 0 && kill(pid, SIGKILL) == 0)
        waitpid(pid, NULL, 0);
    return faults_teardown(state);
}
#define FOREIGN_TEST(f) cmocka_unit_test_setup_teardown(f, faults_setup, foreign_teardown)

static pid_t elsewhere(struct mnt *m)
{
    assert_int_equal(sh(m, "cat \"$D/pid\""), 0);
    return (pid_t)strtol(m->out, NULL, 10);
}

static void close_elsewhere(struct mnt *m, pid_t pid)
{
    int status = 0;

    expect(m, "", "echo > \"$D/end\"; rm \"$D/pid\"");
    while (waitpid(pid, &status, 0) < 0) /* it was left to us */
        assert_int_equal(errno, EINTR);
    assert_int_equal(status, 0);
}

static void assert_names(const char *text, pid_t pid)
{
    char process[64];

    snprintf(process, sizeof(process), "process %d (python", (int)pid);
    if (strstr(text, process) == NULL)
        fail_msg("this does not name %s): %s", process, text);
}

static void a_file_open_in_another_process_is_mounted_read_only(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    v3_make_pages(m->t.db, PAGES);
    const uint64_t hash = v3_hash(m->t.db);
    expect(m, "", "mkfifo \"$D/end\"");
    open_elsewhere(m);
    const pid_t pid = elsewhere(m);
    mnt_start_foreground(m, NULL, NULL);
    assert_names(mnt_said(m), pid);
    expect(m, "mode ro\n", "grep ^mode status");
    assert_names(m_read(m, "status"), pid);
    assert_open(EROFS, m, "alloc", O_RDONLY);
    mnt_stop(m);
    assert_int_equal(sh(m, "\"$PAGEFS\" -o require_rw \"$DB\" \"$P\""), 32);
    assert_names(m->err, pid);
    assert_u64(hash, v3_hash(m->t.db));
    close_elsewhere(m, pid);
    mnt_start(m, "require_rw");
    expect(m, "100\n", "cat alloc");
    mnt_stop(m);
}

/* A file that is mounted, and then opened in another process. */
static pid_t mount_and_open_elsewhere(struct faulty *f)
{
    faults_pages(f, PAGES);
    expect(f->m, "", "mkfifo \"$D/end\"");
    open_elsewhere(f->m);
    return elsewhere(f->m);
}

static bool has_spoken(struct faulty *f)
{
    return faults_lines_said(f) > 0;
}

/* It is complete for whoever opened it, and is left alone from now on. */
static void assert_left_to(struct faulty *f, pid_t pid)
{
    struct mnt *const m = f->m;

    const uint64_t hash = v3_hash(m->t.db);
    assert_names(m_read(m, "status"), pid);
    assert_open(EROFS, m, "alloc", O_RDONLY);
    faults_wait(f, has_spoken, "a line on stderr");
    assert_names(faults_said(f), pid);
    close_elsewhere(m, pid);
    stop_and_compare(f, hash);
    expect(m, "101\n", "\"$PAGEFS\" stat \"$DB\" | awk '/^total_pages/ {print $2}'");
}

static void a_file_opened_elsewhere_is_read_only_from_the_next_checkpoint(void **state)
{
    struct faulty *const f = *state;
    const pid_t pid = mount_and_open_elsewhere(f);

    assert_write(0, f->m, "ctl", "checkpoint\n");
    expect(f->m, "mode ro\n", "grep ^mode status");
    assert_left_to(f, pid);
}

/* Nobody has to ask: a mount makes a checkpoint when it has nothing else to do.
 */
static void a_file_opened_elsewhere_is_noticed_and_told_when_idle(void **state)
{
    struct faulty *const f = *state;
    const pid_t pid = mount_and_open_elsewhere(f);

    assert_write(0, f->m, "pages/7/data", "x");
    faults_wait(f, has_spoken, "the idle checkpoint to tell of the other process");
    expect(f->m, "mode ro\n", "grep ^mode status");
    assert_left_to(f, pid);
}

/* The helper, which alone may look into other processes, was ended by somebody. */
static void a_process_that_cannot_be_named_is_told_all_the_same(void **state)
{
    static const char unnamed[] = "a process that could not be named";
    struct faulty *const f = *state;
    const pid_t pid = mount_and_open_elsewhere(f);
    char command[100];

    snprintf(command, sizeof(command), "pkill -KILL -P %d pagefs-helper",
             (int)f->m->daemon);
    if (sh(f->m, command) != 0) {
        close_elsewhere(f->m, pid);
        print_message("there is no helper\n");
        skip();
    }
    assert_write(0, f->m, "ctl", "checkpoint\n");
    expect(f->m, "mode ro\n", "grep ^mode status");
    assert_non_null(strstr(m_read(f->m, "status"), unnamed));
    close_elsewhere(f->m, pid);
    faults_stop(f, 2);
    assert_non_null(strstr(faults_said(f), unnamed));
}

static bool is_read_only(struct faulty *f)
{
    return strstr(m_read(f->m, "status"), "mode ro\n") != NULL;
}

/* A mount that is never idle makes its checkpoints when the journal is full. */
static void a_file_opened_elsewhere_is_noticed_by_a_busy_mount(void **state)
{
    struct faulty *const f = *state;
    uint8_t bytes[V3_PAGE] = {1};
    const pid_t pid = mount_and_open_elsewhere(f);
    int error = 0;

    for (int i = 0; i < 2000 && error == 0; i++) { /* a journal has 1 MiB */
        bytes[0]++;
        error = m_write_bytes(f->m, "pages/7/data", bytes, sizeof(bytes));
    }
    if (!is_read_only(f))
        fail_msg("8 MiB of changes went through, process %d still has the file open",
                 (int)pid);
    mnt_assert_errno(EROFS, error, "pages/7/data", "x", __FILE__, __LINE__);
    assert_left_to(f, pid);
}

/* The one who has the file is found among the open files of all processes. One
 * of them is on a mount whose daemon has stopped: looking at it would wait for
 * ever. */
static void naming_the_holder_waits_for_no_other_file_system(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char other[256];
    char command[600];

    mnt_pages(m, PAGES);
    scratch_path(&m->t, "other.v3", other);
    v3_make_pages(other, PAGES);
    snprintf(command, sizeof(command),
             "cd \"$D\"; mkdir second; exec 9<> other.v3 7< \"$P/stats\"; kill -STOP "
             "%d; "
             "timeout -s KILL 20 \"$PAGEFS\" -o require_rw other.v3 second 7<&- 9<&-; "
             "status=$?; kill -CONT %d; echo $status $$",
             (int)m->daemon, (int)m->daemon);
    sh(m, command);
    if (strncmp(m->out, "32 ", 3) != 0)
        fail_msg("exit status and pid of the holder: %s; stderr: %s", m->out, m->err);
    char expected[64];
    snprintf(expected, sizeof(expected), "process %ld (bash)",
             strtol(m->out + 3, NULL, 10));
    if (strstr(m->err, expected) == NULL)
        fail_msg("stderr lacks \"%s\": %s", expected, m->err);
    mnt_stop(m);
}

/* Each refused mount has the file open for a moment. */
static void refused_mounts_do_not_make_the_first_read_only(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    mnt_pages(m, PAGES);
    expect(m, "",
           "mkdir \"$D/second\"; "
           "for i in $(seq 60); do \"$PAGEFS\" \"$DB\" \"$D/second\"; "
           "\"$PAGEFS\" stat \"$DB\"; done > \"$D/refused\" 2>&1 & "
           "while kill -0 $! 2> /dev/null; do echo checkpoint > ctl || { wait; exit 1; "
           "}; done; "
           "test $(grep -c 'already open in' \"$D/refused\") = 120");
    expect(m, "mode rw\nreason none\n", "grep -e ^mode -e ^reason status");
    expect(m, "100\n", "cat alloc");
    mnt_stop(m);
}

static void a_writer_is_refused_while_a_reader_has_it_mounted(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    char holder[32];

    v3_make_pages(m->t.db, PAGES);
    mnt_start(m, "ro");
    snprintf(holder, sizeof(holder), "%d", (int)m->daemon);
    expect(m, "32\n",
           "mkdir \"$D/second\"; \"$PAGEFS\" \"$DB\" \"$D/second\" 2> "
           "\"$D/refused\"; "
           "echo $?");
    assert_int_equal(sh(m, "cat \"$D/refused\""), 0);
    if (strstr(m->out, holder) == NULL)
        fail_msg("the refusal lacks the pid %s: %s", holder, m->out);
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_header_changed_by_someone_else_is_not_overwritten),
        FAULT_TEST(a_change_during_our_sync_is_not_overwritten_either),
        FAULT_TEST(a_backup_copied_over_the_mounted_file_stays_as_it_is),
        FAULT_TEST(a_truncated_file_gives_errors_and_not_zeros),
        FAULT_TEST(a_truncated_file_does_not_grow_again),
        FAULT_TEST(a_file_truncated_to_nothing_is_stale),
        FAULT_TEST(mapped_pages_survive_a_truncation),
        FAULT_TEST(a_file_replaced_by_rename_is_stale),
        FAULT_TEST(a_file_moved_aside_and_replaced_is_stale),
        FAULT_TEST(a_file_that_was_removed_is_stale),
        FOREIGN_TEST(a_file_open_in_another_process_is_mounted_read_only),
        FOREIGN_TEST(a_process_that_cannot_be_named_is_told_all_the_same),
        FOREIGN_TEST(a_file_opened_elsewhere_is_read_only_from_the_next_checkpoint),
        FOREIGN_TEST(a_file_opened_elsewhere_is_noticed_and_told_when_idle),
        FOREIGN_TEST(a_file_opened_elsewhere_is_noticed_by_a_busy_mount),
        FAULT_TEST(naming_the_holder_waits_for_no_other_file_system),
        FAULT_TEST(refused_mounts_do_not_make_the_first_read_only),
        FAULT_TEST(a_writer_is_refused_while_a_reader_has_it_mounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
