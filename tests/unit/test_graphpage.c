/* Graph pages: what the reference read back from the samples, every damaged bit, and
 * sizes and numbers at their limits. */
#include "edgepage.h"
#include "graph.h"
#include "graphpage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the samples, as their manifests have them ---- */

static pf_err page_of(struct image *image, uint64_t page_id, uint8_t *page)
{
    return image_read(image, page_id, page);
}

/* The page that a tree has for a key, 0 = none. */
static uint64_t tree_find(struct image *image, uint64_t root, uint64_t key)
{
    uint8_t page[V3_PAGE];
    struct index_page index;
    uint64_t id = root;

    for (unsigned depth = 0; depth < INDEX_MAX_DEPTH; depth++) {
        unsigned i = 0;

        assert_ok(page_of(image, id, page));
        assert_true(index_decode(page, &index));
        while (i < index.count && index_key(&index, i) <= key)
            i++;
        if (index.leaf)
            return i > 0 && index_key(&index, i - 1) == key ? index_value(&index, i - 1)
                                                            : 0;
        id = index_child(&index, i);
    }
    return 0;
}

static bool find_record(struct image *image, uint64_t page_id, uint64_t id, uint8_t *page,
                        struct node_record *out_record)
{
    struct node_cursor cursor = {0};
    struct node_page node;

    assert_ok(page_of(image, page_id, page));
    assert_true(node_decode(page, &node));
    while (node_record_next(&node, &cursor, out_record) == STEP_ITEM)
        if (out_record->id == id && !out_record->deleted)
            return true;
    return false;
}

/* Data is a kind and a name, each behind its length, then the node's own text. */
static void assert_text(const uint8_t *data, size_t length, const char *kind,
                        const char *name)
{
    char expected[256];
    const int n = snprintf(expected, sizeof(expected), "%c%s%c%s", (int)strlen(kind),
                           kind, (int)strlen(name), name);

    assert_true(n > 0 && (size_t)n <= length);
    assert_memory_equal(data, expected, (size_t)n);
}

static void assert_node(struct image *image, const char *line)
{
    uint8_t page[V3_PAGE];
    struct node_record record;
    char kind[64];
    char name[64];
    char *rest;
    const uint64_t id = strtoull(line + 2, &rest, 10);

    assert_int_equal(sscanf(rest, "%63s %63s", kind, name), 2);
    const uint64_t page_id = tree_find(image, image_field(image, V3_AT_NODE_ROOT), id);
    assert_true(page_id >= 2);
    assert_true(find_record(image, page_id, id, page, &record));
    if (!record.external) {
        assert_text(record.data, record.data_length, kind, name);
        return;
    }
    assert_true(record.blob_offset + record.data_length <= image->size);
    assert_text(image->bytes + record.blob_offset, record.data_length, kind, name);
}

static void assert_deleted(struct image *image, const char *line)
{
    const uint64_t id = strtoull(line + 2, NULL, 10);

    assert_u64(0, tree_find(image, image_field(image, V3_AT_NODE_ROOT), id));
}

static void scan_chain(struct image *image, uint8_t *page, struct cluster_scan *scan)
{
    struct chain_page chain;
    enum scan end = SCAN_MORE;

    for (;;) {
        assert_true(chain_decode(page, &chain));
        end = cluster_scan_feed(scan, chain.payload, chain.length);
        if (chain.next == 0)
            break;
        assert_int_equal(end, SCAN_MORE);
        assert_ok(page_of(image, chain.next, page));
    }
    assert_int_equal(end, SCAN_DONE);
}

/* Scan the cluster of a key, whatever form its page has. */
static void scan_key(struct image *image, uint64_t key, struct cluster_scan *scan,
                     struct neighbours *list)
{
    uint8_t page[V3_PAGE];
    const uint64_t page_id = tree_find(image, image_field(image, V3_AT_EDGE_ROOT), key);
    struct packed_slot slot;
    unsigned slot_count;
    unsigned i = 0;

    assert_true(page_id >= 2);
    assert_ok(page_of(image, page_id, page));
    list->count = 0;
    cluster_scan_init(scan, neighbours_add, list);
    switch (edge_form_of(page)) {
    case EDGE_CHAIN:
        scan_chain(image, page, scan);
        break;
    case EDGE_PACKED:
        assert_true(packed_decode(page, &slot_count));
        do {
            assert_true(i < slot_count);
            assert_true(packed_slot_get(page, slot_count, i++, &slot));
        } while (slot.key != key);
        assert_int_equal(cluster_scan_feed(scan, slot.payload, slot.length), SCAN_DONE);
        break;
    default:
        assert_int_equal(cluster_scan_feed(scan, page, sizeof(page)), SCAN_DONE);
    }
    assert_u64(key, edge_key(scan->source, scan->direction));
}

