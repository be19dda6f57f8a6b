/* What a crash leaves: a journal beside the database, and a database that has some, all
 * or none of what the journal says. A crash is a child that ends without closing; a power
 * cut that lost the database's unsynced writes is the old file put back under the
 * journal. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"
#include "scratch.h"
#include "v3file.h"

static void journal_path(const struct scratch *t, char *out)
{
    char name[256];
    snprintf(name, sizeof name, "%s-journal", strrchr(t->db, '/') + 1);
    scratch_path(t, name, out);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void copy_file(const char *from, const char *to)
{
    char command[600];
    snprintf(command, sizeof command, "cp --sparse=never '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* Run `change` on the database in a child that is gone before it can close. */
static void crash_after(struct scratch *t, void (*change)(pf_store *store))
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pf_store *store;
        if (pf_open(t->db, NULL, &store, NULL) != PF_OK)
            _exit(9);
        change(store);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void must(pf_err err)
{
    if (err != PF_OK)
        _exit(10);
}

/* 100 pages: 10..14 freed, page 20 written, one page allocated (14), one new (100, 101).
 */
static void some_changes(pf_store *store)
{
    const struct pf_range range = {.first = 10, .count = 5};
    uint8_t page[PF_PAGE_SIZE];
    uint64_t id;
    memset(page, 0x77, sizeof page);
    must(pf_pages_free(store, &range, 1, NULL, NULL));
    must(pf_page_write(store, 20, 0, page, sizeof page, NULL));
    must(pf_page_alloc(store, &id, NULL));
    must(pf_pages_alloc_contiguous(store, 10, &id, NULL));
}

static void assert_changes_are_there(struct scratch *t)
{
    uint8_t page[PF_PAGE_SIZE];
    assert_counts(t->store, 110, 4, 0);
    assert_ok(pf_page_read(t->store, 20, page));
    assert_int_equal(page[0], 0x77);
    assert_int_equal(page[4095], 0x77);
    assert_int_equal(state_of(t->store, 14), PF_STATE_ALLOCATED);
    assert_int_equal(state_of(t->store, 13), PF_STATE_FREE);
}

static void prepare(struct scratch *t, char *old, char *journal)
{
    assert_ok(pf_create(t->db, 100));
    scratch_path(t, "old", old);
    copy_file(t->db, old);
    journal_path(t, journal);
    crash_after(t, some_changes);
    assert_true(exists(journal));
}

static void a_killed_process_leaves_a_current_file(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_changes_are_there(t);
    scratch_close(t);
    assert_false(exists(journal));
}

static void a_database_that_lost_its_writes_gets_them_from_the_journal(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    copy_file(old, t->db);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_changes_are_there(t);
    scratch_reopen(t);
    assert_changes_are_there(t);
}

static void recovering_twice_gives_the_same_bytes(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256], kept[256];
    prepare(t, old, journal);
    scratch_path(t, "kept", kept);
    copy_file(journal, kept);
    copy_file(old, t->db);
    scratch_open(t, NULL);
    scratch_close(t);
    const uint64_t once = v3_hash(t->db);
    copy_file(kept, journal);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    scratch_close(t);
    assert_u64(once, v3_hash(t->db));
}

static void reading_applies_a_journal_in_memory_only(void **state)
{
    struct scratch *t = *state;
    const struct pf_options read_only = {.read_only = true};
    char old[256], journal[256];
    prepare(t, old, journal);
    copy_file(old, t->db);
    const uint64_t db_before = v3_hash(t->db), journal_before = v3_hash(journal);
    scratch_open(t, &read_only);
    assert_changes_are_there(t);
    scratch_close(t);
    assert_u64(db_before, v3_hash(t->db));
    assert_u64(journal_before, v3_hash(journal));
}

