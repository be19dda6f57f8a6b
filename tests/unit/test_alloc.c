/* Allocating: one, many, contiguous, a given page; limits. */
#include "scratch.h"
#include "v3file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void the_file_grows_by_one_page_when_none_is_free(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    for (uint64_t id = 20; id < 30; id++) {
        assert_u64(id, alloc_one(t->store));
        assert_u64(id + 1, pf_total_pages(t->store));
        assert_u64(v3_nominal(id + 1), stats_of(t->store).file_bytes);
    }
    scratch_close(t);
    assert_u64(v3_nominal(30), v3_size(t->db));
}

static void the_page_freed_last_is_handed_out_first(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 50);
    for (uint64_t id = 10; id < 40; id += 3)
        free_one(t->store, id);
    for (uint64_t id = 37; id >= 10; id -= 3) {
        assert_u64(id, pf_free_list_head(t->store));
        assert_u64(id, alloc_one(t->store));
    }
    assert_u64(0, pf_free_list_head(t->store));
    assert_u64(50, alloc_one(t->store));
}

/* Around the block boundary at 506 pages, pushed and popped a few pages at a time. */
static void lifo_order_holds_across_block_boundaries(void **state)
{
    struct scratch *t = *state;
    uint64_t *stack = calloc(2100, sizeof(*stack));
    size_t depth = 0;
    uint64_t next = 2;

    assert_non_null(stack);
    scratch_create(t, 2100);
    for (size_t target = 500; target < 1530; target += 3) {
        while (depth < target) {
            free_one(t->store, next);
            stack[depth++] = next++;
        }
        for (size_t i = 0; i < 2 && next > 505; i++) {
            depth--;
            assert_u64(stack[depth], alloc_one(t->store));
            free_one(t->store, stack[depth]);
            depth++;
        }
    }
    while (depth > 0)
        assert_u64(stack[--depth], alloc_one(t->store));
    assert_counts(t->store, 2100, 0, 0);
    free(stack);
}

static void a_batch_takes_the_free_pages_then_grows(void **state)
{
    struct scratch *t = *state;
    uint64_t ids[5];

    scratch_create(t, 10);
    free_one(t->store, 3);
    free_one(t->store, 8);
    assert_ok(pf_pages_alloc(t->store, 5, ids, NULL));
    assert_u64(8, ids[0]);
    assert_u64(3, ids[1]);
    assert_u64(10, ids[2]);
    assert_u64(11, ids[3]);
    assert_u64(12, ids[4]);
    assert_counts(t->store, 13, 0, 0);
    assert_u64(5, stats_of(t->store).allocations);
}

static void a_batch_of_zero_pages_is_invalid(void **state)
{
    struct scratch *t = *state;
    uint64_t id = 77;

    scratch_create(t, 10);
    assert_pf(PF_E_INVALID, pf_pages_alloc(t->store, 0, &id, NULL));
    assert_pf(PF_E_INVALID, pf_pages_alloc_contiguous(t->store, 0, &id, NULL));
    assert_u64(77, id);
    assert_counts(t->store, 10, 0, 0);
}

static void contiguous_takes_the_lowest_run_that_is_long_enough(void **state)
{
    struct scratch *t = *state;
    uint64_t first = 0;

    scratch_create(t, 100);
    free_range(t->store, 60, 10);
    free_range(t->store, 20, 5);
    free_range(t->store, 40, 8);
    assert_ok(pf_pages_alloc_contiguous(t->store, 6, &first, NULL));
    assert_u64(40, first);
    assert_ok(pf_pages_alloc_contiguous(t->store, 5, &first, NULL));
    assert_u64(20, first);
    assert_ok(pf_pages_alloc_contiguous(t->store, 2, &first, NULL));
    assert_u64(46, first);
    assert_counts(t->store, 100, 10, 0);
    for (uint64_t id = 60; id < 70; id++)
        assert_int_equal(state_of(t->store, id), PF_STATE_FREE);
    assert_int_equal(state_of(t->store, 46), PF_STATE_ALLOCATED);
}

