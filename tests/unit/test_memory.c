/* Out of memory where the script of the crash suite does not lead: lists that were not
 * read yet, stores without a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing.h"
#include "scratch.h"
#include "v3file.h"

/* What a refused allocation would have taken must not count as taken when the rest of the
 * list is read. */
static void a_refused_allocation_leaves_an_unread_list_as_it_was(void **state)
{
    static const uint64_t order[] = {50, 5, 12, 40, 20, 30, 11};
    struct scratch *t = *state;

    for (uint64_t count = 1; count <= 4; count++) {
        for (uint64_t at = 0;; at++) {
            uint64_t ids[7] = {0};

            v3_make_listed(t->db);
            scratch_open(t, NULL);
            failing_start(FAILING_MEMORY, at, false, 0);
            const pf_err err = pf_pages_alloc(t->store, count, ids, NULL);
            failing_stop();
            if (failing.faults > 0)
                assert_pf(PF_E_NO_MEMORY, err);
            else
                assert_pf(PF_OK, err);
            const uint64_t taken = err == PF_OK ? count : 0;
            assert_ok(pf_freelist_load(t->store));
            assert_counts(t->store, 60, 7 - taken, 0);
            assert_ok(pf_pages_alloc(t->store, 7 - taken, ids + taken, NULL));
            assert_memory_equal(ids, order, sizeof(order));
            scratch_close(t);
            (void)unlink(t->db);
            if (failing.faults == 0)
                break;
        }
    }
}

/* Pages far apart, so that each has its own place in the set of pinned pages. */
static void a_refused_unpinning_is_undone_without_memory(void **state)
{
    const struct pf_range pinned[] = {{5, 1}, {90000, 1}}, all[] = {{5, 1}, {90000, 2}};
    struct scratch *t = *state;
    struct pf_page page;
    uint64_t bad_id = 0;

    assert_ok(pf_open_memory(100000, &t->store));
    assert_ok(pf_pages_pin(t->store, pinned, 2, NULL));
    failing_start(FAILING_MEMORY, 0, true, 0);
    assert_pf(PF_E_NOT_PINNED, pf_pages_unpin(t->store, all, 2, &bad_id));
    failing_stop();
    assert_int_equal(bad_id, 90001);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(pf_page_get(t->store, pinned[i].first, &page));
        assert_int_equal(page.pins, 1);
    }
    assert_ok(pf_pages_unpin(t->store, pinned, 2, NULL));
    assert_false(pf_pinned_next(t->store, 0, &bad_id));
}

/* A file system that has told once that it cannot reserve is not asked again: the pages
 * are filled. */
static void where_space_cannot_be_reserved_pages_are_filled(void **state)
{
    struct scratch *t = *state;
    struct stat st;
    bool met = false;

    for (uint64_t at = 0; !met; at++) {
        uint64_t id;

        scratch_create(t, 2);
        failing_start(FAILING_SYSTEM, at, false, EOPNOTSUPP);
        const pf_err err = pf_page_alloc(t->store, &id, NULL);
        failing_stop();
        assert_true(failing.faults > 0);
        met = strcmp(failing.name, "fallocate") == 0;
        if (met) {
            assert_pf(PF_OK, err);
            assert_ok(pf_sync(t->store));
            for (int i = 0; i < 100; i++)
                assert_ok(pf_page_alloc(t->store, &id, NULL));
            assert_ok(pf_sync(t->store));
            assert_int_equal(stat(t->db, &st), 0);
            assert_true((uint64_t)st.st_blocks * 512 >= 101 * 4096);
        }
        scratch_close(t);
        (void)unlink(t->db);
    }
}

/* A commit of a store in memory can fail for one reason only, and then it is final. */
static void a_store_in_memory_says_when_there_is_none(void **state)
{
    struct scratch *t = *state;
    const uint8_t bytes[5000] = {1};
    uint64_t lsn;
    pf_err err = PF_E_NO_MEMORY;

    for (uint64_t at = 0; err != PF_OK; at++) {
        uint8_t page[PF_PAGE_SIZE];

        assert_ok(pf_open_memory(50, &t->store));
        for (uint64_t id = 10; id < 14; id++)
            assert_ok(pf_page_write(t->store, id, 0, bytes, PF_PAGE_SIZE, &lsn));
        failing_start(FAILING_MEMORY, at, true, 0); /* once would be a short write */
        err = pf_sync(t->store);
        failing_stop();
        if (failing.faults > 0) {
            assert_pf(PF_E_NO_MEMORY, err);
            assert_false(pf_writable(t->store));
        }
        if (err == PF_OK) {
            assert_ok(pf_page_read(t->store, 13, page));
            assert_int_equal(page[0], 1);
        }
        (void)pf_close(t->store);
        t->store = NULL;
    }
}

/* A list of three blocks: the lowest pages, to be handed out first, are in the newest
 * one, the end of the file is in the oldest. */
