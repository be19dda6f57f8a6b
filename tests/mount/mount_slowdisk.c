/* While the disk is slow: everybody who only looks is answered, those who wait
 * share. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 20, WAITING = 64, SYNCS_AT_MOST = 8 };

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* 64 clients in read(2), the daemon has their requests, and a sync is under way
 * that does not end before the test says so. */
static void start_waiting(struct faulty *f)
{
    faults_pages(f, PAGES);
    const unsigned syncs = faults_syncs_entered(f);
    faults_hold(f, FAULT_JOURNAL, FAULT_SYNC);
    clients_start(f, WAITING);
    clients_wait_blocked(f);
    faults_wait_entered(f, FAULT_JOURNAL, FAULT_SYNC,
                        faults_left(f, FAULT_JOURNAL, FAULT_SYNC) + 1);
    assert_true(faults_syncs_entered(f) > syncs);
}

static void assert_all_wait(struct faulty *f)
{
    assert_int_equal(clients_answered(f), 0);
    assert_int_equal(faults_syncs_entered(f), faults_syncs_left(f) + 1);
}

static void finish_waiting(struct faulty *f)
{
    faults_heal(f);
    clients_wait(f);
    assert_int_equal(clients_with(f, 0), WAITING);
    clients_assert_distinct(f);
    assert_u64(PAGES + 1 + WAITING, m_number(f->m, "stats", "total_pages"));
    faults_stop(f, 0);
}

static void whoever_only_looks_is_answered_while_64_wait_for_the_disk(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    start_waiting(f);
    expect(m, "0\n", "cat stats > /dev/null; echo $?");
    expect(m, "0\n1\n", "ls pages | sort -n | head -n 2");
    expect(m, "allocated\n", "cat pages/7/state");
    expect(m, "4096\n", "wc -c < pages/7/data");
    expect(m, "0\n", "cat freelist stats.json status header README > /dev/null; echo $?");
    expect(m, "0\n", "df . > /dev/null; ls -l pages > /dev/null; echo $?");
    assert_write(0, m, "pin", "7\n"); /* memory only */
    assert_state(m, 7, "pinned");
    assert_all_wait(f); /* nobody had to wait for the disk for all this */
    finish_waiting(f);
}

static void sixty_four_allocations_share_a_few_syncs(void **state)
{
    struct faulty *const f = *state;

    start_waiting(f);
    assert_all_wait(f);
    const unsigned before = faults_syncs_left(f);
    finish_waiting(f);
    assert_in_range(faults_syncs_left(f) - before, 1, SYNCS_AT_MOST);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The figures of the contract: each sync takes 1.5 s, `stats` answers within
 * 100 ms. Of many looks the middle one counts, and all were made before the
 * first sync was over. */
static void stats_answer_within_100_ms_on_a_disk_of_1500_ms(void **state)
{
    enum { LOOKS = 101, SYNC_MS = 1500, ANSWER_US = 100 * 1000 };
    struct faulty *const f = *state;
    uint64_t took[LOOKS];
    unsigned looks = 0;

    faults_pages(f, PAGES);
    const unsigned before = faults_syncs_left(f);
    for (int file = 0; file < FAULT_FILES; file++)
        atomic_store(&f->control->points[file][FAULT_SYNC].delay_ms, SYNC_MS);
    const uint64_t began = now_us();
    clients_start(f, WAITING);
    faults_wait_entered(f, FAULT_JOURNAL, FAULT_SYNC,
                        faults_left(f, FAULT_JOURNAL, FAULT_SYNC) + 1);
    while (looks < LOOKS) {
        const uint64_t start = now_us();
        m_read(f->m, "stats");
        took[looks] = now_us() - start;
        if (faults_syncs_left(f) != before)
            break;
        looks++;
    }
    clients_wait(f);
    const uint64_t all = now_us() - began;
    const unsigned syncs = faults_syncs_left(f) - before;
    assert_int_equal(clients_with(f, 0), WAITING);
    clients_assert_distinct(f);
    if (looks == 0)
        fail_msg("not one look at stats was over before the first sync");
    qsort(took, looks, sizeof(took[0]), by_value);
    print_message("%u looks at stats during the first sync: median %llu us, slowest %llu "
                  "us; %d allocations in %u syncs, %llu ms\n",
                  looks, (unsigned long long)took[looks / 2],
                  (unsigned long long)took[looks - 1], WAITING, syncs,
                  (unsigned long long)all / 1000);
    assert_in_range(took[looks / 2], 0, ANSWER_US);
    assert_in_range(syncs, 1, SYNCS_AT_MOST);
    faults_heal(f);
    faults_stop(f, 0);
}

/* ---- fsync ---- */

/* With sync=none nothing waits for the disk, until someone asks. */
static void fsync_makes_all_durable(void **state, const char *path, int flags)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    v3_make_pages(m->t.db, PAGES);
    faults_start(f, "sync=none");
    expect(m, "20\n", "cat alloc");
    expect(m, "21\n", "cat alloc");
    assert_write(0, m, "free", "5\n");
    const unsigned moment = faults_now(f);
    assert_int_equal(faults_since(f, moment, -1, FAULT_SYNC), 0);
    const int fd = m_open(m, path, flags);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    close(fd);
    const unsigned syncs = faults_since(f, moment, FAULT_DB, FAULT_SYNC);
    if (syncs == 0)
        fail_msg("fsync of %s returned without a sync of the database", path);
    assert_int_equal(faults_syncs_entered(f), faults_syncs_left(f));
    faults_stop(f, 0);
}

