/* A full disk is met where a page is handed out: nothing has changed, nothing
 * is final, and what was handed out before can be written. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES = 20, IDS_MAX = 4096 };

/* ---- a small disk of our own, with the database on it ---- */

static void use_disk(struct mnt *m)
{
    char disk[100];

    snprintf(disk, sizeof(disk), "%.80s/disk", m->t.dir);
    snprintf(m->t.db, sizeof(m->t.db), "%s/db.v3", disk);
}

static void skip_unless(struct mnt *m, const char *what, const char *command)
{
    if (geteuid() != 0) {
        print_message("not root: cannot mount %s\n", what);
        skip();
    }
    if (sh(m, command) != 0) {
        print_message("cannot mount %s: %s", what, m->err);
        skip();
    }
    use_disk(m);
}

static void on_tmpfs(struct mnt *m)
{
    skip_unless(m, "a tmpfs",
                "mkdir \"$D/disk\" && mount -t tmpfs -o size=4m none \"$D/disk\"");
}

static void on_ext4(struct mnt *m)
{
    skip_unless(m, "an ext4 image",
                "mkdir \"$D/disk\" && truncate -s 8M \"$D/image\" && "
                "mkfs.ext4 -q -F -m 0 \"$D/image\" && "
                "mount -o loop \"$D/image\" \"$D/disk\"");
}

/* As ext3 has it: no extents, and so no fallocate. */
static void on_ext4_without_fallocate(struct mnt *m)
{
    skip_unless(m, "an ext4 image without extents",
                "mkdir \"$D/disk\" && truncate -s 8M \"$D/image\" && "
                "mkfs.ext4 -q -F -m 0 -O ^extent,^64bit \"$D/image\" && "
                "mount -o loop \"$D/image\" \"$D/disk\"");
}

static int disk_teardown(void **state)
{
    struct faulty *const f = *state;
    char disk[256];

    scratch_path(&f->m->t, "disk", disk);
    (void)umount2(disk, MNT_DETACH); /* goes when the daemon has let go of it */
    return faults_teardown(state);
}
#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, faults_setup, disk_teardown)

/* All but what a journal and about 100 pages need. */
static void fill(struct mnt *m, const char *what_remains)
{
    char command[200];

    snprintf(command, sizeof(command),
             "dd if=/dev/zero of=\"$D/disk/filler\" bs=64k status=none; "
             "sync -f \"$D/disk\"; truncate -s -%s \"$D/disk/filler\"; sync -f "
             "\"$D/disk\"",
             what_remains);
    sh(m, command);
}

static void make_room(struct mnt *m)
{
    expect(m, "", "rm \"$D/disk/filler\"; sync -f \"$D/disk\"");
}

/* ---- allocating until it fails ---- */

struct ids {
    size_t count;
    uint64_t id[IDS_MAX];
};

/* `count` at once; the errno, or 0. */
static int allocate(struct mnt *m, unsigned count, struct ids *ids)
{
    char text[65536];
    size_t length = 0;
    ssize_t n = 0;
    const int fd = m_open(m, "alloc", O_RDWR);

    if (fd < 0)
        return -fd;
    snprintf(text, sizeof(text), "%u", count);
    int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    while (error == 0 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    if (n < 0)
        error = errno;
    close(fd);
    text[length] = '\0';
    for (char *at = text, *end; error == 0 && *at != '\0'; at = end + 1) {
        if (ids->count == IDS_MAX)
            fail_msg("%d pages were handed out, more than the disk holds", IDS_MAX);
        ids->id[ids->count++] = strtoull(at, &end, 10);
    }
    return error;
}

struct counts {
    uint64_t total, free, file_bytes;
};

static struct counts counts_of(struct mnt *m)
{
    const struct counts counts = {
        .total = m_number(m, "stats", "total_pages"),
        .free = m_number(m, "stats", "free_pages"),
        .file_bytes = m_number(m, "stats", "file_bytes"),
    };
    return counts;
}

static void assert_same_counts(const struct counts *a, const struct counts *b)
{
    assert_u64(a->total, b->total);
    assert_u64(a->free, b->free);
    assert_u64(a->file_bytes, b->file_bytes);
}

/* The allocation that does not fit gets `error` and changes nothing: neither
 * what the mount says, nor the file, nor that one can write. */
static void allocate_until(struct mnt *m, int error, unsigned at_once, struct ids *ids)
{
    int got = 0;
    struct counts before = counts_of(m);

    while (got == 0) {
        before = counts_of(m);
        got = allocate(m, at_once, ids);
    }
    mnt_assert_errno(error, got, "alloc", "until the disk is full", __FILE__, __LINE__);
    const struct counts after = counts_of(m);
    assert_same_counts(&before, &after);
    assert_u64(before.file_bytes, v3_size(m->t.db));
    expect(m, "mode rw\nreason none\n", "grep -e ^mode -e ^reason status");
    if (strstr(m_read(m, "last_error"), strerrorname_np(error)) == NULL)
        fail_msg("last_error lacks %s: %s", strerrorname_np(error), m->out);
}

/* Every byte of pages that were handed out. */
static void write_pages(struct mnt *m, const struct ids *ids)
{
    uint8_t bytes[V3_PAGE];
    char path[64];

    memset(bytes, 0x5a, sizeof(bytes));
    for (size_t i = 0; i < ids->count; i += i + 40 < ids->count ? 9 : 1) {
        snprintf(path, sizeof(path), "pages/%llu/data", (unsigned long long)ids->id[i]);
        mnt_assert_errno(0, m_write_bytes(m, path, bytes, sizeof(bytes)), path,
                         "4096 bytes", __FILE__, __LINE__);
    }
}

static void assert_all_allocated(struct mnt *m, const struct ids *ids)
{
    assert_u64(PAGES + ids->count, m_number(m, "stats", "total_pages"));
    assert_u64(PAGES + ids->count, m_number(m, "stats", "allocated_pages"));
}

static void give_back_and_take(struct mnt *m, uint64_t id)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu\n", (unsigned long long)id);
    assert_write(0, m, "free", text);
    assert_string_equal(m_read(m, "alloc"), text);
}