static void make_three_blocks(struct scratch *t, uint64_t *out_total)
{
    enum { BLOCKS = 3, BLOCK = 506, FREE = BLOCKS * BLOCK };
    const uint64_t total = 2 + FREE + 1;

    v3_make_pages(t->db, total);
    scratch_open(t, NULL);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        const struct pf_range range = {2 + (BLOCKS - i) * BLOCK - BLOCK + 1, BLOCK};

        assert_ok(pf_pages_free(t->store, &range, 1, NULL, NULL));
    }
    *out_total = total;
    scratch_close(t);
}

/* What a refused shrink wanted to take out of the list is no business of what comes next,
 * and its blocks are not kept in memory for that. */
static void a_refused_shrink_marks_nothing(void **state)
{
    struct scratch *t = *state;
    uint64_t faults = 1, refused = 0, total;

    for (uint64_t at = 0; faults > 0; at++) {
        uint64_t cut = 0, first = 0;

        make_three_blocks(t, &total);
        scratch_open(t, NULL);
        failing_start(FAILING_MEMORY, at, false, 0);
        const pf_err err = pf_shrink(t->store, &cut);
        failing_stop();
        faults = failing.faults;
        assert_pf(faults > 0 ? PF_E_NO_MEMORY : PF_OK, err);
        if (err == PF_OK) {
            scratch_close(t);
        } else if (pf_writable(t->store)) {
            refused++;
            assert_ok(pf_pages_alloc_contiguous(t->store, 2, &first, NULL));
            assert_u64(3, first);
            assert_counts(t->store, total, total - 5, 0);
            scratch_close(t);
        } else { /* a commit without memory is final */
            assert_pf(PF_E_NO_MEMORY, pf_close(t->store));
            scratch_open(t, NULL); /* replays what is left of it */
            scratch_close(t);
        }
        (void)unlink(t->db);
    }
    assert_true(refused > 3);
}

enum { JOURNAL_USED = 64 * 1024, JOURNAL_FILLED = 1 << 20, JOURNAL_CLAIMED = 3 << 20 };

/* 41 pages, one of them new, as a process that died left it; and a copy that left the
 * zeros out has made holes in its journal of `size` bytes. */
static void leave_journal_with_holes(struct scratch *t, off_t size, char journal[256])
{
    int status = 0;

    assert_ok(pf_create(t->db, 40));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t id;
        pf_store *store;

        _exit(pf_open(t->db, NULL, &store, t->reason) == PF_OK &&
                      pf_page_alloc(store, &id, NULL) == PF_OK
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    snprintf(journal, 256, "%s-journal", t->db);
    assert_int_equal(truncate(journal, JOURNAL_USED), 0);
    assert_int_equal(truncate(journal, size), 0);
}

/* Opens a database with such a journal while one call fails; false: none has. */
static bool open_with_holes(struct scratch *t, uint64_t at, uint64_t *refused)
{
    char journal[256];

    leave_journal_with_holes(t, JOURNAL_CLAIMED, journal);
    failing_start(FAILING_SYSTEM, at, false, EIO);
    const pf_err err = pf_open(t->db, NULL, &t->store, t->reason);
    failing_stop();
    *refused += err != PF_OK;
    if (err == PF_OK)
        (void)pf_close(t->store);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_counts(t->store, 41, 0, 0);
    scratch_close(t);
    (void)unlink(t->db);
    return failing.faults > 0;
}

static void holes_of_a_journal_are_filled_or_the_next_opening_does_it(void **state)
{
    enum { LAST_CALLS = 60 }; /* before them the journal is read, sector by sector */
    struct scratch *t = *state;
    char journal[256];
    uint64_t refused = 0;

    assert_false(open_with_holes(t, UINT64_MAX, &refused));
    const uint64_t calls = failing.calls;
    assert_true(calls > LAST_CALLS);
    for (uint64_t at = calls - LAST_CALLS; open_with_holes(t, at, &refused); at++)
        continue;
    assert_true(refused > 5);
    for (off_t size = JOURNAL_FILLED / 2; size <= JOURNAL_CLAIMED;
         size += JOURNAL_FILLED) {
        leave_journal_with_holes(t, size, journal);
        scratch_open(t, NULL);
        const int fd = open(journal, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(lseek(fd, 0, SEEK_HOLE),
                         size < JOURNAL_FILLED ? size : JOURNAL_FILLED);
        close(fd);
        scratch_close(t);
        (void)unlink(t->db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_refused_allocation_leaves_an_unread_list_as_it_was),
        SCRATCH_TEST(a_refused_unpinning_is_undone_without_memory),
        SCRATCH_TEST(a_refused_shrink_marks_nothing),
        SCRATCH_TEST(holes_of_a_journal_are_filled_or_the_next_opening_does_it),
        SCRATCH_TEST(where_space_cannot_be_reserved_pages_are_filled),
        SCRATCH_TEST(a_store_in_memory_says_when_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