/* A run is found by page id, whatever the order of the frees was. */
static void contiguous_sees_runs_that_were_freed_out_of_order(void **state)
{
    static const uint64_t order[] = {33, 31, 35, 30, 34, 32};
    struct scratch *t = *state;
    uint64_t first = 0;

    scratch_create(t, 50);
    for (size_t i = 0; i < 6; i++)
        free_one(t->store, order[i]);
    assert_ok(pf_pages_alloc_contiguous(t->store, 4, &first, NULL));
    assert_u64(30, first);
    assert_counts(t->store, 50, 2, 0);
    assert_u64(34, alloc_one(t->store)); /* freed after 35 */
    assert_u64(35, alloc_one(t->store));
}

static void contiguous_grows_the_file_when_no_run_is_long_enough(void **state)
{
    struct scratch *t = *state;
    uint64_t first = 0;

    scratch_create(t, 30);
    free_range(t->store, 10, 3);
    assert_ok(pf_pages_alloc_contiguous(t->store, 4, &first, NULL));
    assert_u64(30, first);
    assert_counts(t->store, 34, 3, 0);
}

static void contiguous_spans_more_than_a_block(void **state)
{
    struct scratch *t = *state;
    uint64_t first = 0;
    size_t count;

    scratch_create(t, 3000);
    free_range(t->store, 2, 2998);
    assert_ok(pf_pages_alloc_contiguous(t->store, 2000, &first, NULL));
    assert_u64(2, first);
    assert_counts(t->store, 3000, 998, 0);
    scratch_close(t);
    free(v3_free_list(t->db, &count));
    assert_int_equal(count, 998);
    scratch_open(t, NULL);
    for (uint64_t id = 2999; id >= 2002; id--)
        assert_u64(id, alloc_one(t->store));
    assert_u64(3000, alloc_one(t->store));
}

static void an_impossible_count_is_refused_and_changes_nothing(void **state)
{
    static const uint64_t counts[] = {1ULL << 51, 1ULL << 52, 1ULL << 63, UINT64_MAX};
    struct scratch *t = *state;

    scratch_create(t, 10);
    for (size_t i = 0; i < 4; i++) {
        uint64_t first = 5;

        assert_pf(PF_E_MAX_PAGES,
                  pf_pages_alloc_contiguous(t->store, counts[i], &first, NULL));
        assert_pf(PF_E_MAX_PAGES, pf_pages_alloc(t->store, counts[i], &first, NULL));
        assert_u64(5, first);
    }
    assert_counts(t->store, 10, 0, 0);
    assert_u64(v3_nominal(10), v3_size(t->db));
}

/* ---- taking a given page ---- */

static void take_a_leaf_keeps_the_order_of_the_others(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 50);
    free_range(t->store, 10, 10); /* 10 is the trunk */
    assert_ok(pf_page_take(t->store, 15, NULL));
    assert_int_equal(state_of(t->store, 15), PF_STATE_ALLOCATED);
    assert_counts(t->store, 50, 9, 0);
    for (uint64_t id = 19; id >= 10; id--)
        if (id != 15)
            assert_u64(id, alloc_one(t->store));
    assert_u64(50, alloc_one(t->store));
}

static void take_the_trunk_keeps_the_order_of_the_others(void **state)
{
    struct scratch *t = *state;
    struct pf_page page;

    scratch_create(t, 50);
    free_range(t->store, 10, 10);
    assert_ok(pf_page_get(t->store, 10, &page));
    assert_true(page.trunk);
    assert_ok(pf_page_take(t->store, 10, NULL));
    assert_ok(pf_page_get(t->store, 11, &page));
    assert_true(page.trunk); /* promoted */
    for (uint64_t id = 19; id > 10; id--)
        assert_u64(id, alloc_one(t->store));
    assert_u64(50, alloc_one(t->store));
}

