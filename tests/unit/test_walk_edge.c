/* The walk of edges: clusters, what overruns them, chains, packed pages, both trees. */
#include "graph.h"

#include <string.h>

/* Move the cluster of small's page 4 to a new page behind the others, its last edge's
 * data made `extra` bytes longer. */
static uint64_t lengthen_cluster(struct image *image, unsigned extra, uint64_t page_count)
{
    const uint64_t first = image_append(image, page_count);
    uint8_t *page = image_page(image, first);

    memcpy(page, image_page(image, 4), V3_PAGE);
    image_put16(page + 19 + 4 + 10 + 9 + 9 + 2, 5 + extra);
    image_set_value(image, 22, 0, first);
    return first;
}

static void an_overrunning_cluster_uses_the_pages_behind_it(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    const uint64_t first = lengthen_cluster(&image, 8100, 3);
    struct walk *walk = image_walk(&image, &findings);
    findings_print(&findings);
    assert_u64(0, findings.count);
    assert_u64(21 - 1 + 2, walk_totals_of(walk)->pages); /* page 4 has no use now */
    assert_int_equal(walk_use(walk, first + 1, NULL), USE_EDGE_OVERRUN);
    assert_use(walk, first + 1, "edge");
    assert_path(walk, first + 1, "edge root 22 > edge 23 > edge-overrun");
    assert_int_equal(walk_use(walk, first + 2, NULL), USE_NONE);
    walk_free(walk);
    image_free(&image);
}

static void an_overrun_of_other_pages_is_cross_linked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_put16(image_page(&image, 4) + 19 + 4 + 10 + 9 + 9 + 2, 5 + 8192);
    struct walk *walk = image_walk(&image, &findings);
    (void)findings_get(&findings, PF_FINDING_CROSS_LINKED, 5);
    assert_string_equal(findings_get(&findings, PF_FINDING_CROSS_LINKED, 6)->path,
                        "edge root 22 > edge 4 > edge-overrun");
    assert_u64(2, findings.count);
    walk_free(walk);
    image_free(&image);
}

/* Version 1 has no ids to contradict its count: 2^32 - 1 edges, of whatever follows. */
static void an_endless_overrun_is_followed_a_little(void **state)
{
    static const uint8_t endless[] = {1, 0xFF, 0xFF, 0xFF, 0xFF};
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "medium");
    memset(image_page(&image, 261), 0, V3_PAGE);
    memcpy(image_page(&image, 261), endless, sizeof(endless));
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_CROSS_LINKED, 262);
    (void)findings_get(&findings, PF_FINDING_CROSS_LINKED, 277);
    (void)findings_get(&findings, PF_FINDING_TREE, 261);
    assert_u64(16 + 1, findings.count);
    image_free(&image);
}

static void an_overrun_of_the_file_is_dangling(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    const uint64_t first = lengthen_cluster(&image, 8100, 1);
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_DANGLING, first + 1);
    (void)findings_get(&findings, PF_FINDING_TREE, first); /* its end is missing */
    assert_u64(2, findings.count);
    image_free(&image);
}

static void two_keys_of_one_cluster_are_cross_linked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_set_value(&image, 22, 1, 4);
    walk_free(image_walk(&image, &findings));
    const struct pf_finding *finding =
        findings_get(&findings, PF_FINDING_CROSS_LINKED, 4);
    assert_string_equal(finding->expected, "the outgoing edges of node 2");
    assert_u64(1, findings.count);
    image_free(&image);
}

static void a_cluster_of_another_node_is_found(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_set_value(&image, 22, 0, 6); /* exchange the pages of two keys */
    image_set_value(&image, 22, 1, 4);
    walk_free(image_walk(&image, &findings));
    assert_string_equal(findings_get(&findings, PF_FINDING_TREE, 4)->found,
                        "outgoing edges of node 1");
    (void)findings_get(&findings, PF_FINDING_TREE, 6);
    assert_u64(2, findings.count);
    image_free(&image);
}

static void a_chain_that_bites_its_tail_ends(void **state)
{
    static const uint64_t back_to[] = {24, 25, 26, 27, 23};
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(back_to) / sizeof(back_to[0]); i++) {
        struct image image;

        image_load(&image, "synth39");
        v3_put64(image_page(&image, 27) + 8, back_to[i]);
        walk_free(image_walk(&image, &findings));
        (void)findings_get(&findings, PF_FINDING_CROSS_LINKED, back_to[i]);
        assert_u64(1, findings.count);
        image_free(&image);
    }
}

static void a_chain_cut_short_is_found(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "synth39");
    v3_put64(image_page(&image, 25) + 8, 0);
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_TREE, 24);
    assert_u64(1, findings.count);
    image_free(&image);
}

static void a_packed_page_without_a_slot_for_its_key_is_found(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "synth39");
    image_page(&image, 23)[5]--; /* the last of 18 slots */
    walk_free(image_walk(&image, &findings));
    assert_string_equal(findings_get(&findings, PF_FINDING_TREE, 23)->expected,
                        "the incoming edges of node 10");
    assert_u64(1, findings.count);
    image_free(&image);
}

/* The header's old tree and the side file's new one: both keep their pages, and what they
 * share is no finding. */
static void both_edge_trees_are_walked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "synth39");
    image_set_field(&image, V3_AT_EDGE_ROOT, 22);
    struct walk *walk = image_walk(&image, &findings);
    findings_print(&findings);
    assert_u64(0, findings.count);
    assert_u64(8 + 19, walk_totals_of(walk)->pages); /* what had leaked is used by 22 */
    walk_free(walk);
    image_free(&image);

    image_load(&image, "synth39"); /* two roots with the very same leaf's entries */
    const uint64_t copy = image_append(&image, 1);
    memcpy(image_page(&image, copy), image_page(&image, 28), V3_PAGE);
    v3_put64(image_page(&image, copy), copy);
    image_sum_index(image_page(&image, copy));
    image_set_field(&image, V3_AT_EDGE_ROOT, copy);
    walk = image_walk(&image, &findings);
    findings_print(&findings);
    assert_u64(0, findings.count);
    assert_u64(8 + 1, walk_totals_of(walk)->pages);
    walk_free(walk);
    image_free(&image);
}

static void an_index_page_of_both_edge_trees_is_no_finding(void **state)
{
    static const uint64_t child = 28;
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "synth39");
    const uint64_t root = image_append(&image, 1);
    image_put_index(&image, root, false, 0, NULL, &child, 0);
    image_set_field(&image, V3_AT_EDGE_ROOT, root);
    struct walk *walk = image_walk(&image, &findings);
    findings_print(&findings);
    assert_u64(0, findings.count);
    assert_u64(8 + 1, walk_totals_of(walk)->pages);
    walk_free(walk);
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overrunning_cluster_uses_the_pages_behind_it),
        cmocka_unit_test(an_overrun_of_other_pages_is_cross_linked),
        cmocka_unit_test(an_endless_overrun_is_followed_a_little),
        cmocka_unit_test(an_overrun_of_the_file_is_dangling),
        cmocka_unit_test(two_keys_of_one_cluster_are_cross_linked),
        cmocka_unit_test(a_cluster_of_another_node_is_found),
        cmocka_unit_test(a_chain_that_bites_its_tail_ends),
        cmocka_unit_test(a_chain_cut_short_is_found),
        cmocka_unit_test(a_packed_page_without_a_slot_for_its_key_is_found),
        cmocka_unit_test(both_edge_trees_are_walked),
        cmocka_unit_test(an_index_page_of_both_edge_trees_is_no_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
