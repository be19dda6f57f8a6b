/* Edge pages: clusters of all versions, packed pages, chains, the side file. */
#include "edgepage.h"
#include "graph.h"

#include <string.h>

static const uint8_t cluster_v1[] = {1, 0, 0,   0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0,
                                     0, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0};
static const uint8_t cluster_v2[] = {2,   0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0,
                                     2,   0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1,
                                     'x', 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0};
static const uint8_t cluster_v3[] = {3, 0, 0, 0, 0,  0, 0, 0, 3, 1, 0,   0, 0, 2, 1,
                                     0, 0, 0, 2, 10, 8, 0, 0, 0, 1, 'x', 0, 0, 0, 0};

static const struct {
    const uint8_t *bytes;
    size_t length;
} clusters[] = {
    {cluster_v1, sizeof(cluster_v1)},
    {cluster_v2, sizeof(cluster_v2)},
    {cluster_v3, sizeof(cluster_v3)},
};

static void clusters_of_all_versions_give_the_same_neighbours(void **state)
{
    struct neighbours list;
    struct cluster_scan scan;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        list.count = 0;
        cluster_scan_init(&scan, neighbours_add, &list);
        assert_int_equal(cluster_scan_feed(&scan, clusters[i].bytes, clusters[i].length),
                         SCAN_DONE);
        assert_int_equal(scan.version, i + 1);
        assert_int_equal(scan.has_key, i > 0);
        assert_u64(2, list.count);
        assert_u64(5, list.ids[0]);
        assert_u64(9, list.ids[1]);
        if (scan.has_key)
            assert_u64(edge_key(3, EDGE_IN), edge_key(scan.source, scan.direction));
    }
}

static void a_cluster_may_be_cut_anywhere(void **state)
{
    struct neighbours list;
    struct cluster_scan scan;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        list.count = 0;
        cluster_scan_init(&scan, neighbours_add, &list);
        for (size_t at = 0; at < clusters[i].length; at++)
            assert_int_equal(cluster_scan_feed(&scan, clusters[i].bytes + at, 1),
                             at + 1 == clusters[i].length ? SCAN_DONE : SCAN_MORE);
        assert_u64(2, list.count);
    }
}

static void assert_cluster_is_bad(size_t at, uint8_t value)
{
    uint8_t bytes[sizeof(cluster_v3)];
    struct cluster_scan scan;

    memcpy(bytes, cluster_v3, sizeof(bytes));
    bytes[at] = value;
    cluster_scan_init(&scan, NULL, NULL);
    assert_int_equal(cluster_scan_feed(&scan, bytes, sizeof(bytes)), SCAN_BAD);
    assert_non_null(scan.problem);
}

static void impossible_clusters_are_refused(void **state)
{
    (void)state;
    assert_cluster_is_bad(0, 0); /* version */
    assert_cluster_is_bad(0, 4);
    assert_cluster_is_bad(9, 2);     /* direction */
    assert_cluster_is_bad(10, 0x80); /* 2^31 edges in two bytes */
    assert_cluster_is_bad(13, 1);    /* more ids than its count */
    assert_cluster_is_bad(14, 2);    /* compression */
    assert_cluster_is_bad(15, 0x80); /* 2^31 bytes of two ids */
    assert_cluster_is_bad(20, 0x88); /* an id that does not end */
}

static void edge_keys_are_those_of_the_trees(void **state)
{
    (void)state;
    assert_u64(2, edge_key(1, EDGE_OUT));
    assert_u64(0x4000000000000014, edge_key(10, EDGE_IN));
    assert_u64(1, edge_key(UINT64_MAX, EDGE_OUT)); /* node -1 */
    assert_u64(0x3FFFFFFFFFFFFFFF, edge_key(1ULL << 63, EDGE_OUT));
}

/* ---- packed pages, chains, the side file ---- */

static void slots_stay_inside_the_page(void **state)
{
    static const struct {
        unsigned direction, offset, length;
        bool valid;
    } rows[] = {
        {0, 24, 0, true},      {1, 24, 4072, true}, {0, 4096, 0, true},
        {0, 4095, 1, true},    {0, 4095, 2, false}, {0, 24, 4073, false},
        {0, 23, 1, false},     {2, 24, 1, false},   {0, 65535, 0, false},
        {0, 24, 65535, false}, {0, 0, 0, false},
    };
    uint8_t page[V3_PAGE] = {'V', '3', 'E', 'P', 0, 1};
    struct packed_slot slot;
    unsigned count;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        page[8 + 8] = (uint8_t)rows[i].direction;
        image_put16(page + 8 + 10, rows[i].offset);
        image_put16(page + 8 + 12, rows[i].length);
        assert_true(packed_decode(page, &count));
        assert_int_equal(packed_slot_get(page, count, 0, &slot), rows[i].valid);
    }
    image_put16(page + 4, 256);
    assert_false(packed_decode(page, &count));
}

static void chain_payloads_end_with_the_page(void **state)
{
    uint8_t page[V3_PAGE] = {'V', '3', 'E', 'C'};
    struct chain_page chain;

    (void)state;
    v3_put64(page + 8, 77);
    v3_put32(page + 4, 4080);
    assert_true(chain_decode(page, &chain));
    assert_u64(77, chain.next);
    v3_put32(page + 4, 4081);
    assert_false(chain_decode(page, &chain));
    v3_put32(page + 4, UINT32_MAX);
    assert_false(chain_decode(page, &chain));
    page[3] = 'P';
    assert_false(chain_decode(page, &chain));
}

static void a_side_file_with_a_flipped_bit_is_not_believed(void **state)
{
    struct image image;
    uint64_t root = 0;

    (void)state;
    image_load(&image, "medium");
    assert_true(edgemeta_decode(image.meta, image.meta_length, &root));
    assert_u64(1269, root);
    assert_false(edgemeta_decode(image.meta, 23, &root));
    assert_false(edgemeta_decode(image.meta, 25, &root));
    for (size_t bit = 0; bit < (size_t)24 * 8; bit++) {
        image.meta[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(edgemeta_decode(image.meta, 24, &root));
        image.meta[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_of_all_versions_give_the_same_neighbours),
        cmocka_unit_test(a_cluster_may_be_cut_anywhere),
        cmocka_unit_test(impossible_clusters_are_refused),
        cmocka_unit_test(edge_keys_are_those_of_the_trees),
        cmocka_unit_test(slots_stay_inside_the_page),
        cmocka_unit_test(chain_payloads_end_with_the_page),
        cmocka_unit_test(a_side_file_with_a_flipped_bit_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
