/* The free list in memory, without a store: each of its allocations fails once. What
 * could not be done has changed nothing, and queries answer all the same. The pages are
 * far apart, so that sets of them need memory again and again. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "failing.h"
#include "freelist.h"
#include "scratch.h"

#define LIMIT ((uint64_t)1 << 40)

enum { LEAVES = 6 };

/* ids of page `i`, all in regions of their own */
static uint64_t far(uint64_t i)
{
    return (i + 1) << 24;
}

/* Blocks on the disk: the newest has pages 0 .. LEAVES, the older one those after them.
 */
static void make_trunk(uint64_t block, uint8_t *out_page)
{
    struct trunk t = {.page_id = far(block * (LEAVES + 1)),
                      .next = block == 0 ? far(LEAVES + 1) : 0,
                      .number = 2 - block,
                      .free_total = 2 * (LEAVES + 1),
                      .leaf_count = LEAVES};

    for (uint64_t i = 0; i < LEAVES; i++)
        t.leaf[i] = far(block * (LEAVES + 1) + 1 + i);
    trunk_encode(&t, out_page);
}

static void begin(struct freelist *fl)
{
    uint8_t page[PF_PAGE_SIZE] = {0};

    freelist_init(fl, far(0), LIMIT);
    make_trunk(0, page);
    assert_ok(freelist_visit(fl, page, true));
    assert_u64(2 * (LEAVES + 1), fl->total);
}

static void a_visit_that_fails_has_changed_nothing(void **state)
{
    uint8_t page[PF_PAGE_SIZE] = {0};

    (void)state;
    for (unsigned keep = 0; keep < 2; keep++) {
        uint64_t faults = 1;

        for (uint64_t at = 0; faults > 0; at++) {
            struct freelist fl;

            begin(&fl);
            make_trunk(1, page);
            failing_start(FAILING_MEMORY, at, false, 0);
            const pf_err err = freelist_visit(&fl, page, keep == 1);
            failing_stop();
            faults = failing.faults;
            assert_pf(faults > 0 ? PF_E_NO_MEMORY : PF_OK, err);
            if (err != PF_OK) {
                assert_u64(LEAVES + 1, fl.free.count);
                assert_u64(far(LEAVES + 1), fl.unknown_head);
                assert_ok(freelist_visit(&fl, page, keep == 1));
            }
            assert_u64(2 * (LEAVES + 1), fl.free.count);
            assert_u64(0, fl.unknown_head);
            assert_int_equal(fl.oldest->block != NULL, keep);
            freelist_clear(&fl);
        }
    }
}

/* The newest block's contents are always kept. */
static void a_first_visit_that_fails_has_changed_nothing(void **state)
{
    uint8_t page[PF_PAGE_SIZE] = {0};

    (void)state;
    make_trunk(0, page);
    for (unsigned keep = 0; keep < 2; keep++) {
        uint64_t faults = 1;

        for (uint64_t at = 0; faults > 0; at++) {
            struct freelist fl;

            freelist_init(&fl, far(0), LIMIT);
            failing_start(FAILING_MEMORY, at, false, 0);
            const pf_err err = freelist_visit(&fl, page, keep == 1);
            failing_stop();
            faults = failing.faults;
            assert_pf(faults > 0 ? PF_E_NO_MEMORY : PF_OK, err);
            if (err != PF_OK) {
                assert_u64(0, fl.free.count);
                assert_null(fl.newest);
                assert_u64(far(0), fl.unknown_head);
                assert_ok(freelist_visit(&fl, page, keep == 1));
            }
            assert_u64(LEAVES + 1, fl.free.count);
            assert_non_null(fl.newest->block);
            freelist_clear(&fl);
        }
    }
}

/* F4: what was popped is remembered, what a refused pop would have taken is not. */
static void a_refused_pop_is_forgotten(void **state)
{
    uint8_t page[PF_PAGE_SIZE] = {0};
    uint64_t faults = 1, ids[4];

    (void)state;
    for (uint64_t at = 0; faults > 0; at++) {
        struct freelist fl;
        struct batch batch = {0};

        begin(&fl);
        assert_ok(freelist_pop_prepare(&fl, &batch, 1));
        freelist_pop(&fl, &batch, 1, ids);
        assert_u64(far(LEAVES), ids[0]);
        failing_start(FAILING_MEMORY, at, false, 0);
        const pf_err err = freelist_pop_prepare(&fl, &batch, 3);
        failing_stop();
        faults = failing.faults;
        assert_pf(faults > 0 ? PF_E_NO_MEMORY : PF_OK, err);
        assert_u64(err == PF_OK ? 4 : 1, fl.popped.count);
        assert_true(pageset_has(&fl.popped, ids[0]));
        assert_ok(freelist_pop_prepare(&fl, &batch, 3));
        freelist_pop(&fl, &batch, 3, ids + 1);
        make_trunk(1, page);
        assert_ok(freelist_visit(&fl, page, false));
        assert_u64(2 * (LEAVES + 1) - 4, fl.total);
        assert_u64(fl.total, fl.free.count);
        batch_clear(&batch);
        freelist_clear(&fl);
    }
}

