/* The use map against a plain array; and that its memory follows what is in it. */
#include "scratch.h"
#include "usemap.h"

#include <string.h>

static void the_use_map_agrees_with_a_plain_array(void **state)
{
    enum { IDS = 5000 };
    static uint64_t user[IDS];
    static unsigned char use[IDS];
    struct usemap map = {0};
    uint64_t rng = 20240607;

    (void)state;
    memset(user, 0, sizeof(user));
    memset(use, 0, sizeof(use));
    for (unsigned i = 0; i < 40000; i++) {
        const uint64_t id =
            rng_below(&rng, 4) != 0 ? rng_below(&rng, 600) : rng_below(&rng, IDS);

        use[id] = (unsigned char)(1 + rng_below(&rng, USE_COUNT - 1));
        user[id] = rng_next(&rng) >> (12 + rng_below(&rng, 52));
        if (id % 512 >= 256) /* regions that stay narrow */
            user[id] &= 0xFFFFFFF;
        assert_ok(usemap_put(&map, id, (enum page_use)use[id], user[id]));
    }
    for (uint64_t id = 0; id < IDS; id++) {
        uint64_t got;

        assert_int_equal(usemap_get(&map, id, &got), use[id]);
        assert_u64(user[id], got);
    }
    assert_ok(usemap_sort(&map));
    for (uint64_t id = 0, next; id < IDS; id++) {
        uint64_t there = id;
        uint64_t gap = id;

        while (there < IDS && use[there] == USE_NONE)
            there++;
        while (gap < IDS && use[gap] != USE_NONE)
            gap++;
        assert_int_equal(usemap_next(&map, id, &next), there < IDS);
        if (there < IDS)
            assert_u64(there, next);
        assert_u64(gap, usemap_next_gap(&map, id));
    }
    usemap_clear(&map);
    assert_int_equal(usemap_get(&map, 7, NULL), USE_NONE);
    assert_false(usemap_next(&map, 0, &rng));
}

static void the_use_map_follows_what_is_in_it(void **state)
{
    struct usemap map = {0};

    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        assert_ok(usemap_put(&map, i << 40, USE_BLOB, 3));
    assert_true(usemap_bytes(&map) < (uint64_t)200 * 1000);
    usemap_clear(&map);
    for (uint64_t i = 0; i < 100000; i++)
        assert_ok(usemap_put(&map, i, USE_BLOB, 3));
    assert_true(usemap_bytes(&map) < (uint64_t)5 * 100000);
    usemap_clear(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_use_map_agrees_with_a_plain_array),
        cmocka_unit_test(the_use_map_follows_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
