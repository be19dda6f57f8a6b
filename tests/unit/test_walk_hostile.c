/* Files made to be slow, or to fill the memory. */
#include <string.h>
#include <time.h>

#include "graph.h"

static unsigned count_found(const struct findings *findings, const char *found)
{
    unsigned count = 0;

    for (size_t i = 0; i < findings->count && i < FINDINGS_KEPT; i++)
        count += strcmp(findings->kept[i].found, found) == 0;
    return count;
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* `leaves` leaves below one root, each of which names the same 126 node pages, twice
 * each and never twice in a row. */
static void make_crowd(struct image *image, unsigned leaves)
{
    uint64_t keys[252], values[252], firsts[252], ids[252];

    image_load(image, "small");
    const uint64_t root = image_append(image, 1 + leaves + 126);
    for (unsigned leaf = 0; leaf < leaves; leaf++) {
        for (unsigned i = 0; i < 252; i++) {
            keys[i] = (uint64_t)leaf * 252 + i + 1;
            values[i] = root + 1 + leaves + i % 126;
        }
        ids[leaf] = root + 1 + leaf;
        firsts[leaf] = keys[0];
        image_put_index(image, ids[leaf], true, 252, keys, values,
                        leaf + 1 < leaves ? ids[leaf] + 1 : 0);
    }
    image_put_index(image, root, false, leaves - 1, firsts + 1, ids, 0);
    image_set_field(image, V3_AT_NODE_ROOT, root);
}

static void pages_that_all_leaves_name_cost_a_limited_amount(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    make_crowd(&image, 8); /* 7 more leaves of 126 pages each: 882 */
    walk_free(image_walk(&image, &findings));
    const uint64_t below = image.reads;
    assert_int_equal(0, count_found(&findings, "more, which are not looked at"));
    image_free(&image);
    make_crowd(&image, 60); /* 7434, limit 1024 + 4 * 209 */
    struct walk *walk = image_walk(&image, &findings);
    assert_false(walk_totals_of(walk)->intact);
    assert_true(image.reads > below && image.reads < 1000 + 1024 + 4 * 209);
    assert_int_equal(1, count_found(&findings, "more, which are not looked at"));
    walk_free(walk);
    image_free(&image);
}

/* Regions whose numbers a plain multiplication puts side by side. */
static void ids_cannot_be_chosen_so_that_the_map_is_slow(void **state)
{
    const double began = cpu_seconds();
    struct usemap map = {0};
    unsigned put = 0;

    (void)state;
    for (uint64_t number = 0; number < 1 << 24 && put < 60000; number++) {
        if ((number * 0x9E3779B97F4A7C15u >> 32 & 0x1FFFF) >= 2048)
            continue;
        assert_ok(usemap_put(&map, number << 8, USE_BLOB, 2));
        put++;
    }
    assert_int_equal(put, 60000);
    usemap_clear(&map);
    assert_true(cpu_seconds() - began < 2); /* 0.03 s, not 10 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_that_all_leaves_name_cost_a_limited_amount),
        cmocka_unit_test(ids_cannot_be_chosen_so_that_the_map_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