static void fsync_of_a_text_makes_everything_durable(void **state)
{
    fsync_makes_all_durable(state, "stats", O_RDONLY);
}

static void fsync_of_a_command_file_makes_everything_durable(void **state)
{
    fsync_makes_all_durable(state, "free", O_WRONLY);
}

static void fsync_of_another_pages_data_makes_everything_durable(void **state)
{
    fsync_makes_all_durable(state, "pages/7/data", O_RDWR);
}

static void fsync_of_a_directory_makes_everything_durable(void **state)
{
    fsync_makes_all_durable(state, "pages", O_RDONLY | O_DIRECTORY);
}

static void fsync_does_not_return_before_the_disk(void **state)
{
    struct faulty *const f = *state;
    struct mnt *const m = f->m;

    v3_make_pages(m->t.db, PAGES);
    faults_start(f, "sync=none");
    expect(m, "20\n", "cat alloc");
    faults_hold(f, FAULT_DB, FAULT_SYNC);
    expect(m, "", "sync stats > \"$D/synced\" 2>&1 && echo done >> \"$D/synced\" &");
    faults_wait_entered(f, FAULT_DB, FAULT_SYNC,
                        faults_left(f, FAULT_DB, FAULT_SYNC) + 1);
    expect(m, "", "cat \"$D/synced\"");
    faults_release(f, FAULT_DB, FAULT_SYNC);
    expect(m, "done\n", "until grep -q . \"$D/synced\"; do :; done; cat \"$D/synced\"");
    faults_stop(f, 0);
}

static void fsync_that_fails_says_so(void **state)
{
    struct faulty *const f = *state;

    v3_make_pages(f->m->t.db, PAGES);
    faults_start(f, "sync=none");
    expect(f->m, "20\n", "cat alloc");
    faults_fail(f, FAULT_DB, FAULT_SYNC, 0, 1, EIO);
    expect_error(f->m, "Input/output error", "sync stats");
    expect(f->m, "mode ro\n", "grep ^mode status");
    faults_stop(f, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(whoever_only_looks_is_answered_while_64_wait_for_the_disk),
        FAULT_TEST(sixty_four_allocations_share_a_few_syncs),
        FAULT_TEST(stats_answer_within_100_ms_on_a_disk_of_1500_ms),
        FAULT_TEST(fsync_of_a_text_makes_everything_durable),
        FAULT_TEST(fsync_of_a_command_file_makes_everything_durable),
        FAULT_TEST(fsync_of_another_pages_data_makes_everything_durable),
        FAULT_TEST(fsync_of_a_directory_makes_everything_durable),
        FAULT_TEST(fsync_does_not_return_before_the_disk),
        FAULT_TEST(fsync_that_fails_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