static void fill_up_and_go_on(void **state, void (*on_disk)(struct mnt *m))
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    struct ids ids = {0};
    on_disk(m);
    v3_make_pages(m->t.db, PAGES);
    expect(m, "", "head -c 1M /dev/zero > \"$D/disk/filler\"; sync -f \"$D/disk\"");
    mnt_start(m, NULL);
    allocate_until(m, ENOSPC, 64, &ids);
    allocate_until(m, ENOSPC, 1, &ids);
    write_pages(m, &ids);
    give_back_and_take(m, ids.id[0]); /* works on a full disk */
    make_room(m);
    assert_int_equal(allocate(m, 10, &ids), 0); /* nothing was final */
    write_pages(m, &ids);
    assert_all_allocated(m, &ids);
    mnt_restart(m);
    assert_all_allocated(m, &ids);
    mnt_stop(m);
}

static void a_full_tmpfs_is_met_at_allocate_and_passes(void **state)
{
    fill_up_and_go_on(state, on_tmpfs);
}

static void a_full_ext4_is_met_at_allocate_and_passes(void **state)
{
    fill_up_and_go_on(state, on_ext4);
}

static void a_full_disk_without_fallocate_is_met_at_allocate_and_passes(void **state)
{
    fill_up_and_go_on(state, on_ext4_without_fallocate);
}

static void without_room_for_a_journal_nothing_changes(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    struct ids ids = {0};

    on_tmpfs(m);
    v3_make_pages(m->t.db, PAGES);
    fill(m, "256k");
    const uint64_t before = v3_hash(m->t.db);
    mnt_start(m, NULL);
    assert_int_equal(allocate(m, 1, &ids), ENOSPC);
    assert_write(ENOSPC, m, "free", "5\n");
    assert_write(ENOSPC, m, "pages/5/data", "x");
    assert_u64(before, v3_hash(m->t.db));
    expect(m, "db.v3\nfiller\n", "ls \"$D/disk\"");
    make_room(m);
    assert_write(0, m, "free", "5\n");
    assert_int_equal(allocate(m, 1, &ids), 0);
    assert_u64(5, ids.id[0]);
    mnt_stop(m);
}

/* A page of a foreign file may be a hole: its first write needs room. */
static void writing_to_a_hole_of_the_file_on_a_full_disk_is_not_final(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    uint8_t bytes[V3_PAGE] = {1};
    int error = 0;

    on_tmpfs(m);
    v3_make_pages(m->t.db, 5000);
    mnt_start(m, NULL);
    for (uint64_t id = 2; error == 0 && id < 5000; id++) {
        char path[64];
        snprintf(path, sizeof(path), "pages/%llu/data", (unsigned long long)id);
        error = m_write_bytes(m, path, bytes, sizeof(bytes));
    }
    mnt_assert_errno(ENOSPC, error, "data", "into holes", __FILE__, __LINE__);
    assert_u64(0, m_number(m, "stats", "free_pages"));
    expect(m, "mode rw\n", "grep ^mode status");
    assert_write(0, m, "pages/2/data", "again"); /* has its space */
    expect(m, "", "mount -o remount,size=32m \"$D/disk\"");
    assert_write(0, m, "pages/4999/data", "room");
    mnt_stop(m);
}

