/* The structures in memory against naive ones: page set, id map, pins. */
#include <stdlib.h>
#include <string.h>

#include "idmap.h"
#include "pageset.h"
#include "pins.h"
#include "scratch.h"

enum { UNIVERSE = 20000 };

/* Ids in clusters, so that lists become bitmaps and back, and regions come and go; far
 * apart, so that the tree has height. */
static uint64_t spread(uint64_t i)
{
    static const uint64_t bases[] = {0, 10000, 1u << 20, (uint64_t)1 << 40,
                                     UINT64_MAX - 40000};
    return bases[i / 4000 % 5] + i % 4000 * 2;
}

static void assert_same_members(struct pageset *set, const bool *member)
{
    uint64_t count = 0, id = 0, seen = 0;
    for (uint64_t i = 0; i < UNIVERSE; i++) {
        count += member[i];
        assert_int_equal(pageset_has(set, spread(i)), member[i]);
        if (spread(i) != UINT64_MAX)
            assert_false(pageset_has(set, spread(i) + 1));
    }
    assert_u64(count, set->count);
    while (pageset_next(set, id, &id)) {
        seen++;
        assert_true(pageset_has(set, id));
        id++;
    }
    assert_u64(count, seen);
    for (uint64_t end = UINT64_MAX; pageset_last(set, end, &id); end = id, seen--)
        assert_true(id < end && pageset_has(set, id));
    assert_u64(0, seen);
}

static void a_page_set_equals_a_naive_set_under_random_operations(void **state)
{
    (void)state;
    static bool member[UNIVERSE];
    for (uint64_t seed = 1; seed <= scaled(3, 20); seed++) {
        struct pageset set = {0};
        uint64_t rng = seed * 0x9E3779B97F4A7C15u;
        memset(member, 0, sizeof member);
        for (int step = 0; step < 60000; step++) {
            const uint64_t i = rng_below(&rng, UNIVERSE);
            const bool adding = rng_below(&rng, 60000) > (uint64_t)step;
            bool added = false;
            if (adding) {
                assert_ok(pageset_add(&set, spread(i), &added));
                if (added == member[i])
                    fail_msg("seed %llu, step %d", (unsigned long long)seed, step);
            } else if (pageset_remove(&set, spread(i)) != member[i]) {
                fail_msg("seed %llu, step %d", (unsigned long long)seed, step);
            }
            member[i] = adding;
        }
        assert_same_members(&set, member);
        struct pageset copy = {0};
        assert_ok(pageset_copy(&set, &copy));
        for (uint64_t i = 0; i < UNIVERSE; i++)
            assert_int_equal(pageset_remove(&set, spread(i)), member[i]);
        assert_u64(0, set.count);
        assert_u64(0, set.bytes);
        assert_same_members(&copy, member);
        pageset_clear(&set);
        pageset_clear(&copy);
    }
}

static void a_page_set_takes_runs_as_it_takes_their_pages(void **state)
{
    enum { PAGES = 3 * 4096, LONGEST = 6000 };
    (void)state;
    static bool member[PAGES + LONGEST];
    for (uint64_t seed = 1; seed <= scaled(3, 20); seed++) {
        struct pageset set = {0};
        uint64_t rng = seed * 0x9E3779B97F4A7C15u;
        memset(member, 0, sizeof member);
        for (int step = 0; step < 3000; step++) {
            const uint64_t first = rng_below(&rng, PAGES);
            /* with odd seeds regions stay lists: only removals are long */
            const bool lists = seed % 2 != 0;
            const bool adding = rng_below(&rng, 3000) > (uint64_t)(lists ? 800 : step);
            const bool is_long = lists ? !adding : step % 7 == 0;
            const uint64_t count = rng_below(&rng, is_long ? LONGEST : lists ? 5 : 40);
            const uint64_t before = set.count;
            uint64_t members = 0;
            for (uint64_t i = first; i < first + count; i++)
                members += member[i];
            bool added = false;
            if (adding) {
                assert_ok(pageset_add_run(&set, first, count, &added));
                assert_int_equal(added, members == 0);
                assert_u64(before + (added ? count : 0), set.count);
            } else {
                assert_u64(members, pageset_remove_run(&set, first, count));
                assert_u64(before - members, set.count);
            }
            for (uint64_t i = first; i < first + count && (added || !adding); i++)
                member[i] = adding;
            for (uint64_t i = first; i < first + count; i++)
                assert_int_equal(pageset_has(&set, i), member[i]);
        }
        for (uint64_t i = 0; i < PAGES + LONGEST; i++)
            assert_int_equal(pageset_remove(&set, i), member[i]);
        assert_u64(0, set.count);
        assert_u64(0, set.bytes);
    }
}

