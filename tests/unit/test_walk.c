/* The walk: every reachable page, its use and its path; and that it ends, whatever the
 * file says. */
#include "graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the samples ---- */

static const struct {
    const char *name;
    struct walk_totals totals;
} samples[] = {
    {"empty", {.pages = 0}},
    {"onenode",
     {.pages = 2,
      .highest_page = 3,
      .index_pages = 1,
      .node_pages = 1,
      .nodes = 1,
      .node_depth = 1}},
    {"small",
     {.pages = 21,
      .highest_page = 22,
      .index_pages = 2,
      .node_pages = 1,
      .edge_pages = 18,
      .nodes = 10,
      .edge_lists = 18,
      .edges = 12,
      .node_depth = 1}},
    {"medium",
     {.pages = 1259,
      .highest_page = 1275,
      .index_pages = 24,
      .node_pages = 32,
      .edge_pages = 1007,
      .blob_pages = 196,
      .nodes = 1988,
      .edge_lists = 1007,
      .edges = 1249,
      .node_depth = 2}},
    {"ext_last",
     {.pages = 4,
      .highest_page = 5,
      .index_pages = 1,
      .node_pages = 1,
      .blob_pages = 2,
      .nodes = 6,
      .node_depth = 1}},
    {"stale",
     {.pages = 66,
      .highest_page = 67,
      .index_pages = 3,
      .node_pages = 3,
      .blob_pages = 60,
      .nodes = 300,
      .node_depth = 2}},
    {"wal_stale",
     {.pages = 2,
      .highest_page = 3,
      .index_pages = 1,
      .node_pages = 1,
      .nodes = 60,
      .node_depth = 1}},
    {"synth39",
     {.pages = 8,
      .highest_page = 28,
      .index_pages = 2,
      .node_pages = 1,
      .edge_pages = 5,
      .nodes = 10,
      .edge_lists = 19,
      .edges = 1212,
      .node_depth = 1}},
};

static uint64_t count_reached(struct walk *walk)
{
    uint64_t count = 0;

    for (uint64_t id = 0; walk_next(walk, id, &id); count++) {
        assert_true(walk_next_gap(walk, id) > id);
        id++;
    }
    return count;
}

static void every_sample_is_walked_whole_and_without_findings(void **state)
{
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct walk_totals *expected = &samples[i].totals;
        struct image image;

        print_message("# %s\n", samples[i].name);
        image_load(&image, samples[i].name);
        struct walk *walk = image_walk(&image, &findings);
        const struct walk_totals *got = walk_totals_of(walk);
        findings_print(&findings);
        assert_u64(0, findings.count);
        assert_true(got->complete && got->intact);
        assert_u64(expected->pages, got->pages);
        assert_u64(expected->pages, count_reached(walk));
        assert_u64(expected->highest_page, got->highest_page);
        assert_u64(expected->index_pages, got->index_pages);
        assert_u64(expected->node_pages, got->node_pages);
        assert_u64(expected->edge_pages, got->edge_pages);
        assert_u64(expected->blob_pages, got->blob_pages);
        assert_u64(expected->nodes, got->nodes);
        assert_u64(expected->edge_lists, got->edge_lists);
        assert_u64(expected->edges, got->edges);
        assert_int_equal(expected->node_depth, got->node_depth);
        walk_free(walk);
        image_free(&image);
    }
}