static int compare_ids(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;

    return (*a > *b) - (*a < *b);
}

static void assert_neighbours(struct image *image, const char *line)
{
    static struct neighbours list;
    struct cluster_scan scan;
    char *at;
    const uint64_t source = strtoull(line + 2, &at, 10);
    size_t i = 0;

    scan_key(image, edge_key(source, line[0] == 'O' ? EDGE_OUT : EDGE_IN), &scan, &list);
    qsort(list.ids, list.count, sizeof(list.ids[0]), compare_ids);
    for (; *at == ' ' || *at == ','; i++) {
        const uint64_t expected = strtoull(at + 1, &at, 10);

        assert_true(i < list.count);
        assert_u64(expected, list.ids[i]);
    }
    assert_u64(i, list.count);
    assert_u64(i, scan.count);
}

static void assert_manifest(const char *name, const char *manifest, bool with_edges)
{
    const char *data = getenv("PF_TEST_DATA");
    struct image image;
    char path[512];
    char line[4096];
    unsigned checked = 0;

    image_load(&image, name);
    snprintf(path, sizeof(path), "%s/%s.manifest", data != NULL ? data : "tests/data",
             manifest);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (; fgets(line, sizeof(line), file) != NULL; checked++) {
        if (line[0] == 'N')
            assert_node(&image, line);
        else if (line[0] == 'D')
            assert_deleted(&image, line);
        else if ((line[0] == 'O' || line[0] == 'I') && with_edges)
            assert_neighbours(&image, line);
    }
    fclose(file);
    print_message("# %s: %u lines\n", name, checked);
    image_free(&image);
}

static void every_node_and_neighbour_of_the_samples_is_decoded(void **state)
{
    (void)state;
    assert_manifest("onenode", "onenode", true);
    assert_manifest("small", "small", true);
    assert_manifest("medium", "medium", true);
    assert_manifest("ext_last", "ext_last", true);
    assert_manifest("stale", "stale", true);
    assert_manifest("wal_stale", "wal_stale", false); /* its edges are in the log only */
}

/* synth39 has the graph of small, its edges packed, and one long cluster in a chain. */
static void packed_and_chained_edges_are_those_of_small(void **state)
{
    static struct neighbours list;
    struct cluster_scan scan;
    struct image image;

    (void)state;
    assert_manifest("synth39", "small", true);
    image_load(&image, "synth39");
    scan_key(&image, edge_key(10, EDGE_OUT), &scan, &list);
    assert_u64(1200, list.count);
    for (uint64_t i = 0; i < 1200; i++)
        assert_u64(i + 1, list.ids[i]);
    image_free(&image);
}

/* ---- sums and ids ---- */

typedef enum seal (*seal_fn)(const uint8_t *page, uint64_t page_id);

static enum seal seal_index(const uint8_t *page, uint64_t page_id)
{
    struct index_page index;
    struct page_seal seal;

    if (!index_decode(page, &index))
        return SEAL_FOREIGN;
    index_seal(&index, page_id, &seal);
    return seal.seal;
}

static enum seal seal_node(const uint8_t *page, uint64_t page_id)
{
    struct node_page node;
    struct page_seal seal;

    if (!node_decode(page, &node))
        return SEAL_FOREIGN;
    node_seal(&node, page_id, &seal);
    return seal.seal;
}

