/* The check: the figures of every sample, one broken file for each class of finding, and
 * damage at random. */
#include "format.h"
#include "graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the samples ---- */

static const struct {
    const char *name;
    uint64_t in_use, leaked, right_total;
    uint64_t of_class[PF_FINDING_CLASS_COUNT];
} samples[] = {
    {"empty", 2, 0, 2, {0}},
    {"onenode", 4, 0, 4, {0}},
    {"small", 23, 0, 23, {0}},
    {"medium", 1261, 15, 1276, {[PF_FINDING_LEAKED] = 6}}, /* runs */
    {"ext_last", 6, 0, 6, {0}},
    {"stale", 68, 0, 68, {[PF_FINDING_HEADER] = 1, [PF_FINDING_SIZE] = 1}},
    {"wal_stale", 4, 0, 4, {[PF_FINDING_HEADER] = 1, [PF_FINDING_SIZE] = 1}},
    {"ps16k", 2, 0, 45, {[PF_FINDING_HEADER] = 1, [PF_FINDING_SIZE] = 1}},
    {"synth39", 10, 19, 29, {[PF_FINDING_LEAKED] = 1}},
};

static void every_sample_has_the_findings_it_is_known_for(void **state)
{
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct image image;

        print_message("# %s\n", samples[i].name);
        image_load(&image, samples[i].name);
        const struct check_summary sum = image_check(&image, &findings, NULL);
        findings_print(&findings);
        assert_u64(samples[i].in_use, sum.in_use);
        assert_u64(samples[i].leaked, sum.leaked);
        assert_u64(samples[i].right_total, sum.right_total);
        assert_u64(0, sum.free_pages);
        assert_u64(findings.count, sum.finding_count);
        for (unsigned c = 0; c < PF_FINDING_CLASS_COUNT; c++)
            assert_u64(samples[i].of_class[c], sum.findings[c]);
        assert_true(sum.complete);
        assert_int_equal(sum.walked, strcmp(samples[i].name, "ps16k") != 0);
        assert_int_equal(sum.graph_intact, sum.walked);
        image_free(&image);
    }
}

/* The pages of the long chain, and of the packed edges, are in use. */
static void chained_and_packed_pages_are_not_called_leaked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "synth39");
    image_check(&image, &findings, NULL);
    const struct pf_finding *leak = findings_get(&findings, PF_FINDING_LEAKED, 4);
    assert_u64(19, leak->page_count);
    assert_u64(1, findings.count);
    image_free(&image);
}

/* All pages are in exactly one of: in use, free, leaked; or in two, which is a finding.
 */
static void assert_pages_add_up(const struct check_summary *sum)
{
    const uint64_t pages =
        sum->total_pages > sum->file_pages ? sum->total_pages : sum->file_pages;

    assert_u64(pages + sum->findings[PF_FINDING_FREE_BUT_USED],
               sum->in_use + sum->leaked + sum->free_pages);
}

/* ---- the header and the size ---- */

static void a_total_below_a_page_in_use_is_found(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_set_field(&image, V3_AT_TOTAL, 22);
    const struct check_summary sum = image_check(&image, &findings, NULL);
    assert_string_equal(findings_get(&findings, PF_FINDING_HEADER, 0)->expected,
                        "total_pages of at least 23");
    (void)findings_get(&findings, PF_FINDING_SIZE, 0);
    assert_u64(2, findings.count);
    assert_u64(23, sum.right_total);
    image_free(&image);
}

static void counts_of_the_header_are_compared_with_the_tree(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_set_field(&image, V3_AT_NODE_COUNT, 11);
    v3_put32(image.bytes + V3_AT_HEIGHT, 2);
    image_check(&image, &findings, NULL);
    assert_u64(2, findings.count);
    assert_string_equal(findings.kept[0].expected, "node_count 10");
    assert_string_equal(findings.kept[1].expected, "btree_height 1");
    image_free(&image);
}

static void a_page_may_be_short_but_not_missing(void **state)
{
    static const struct {
        uint64_t missing;
        size_t findings;
    } rows[] = {{0, 0}, {1, 0}, {4095, 0}, {4096, 1}, {8191, 1}};
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct image image;

        image_load(&image, "small");
        (void)image_append(&image, 2);
        image.size -= rows[i].missing;
        const struct check_summary sum = image_check(&image, &findings, NULL);
        assert_u64(rows[i].findings, sum.findings[PF_FINDING_SIZE]);
        assert_u64(2, sum.leaked);
        assert_pages_add_up(&sum);
        image_free(&image);
    }
}