static void uses_and_paths_lead_from_the_root_to_the_page(void **state)
{
    struct image image;

    (void)state;
    image_load(&image, "medium");
    struct walk *walk = image_walk(&image, NULL);
    assert_path(walk, 31, "node root");
    assert_path(walk, 32, "node root 31 > leaf");
    assert_path(walk, 2, "node root 31 > leaf 3 > node");
    assert_path(walk, 13, "node root 31 > leaf 3 > node 2 > blob");
    assert_path(walk, 261, "edge root 1269 > leaf 1268 > edge");
    assert_path(walk, 6, ""); /* leaked */
    assert_path(walk, 0, "");
    assert_path(walk, UINT64_MAX, "");
    assert_use(walk, 31, "node-internal");
    assert_use(walk, 32, "node-leaf");
    assert_use(walk, 2, "node");
    assert_use(walk, 13, "blob");
    assert_use(walk, 1269, "edge-internal");
    assert_use(walk, 1268, "edge-leaf");
    assert_use(walk, 261, "edge");
    assert_use(walk, 6, "unknown");
    walk_free(walk);
    image_free(&image);

    image_load(&image, "synth39");
    walk = image_walk(&image, NULL);
    assert_use(walk, 23, "edge-packed");
    assert_use(walk, 24, "edge-chain");
    assert_path(walk, 25, "edge root 28 > edge-chain 24 > edge-chain");
    assert_use(walk, 27, "edge-chain");
    walk_free(walk);
    image_free(&image);
}

/* Index pages first; then, in ascending order, all that the leaves name, each once. */
static void pages_are_read_about_once_and_upwards(void **state)
{
    struct image image;
    uint64_t last = 0;
    size_t descents = 0;

    (void)state;
    image_load(&image, "medium");
    image.trace_room = 4096;
    image.trace = calloc(image.trace_room, sizeof(*image.trace));
    assert_non_null(image.trace);
    struct walk *walk = image_walk(&image, NULL);
    assert_u64(image.reads, walk_totals_of(walk)->pages_read);
    assert_true(image.reads <=
                (uint64_t)(24 + 32 + 1007 + 22)); /* the leaves twice, blobs not at all */
    for (size_t i = 24; i < image.reads; i++) {
        const enum page_use use = walk_use(walk, image.trace[i], NULL);

        if (use == USE_NODE_LEAF || use == USE_EDGE_LEAF)
            continue;
        descents += image.trace[i] <= last;
        last = image.trace[i];
    }
    assert_int_equal(descents, 0);
    walk_free(walk);
    image_free(&image);
}

static void memory_is_a_few_bytes_a_page(void **state)
{
    struct image image;

    (void)state;
    image_load(&image, "medium");
    struct walk *walk = image_walk(&image, NULL);
    assert_true(walk_bytes(walk) < (uint64_t)1259 * 8);
    walk_free(walk);
    image_free(&image);
}

/* ---- trees that do not end, or lead nowhere ---- */

static void a_tree_that_leads_back_to_its_root_ends(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "medium");
    uint8_t *root = image_page(&image, 31);
    v3_put64(root + 32 + 8 * ((size_t)root[11] + 3), 31);
    image_sum_index(root);
    struct walk *walk = image_walk(&image, &findings);
    const struct pf_finding *finding =
        findings_get(&findings, PF_FINDING_CROSS_LINKED, 31);
    assert_string_equal(finding->path, "node root 31 > index");
    assert_string_equal(finding->found, "also used by node root");
    assert_true(walk_is_crossed(walk, 31));
    assert_false(walk_totals_of(walk)->intact);
    walk_free(walk);
    image_free(&image);
}

/* 12 levels of pages with one child each, the last being a leaf. */
static void a_tree_deeper_than_ten_levels_is_cut(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "onenode");
    const uint64_t first = image_append(&image, 11);
    for (uint64_t i = 0; i < 11; i++) {
        const uint64_t child = i < 10 ? first + i + 1 : 3;

        image_put_index(&image, first + i, false, 0, NULL, &child, 0);
    }
    image_set_field(&image, V3_AT_NODE_ROOT, first);
    struct walk *walk = image_walk(&image, &findings);
    (void)findings_get(&findings, PF_FINDING_TREE, first + 9);
    assert_u64(1, findings.count);
    assert_u64(10, walk_totals_of(walk)->pages);
    walk_free(walk);

    image_set_field(&image, V3_AT_NODE_ROOT, first + 2); /* ten with the leaf */
    walk = image_walk(&image, &findings);
    assert_u64(0, findings.count);
    assert_int_equal(walk_totals_of(walk)->node_depth, 10);
    assert_u64(1, walk_totals_of(walk)->nodes);
    walk_free(walk);
    image_free(&image);
}