static void assert_flips_are_seen(uint8_t *page, uint64_t page_id, size_t from, size_t to,
                                  seal_fn seal)
{
    for (size_t bit = from * 8; bit < to * 8; bit++) {
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (seal(page, page_id) == SEAL_OK)
            fail_msg("bit %zu of page %" PRIu64 " changed unseen", bit, page_id);
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(seal(page, page_id), SEAL_OK);
}

/* The count and the length decide what is covered; flips of them may go unseen by the sum
 * (1 in 256), and a walk sees them otherwise. */
static void a_flipped_bit_under_the_sum_is_seen(void **state)
{
    struct image image;

    (void)state;
    image_load(&image, "medium");
    uint8_t *leaf = image_page(&image, 32);
    const size_t leaf_end = 32 + 16 * (size_t)leaf[11] + 8;
    assert_flips_are_seen(leaf, 32, 0, 8, seal_index);
    assert_flips_are_seen(leaf, 32, 12, 16, seal_index);
    assert_flips_are_seen(leaf, 32, 32, leaf_end, seal_index);
    uint8_t *root = image_page(&image, 31);
    assert_flips_are_seen(root, 31, 32, 32 + 16 * (size_t)root[11] + 8, seal_index);
    uint8_t *node = image_page(&image, 2);
    const size_t used = (size_t)node[18] << 8 | node[19];
    assert_flips_are_seen(node, 2, 0, 18, seal_node);
    assert_flips_are_seen(node, 2, 20, 32 + used, seal_node);
    image_free(&image);
}

static void padding_is_judged_apart_from_the_sum(void **state)
{
    struct index_page index;
    struct image image;

    (void)state;
    image_load(&image, "medium");
    uint8_t *page = image_page(&image, 32);
    for (size_t at = 16; at < 32; at++) {
        page[at] = 1;
        assert_true(index_decode(page, &index));
        assert_false(index_padding_is_zero(&index));
        page[at] = 0;
    }
    assert_true(index_padding_is_zero(&index));
    image_free(&image);
}

static void a_damaged_id_is_told_from_a_misplaced_page(void **state)
{
    struct image image;

    (void)state;
    image_load(&image, "medium");
    uint8_t *page = image_page(&image, 32);
    assert_int_equal(seal_index(page, 32), SEAL_OK);
    assert_int_equal(seal_index(page, 46), SEAL_MOVED);
    page[7] ^= 0x40; /* its id only */
    assert_int_equal(seal_index(page, 32), SEAL_ID);
    page[40] ^= 0x03; /* and a key */
    assert_int_equal(seal_index(page, 32), SEAL_FOREIGN);
    page[7] ^= 0x40;
    assert_int_equal(seal_index(page, 32), SEAL_SUM);
    image_free(&image);
}

/* ---- limits of the fields ---- */

static void index_counts_end_at_252(void **state)
{
    uint8_t page[V3_PAGE] = {0};
    struct index_page index;

    (void)state;
    for (unsigned leaf = 0; leaf < 2; leaf++) {
        page[8] = (uint8_t)leaf;
        image_put16(page + 10, 252);
        assert_true(index_decode(page, &index));
        assert_int_equal(index.count, 252);
        assert_u64(0, index_key(&index, 251));
        assert_u64(0, leaf != 0 ? index_next_leaf(&index) : index_child(&index, 252));
        image_put16(page + 10, 253);
        assert_false(index_decode(page, &index));
        image_put16(page + 10, 65535);
        assert_false(index_decode(page, &index));
    }
    image_put16(page + 10, 0);
    page[8] = 2;
    assert_false(index_decode(page, &index));
    page[8] = 1;
    page[9] = 2;
    assert_false(index_decode(page, &index));
}

/* A leaf with these values, its keys 1, 2, 3 and so on. */
static void make_leaf(uint8_t *page, const uint64_t *values, unsigned count,
                      struct index_page *out_index)
{
    memset(page, 0, V3_PAGE);
    page[8] = 1;
    image_put16(page + 10, (uint16_t)count);
    for (unsigned i = 0; i < count; i++) {
        v3_put64(page + 32 + (size_t)i * 16, i + 1);
        v3_put64(page + 40 + (size_t)i * 16, values[i]);
    }
    assert_true(index_decode(page, out_index));
    assert_u64(count, index_key(out_index, count - 1));
}

static void values_are_found_in_leaves_in_order_and_in_others(void **state)
{
    static const uint64_t ordered[] = {3, 3, 4, 9, 9, 9, UINT64_MAX};
    static const uint64_t mixed[] = {9, 3, 9, 4, 3};
    uint8_t page[V3_PAGE];
    struct index_page index;

    (void)state;
    make_leaf(page, ordered, 7, &index);
    assert_true(index_values_ascend(&index));
    assert_int_equal(index_first_value(&index, 0), 0);
    assert_int_equal(index_first_value(&index, 3), 0);
    assert_int_equal(index_first_value(&index, 4), 2);
    assert_int_equal(index_first_value(&index, 5), 3);
    assert_int_equal(index_first_value(&index, UINT64_MAX), 6);
    make_leaf(page, ordered, 6, &index);
    assert_int_equal(index_first_value(&index, UINT64_MAX), 6);
    make_leaf(page, mixed, 5, &index);
    assert_false(index_values_ascend(&index));
    assert_int_equal(index_find_value(&index, 0, 3), 1);
    assert_int_equal(index_find_value(&index, 2, 3), 4);
    assert_int_equal(index_find_value(&index, 0, 5), 5);
}

static void varints_hold_64_bits_and_no_more(void **state)
{
    static const struct {
        uint8_t bytes[11];
        uint8_t length;
        bool valid;
        uint64_t value;
    } rows[] = {
        {{0x00}, 1, true, 0},
        {{0x7F}, 1, true, 127},
        {{0x80, 0x01}, 2, true, 128},
        {{0x80, 0x00}, 2, true, 0}, /* longer than it need be */
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
         10,
         true,
         UINT64_MAX},
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02}, 10, false, 0},
        {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x81, 0}, 11, false, 0},
        {{0x80}, 1, false, 0},
        {{0x00}, 0, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 0;
        size_t at = 0;

        assert_int_equal(varint_get(rows[i].bytes, rows[i].length, &at, &value),
                         rows[i].valid);
        assert_true(at <= rows[i].length);
        if (rows[i].valid)
            assert_u64(rows[i].value, value);
    }
}