static void the_next_gap_is_the_first_id_that_is_missing(void **state)
{
    (void)state;
    struct pageset set = {0};
    bool added;
    for (uint64_t id = 100; id < 20000; id++)
        if (id != 4096 && id != 12287 && id != 15000)
            assert_ok(pageset_add(&set, id, &added));
    assert_u64(99, pageset_next_gap(&set, 99));
    assert_u64(4096, pageset_next_gap(&set, 100));
    assert_u64(12287, pageset_next_gap(&set, 4097));
    assert_u64(15000, pageset_next_gap(&set, 12288));
    assert_u64(20000, pageset_next_gap(&set, 15001));
    assert_u64((uint64_t)1 << 60, pageset_next_gap(&set, (uint64_t)1 << 60));
    assert_u64(4096, pageset_next_gap_below(&set, 100, 4097));
    assert_u64(4096, pageset_next_gap_below(&set, 100, 4096));
    assert_u64(4095, pageset_next_gap_below(&set, 100, 4095));
    assert_u64(14000, pageset_next_gap_below(&set, 12288, 14000));
    assert_u64(7, pageset_next_gap_below(&set, 7, 7));
    pageset_clear(&set);
}

static void a_page_set_takes_a_bit_a_page_where_it_is_full(void **state)
{
    (void)state;
    struct pageset set = {0};
    bool added;
    for (uint64_t id = 0; id < 1000000; id++)
        assert_ok(pageset_add(&set, id, &added));
    assert_in_range(set.bytes, 1000000 / 8, 1000000 / 8 * 5 / 4);
    pageset_clear(&set);
    for (uint64_t i = 0; i < 1000; i++) /* one page in each of many far regions */
        assert_ok(pageset_add(&set, i << 20, &added));
    assert_in_range(set.bytes, 1000, 1000 * 700);
    pageset_clear(&set);
}

static void an_id_map_equals_a_naive_map_under_random_operations(void **state)
{
    (void)state;
    static uint64_t value[UNIVERSE]; /* 0 = not there */
    for (uint64_t seed = 1; seed <= scaled(3, 20); seed++) {
        struct idmap map = {0};
        uint64_t rng = seed * 0x9E3779B97F4A7C15u;
        size_t count = 0, cursor = 0, seen = 0;
        memset(value, 0, sizeof value);
        for (int step = 0; step < 60000; step++) {
            const uint64_t i = rng_below(&rng, UNIVERSE);
            if (rng_below(&rng, 60000) > (uint64_t)step) {
                assert_ok(idmap_reserve(&map, 1));
                value[i] = (uint64_t)step + 1;
                idmap_put(&map, spread(i), value[i]);
            } else {
                assert_int_equal(idmap_remove(&map, spread(i)), value[i] != 0);
                value[i] = 0;
            }
        }
        for (uint64_t i = 0; i < UNIVERSE; i++) {
            const uint64_t *got = idmap_get(&map, spread(i));
            count += value[i] != 0;
            assert_u64(value[i], got == NULL ? 0 : *got);
        }
        assert_int_equal(map.count, count);
        while (idmap_each(&map, &cursor) != NULL)
            seen++;
        assert_int_equal(seen, count);
        idmap_clear(&map);
    }
}

static void pins_count_and_holds_are_counted_apart(void **state)
{
    (void)state;
    struct pins pins = {0};
    uint32_t dropped = 0;
    assert_pf(PF_E_NOT_PINNED, pins_drop(&pins, 5));
    assert_ok(pins_add(&pins, 5, false));
    assert_ok(pins_add(&pins, 5, false));
    assert_ok(pins_add(&pins, 5, true));
    assert_int_equal(pins_of(&pins, 5), 3);
    assert_int_equal(pins_holds_of(&pins, 5), 1);
    assert_ok(pins_drop_all(&pins, 5, &dropped));
    assert_int_equal(dropped, 2);
    assert_pf(PF_E_HELD, pins_drop(&pins, 5));
    assert_pf(PF_E_HELD, pins_drop_all(&pins, 5, &dropped));
    assert_true(pageset_has(&pins.pages, 5));
    pins_unhold(&pins, 5);
    assert_int_equal(pins_of(&pins, 5), 0);
    assert_u64(0, pins.pages.count);
    pins_clear(&pins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_set_equals_a_naive_set_under_random_operations),
        cmocka_unit_test(a_page_set_takes_runs_as_it_takes_their_pages),
        cmocka_unit_test(the_next_gap_is_the_first_id_that_is_missing),
        cmocka_unit_test(a_page_set_takes_a_bit_a_page_where_it_is_full),
        cmocka_unit_test(an_id_map_equals_a_naive_map_under_random_operations),
        cmocka_unit_test(pins_count_and_holds_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