static void both_trees_on_one_root_are_cross_linked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image.meta_length = 0;
    image_set_field(&image, V3_AT_EDGE_ROOT, 3);
    walk_free(image_walk(&image, &findings));
    assert_string_equal(findings_get(&findings, PF_FINDING_CROSS_LINKED, 3)->path,
                        "edge root");
    image_free(&image);
}

static void references_out_of_the_file_are_dangling(void **state)
{
    static const uint64_t nowhere[] = {0, 1, 23, 1ULL << 40, 1ULL << 51, UINT64_MAX};
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        struct image image;

        image_load(&image, "small");
        image_set_value(&image, 22, 0, nowhere[i]);
        struct walk *walk = image_walk(&image, &findings);
        const struct pf_finding *finding =
            findings_get(&findings, PF_FINDING_DANGLING, nowhere[i]);
        assert_u64(22, finding->user_id);
        assert_string_equal(finding->path, "edge root 22 > edge");
        assert_u64(1, findings.count);
        assert_true(walk_is_crossed(walk, 22));
        walk_free(walk);
        image_free(&image);
    }
}

static void leaves_out_of_order_are_found(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "medium");
    uint8_t *leaf = image_page(&image, 46);
    v3_put64(leaf + 32 + 16 * (size_t)leaf[11], 0); /* the chain ends too early */
    image_sum_index(leaf);
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_TREE, 46);
    assert_u64(1, findings.count);
    image_free(&image);

    image_load(&image, "small");
    v3_put64(image_page(&image, 22) + 32 + (size_t)16 * 18,
             3); /* the last has a neighbour */
    image_sum_index(image_page(&image, 22));
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_TREE, 22);
    assert_u64(1, findings.count);
    image_free(&image);

    image_load(&image, "medium");
    uint8_t *root = image_page(&image, 31);
    v3_put64(root + 32 + 8, v3_get64(root + 32 + 8) + 1); /* a separator one too high */
    image_sum_index(root);
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_TREE, 46); /* begins below its bound */
    assert_u64(1, findings.count);
    image_free(&image);
}

/* ---- nodes and blobs ---- */

/* Record 6 of ext_last has a blob of two pages; its offset ends the used bytes. */
static uint8_t *blob_offset_of(struct image *image)
{
    uint8_t *page = image_page(image, 2);
    const size_t used = (size_t)page[18] << 8 | page[19];

    return page + 32 + used - 8;
}

static void a_blob_must_begin_with_a_page_and_end_in_the_file(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "ext_last");
    uint8_t *at = blob_offset_of(&image);
    const uint64_t offset = v3_get64(at);
    v3_put64(at, offset + 1);
    image_sum_node(image_page(&image, 2));
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_TREE, 2);
    assert_u64(1, findings.count);

    v3_put64(at, offset);
    image_sum_node(image_page(&image, 2));
    image.size--; /* its last byte */
    walk_free(image_walk(&image, &findings));
    (void)findings_get(&findings, PF_FINDING_DANGLING, 4);
    assert_u64(1, findings.count);

    v3_put64(at, UINT64_MAX - 4095 + 112);
    image_sum_node(image_page(&image, 2));
    walk_free(image_walk(&image, &findings));
    assert_u64(1, findings.count);
    image_free(&image);
}

static void a_blob_has_no_page_more_than_its_bytes_need(void **state)
{
    static const uint8_t length_4096[] = {0x80, 0xA0, 0x02};
    struct image image;

    (void)state;
    image_load(&image, "ext_last");
    memcpy(blob_offset_of(&image) - 7, length_4096, sizeof(length_4096));
    image_sum_node(image_page(&image, 2));
    struct walk *walk = image_walk(&image, NULL);
    assert_u64(0, walk_totals_of(walk)->findings);
    assert_u64(1, walk_totals_of(walk)->blob_pages);
    walk_free(walk);
    image_free(&image);
}