/* Open, expect read-only with this word in the reason, and no byte changed. */
static void assert_refused(struct scratch *t, const char *journal, const char *word)
{
    struct pf_info info;
    const struct pf_options require_rw = {.require_rw = true};
    const uint64_t db_before = v3_hash(t->db), journal_before = v3_hash(journal);
    scratch_open(t, NULL);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    if (strstr(info.reason, word) == NULL)
        fail_msg("reason \"%s\" lacks \"%s\"", info.reason, word);
    scratch_close(t);
    assert_pf(PF_E_NEEDS_WRITE, pf_open(t->db, &require_rw, &t->store, t->reason));
    assert_u64(db_before, v3_hash(t->db));
    assert_u64(journal_before, v3_hash(journal));
}

static void poke(const char *path, off_t offset, uint8_t byte)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

static void a_backup_restored_under_a_journal_is_not_touched(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    poke(old, 112 + 9 * 4096, 0x01); /* page 10, which became a trunk */
    copy_file(old, t->db);
    assert_refused(t, journal, "not the one it was written for");
}

static void a_header_changed_by_another_program_is_not_overwritten(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    poke(t->db, 23, 0x05); /* node_count */
    assert_refused(t, journal, "not the one it was written for");
}

static void a_database_of_another_size_is_not_touched(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    assert_int_equal(truncate(t->db, 112 + 104 * 4096), 0);
    assert_refused(t, journal, "size");
}

static void a_damaged_header_of_the_journal_is_refused(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    poke(journal, 17, 0xFF);
    assert_refused(t, journal, "header is damaged");
}

static void a_damaged_record_before_a_durable_one_is_refused(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    prepare(t, old, journal);
    poke(journal, 512 + 100, 0xFF);
    assert_refused(t, journal, "durable");
}

