/* A journal that is not what this database left: of a backup, of another size, a link, a
 * fifo, somebody else's. It is never replayed, and nothing is touched. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 100 };

static const char *const make_backup = "cp --sparse=never \"$DB\" \"$D/backup\"";

/* A database whose daemon was killed: 100 and 101 allocated since the backup,
 * and no checkpoint was made, idle as it may have been. */
static void leave_a_journal(struct faulty *f)
{
    struct mnt *const m = f->m;

    v3_make_pages(m->t.db, PAGES);
    expect(m, "", make_backup);
    faults_start(f, NULL);
    faults_hold(f, FAULT_DB, FAULT_SYNC);
    expect(m, "100\n101\n", "cat alloc; cat alloc");
    assert_write(0, m, "free", "5-9\n");
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    assert_true(WIFSIGNALED(mnt_wait(m)));
    mnt_unmount(m);
    expect(m, "", "test -s \"$DB-journal\"");
}

static const char *const side_files =
    "cd \"$D\"; sha256sum db*; stat -c '%n %s %Y %i %a' db*";

static void assert_journal_is_refused(struct mnt *m, const char *reason)
{
    assert_int_equal(sh(m, side_files), 0);
    char *const before = strdup(m->out);

    mnt_start(m, NULL);
    if (strstr(m->err, "read-only") == NULL || strstr(m->err, reason) == NULL)
        fail_msg("stderr does not say \"read-only\" and \"%s\": %s", reason, m->err);
    expect(m, "mode ro\n", "grep ^mode status");
    if (strstr(m_read(m, "status"), reason) == NULL)
        fail_msg("status lacks \"%s\":\n%s", reason, m->out);
    assert_open(EROFS, m, "alloc", O_RDONLY);
    mnt_stop(m);
    assert_int_equal(mnt_try(m, "require_rw"), 32);
    assert_int_equal(sh(m, side_files), 0);
    assert_string_equal(before, m->out);
    free(before);
}

static void a_backup_restored_under_a_journal_is_not_touched(void **state)
{
    struct faulty *const f = *state;

    leave_a_journal(f);
    /* a backup of a later day: same size, other content */
    v3_poke64(f->m->t.db, V3_AT_NODE_COUNT, 3);
    assert_journal_is_refused(f->m, "journal");
}

static void a_file_of_another_size_under_a_journal_is_not_touched(void **state)
{
    struct faulty *const f = *state;

    leave_a_journal(f);
    assert_int_equal(unlink(f->m->t.db), 0);
    v3_make_pages(f->m->t.db, 300);
    assert_journal_is_refused(f->m, "journal");
}

/* The very state that the journal began with: there it belongs, and brings it
 * up to date.
 */
static void the_state_before_the_journal_is_brought_up_to_date(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    leave_a_journal(f);
    expect(m, "", "cp --sparse=never \"$D/backup\" \"$DB\"");
    mnt_start(m, "require_rw");
    assert_u64(PAGES + 2, m_number(m, "stats", "total_pages"));
    assert_u64(5, m_number(m, "stats", "free_pages"));
    expect(m, "9\n", "cat alloc");
    mnt_stop(m);
}

static void a_journal_that_is_a_symbolic_link_is_refused(void **state)
{
    struct faulty *const f = *state;

    v3_make_pages(f->m->t.db, PAGES);
    expect(f->m, "", "echo precious > \"$D/target\"; ln -s target \"$DB-journal\"");
    assert_journal_is_refused(f->m, "journal");
    expect(f->m, "precious\n", "cat \"$D/target\"");
}

static void a_journal_that_is_a_dangling_link_makes_no_file(void **state)
{
    struct faulty *const f = *state;

    v3_make_pages(f->m->t.db, PAGES);
    expect(f->m, "", "ln -s target \"$DB-journal\"");
    mnt_start(f->m, NULL);
    expect(f->m, "mode ro\n", "grep ^mode status");
    mnt_stop(f->m);
    expect(f->m, "0\n", "ls \"$D/target\" 2> /dev/null | wc -l");
}

static void a_journal_that_is_a_fifo_is_refused_without_waiting(void **state)
{
    struct faulty *const f = *state;

    v3_make_pages(f->m->t.db, PAGES);
    expect(f->m, "", "mkfifo \"$DB-journal\"");
    mnt_start(f->m, NULL);
    expect(f->m, "mode ro\n", "grep ^mode status");
    assert_non_null(strstr(m_read(f->m, "status"), "journal"));
    mnt_stop(f->m);
    expect(f->m, "", "test -p \"$DB-journal\"");
}

static void a_journal_of_another_owner_is_refused(void **state)
{
    struct faulty *const f = *state;
    char journal[256];

    if (geteuid() != 0) {
        print_message("not root: cannot give a file away\n");
        skip();
    }
    leave_a_journal(f);
    snprintf(journal, sizeof(journal), "%s-journal", f->m->t.db);
    assert_int_equal(chown(journal, 12345, 12345), 0);
    assert_journal_is_refused(f->m, "journal");
}

static void a_journal_that_cannot_be_read_is_not_mounted_over(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    v3_make_pages(m->t.db, PAGES);
    const uint64_t hash = v3_hash(m->t.db);
    expect(m, "", "mkdir \"$DB-journal\"");
    assert_int_not_equal(mnt_try(m, NULL), 0);
    assert_false(mnt_mounted(m));
    assert_non_null(strstr(m->err, "journal"));
    assert_u64(hash, v3_hash(m->t.db));
}

/* Whoever gets there first while we are mounted does not get our records. */
static void a_link_put_in_the_journals_place_while_mounted_is_not_followed(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    mnt_pages(m, PAGES);
    expect(m, "", "echo precious > \"$D/target\"; ln -s target \"$DB-journal\"");
    expect_error(m, "", "cat alloc");
    expect(m, "precious\n", "cat \"$D/target\"");
    expect(m, "", "rm \"$DB-journal\"");
    mnt_unmount(m);
    (void)mnt_wait(m);
    assert_u64(v3_nominal(PAGES), v3_size(m->t.db));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_backup_restored_under_a_journal_is_not_touched),
        FAULT_TEST(a_file_of_another_size_under_a_journal_is_not_touched),
        FAULT_TEST(the_state_before_the_journal_is_brought_up_to_date),
        FAULT_TEST(a_journal_that_is_a_symbolic_link_is_refused),
        FAULT_TEST(a_journal_that_is_a_dangling_link_makes_no_file),
        FAULT_TEST(a_journal_that_is_a_fifo_is_refused_without_waiting),
        FAULT_TEST(a_journal_of_another_owner_is_refused),
        FAULT_TEST(a_journal_that_cannot_be_read_is_not_mounted_over),
        FAULT_TEST(a_link_put_in_the_journals_place_while_mounted_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