static void a_blob_over_another_page_is_cross_linked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "ext_last");
    v3_put64(blob_offset_of(&image), 112 + 2 * 4096); /* pages 3, the root, and 4 */
    image_sum_node(image_page(&image, 2));
    walk_free(image_walk(&image, &findings));
    assert_string_equal(findings_get(&findings, PF_FINDING_CROSS_LINKED, 3)->path,
                        "node root 3 > node 2 > blob");
    assert_u64(1, findings.count);
    image_free(&image);
}

/* A record whose key leads to another page, or is deleted, keeps no blob. */
static void only_live_records_keep_their_blobs(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "ext_last");
    uint8_t *root = image_page(&image, 3);
    root[11]--; /* drop key 6, the last */
    v3_put64(root + 32 + 16 * (size_t)root[11], 0);
    image_sum_index(root);
    struct walk *walk = image_walk(&image, &findings);
    assert_u64(0, findings.count);
    assert_u64(5, walk_totals_of(walk)->nodes);
    assert_u64(0, walk_totals_of(walk)->blob_pages);
    walk_free(walk);
    image_free(&image);

    image_load(&image, "ext_last");
    blob_offset_of(&image)[-10] |= 1; /* its flags; nine bytes of numbers between */
    image_sum_node(image_page(&image, 2));
    walk = image_walk(&image, &findings);
    assert_u64(0, findings.count);
    assert_u64(5, walk_totals_of(walk)->nodes);
    assert_u64(0, walk_totals_of(walk)->blob_pages);
    walk_free(walk);
    image_free(&image);
}

static void a_key_without_its_record_is_found(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    uint8_t *root = image_page(&image, 3);
    v3_put64(root + 176, 11); /* key 10 becomes 11 */
    image_sum_index(root);
    walk_free(image_walk(&image, &findings));
    assert_string_equal(findings_get(&findings, PF_FINDING_TREE, 2)->expected,
                        "a record of node 11");
    assert_u64(1, findings.count);
    image_free(&image);
}

/* ---- damage of single pages ---- */

static void a_wrong_sum_is_told_and_the_page_still_followed(void **state)
{
    static const uint64_t pages[] = {31, 32, 2, 1269, 1268};
    static const unsigned sum_at[] = {15, 15, 31, 15, 15};
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct image image;

        image_load(&image, "medium");
        image_page(&image, pages[i])[sum_at[i]] ^= 0x10;
        struct walk *walk = image_walk(&image, &findings);
        (void)findings_get(&findings, PF_FINDING_CHECKSUM, pages[i]);
        assert_u64(1, findings.count);
        assert_true(walk_is_bad(walk, pages[i]));
        assert_u64(1259, walk_totals_of(walk)->pages);
        assert_false(walk_totals_of(walk)->intact);
        walk_free(walk);
        image_free(&image);
    }
}

static void a_foreign_page_is_told_and_not_followed(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "medium");
    memcpy(image_page(&image, 32), image_page(&image, 46), V3_PAGE); /* a sound leaf */
    struct walk *walk = image_walk(&image, &findings);
    (void)findings_get(&findings, PF_FINDING_TREE, 32);
    assert_u64(1, findings.count);
    assert_use(walk, 32, "unknown");
    walk_free(walk);
    image_free(&image);
}

static void an_unreadable_page_is_a_finding_and_the_rest_is_walked(void **state)
{
    static const uint64_t pages[] = {2, 32, 261, 1270};
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct image image;

        image_load(&image, "medium");
        image.fail_page = pages[i];
        struct walk *walk = image_walk(&image, &findings);
        assert_string_equal(findings_get(&findings, PF_FINDING_TREE, pages[i])->found,
                            "input/output error");
        assert_true(walk_totals_of(walk)->complete);
        assert_false(walk_totals_of(walk)->intact);
        walk_free(walk);
        image_free(&image);
    }
}

/* ---- errors, cancelling, progress ---- */