/* ---- other limits ---- */

static void a_limit_of_the_process_on_file_sizes_is_efbig(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    struct ids ids = {0};
    struct rlimit was;
    v3_make_pages(m->t.db, PAGES);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    const struct rlimit limit = {2 * 1024 * 1024, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const int status = mnt_try(m, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    if (status != 0)
        fail_msg("%s", m->err);
    allocate_until(m, EFBIG, 64, &ids);
    allocate_until(m, EFBIG, 1, &ids);
    assert_in_range(m_number(m, "stats", "total_pages"), 512, 512);
    write_pages(m, &ids);
    give_back_and_take(m, ids.id[0]);
    mnt_restart(m); /* without the limit, and not hurt by SIGXFSZ */
    assert_all_allocated(m, &ids);
    assert_int_equal(allocate(m, 1, &ids), 0);
    mnt_stop(m);
}

static void a_limit_below_the_journals_size_changes_nothing(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    struct ids ids = {0};
    struct rlimit was;

    v3_make_pages(m->t.db, PAGES);
    const uint64_t before = v3_hash(m->t.db);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    const struct rlimit limit = {512 * 1024, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const int status = mnt_try(m, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    if (status != 0)
        fail_msg("%s", m->err);
    assert_int_equal(allocate(m, 1, &ids), EFBIG);
    assert_write(EFBIG, m, "free", "5\n");
    expect(m, "0\n", "ls \"$DB-journal\" 2> /dev/null | wc -l");
    mnt_stop(m);
    assert_u64(before, v3_hash(m->t.db));
}

/* What the disk says when space is reserved is what the caller gets, and it
 * passes. */
static void refused_and_healed(void **state, enum fault_file file, enum fault_call call,
                               int error)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;
    struct ids ids = {0};

    v3_make_pages(m->t.db, PAGES);
    faults_start(f, NULL);
    faults_fail(f, file, call, 0, FAULTS_FOR_EVER, error);
    allocate_until(m, error, 1, &ids);
    assert_int_equal(ids.count, 0);
    faults_heal(f);
    assert_int_equal(allocate(m, 1, &ids), 0);
    assert_u64(PAGES, ids.id[0]);
    faults_stop(f, 0);
    assert_int_equal(faults_lines_said(f), 0);
}

static void edquot_for_a_page_passes(void **state)
{
    refused_and_healed(state, FAULT_DB, FAULT_RESERVE, EDQUOT);
}

static void enospc_for_a_page_passes(void **state)
{
    refused_and_healed(state, FAULT_DB, FAULT_RESERVE, ENOSPC);
}

static void efbig_for_a_page_passes(void **state)
{
    refused_and_healed(state, FAULT_DB, FAULT_RESERVE, EFBIG);
}

static void edquot_for_the_journal_passes(void **state)
{
    refused_and_healed(state, FAULT_JOURNAL, FAULT_WRITE, EDQUOT);
}

/* A reservation that is broken off is asked for again. */
static void an_interrupted_reservation_is_repeated(void **state)
{
    struct faulty *const f = *state;
    struct ids ids = {0};

    v3_make_pages(f->m->t.db, PAGES);
    faults_start(f, NULL);
    faults_fail(f, FAULT_DB, FAULT_RESERVE, 0, 3, EINTR);
    assert_int_equal(allocate(f->m, 1, &ids), 0);
    assert_true(faults_entered(f, FAULT_DB, FAULT_RESERVE) > 3);
    faults_stop(f, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(a_full_tmpfs_is_met_at_allocate_and_passes),
        DISK_TEST(a_full_ext4_is_met_at_allocate_and_passes),
        DISK_TEST(a_full_disk_without_fallocate_is_met_at_allocate_and_passes),
        DISK_TEST(without_room_for_a_journal_nothing_changes),
        DISK_TEST(writing_to_a_hole_of_the_file_on_a_full_disk_is_not_final),
        FAULT_TEST(a_limit_of_the_process_on_file_sizes_is_efbig),
        FAULT_TEST(a_limit_below_the_journals_size_changes_nothing),
        FAULT_TEST(edquot_for_a_page_passes),
        FAULT_TEST(enospc_for_a_page_passes),
        FAULT_TEST(efbig_for_a_page_passes),
        FAULT_TEST(edquot_for_the_journal_passes),
        FAULT_TEST(an_interrupted_reservation_is_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