static void a_side_file_that_is_not_valid_is_a_finding(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image.meta[20] ^= 1;
    const struct check_summary sum = image_check(&image, &findings, NULL);
    (void)findings_get(&findings, PF_FINDING_HEADER, 0);
    assert_u64(1, findings.count);
    assert_u64(23, sum.in_use); /* the header's root counts */
    image_free(&image);
}

/* ---- one file for each class; what the walk finds is in test_walk.c ---- */

static void what_the_walk_finds_is_counted_by_class(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_page(&image, 3)[15] ^= 1;
    struct check_summary sum = image_check(&image, &findings, NULL);
    assert_u64(1, sum.findings[PF_FINDING_CHECKSUM]);
    assert_u64(1, sum.finding_count);
    assert_false(sum.graph_intact);

    image_sum_index(image_page(&image, 3));
    image_set_value(&image, 22, 0, 99);
    sum = image_check(&image, &findings, NULL);
    assert_u64(1, sum.findings[PF_FINDING_DANGLING]);
    assert_u64(4, findings_get(&findings, PF_FINDING_LEAKED, 4)->page_id);
    assert_u64(2, sum.finding_count);
    assert_false(sum.graph_intact);

    image_set_value(&image, 22, 0, 6);
    sum = image_check(&image, &findings, NULL);
    assert_true(sum.findings[PF_FINDING_CROSS_LINKED] > 0);

    image_set_value(&image, 22, 0, 4);
    image_page(&image, 4)[0] = 9;
    sum = image_check(&image, &findings, NULL);
    assert_u64(1, sum.findings[PF_FINDING_TREE]);
    assert_u64(1, sum.finding_count);
    image_free(&image);
}

/* small with ten pages more, 23 .. 32, and a free list on some of them. */
static void put_free_list(struct image *image)
{
    static const uint64_t old_leaves[] = {24, 25};
    static const uint64_t new_leaves[] = {28, 27, 30};

    image_load(image, "small");
    (void)image_append(image, 10);
    v3_trunk(image_page(image, 23), 23, 0, 1, 3, old_leaves, 2);
    v3_trunk(image_page(image, 26), 26, 23, 2, 7, new_leaves, 3);
    image_set_field(image, V3_AT_FREE_HEAD, 26);
}

static void free_pages_are_not_leaked(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    put_free_list(&image);
    const struct check_summary sum = image_check(&image, &findings, NULL);
    assert_u64(7, sum.free_pages);
    assert_u64(3, sum.leaked);
    assert_u64(23, sum.in_use);
    assert_pages_add_up(&sum);
    assert_true(sum.free_list_intact);
    assert_u64(1, findings_get(&findings, PF_FINDING_LEAKED, 29)->page_count);
    assert_u64(2, findings_get(&findings, PF_FINDING_LEAKED, 31)->page_count);
    assert_u64(2, findings.count);
    image_free(&image);
}

static void a_free_page_in_use_is_found_with_its_path(void **state)
{
    static const uint64_t leaves[] = {24, 3};
    static struct findings findings;
    struct image image;

    (void)state;
    put_free_list(&image);
    v3_trunk(image_page(&image, 23), 23, 0, 1, 3, leaves, 2);
    const struct check_summary sum = image_check(&image, &findings, NULL);
    assert_string_equal(findings_get(&findings, PF_FINDING_FREE_BUT_USED, 3)->path,
                        "node root");
    assert_u64(1, sum.findings[PF_FINDING_FREE_BUT_USED]);
    assert_pages_add_up(&sum);
    image_free(&image);
}

/* Each breaks the list of put_free_list() in one way. */
static void break_magic(struct image *image)
{
    image_page(image, 23)[0] = 'X';
}

static void break_sum(struct image *image)
{
    image_page(image, 23)[56] ^= 1;
}

static void break_head(struct image *image)
{
    image_set_field(image, V3_AT_FREE_HEAD, 1ULL << 60);
}

static void break_order(struct image *image)
{
    static const uint64_t leaves[] = {24, 25};

    v3_trunk(image_page(image, 23), 23, 0, 2, 3, leaves, 2);
}

static void break_by_cycle(struct image *image)
{
    static const uint64_t leaves[] = {24, 25};

    v3_trunk(image_page(image, 23), 23, 26, 1, 3, leaves, 2);
}

static void break_by_duplicate(struct image *image)
{
    static const uint64_t leaves[] = {24, 28};

    v3_trunk(image_page(image, 23), 23, 0, 1, 3, leaves, 2);
}

