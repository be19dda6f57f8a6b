/* A write or sync that fails is final: EIO for all that shared it, then
 * read-only. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGES = 20 };

/* The database after its daemon is gone: `held` pages (0 at the end) are
 * allocated and in range, the counts add up, and it can be used. */
static void assert_decides(struct mnt *m, const uint64_t *held)
{
    mnt_start(m, NULL);
    expect(m, "mode rw\n", "grep ^mode status");
    for (; *held != 0; held++)
        assert_state(m, *held, "allocated");
    assert_u64(m_number(m, "stats", "total_pages"),
               m_number(m, "stats", "allocated_pages") +
                   m_number(m, "stats", "free_pages"));
    expect(m, "0\n", "cat alloc > /dev/null; echo $?");
    mnt_stop(m);
}

static void assert_read_only_and_why(struct faulty *f, const char *reason)
{
    struct mnt *const m = f->m;

    expect(m, "mode ro\n", "grep ^mode status");
    if (strstr(m_read(m, "status"), reason) == NULL)
        fail_msg("status lacks \"%s\":\n%s", reason, m->out);
    assert_open(EROFS, m, "alloc", O_RDONLY);
    assert_open(EROFS, m, "alloc", O_RDWR);
    assert_write(EROFS, m, "free", "2\n");
    assert_write(EROFS, m, "pages/2/state", "free\n");
    assert_write(EROFS, m, "pages/2/data", "x");
    assert_write(EROFS, m, "pin", "2\n");
    /* and what only looks goes on */
    expect(m, "4096\n", "wc -c < pages/7/data");
    expect(m, "allocated\n", "cat pages/7/state");
    expect(m, "0\n", "ls -l pages > /dev/null; echo $?");
}

/* The client whose sync is under way succeeds; the seven that share the next do
 * not. */
static void all_that_shared_the_failed_sync_get_eio_and_the_others_do_not(void **state)
{
    struct faulty *const f = *state;
    uint64_t held[3] = {faults_pages(f, PAGES)};

    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    const unsigned syncs = faults_entered(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, 1);
    faults_wait_entered(f, FAULT_JOURNAL, FAULT_SYNC, syncs + 1);
    clients_start(f, 7);
    clients_wait_blocked(f);
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO);
    faults_release(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_wait(f);
    assert_int_equal(clients_with(f, 0), 1);
    assert_int_equal(clients_with(f, EIO), 7);
    held[1] = client_id(f, 0);
    assert_true(held[1] != 0);
    assert_read_only_and_why(f, "disk failed");
    faults_stop(f, 2);
    assert_decides(f->m, held);
}

/* Whoever has a file open already is refused as well. */
static void files_opened_before_the_failure_change_nothing(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    const uint64_t held[] = {faults_pages(f, PAGES), 0};
    const int list = m_open(m, "free", O_WRONLY);
    const int page = m_open(m, "pages/6/state", O_WRONLY);
    char path[256];

    assert_true(list >= 0 && page >= 0);
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO);
    assert_write(EIO, m, "free", "5\n");
    assert_int_equal(write(list, "6\n", 2), -1);
    assert_int_equal(errno, EROFS);
    assert_int_equal(write(page, "free!", 5), -1);
    assert_int_equal(errno, EROFS);
    assert_int_equal(write(page, "pinned", 6), -1);
    assert_int_equal(errno, EROFS);
    snprintf(path, sizeof(path), "%s/free", m->point);
    assert_int_equal(truncate(path, 0), -1);
    assert_int_equal(errno, EROFS);
    close(list);
    close(page);
    assert_state(m, 6, "allocated");
    faults_stop(f, 2);
    assert_decides(m, held);
}

static void a_failed_sync_is_never_repeated(void **state)
{
    struct faulty *const f = *state;
    const uint64_t held[] = {faults_pages(f, PAGES), 0};

    const int opened = m_open(f->m, "free", O_WRONLY);
    assert_true(opened >= 0);
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO); /* a second one would not */
    assert_write(EIO, f->m, "free", "5\n");
    const unsigned moment = faults_now(f);
    assert_write(EROFS, f->m, "free", "6\n");
    assert_int_equal(write(opened, "6\n", 2), -1); /* it was opened before */
    assert_int_equal(errno, EROFS);
    close(opened);
    assert_open(EROFS, f->m, "alloc", O_RDONLY);
    faults_stop(f, 2);
    assert_int_equal(faults_since(f, moment, -1, -1), 0); /* nothing at all */
    assert_decides(f->m, held);
}

struct failing {
    enum fault_file file;
    enum fault_call call;
    int error;
};

/* One that has a free page on top, so that a page besides the header is
 * written. */