/* The new trunk, and the one below it: an unpush makes that the newest again. */
static void a_refused_push_of_a_trunk_has_changed_nothing(void **state)
{
    uint64_t faults = 1;

    (void)state;
    for (uint64_t at = 0; faults > 0; at++) {
        struct freelist fl;
        struct batch full = {0}, batch = {0};
        uint64_t pushed;

        freelist_init(&fl, 0, LIMIT);
        assert_ok(freelist_push_run(&fl, &full, 1000, TRUNK_BLOCK_PAGES, &pushed));
        freelist_flush(&fl, &full);
        failing_start(FAILING_MEMORY, at, false, 0);
        const pf_err err = freelist_push(&fl, &batch, far(3));
        failing_stop();
        faults = failing.faults;
        assert_pf(faults > 0 ? PF_E_NO_MEMORY : PF_OK, err);
        if (err == PF_OK) {
            assert_u64(far(3), freelist_top(&fl));
            freelist_unpush(&fl, &batch);
        }
        assert_u64(TRUNK_BLOCK_PAGES, fl.total);
        assert_u64(fl.total, fl.free.count);
        assert_u64(1000, freelist_head(&fl));
        assert_u64(1000 + TRUNK_MAX_LEAVES, freelist_top(&fl));
        batch_clear(&full);
        batch_clear(&batch);
        freelist_clear(&fl);
    }
}

/* The first page after `id` that is a trunk or not, looked at one by one. */
static uint64_t naive_kind_end(const struct freelist *fl, uint64_t id, uint64_t end,
                               bool trunk)
{
    for (id++; id < end && (freelist_trunk(fl, id) != NULL) == trunk; id++)
        ;
    return id;
}

static void check_kind_ends(struct freelist *fl, uint64_t at)
{
    static const uint64_t spans[] = {1, 2, 3, 600, 1100};

    for (uint64_t id = 998; id < 2600; id++) {
        for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
            const bool trunk = freelist_trunk(fl, id) != NULL;

            failing_start(FAILING_MEMORY, at, true, 0);
            const uint64_t got = freelist_kind_end(fl, id, id + spans[i], trunk);
            failing_stop();
            assert_u64(naive_kind_end(fl, id, id + spans[i], trunk), got);
        }
    }
}

static void kinds_of_pages_are_told_without_memory(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 3; at++) {
        struct freelist fl;
        struct batch batch = {0};
        uint64_t pushed;

        freelist_init(&fl, 0, LIMIT);
        assert_ok(freelist_push_run(&fl, &batch, 1000, 3 * TRUNK_BLOCK_PAGES, &pushed));
        check_kind_ends(&fl, at);
        check_kind_ends(&fl, UINT64_MAX); /* they are known from now on */
        assert_true(fl.trunks_known);
        batch_clear(&batch);
        freelist_clear(&fl);
    }
}

/* A new trunk that cannot be noted is found all the same. */
static void a_trunk_that_cannot_be_noted_is_found_later(void **state)
{
    bool forgotten = false;

    (void)state;
    for (uint64_t at = 0; at < 12; at++) {
        struct freelist fl;
        struct batch batch = {0};
        uint64_t pushed;

        freelist_init(&fl, 0, LIMIT);
        assert_ok(freelist_push_run(&fl, &batch, 1000, TRUNK_BLOCK_PAGES, &pushed));
        assert_u64(1001, freelist_kind_end(&fl, 1000, 1100, true));
        failing_start(FAILING_MEMORY, at, false, 0);
        const pf_err err = freelist_push(&fl, &batch, far(9));
        failing_stop();
        if (err == PF_OK) {
            forgotten = forgotten || !fl.trunks_known;
            assert_u64(far(9), freelist_kind_end(&fl, far(9) - 4, far(9) + 4, false));
            assert_u64(far(9) + 1, freelist_kind_end(&fl, far(9), far(9) + 4, true));
        }
        batch_clear(&batch);
        freelist_clear(&fl);
    }
    assert_true(forgotten);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visit_that_fails_has_changed_nothing),
        cmocka_unit_test(a_first_visit_that_fails_has_changed_nothing),
        cmocka_unit_test(a_refused_pop_is_forgotten),
        cmocka_unit_test(a_refused_push_of_a_trunk_has_changed_nothing),
        cmocka_unit_test(kinds_of_pages_are_told_without_memory),
        cmocka_unit_test(a_trunk_that_cannot_be_noted_is_found_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