static void break_total(struct image *image)
{
    static const uint64_t leaves[] = {28, 27, 30};

    v3_trunk(image_page(image, 26), 26, 23, 2, 8, leaves, 3);
}

static void break_by_failing_read(struct image *image)
{
    image->fail_page = 23;
}

static void a_broken_free_list_is_a_finding_not_an_error(void **state)
{
    static const struct {
        void (*apply)(struct image *image);
        uint64_t page_id;
    } rows[] = {
        {break_magic, 23},        {break_sum, 23},
        {break_head, 1ULL << 60}, {break_order, 23},
        {break_by_cycle, 26},     {break_by_duplicate, 28},
        {break_total, 26},        {break_by_failing_read, 23},
    };
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct image image;

        put_free_list(&image);
        rows[i].apply(&image);
        const struct check_summary sum = image_check(&image, &findings, NULL);
        (void)findings_get(&findings, PF_FINDING_FREE_LIST, rows[i].page_id);
        assert_u64(1, sum.findings[PF_FINDING_FREE_LIST]);
        assert_false(sum.free_list_intact);
        assert_true(sum.graph_intact);
        assert_pages_add_up(&sum);
        image_free(&image);
    }
}

/* The page that a wrong head names is not free because of that. */
static void a_head_that_is_no_trunk_frees_nothing(void **state)
{
    static struct findings findings;
    struct image image;

    (void)state;
    image_load(&image, "small");
    image_set_field(&image, V3_AT_FREE_HEAD, 3);
    const struct check_summary sum = image_check(&image, &findings, NULL);
    (void)findings_get(&findings, PF_FINDING_FREE_LIST, 3);
    assert_u64(1, findings.count);
    assert_u64(0, sum.free_pages);
    image_free(&image);
}

static void a_caller_may_bring_the_free_pages(void **state)
{
    struct pageset free_pages = {0};
    struct check_summary sum;
    struct image image;
    bool added;

    (void)state;
    put_free_list(&image);
    image_set_field(&image, V3_AT_FREE_HEAD, 1ULL << 60); /* not looked at */
    struct check_input input = {.read = image_read,
                                .read_ctx = &image,
                                .file_bytes = image.size,
                                .free = &free_pages};
    assert_ok(header_decode(image.bytes, image.size, &input.header));
    for (uint64_t id = 23; id < 30; id++)
        assert_ok(pageset_add(&free_pages, id, &added));
    assert_ok(check_run(&input, &sum, NULL));
    assert_u64(7, sum.free_pages);
    assert_u64(3, sum.leaked);
    assert_u64(1, sum.finding_count);
    assert_u64(7, free_pages.count);
    pageset_clear(&free_pages);
    image_free(&image);
}

/* ---- hostile files ---- */

static void impossible_totals_cost_nothing(void **state)
{
    static const uint64_t totals[] = {1ULL << 40, 1ULL << 51, 1ULL << 63, UINT64_MAX};
    static struct findings findings;

    (void)state;
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        struct image image;

        image_load(&image, "small");
        image_set_field(&image, V3_AT_TOTAL, totals[i]);
        const struct check_summary sum = image_check(&image, &findings, NULL);
        assert_u64(2, findings.count); /* the total, and one run without use */
        assert_u64(totals[i] - 23, sum.leaked);
        assert_u64(23, image.reads);
        image_free(&image);
    }
}

struct sparse { /* a small file's pages, the rest of a huge file being a hole */
    struct image image;
    uint64_t reads;
};

static pf_err sparse_read(void *ctx, uint64_t page_id, uint8_t *page)
{
    struct sparse *sparse = ctx;

    sparse->reads++;
    if (page_id < 23)
        return image_read(&sparse->image, page_id, page);
    memset(page, 0, V3_PAGE);
    return PF_OK;
}

/* A file of 8 EiB, one leaf of which names pages far apart. */
static void a_huge_sparse_file_costs_what_is_in_it(void **state)
{
    static struct findings findings;
    struct sparse sparse = {.reads = 0};
    struct check_summary sum;
    struct walk *walk = NULL;

    (void)state;
    findings.count = 0;
    image_load(&sparse.image, "small");
    for (unsigned i = 0; i < 18; i++)
        image_set_value(&sparse.image, 22, i, (uint64_t)(i + 1) << 46);
    image_set_field(&sparse.image, V3_AT_TOTAL, PF_MAX_PAGE_ID);
    struct check_input input = {.read = sparse_read,
                                .read_ctx = &sparse,
                                .file_bytes = INT64_MAX,
                                .finding = findings_add,
                                .finding_ctx = &findings};
    assert_ok(header_decode(sparse.image.bytes, sparse.image.size, &input.header));
    assert_ok(check_run(&input, &sum, &walk));
    assert_u64(18, sum.findings[PF_FINDING_TREE]); /* zeros are no cluster */
    assert_u64(19 + 1, sum.findings[PF_FINDING_LEAKED]);
    assert_u64(3 + 18 + 2, sparse.reads); /* the two leaves twice */
    assert_true(walk_bytes(walk) < 10000);
    walk_free(walk);
    image_free(&sparse.image);
}