/* A node page with one record; returns its used bytes. */
static unsigned put_record(uint8_t *page, const uint8_t *record, size_t length)
{
    memset(page, 0, V3_PAGE);
    image_put16(page + 16, 1);
    image_put16(page + 18, (unsigned)length);
    v3_put64(page + 20, 100);
    memcpy(page + 32, record, length);
    return (unsigned)length;
}

static enum step first_record(const uint8_t *page, struct node_record *out_record)
{
    struct node_cursor cursor = {0};
    struct node_page node;

    assert_true(node_decode(page, &node));
    return node_record_next(&node, &cursor, out_record);
}

static void a_record_is_decoded_field_by_field(void **state)
{
    static const uint8_t external[] = {7, 0, 0, 0, 1, 1, 2, 0x83, 0x80, 0x02, 3,
                                       4, 5, 6, 0, 0, 0, 0, 0,    1,    0x02, 0x03};
    static const uint8_t inline3[] = {0x80, 0x01, 0, 0, 0, 0,   0,   0,
                                      3,    0,    0, 0, 0, 'a', 'b', 'c'};
    uint8_t page[V3_PAGE];
    struct node_record record;

    (void)state;
    put_record(page, external, sizeof(external));
    assert_int_equal(first_record(page, &record), STEP_ITEM);
    assert_u64(107, record.id);
    assert_true(record.deleted && record.external);
    assert_int_equal(record.data_length, 3);
    assert_u64(0x10203, record.blob_offset);
    put_record(page, inline3, sizeof(inline3));
    assert_int_equal(first_record(page, &record), STEP_ITEM);
    assert_u64(228, record.id);
    assert_false(record.deleted || record.external);
    assert_memory_equal(record.data, "abc", 3);
}

static void a_record_cut_anywhere_is_refused(void **state)
{
    static const uint8_t whole[] = {7, 0, 0, 0, 1, 1, 2, 0x83, 0x80, 0x02, 3,
                                    4, 5, 6, 0, 0, 0, 0, 0,    1,    0x02, 0x03};
    uint8_t page[V3_PAGE];
    struct node_record record;

    (void)state;
    for (size_t length = 0; length < sizeof(whole); length++) {
        put_record(page, whole, sizeof(whole));
        image_put16(page + 18, (unsigned)length);
        assert_int_equal(first_record(page, &record), STEP_BAD);
    }
}

static void inline_data_ends_at_64_bytes(void **state)
{
    uint8_t bytes[13 + 65] = {0};
    uint8_t page[V3_PAGE];
    struct node_record record;

    (void)state;
    bytes[7] = 64; /* delta, flags, kind, name, length, four more */
    put_record(page, bytes, 12 + 64);
    assert_int_equal(first_record(page, &record), STEP_ITEM);
    bytes[7] = 65;
    put_record(page, bytes, 12 + 65);
    assert_int_equal(first_record(page, &record), STEP_BAD);
}

static void records_end_with_the_page(void **state)
{
    uint8_t page[V3_PAGE] = {0};
    struct node_page node;

    (void)state;
    image_put16(page + 18, 4064);
    assert_true(node_decode(page, &node));
    image_put16(page + 18, 4065);
    assert_false(node_decode(page, &node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_and_neighbour_of_the_samples_is_decoded),
        cmocka_unit_test(packed_and_chained_edges_are_those_of_small),
        cmocka_unit_test(a_flipped_bit_under_the_sum_is_seen),
        cmocka_unit_test(padding_is_judged_apart_from_the_sum),
        cmocka_unit_test(a_damaged_id_is_told_from_a_misplaced_page),
        cmocka_unit_test(index_counts_end_at_252),
        cmocka_unit_test(values_are_found_in_leaves_in_order_and_in_others),
        cmocka_unit_test(varints_hold_64_bits_and_no_more),
        cmocka_unit_test(a_record_is_decoded_field_by_field),
        cmocka_unit_test(a_record_cut_anywhere_is_refused),
        cmocka_unit_test(inline_data_ends_at_64_bytes),
        cmocka_unit_test(records_end_with_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