static pf_err no_memory_read(void *ctx, uint64_t page_id, uint8_t *page)
{
    uint64_t *calls = ctx;

    memset(page, 0, V3_PAGE);
    (void)page_id;
    (*calls)++;
    return *calls == 1 ? PF_E_STALE : PF_E_NO_MEMORY;
}

static void a_stale_file_ends_the_walk(void **state)
{
    uint64_t calls = 0;
    const struct walk_input input = {.read = no_memory_read,
                                     .read_ctx = &calls,
                                     .file_bytes = 1000000,
                                     .node_root = 2,
                                     .edge_roots = {3}};
    struct walk *walk = NULL;

    (void)state;
    assert_pf(PF_E_STALE, walk_run(&input, &walk));
    assert_null(walk);
    assert_pf(PF_E_NO_MEMORY, walk_run(&input, &walk));
    assert_null(walk);
    assert_u64(2, calls);
}

static void a_walk_can_be_cancelled_at_every_read(void **state)
{
    struct image image;

    (void)state;
    image_load(&image, "medium");
    for (uint64_t at = 1; at < 1084; at += at < 100 ? 1 : 97) {
        atomic_store(&image.cancel, false);
        image.reads = 0;
        image.cancel_at = at;
        struct walk *walk = image_walk(&image, NULL);
        assert_false(walk_totals_of(walk)->complete);
        assert_false(walk_totals_of(walk)->intact);
        assert_u64(at, image.reads);
        walk_free(walk);
    }
    image_free(&image);
}

struct watched {
    struct image image;
    struct pf_progress progress;
    uint64_t last;
};

static pf_err watching_read(void *ctx, uint64_t page_id, uint8_t *page)
{
    struct watched *watched = ctx;
    const uint64_t done = atomic_load(&watched->progress.done);

    assert_true(done >= watched->last);
    assert_true(done <= atomic_load(&watched->progress.total));
    watched->last = done;
    return image_read(&watched->image, page_id, page);
}

static void progress_rises_to_its_total(void **state)
{
    static struct watched watched;
    struct walk *walk = NULL;

    (void)state;
    image_load(&watched.image, "medium");
    const struct walk_input input = {.read = watching_read,
                                     .read_ctx = &watched,
                                     .file_bytes = watched.image.size,
                                     .node_root = 31,
                                     .edge_roots = {1269},
                                     .progress = &watched.progress};
    assert_ok(walk_run(&input, &walk));
    assert_true(watched.last > 1000);
    assert_u64(atomic_load(&watched.progress.total), atomic_load(&watched.progress.done));
    walk_free(walk);
    image_free(&watched.image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_walked_whole_and_without_findings),
        cmocka_unit_test(uses_and_paths_lead_from_the_root_to_the_page),
        cmocka_unit_test(pages_are_read_about_once_and_upwards),
        cmocka_unit_test(memory_is_a_few_bytes_a_page),
        cmocka_unit_test(a_tree_that_leads_back_to_its_root_ends),
        cmocka_unit_test(a_tree_deeper_than_ten_levels_is_cut),
        cmocka_unit_test(both_trees_on_one_root_are_cross_linked),
        cmocka_unit_test(references_out_of_the_file_are_dangling),
        cmocka_unit_test(leaves_out_of_order_are_found),
        cmocka_unit_test(a_blob_must_begin_with_a_page_and_end_in_the_file),
        cmocka_unit_test(a_blob_has_no_page_more_than_its_bytes_need),
        cmocka_unit_test(a_blob_over_another_page_is_cross_linked),
        cmocka_unit_test(only_live_records_keep_their_blobs),
        cmocka_unit_test(a_key_without_its_record_is_found),
        cmocka_unit_test(a_wrong_sum_is_told_and_the_page_still_followed),
        cmocka_unit_test(a_foreign_page_is_told_and_not_followed),
        cmocka_unit_test(an_unreadable_page_is_a_finding_and_the_rest_is_walked),
        cmocka_unit_test(a_stale_file_ends_the_walk),
        cmocka_unit_test(a_walk_can_be_cancelled_at_every_read),
        cmocka_unit_test(progress_rises_to_its_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