static void take_the_only_free_page_empties_the_list(void **state)
{
    struct scratch *t = *state;
    uint8_t head[8];

    scratch_create(t, 50);
    free_one(t->store, 10);
    assert_ok(pf_page_take(t->store, 10, NULL));
    assert_counts(t->store, 50, 0, 0);
    assert_u64(0, pf_free_list_head(t->store));
    scratch_close(t);
    v3_peek(t->db, V3_AT_FREE_HEAD, head, sizeof(head));
    assert_u64(0, v3_get64(head));
    scratch_open(t, NULL);
    assert_u64(50, alloc_one(t->store));
}

/* Every position in three blocks: newest, middle and oldest; trunks and leaves. */
static void take_any_page_of_three_blocks_keeps_the_order(void **state)
{
    enum { FIRST = 2, COUNT = 506 * 2 + 40 };
    static const uint64_t taken[] = {
        FIRST,        FIRST + 1,    FIRST + 505, /* oldest block: trunk, first, last leaf
                                                  */
        FIRST + 506,  FIRST + 507,  FIRST + 800,       FIRST + 1011,
        FIRST + 1012, FIRST + 1013, FIRST + COUNT - 1,
    };
    struct scratch *t = *state;
    size_t count;

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        snprintf(t->db, sizeof(t->db), "%.90s/db%zu.v3", t->dir, i);
        scratch_create(t, FIRST + COUNT);
        free_range(t->store, FIRST, COUNT);
        assert_ok(pf_page_take(t->store, taken[i], NULL));
        assert_counts(t->store, FIRST + COUNT, COUNT - 1, 0);
        scratch_close(t);
        uint64_t *ids = v3_free_list(t->db, &count);
        assert_int_equal(count, COUNT - 1);
        for (uint64_t k = 0, id = FIRST + COUNT - 1; id >= FIRST; id--)
            if (id != taken[i])
                assert_u64(id, ids[k++]);
        free(ids);
    }
}

/* Take every page, in an order that meets trunks, promoted trunks and emptied blocks. */
static void taking_every_page_in_any_order_empties_the_list(void **state)
{
    enum { COUNT = 1500 };
    struct scratch *t = *state;
    uint64_t order[COUNT];
    uint64_t rng = 0x9E3779B97F4A7C15;

    for (uint64_t i = 0; i < COUNT; i++)
        order[i] = 2 + i;
    for (uint64_t i = COUNT - 1; i > 0; i--) {
        const uint64_t k = rng_below(&rng, i + 1);
        const uint64_t swap = order[i];

        order[i] = order[k];
        order[k] = swap;
    }
    scratch_create(t, COUNT + 2);
    free_range(t->store, 2, COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_ok(pf_page_take(t->store, order[i], NULL));
        assert_u64(COUNT - 1 - i, stats_of(t->store).free_pages);
        if (i % 300 == 299)
            scratch_reopen(t);
    }
    assert_u64(0, pf_free_list_head(t->store));
    assert_u64(COUNT + 2, alloc_one(t->store));
}

