/* Pins: counts of the running store. */
#include "scratch.h"
#include "v3file.h"

static struct pf_page page_of(pf_store *store, uint64_t id)
{
    struct pf_page page;

    assert_ok(pf_page_get(store, id, &page));
    return page;
}

static void n_pins_need_n_unpins(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    for (unsigned i = 1; i <= 5; i++) {
        pin_one(t->store, 7);
        assert_int_equal(page_of(t->store, 7).pins, i);
        assert_int_equal(state_of(t->store, 7), PF_STATE_PINNED);
    }
    assert_counts(t->store, 20, 0, 1); /* pages, not pins */
    for (unsigned i = 5; i >= 1; i--) {
        assert_pf(PF_E_PINNED, pf_page_free(t->store, 7, NULL));
        assert_ok(pf_page_unpin(t->store, 7));
        assert_int_equal(page_of(t->store, 7).pins, i - 1);
    }
    assert_int_equal(state_of(t->store, 7), PF_STATE_ALLOCATED);
    assert_pf(PF_E_NOT_PINNED, pf_page_unpin(t->store, 7));
    free_one(t->store, 7);
    assert_counts(t->store, 20, 1, 0);
}

static void pin_and_unpin_refuse_with_the_right_error(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    free_one(t->store, 5);
    assert_pf(PF_E_IS_FREE, pf_page_pin(t->store, 5));
    assert_pf(PF_E_RESERVED, pf_page_pin(t->store, 0));
    assert_pf(PF_E_RESERVED, pf_page_pin(t->store, 1));
    assert_pf(PF_E_NO_PAGE, pf_page_pin(t->store, 20));
    assert_pf(PF_E_NO_PAGE, pf_page_pin(t->store, UINT64_MAX));
    assert_pf(PF_E_IS_FREE, pf_page_hold(t->store, 5));
    assert_pf(PF_E_NO_PAGE, pf_page_hold(t->store, 20));
    assert_pf(PF_E_IS_FREE, pf_page_unpin(t->store, 5));
    assert_pf(PF_E_RESERVED, pf_page_unpin(t->store, 0));
    assert_pf(PF_E_NO_PAGE, pf_page_unpin(t->store, 20));
    assert_pf(PF_E_NOT_PINNED, pf_page_unpin(t->store, 6));
    assert_pf(PF_E_NOT_PINNED, pf_page_unpin_all(t->store, 6));
    assert_counts(t->store, 20, 1, 0);
}

static void a_batch_of_pins_is_all_or_nothing(void **state)
{
    const struct pf_range bad[] = {{6, 4}, {4, 2}};
    const struct pf_range twice[] = {{6, 2}, {7, 1}};
    struct scratch *t = *state;
    uint64_t bad_id = 99;

    scratch_create(t, 20);
    free_one(t->store, 5);
    assert_pf(PF_E_IS_FREE, pf_pages_pin(t->store, bad, 2, &bad_id));
    assert_u64(5, bad_id);
    assert_counts(t->store, 20, 1, 0);
    assert_ok(pf_pages_pin(t->store, twice, 2, &bad_id));
    assert_int_equal(page_of(t->store, 6).pins, 1);
    assert_int_equal(page_of(t->store, 7).pins, 2);
    assert_counts(t->store, 20, 1, 2);
    bad_id = 99;
    const struct pf_range too_many[] = {{7, 1}, {6, 1}, {6, 1}};
    assert_pf(PF_E_NOT_PINNED, pf_pages_unpin(t->store, too_many, 3, &bad_id));
    assert_u64(6, bad_id);
    assert_int_equal(page_of(t->store, 6).pins, 1);
    assert_int_equal(page_of(t->store, 7).pins, 2);
    assert_ok(pf_pages_unpin(t->store, twice, 2, NULL));
    assert_counts(t->store, 20, 1, 0);
}

static void a_hostile_range_of_pins_is_refused_at_once(void **state)
{
    const struct pf_range huge = {10, UINT64_MAX};
    struct scratch *t = *state;
    uint64_t bad_id = 0;

    scratch_create(t, 20);
    assert_pf(PF_E_NO_PAGE, pf_pages_pin(t->store, &huge, 1, &bad_id));
    assert_u64(20, bad_id);
    assert_true(pf_pages_unpin(t->store, &huge, 1, &bad_id) != PF_OK);
    assert_counts(t->store, 20, 0, 0);
}