static void fail_and_decide(void **state, const struct failing *failing)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    const uint64_t held[] = {faults_pages(f, PAGES), 0};

    faults_fail(f, failing->file, failing->call, 0, FAULTS_FOR_EVER, failing->error);
    clients_start(f, 1); /* grows the file: all calls there are */
    clients_wait(f);
    if (clients_with(f, EIO) != 1)
        fail_msg("file %d, call %d, %s: the client did not get EIO", failing->file,
                 failing->call, strerror(failing->error));
    clients_forget(f);
    assert_read_only_and_why(f, "disk failed");
    faults_stop(f, 2);
    assert_decides(m, held);
}

static void a_failed_write_to_the_journal_is_final(void **state)
{
    fail_and_decide(state, &(struct failing){FAULT_JOURNAL, FAULT_WRITE, EIO});
}

static void a_failed_write_to_the_database_is_final(void **state)
{
    fail_and_decide(state, &(struct failing){FAULT_DB, FAULT_WRITE, EIO});
}

static void a_file_that_cannot_be_made_longer_is_final(void **state)
{
    fail_and_decide(state, &(struct failing){FAULT_DB, FAULT_TRUNCATE, EIO});
}

/* Space was promised before: whatever the disk calls it, it has failed. */
static void a_disk_that_breaks_its_promise_of_space_is_eio(void **state)
{
    fail_and_decide(state, &(struct failing){FAULT_DB, FAULT_WRITE, ENOSPC});
}

static void an_interrupted_sync_counts_as_failed(void **state)
{
    fail_and_decide(state, &(struct failing){FAULT_JOURNAL, FAULT_SYNC, EINTR});
}

/* What was acknowledged is in the journal: it survives a database that never
 * took it. */
static void a_failed_checkpoint_at_the_end_loses_nothing(void **state)
{
    struct faulty *const f = *state;
    uint64_t held[] = {faults_pages(f, PAGES), 0};

    assert_write(0, f->m, "free", "5-9\n");
    faults_fail(f, FAULT_DB, FAULT_SYNC, 0, FAULTS_FOR_EVER, EIO);
    faults_stop(f, 2);
    assert_int_equal(faults_lines_said(f), 1);
    expect(f->m, "", "test -s \"$DB-journal\"");
    mnt_start(f->m, NULL);
    for (uint64_t id = 5; id <= 9; id++)
        assert_state(f->m, id, "free");
    mnt_stop(f->m);
    assert_decides(f->m, held);
}

static void stderr_says_it_in_one_line(void **state)
{
    struct faulty *const f = *state;

    faults_pages(f, PAGES);
    assert_int_equal(faults_lines_said(f), 0);
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO);
    assert_write(EIO, f->m, "free", "5\n");
    for (int i = 0; i < 3; i++)
        assert_write(EROFS, f->m, "free", "5\n");
    faults_stop(f, 2);
    if (faults_lines_said(f) != 1 || strstr(f->m->err, "read-only") == NULL ||
        strstr(f->m->err, f->m->t.db) == NULL || strstr(f->m->err, "failed") == NULL)
        fail_msg("stderr is not one line with file, state and reason: %s", f->m->err);
}

static void last_error_says_which_command_the_disk_failed(void **state)
{
    struct faulty *const f = *state;

    faults_pages(f, PAGES);
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO);
    assert_write(EIO, f->m, "free", "5\n");
    if (strstr(m_read(f->m, "last_error"), "free") == NULL ||
        strstr(f->m->out, "(EIO)") == NULL)
        fail_msg("last_error: %s", f->m->out);
    faults_stop(f, 2);
}

static void fsync_of_a_failed_mount_fails(void **state)
{
    struct faulty *const f = *state;
    char command[400];

    faults_pages(f, PAGES);
    faults_fail(f, FAULT_JOURNAL, FAULT_SYNC, 0, 1, EIO);
    assert_write(EIO, f->m, "free", "5\n");
    snprintf(command, sizeof(command), "sync \"$P/pages/7/data\"");
    expect_error(f->m, "Input/output error", command);
    faults_stop(f, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(all_that_shared_the_failed_sync_get_eio_and_the_others_do_not),
        FAULT_TEST(files_opened_before_the_failure_change_nothing),
        FAULT_TEST(a_failed_sync_is_never_repeated),
        FAULT_TEST(a_failed_write_to_the_journal_is_final),
        FAULT_TEST(a_failed_write_to_the_database_is_final),
        FAULT_TEST(a_file_that_cannot_be_made_longer_is_final),
        FAULT_TEST(a_disk_that_breaks_its_promise_of_space_is_eio),
        FAULT_TEST(an_interrupted_sync_counts_as_failed),
        FAULT_TEST(a_failed_checkpoint_at_the_end_loses_nothing),
        FAULT_TEST(stderr_says_it_in_one_line),
        FAULT_TEST(last_error_says_which_command_the_disk_failed),
        FAULT_TEST(fsync_of_a_failed_mount_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