static void take_refuses_with_the_right_error(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    free_one(t->store, 5);
    pin_one(t->store, 7);
    assert_pf(PF_E_RESERVED, pf_page_take(t->store, 0, NULL));
    assert_pf(PF_E_RESERVED, pf_page_take(t->store, 1, NULL));
    assert_pf(PF_E_ALREADY_ALLOC, pf_page_take(t->store, 6, NULL));
    assert_pf(PF_E_ALREADY_PINNED, pf_page_take(t->store, 7, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_take(t->store, 20, NULL));
    assert_pf(PF_E_NO_PAGE, pf_page_take(t->store, UINT64_MAX, NULL));
    assert_counts(t->store, 20, 1, 1);
    assert_u64(5, pf_free_list_head(t->store));
}

/* ---- limits ---- */

static void max_pages_stops_growth_but_not_reuse(void **state)
{
    const struct pf_options limited = {.no_sync = true, .max_pages = 12};
    struct scratch *t = *state;
    uint64_t ids[4] = {9, 9, 9, 9};

    assert_ok(pf_create(t->db, 10));
    scratch_open(t, &limited);
    assert_pf(PF_E_LIMIT, pf_pages_alloc(t->store, 3, ids, NULL)); /* all or nothing */
    assert_u64(9, ids[0]);
    assert_counts(t->store, 10, 0, 0);
    assert_u64(10, alloc_one(t->store));
    assert_u64(11, alloc_one(t->store));
    assert_pf(PF_E_LIMIT, pf_page_alloc(t->store, ids, NULL));
    assert_pf(PF_E_LIMIT, pf_pages_alloc_contiguous(t->store, 1, ids, NULL));
    free_one(t->store, 4);
    assert_u64(4, alloc_one(t->store));
    pf_set_max_pages(t->store, 13);
    assert_u64(12, alloc_one(t->store));
    assert_pf(PF_E_LIMIT, pf_page_alloc(t->store, ids, NULL));
    pf_set_max_pages(t->store, 0);
    assert_u64(13, alloc_one(t->store));
}

static void a_file_size_limit_changes_nothing_and_is_not_final(void **state)
{
    const struct pf_options durable = {0};
    struct scratch *t = *state;
    struct rlimit was;
    uint64_t id = 5;

    v3_make_pages(t->db, 100);
    scratch_open(t, &durable);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    const struct rlimit tight = {v3_nominal(100), was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const pf_err err = pf_page_alloc(t->store, &id, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_pf(PF_E_FILE_LIMIT, err);
    assert_u64(5, id);
    assert_counts(t->store, 100, 0, 0);
    assert_u64(v3_nominal(100), v3_size(t->db));
    assert_u64(100, alloc_one(t->store));
}

/* Allocate until it fails; the last page that was handed out, and the error. */
static pf_err alloc_until_full(pf_store *store, uint64_t *last)
{
    pf_err err = PF_OK;

    for (int i = 0; i < 1000 && err == PF_OK; i++)
        err = pf_page_alloc(store, last, NULL);
    return err;
}

/* ENOSPC is met at allocate, nothing changed, and it works again once there is room. */
static void a_full_disk_is_met_at_allocate_and_is_not_final(void **state)
{
    const struct pf_options durable = {0};
    struct scratch *t = *state;
    uint8_t page[PF_PAGE_SIZE];
    uint64_t last = 0;
    uint64_t more = 0;
    char disk[256];
    char filler[300];

    scratch_path(t, "disk", disk);
    assert_int_equal(mkdir(disk, 0700), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=2m") != 0) {
        print_message("cannot mount a tmpfs: not root\n");
        skip();
    }
    snprintf(t->db, sizeof(t->db), "%.90s/disk/db.v3", t->dir);
    snprintf(filler, sizeof(filler), "%s/filler", disk);
    const int fd = open(filler, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int filled = posix_fallocate(fd, 0, 512 * 1024);
    assert_ok(pf_create(t->db, 0));
    scratch_open(t, &durable);

    const pf_err full = alloc_until_full(t->store, &last);
    const uint64_t total = pf_total_pages(t->store);
    const uint64_t size = v3_size(t->db);
    memset(page, 0xAB, sizeof(page));
    const pf_err write = pf_page_write(t->store, last, 0, page, sizeof(page), NULL);
    const int emptied = ftruncate(fd, 0);
    const pf_err roomy = pf_page_alloc(t->store, &more, NULL);
    const pf_err closed = pf_close(t->store);
    t->store = NULL;
    close(fd);
    umount2(disk, MNT_DETACH);

    assert_int_equal(filled, 0);
    assert_int_equal(emptied, 0);
    assert_pf(PF_E_NO_SPACE, full);
    assert_u64(last + 1, total);
    assert_u64(v3_nominal(total), size);
    assert_pf(PF_OK, write); /* a page that was handed out can be written */
    assert_pf(PF_OK, roomy);
    assert_u64(last + 1, more);
    assert_pf(PF_OK, closed);
}

/* The page was promised: its disk blocks exist. */
static void a_sync_brings_to_the_disk_what_nobody_waited_for(void **state)
{
    struct scratch *t = *state;
    uint8_t total[8];
    uint64_t id;

    scratch_create(t, 50);
    assert_ok(pf_page_alloc(t->store, &id, NULL));
    v3_peek(t->db, V3_AT_TOTAL, total, sizeof(total));
    assert_u64(50, v3_get64(total));
    assert_ok(pf_sync(t->store));
    v3_peek(t->db, V3_AT_TOTAL, total, sizeof(total));
    assert_u64(51, v3_get64(total));
}

static void an_allocated_page_has_disk_space_behind_it(void **state)
{
    struct scratch *t = *state;
    struct stat st;

    scratch_create(t, 2);
    for (int i = 0; i < 100; i++)
        alloc_one(t->store);
    assert_int_equal(stat(t->db, &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= 100 * 4096);
}

/* A sparse file of 4 TiB, far from its end and from its free pages. */
static void a_sparse_file_of_2_to_the_30_pages_works_in_little_memory(void **state)
{
    const uint64_t total = 1ULL << 30;
    struct scratch *t = *state;
    const uint64_t before = proc_status_kb(0, "VmHWM:");
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, total);
    v3_make(t->db, header, V3_HEADER);
    if (truncate(t->db, (off_t)v3_nominal(total)) != 0) {
        print_message("this file system cannot hold a file of 4 TiB\n");
        skip();
    }
    scratch_open(t, NULL);
    assert_u64(total, alloc_one(t->store));
    free_one(t->store, total - 1);
    free_one(t->store, 2);
    scratch_reopen(t);
    assert_counts(t->store, total + 1, 2, 0);
    assert_u64(2, alloc_one(t->store));
    assert_u64(total - 1, alloc_one(t->store));
    assert_u64(total + 1, alloc_one(t->store));
    if (!built_with_sanitizer())
        assert_in_range(proc_status_kb(0, "VmHWM:") - before, 0, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_file_grows_by_one_page_when_none_is_free),
        SCRATCH_TEST(the_page_freed_last_is_handed_out_first),
        SCRATCH_TEST(lifo_order_holds_across_block_boundaries),
        SCRATCH_TEST(a_batch_takes_the_free_pages_then_grows),
        SCRATCH_TEST(a_batch_of_zero_pages_is_invalid),
        SCRATCH_TEST(contiguous_takes_the_lowest_run_that_is_long_enough),
        SCRATCH_TEST(contiguous_sees_runs_that_were_freed_out_of_order),
        SCRATCH_TEST(contiguous_grows_the_file_when_no_run_is_long_enough),
        SCRATCH_TEST(contiguous_spans_more_than_a_block),
        SCRATCH_TEST(an_impossible_count_is_refused_and_changes_nothing),
        SCRATCH_TEST(take_a_leaf_keeps_the_order_of_the_others),
        SCRATCH_TEST(take_the_trunk_keeps_the_order_of_the_others),
        SCRATCH_TEST(take_the_only_free_page_empties_the_list),
        SCRATCH_TEST(take_any_page_of_three_blocks_keeps_the_order),
        SCRATCH_TEST(taking_every_page_in_any_order_empties_the_list),
        SCRATCH_TEST(take_refuses_with_the_right_error),
        SCRATCH_TEST(max_pages_stops_growth_but_not_reuse),
        SCRATCH_TEST(a_file_size_limit_changes_nothing_and_is_not_final),
        SCRATCH_TEST(a_full_disk_is_met_at_allocate_and_is_not_final),
        SCRATCH_TEST(a_sync_brings_to_the_disk_what_nobody_waited_for),
        SCRATCH_TEST(an_allocated_page_has_disk_space_behind_it),
        SCRATCH_TEST(a_sparse_file_of_2_to_the_30_pages_works_in_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