static void holds_end_only_by_unhold(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    assert_ok(pf_page_hold(t->store, 7));
    assert_ok(pf_page_hold(t->store, 7));
    pin_one(t->store, 7);
    assert_int_equal(page_of(t->store, 7).pins, 3);
    assert_int_equal(page_of(t->store, 7).holds, 2);
    assert_ok(pf_page_unpin(t->store, 7));
    assert_pf(PF_E_HELD, pf_page_unpin(t->store, 7));
    pin_one(t->store, 7);
    assert_ok(pf_page_unpin_all(t->store, 7));
    assert_int_equal(page_of(t->store, 7).pins, 2);
    assert_pf(PF_E_HELD, pf_page_free(t->store, 7, NULL));
    pf_page_unhold(t->store, 7);
    pf_page_unhold(t->store, 7);
    assert_int_equal(page_of(t->store, 7).pins, 0);
    free_one(t->store, 7);
}

static void unpin_all_drops_every_pin(void **state)
{
    struct scratch *t = *state;

    scratch_create(t, 20);
    for (int i = 0; i < 9; i++)
        pin_one(t->store, 4);
    assert_ok(pf_page_unpin_all(t->store, 4));
    assert_counts(t->store, 20, 0, 0);
    assert_pf(PF_E_NOT_PINNED, pf_page_unpin(t->store, 4));
}

static void pinned_pages_are_listed_in_order(void **state)
{
    static const uint64_t pinned[] = {900, 3, 512, 511, 77, 513};
    static const uint64_t sorted[] = {3, 77, 511, 512, 513, 900};
    struct scratch *t = *state;
    uint64_t at = 0;
    uint64_t id;

    scratch_create(t, 1000);
    assert_false(pf_pinned_next(t->store, 0, &id));
    for (size_t i = 0; i < 6; i++)
        pin_one(t->store, pinned[i]);
    for (size_t i = 0; i < 6; i++) {
        assert_true(pf_pinned_next(t->store, at, &id));
        assert_u64(sorted[i], id);
        at = id + 1;
    }
    assert_false(pf_pinned_next(t->store, at, &id));
    assert_true(pf_pinned_next(t->store, 900, &id));
    assert_u64(900, id);
    assert_ok(pf_page_unpin(t->store, 77));
    assert_true(pf_pinned_next(t->store, 4, &id));
    assert_u64(511, id);
}

static void many_pins_come_and_go(void **state)
{
    const struct pf_range all = {2, 5000};
    struct scratch *t = *state;
    uint64_t id = 0;

    scratch_create(t, 5002);
    for (int round = 0; round < 3; round++) {
        assert_ok(pf_pages_pin(t->store, &all, 1, NULL));
        assert_counts(t->store, 5002, 0, 5000);
        for (uint64_t k = 2; k < 5002; k += 2)
            assert_ok(pf_page_unpin(t->store, k));
        for (uint64_t k = 2; k < 5002; k++)
            assert_int_equal(state_of(t->store, k),
                             k % 2 ? PF_STATE_PINNED : PF_STATE_ALLOCATED);
        for (uint64_t k = 3; k < 5002; k += 2)
            assert_ok(pf_page_unpin(t->store, k));
        assert_counts(t->store, 5002, 0, 0);
        assert_false(pf_pinned_next(t->store, 0, &id));
    }
}

static void pins_change_no_byte_and_end_with_the_store(void **state)
{
    struct scratch *t = *state;

    v3_make_pages(t->db, 20);
    const uint64_t before = v3_hash(t->db);
    scratch_open(t, NULL);
    pin_one(t->store, 7);
    assert_ok(pf_page_hold(t->store, 8));
    pf_page_unhold(t->store, 8);
    scratch_reopen(t);
    assert_counts(t->store, 20, 0, 0);
    assert_int_equal(state_of(t->store, 7), PF_STATE_ALLOCATED);
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
}

static void a_read_only_store_pins_nothing(void **state)
{
    const struct pf_options read_only = {.read_only = true};
    struct scratch *t = *state;

    v3_make_pages(t->db, 20);
    scratch_open(t, &read_only);
    assert_pf(PF_E_READ_ONLY, pf_page_pin(t->store, 7));
    assert_pf(PF_E_READ_ONLY, pf_page_unpin(t->store, 7));
    assert_pf(PF_E_READ_ONLY, pf_page_hold(t->store, 7));
    assert_counts(t->store, 20, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(n_pins_need_n_unpins),
        SCRATCH_TEST(pin_and_unpin_refuse_with_the_right_error),
        SCRATCH_TEST(a_batch_of_pins_is_all_or_nothing),
        SCRATCH_TEST(a_hostile_range_of_pins_is_refused_at_once),
        SCRATCH_TEST(holds_end_only_by_unhold),
        SCRATCH_TEST(unpin_all_drops_every_pin),
        SCRATCH_TEST(pinned_pages_are_listed_in_order),
        SCRATCH_TEST(many_pins_come_and_go),
        SCRATCH_TEST(pins_change_no_byte_and_end_with_the_store),
        SCRATCH_TEST(a_read_only_store_pins_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