static void a_torn_last_record_is_as_if_it_never_was(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256];
    struct stat st;
    prepare(t, old, journal);
    copy_file(old, t->db);
    /* the last record is the last sector with our record's magic */
    assert_int_equal(stat(journal, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    FILE *f = fopen(journal, "r");
    assert_int_equal(fread(bytes, 1, (size_t)st.st_size, f), st.st_size);
    fclose(f);
    off_t last = 0;
    for (off_t at = 512; at < st.st_size; at += 512)
        if (memcmp(bytes + at, "PFRC", 4) == 0)
            last = at;
    free(bytes);
    poke(journal, last + 200, 0xEE);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_counts(t->store, 100, 4, 0); /* all but the ten new pages */
}

static void a_symbolic_link_for_a_journal_is_refused(void **state)
{
    struct scratch *t = *state;
    char old[256], journal[256], target[256];
    prepare(t, old, journal);
    scratch_path(t, "elsewhere", target);
    assert_int_equal(rename(journal, target), 0);
    assert_int_equal(symlink(target, journal), 0);
    assert_refused(t, journal, "not a regular file");
}

/* It would be filled with zeros, under its other name as well. */
static void a_journal_with_a_second_name_is_refused(void **state)
{
    struct scratch *t = *state;
    char journal[256], precious[256];
    struct v3_image before, after;
    struct pf_info info;
    assert_ok(pf_create(t->db, 10));
    journal_path(t, journal);
    scratch_path(t, "precious", precious);
    copy_file(t->db, precious);
    v3_poke64(precious, 0, 0); /* as a journal that has nothing to replay */
    v3_image_read(precious, &before);
    assert_int_equal(link(precious, journal), 0);
    scratch_open(t, NULL);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_non_null(strstr(info.reason, "second name"));
    scratch_close(t);
    v3_image_read(precious, &after);
    assert_true(before.size == after.size);
    assert_true(v3_image_differences(&before, &after) == 0);
    v3_image_free(&before);
    v3_image_free(&after);
    assert_true(exists(journal));
}

/* What a backup of a crashed database is put over while it is open, and nothing was
 * written since the last checkpoint: all of it was durable, none of it is ours. */
static void restore_while_open(struct scratch *t, void (*put)(const char *, const char *),
                               bool database, pf_err expected)
{
    char old[256], journal[256], saved_db[256], saved_journal[256];
    prepare(t, old, journal);
    scratch_path(t, "saved", saved_db);
    scratch_path(t, "saved-journal", saved_journal);
    copy_file(t->db, saved_db);
    copy_file(journal, saved_journal);
    const uint64_t hash = v3_hash(saved_journal);
    uint64_t id;
    scratch_open(t, NULL);
    assert_ok(pf_pages_alloc_contiguous(t->store, 20, &id, NULL)); /* a longer file */
    assert_ok(pf_checkpoint(t->store));
    if (database)
        put(saved_db, t->db);
    put(saved_journal, journal);
    assert_pf(expected, pf_close(t->store));
    t->store = NULL;
    assert_true(hash == v3_hash(journal));
}

static void move_file(const char *from, const char *to)
{
    assert_int_equal(rename(from, to), 0);
}

static void a_journal_copied_over_ours_is_left_alone(void **state)
{
    struct scratch *t = *state;
    restore_while_open(t, copy_file, true, PF_E_STALE);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_changes_are_there(t);
}

static void a_journal_moved_over_ours_is_left_alone(void **state)
{
    struct scratch *t = *state;
    restore_while_open(t, move_file, true, PF_E_STALE);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_changes_are_there(t);
}

static void a_journal_alone_put_over_ours_is_left_alone(void **state)
{
    struct scratch *t = *state;
    restore_while_open(t, move_file, false, PF_E_STALE);
}

static void a_fifo_for_a_journal_is_refused_without_waiting(void **state)
{
    struct scratch *t = *state;
    char journal[256];
    struct pf_info info;
    assert_ok(pf_create(t->db, 10));
    journal_path(t, journal);
    assert_int_equal(mkfifo(journal, 0600), 0);
    scratch_open(t, NULL);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_non_null(strstr(info.reason, "not a regular file"));
}

static void a_journal_that_appears_while_we_are_open_is_not_overwritten(void **state)
{
    struct scratch *t = *state;
    char journal[256];
    uint64_t id = 4711;
    scratch_create(t, 10);
    journal_path(t, journal);
    const int fd = open(journal, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_pf(PF_E_JOURNAL, pf_page_alloc(t->store, &id, NULL));
    assert_u64(4711, id);
    assert_counts(t->store, 10, 0, 0);
    struct stat st;
    assert_int_equal(stat(journal, &st), 0);
    assert_int_equal(st.st_size, 1);
    scratch_close(t);
    assert_int_equal(unlink(journal), 0);
}

static void a_journal_half_made_when_the_power_went_is_no_obstacle(void **state)
{
    struct scratch *t = *state;
    char journal[256];
    for (off_t size = 0; size <= 4096; size += 1024) {
        (void)unlink(t->db);
        assert_ok(pf_create(t->db, 10));
        journal_path(t, journal);
        const int fd = open(journal, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_int_equal(ftruncate(fd, size), 0);
        close(fd);
        scratch_open(t, NULL);
        assert_true(pf_writable(t->store));
        assert_u64(10, alloc_one(t->store));
        scratch_close(t);
        assert_false(exists(journal));
    }
}

/* ---- journals made to keep us busy ---- */

/* With nothing in it, nor space behind it: that is not filled. */
static void a_vast_journal_without_a_header_takes_no_space(void **state)
{
    struct scratch *t = *state;
    char journal[256];
    struct stat st;
    assert_ok(pf_create(t->db, 10));
    journal_path(t, journal);
    const int fd = open(journal, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 32), 0);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_u64(10, alloc_one(t->store));
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    assert_true(st.st_blocks * 512 < 4 * 1024 * 1024);
    scratch_close(t);
    assert_false(exists(journal));
}

enum { HOSTILE_SALT = 77 };

static void write_journal(const struct scratch *t, const uint8_t *bytes, size_t length)
{
    char journal[256];
    journal_path(t, journal);
    const int fd = open(journal, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

static uint8_t *hostile_journal(uint64_t db_size, size_t sectors)
{
    uint8_t *bytes = calloc(sectors, SECTOR);
    const struct journal_header header = {
        .salt = HOSTILE_SALT, .first_lsn = 1, .db_size = db_size};
    assert_non_null(bytes);
    journal_header_encode(&header, bytes);
    return bytes;
}

/* Opening must refuse this journal, and be done with it in a time that its length
 * explains. */
static void assert_judged_soon(struct scratch *t)
{
    const clock_t before = clock();
    scratch_open(t, NULL);
    const double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    struct pf_info info;
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_non_null(strstr(info.reason, "journal"));
    if (seconds > 2)
        fail_msg("opening took %.1f s of processor time", seconds);
}

/* Every sector of it claims to begin a record that goes on to the end. */
static void a_journal_of_records_within_records_is_judged_soon(void **state)
{
    enum { SECTORS = 24 * 1024 };
    struct scratch *t = *state;
    assert_ok(pf_create(t->db, 10));
    uint8_t *bytes = hostile_journal(v3_size(t->db), SECTORS);
    for (uint32_t i = 2; i + 2 < SECTORS; i++) {
        struct record_head head = {.salt = HOSTILE_SALT, .lsn = 9, .durable_lsn = 9};
        const struct record_sector sector = {.content = bytes};
        uint8_t record[2 * SECTOR];
        const uint64_t room = (uint64_t)(SECTORS - i) * SECTOR;
        uint64_t n = room / (SECTOR + RECORD_ENTRY);
        while (record_length(n) > room)
            n--;
        head.db_size = v3_size(t->db);
        record_encode(&head, &sector, 1, record);
        v3_put32(record + 4, (uint32_t)n);
        v3_put64(record + 40, record_length(n));
        memcpy(bytes + (size_t)i * SECTOR, record, RECORD_HEAD);
    }
    write_journal(t, bytes, (size_t)SECTORS * SECTOR);
    free(bytes);
    assert_judged_soon(t);
}

/* Thousands of contents for one sector, none of which it has, and as many sizes. */
static void a_journal_of_many_records_for_one_sector_is_judged_soon(void **state)
{
    enum { SECTORS = 160 * 1024 };
    struct scratch *t = *state;
    assert_ok(pf_create(t->db, 10));
    uint8_t *bytes = hostile_journal(v3_size(t->db), SECTORS);
    uint8_t content[SECTOR] = {1};
    for (uint64_t i = 0; 2 * i + 3 <= SECTORS; i++) {
        const struct record_sector sector = {.has_base = i == 0, .content = content};
        struct record_head head = {.salt = HOSTILE_SALT,
                                   .lsn = i + 1,
                                   .durable_lsn = i,
                                   .db_size = v3_size(t->db) + i};
        record_encode(&head, &sector, 1, bytes + (size_t)(1 + 2 * i) * SECTOR);
    }
    write_journal(t, bytes, (size_t)SECTORS * SECTOR);
    free(bytes);
    assert_judged_soon(t);
}

/* The fixture's own way of opening does without syncs. */
static void open_with_syncs(struct scratch *t, uint64_t total_pages)
{
    static const struct pf_options options;
    assert_ok(pf_create(t->db, total_pages));
    scratch_open(t, &options);
}

static void after_a_checkpoint_there_is_nothing_to_replay(void **state)
{
    struct scratch *t = *state;
    open_with_syncs(t, 100);
    assert_false(pf_checkpoint_due(t->store));
    free_one(t->store, 50);
    assert_true(pf_checkpoint_due(t->store));
    assert_ok(pf_checkpoint(t->store));
    assert_false(pf_checkpoint_due(t->store));
    assert_u64(50, alloc_one(t->store));
    assert_true(pf_checkpoint_due(t->store));
}

static void a_full_journal_goes_on_after_a_checkpoint_of_its_own(void **state)
{
    struct scratch *t = *state;
    struct pf_info info;
    struct stat st;
    char journal[256];
    open_with_syncs(t, 2000);
    journal_path(t, journal);
    for (int i = 0; i < 1500; i++) { /* about 1.5 KiB each: more than it holds */
        free_one(t->store, (uint64_t)(2 + i));
        pf_info_get(t->store, &info);
        assert_int_equal(info.mode, PF_MODE_RW);
    }
    assert_int_equal(stat(journal, &st), 0);
    assert_int_equal(st.st_size, 1024 * 1024); /* restarted, not grown */
    scratch_reopen(t);
    for (int i = 1499; i >= 0; i--)
        assert_u64((uint64_t)(2 + i), alloc_one(t->store));
}

static void the_journal_has_the_databases_mode(void **state)
{
    struct scratch *t = *state;
    char journal[256];
    struct stat st;
    assert_ok(pf_create(t->db, 10));
    assert_int_equal(chmod(t->db, 0640), 0);
    scratch_open(t, NULL);
    (void)alloc_one(t->store);
    journal_path(t, journal);
    assert_int_equal(stat(journal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void without_room_for_a_journal_nothing_changes_and_later_it_works(void **state)
{
    struct scratch *t = *state;
    struct rlimit saved, small = {.rlim_cur = 500 * 1024};
    char journal[256];
    uint64_t id = 1;
    scratch_create(t, 100);
    journal_path(t, journal);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small.rlim_max = saved.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const pf_err err = pf_page_alloc(t->store, &id, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_pf(PF_E_FILE_LIMIT, err);
    assert_u64(1, id);
    assert_true(pf_writable(t->store));
    assert_false(exists(journal));
    assert_counts(t->store, 100, 0, 0);
    assert_u64(100, alloc_one(t->store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_killed_process_leaves_a_current_file),
        SCRATCH_TEST(a_database_that_lost_its_writes_gets_them_from_the_journal),
        SCRATCH_TEST(recovering_twice_gives_the_same_bytes),
        SCRATCH_TEST(reading_applies_a_journal_in_memory_only),
        SCRATCH_TEST(a_backup_restored_under_a_journal_is_not_touched),
        SCRATCH_TEST(a_header_changed_by_another_program_is_not_overwritten),
        SCRATCH_TEST(a_database_of_another_size_is_not_touched),
        SCRATCH_TEST(a_damaged_header_of_the_journal_is_refused),
        SCRATCH_TEST(a_damaged_record_before_a_durable_one_is_refused),
        SCRATCH_TEST(a_torn_last_record_is_as_if_it_never_was),
        SCRATCH_TEST(a_symbolic_link_for_a_journal_is_refused),
        SCRATCH_TEST(a_journal_with_a_second_name_is_refused),
        SCRATCH_TEST(a_journal_copied_over_ours_is_left_alone),
        SCRATCH_TEST(a_journal_moved_over_ours_is_left_alone),
        SCRATCH_TEST(a_journal_alone_put_over_ours_is_left_alone),
        SCRATCH_TEST(a_fifo_for_a_journal_is_refused_without_waiting),
        SCRATCH_TEST(a_journal_that_appears_while_we_are_open_is_not_overwritten),
        SCRATCH_TEST(a_journal_half_made_when_the_power_went_is_no_obstacle),
        SCRATCH_TEST(a_vast_journal_without_a_header_takes_no_space),
        SCRATCH_TEST(a_journal_of_records_within_records_is_judged_soon),
        SCRATCH_TEST(a_journal_of_many_records_for_one_sector_is_judged_soon),
        SCRATCH_TEST(after_a_checkpoint_there_is_nothing_to_replay),
        SCRATCH_TEST(a_full_journal_goes_on_after_a_checkpoint_of_its_own),
        SCRATCH_TEST(the_journal_has_the_databases_mode),
        SCRATCH_TEST(without_room_for_a_journal_nothing_changes_and_later_it_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