static void a_check_can_be_cancelled(void **state)
{
    struct image image;

    (void)state;
    put_free_list(&image);
    for (uint64_t at = 1; at <= 23; at++) { /* 23: in the free list */
        atomic_store(&image.cancel, false);
        image.reads = 0;
        image.cancel_at = at;
        const struct check_summary sum = image_check(&image, NULL, NULL);
        assert_false(sum.complete);
        assert_u64(0, sum.leaked);
    }
    image_free(&image);
}

/* ---- damage at random ---- */

static uint64_t seed_of_the_day(void)
{
    const char *given = getenv("PF_TEST_SEED");
    struct timespec now;

    if (given != NULL)
        return strtoull(given, NULL, 10);
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec + (uint64_t)now.tv_sec + 1;
}

/* Whatever a flipped bit makes of a file, the check ends, adds up, and reads no page more
 * often than there are keys. */
static void assert_flips_are_survived(const char *name, unsigned flips, unsigned bits)
{
    static struct findings findings;
    const uint64_t seed = seed_of_the_day();
    uint64_t rng = seed;
    unsigned noticed = 0;
    struct image image;

    image_load(&image, name);
    uint8_t *whole = malloc(image.size);
    assert_non_null(whole);
    memcpy(whole, image.bytes, image.size);
    for (unsigned i = 0; i < flips; i++) {
        struct pf_header header;

        for (unsigned k = 0; k < bits; k++) {
            const uint64_t bit = rng_below(&rng, image.size * 8);
            image.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        image.reads = 0;
        if (header_decode(image.bytes, image.size, &header) == PF_OK) {
            const struct check_summary sum = image_check(&image, &findings, NULL);

            assert_pages_add_up(&sum);
            assert_true(image.reads < 100 + image.size / 16);
            noticed += sum.finding_count > 0;
        } else {
            noticed++;
        }
        memcpy(image.bytes, whole, image.size);
    }
    print_message(
        "#= %s: %u of %u copies with %u flipped bits noticed, PF_TEST_SEED=%" PRIu64 "\n",
        name, noticed, flips, bits, seed);
    free(whole);
    image_free(&image);
}

static void flipped_bits_of_small_are_survived(void **state)
{
    (void)state;
    assert_flips_are_survived("small", 1000, 1);
    assert_flips_are_survived("small", scaled(300, 3000), 300);
}

static void flipped_bits_of_other_samples_are_survived(void **state)
{
    (void)state;
    assert_flips_are_survived("synth39", scaled(500, 5000), 1);
    assert_flips_are_survived("synth39", scaled(200, 2000), 1000);
    assert_flips_are_survived("ext_last", scaled(500, 5000), 1);
    assert_flips_are_survived("medium", scaled(10, 200), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_has_the_findings_it_is_known_for),
        cmocka_unit_test(chained_and_packed_pages_are_not_called_leaked),
        cmocka_unit_test(a_total_below_a_page_in_use_is_found),
        cmocka_unit_test(counts_of_the_header_are_compared_with_the_tree),
        cmocka_unit_test(a_page_may_be_short_but_not_missing),
        cmocka_unit_test(a_side_file_that_is_not_valid_is_a_finding),
        cmocka_unit_test(what_the_walk_finds_is_counted_by_class),
        cmocka_unit_test(free_pages_are_not_leaked),
        cmocka_unit_test(a_free_page_in_use_is_found_with_its_path),
        cmocka_unit_test(a_broken_free_list_is_a_finding_not_an_error),
        cmocka_unit_test(a_head_that_is_no_trunk_frees_nothing),
        cmocka_unit_test(a_caller_may_bring_the_free_pages),
        cmocka_unit_test(impossible_totals_cost_nothing),
        cmocka_unit_test(a_huge_sparse_file_costs_what_is_in_it),
        cmocka_unit_test(a_check_can_be_cancelled),
        cmocka_unit_test(flipped_bits_of_small_are_survived),
        cmocka_unit_test(flipped_bits_of_other_samples_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
