/* Real files: opened as they should be, and every original page left as it was. */
#include "scratch.h"
#include "v3file.h"

#include <string.h>

struct sample {
    const char *name;
    uint64_t total; /* effective */
    bool writable;
};

static const struct sample samples[] = {
    {"empty", 2, true},     {"onenode", 4, true},  {"small", 23, true},
    {"medium", 1276, true}, {"ext_last", 6, true}, {"stale", 2, false},
    {"ps16k", 45, false},   {"synth39", 29, true}, {"wal_stale", 2, false},
};

static void every_sample_opens_with_its_total_and_mode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        void *one = NULL;

        assert_int_equal(scratch_setup(&one), 0);
        struct scratch *s = one;
        scratch_copy_sample(s, samples[i].name);
        const uint64_t before = v3_hash(s->db);
        scratch_open(s, NULL);
        print_message("# %s\n", samples[i].name);
        assert_int_equal(pf_writable(s->store), samples[i].writable);
        assert_counts(s->store, samples[i].total, 0, 0);
        scratch_close(s);
        assert_u64(before, v3_hash(s->db));
        scratch_teardown(&one);
    }
}

/* Allocate, free and write, then compare every page the sample came with. */
static void assert_original_pages_survive(struct scratch *t, const char *name)
{
    uint8_t page[PF_PAGE_SIZE];
    struct v3_image before;
    uint64_t ids[1200];

    memset(page, 0xC3, sizeof(page));
    scratch_copy_sample(t, name);
    v3_image_read(t->db, &before);
    scratch_open(t, NULL);
    assert_ok(pf_pages_alloc(t->store, 1200, ids, NULL));
    for (size_t i = 0; i < 1200; i++)
        assert_u64(before.page_count + i, ids[i]);
    for (size_t i = 0; i < 1200; i += 3)
        assert_ok(pf_page_write(t->store, ids[i], 0, page, sizeof(page), NULL));
    for (size_t i = 0; i < 1200; i += 2)
        free_one(t->store, ids[i]);
    assert_ok(pf_pages_alloc(t->store, 100, ids, NULL));
    scratch_close(t);
    v3_assert_original_kept(&before, t->db);
    v3_image_free(&before);
}

static void every_page_of_small_survives_heavy_use(void **state)
{
    assert_original_pages_survive(*state, "small");
}

static void every_page_of_medium_survives_heavy_use(void **state)
{
    assert_original_pages_survive(*state, "medium");
}

static void every_page_of_synth39_survives_heavy_use(void **state)
{
    assert_original_pages_survive(*state, "synth39");
}

/* The sum of a real node-tree root: bytes 12..31 count as zero. */
static void xor_sum_is_the_one_real_files_hold(void **state)
{
    struct scratch *t = *state;
    uint8_t page[V3_PAGE];
    uint8_t root[8];

    scratch_copy_sample(t, "medium");
    v3_peek(t->db, V3_AT_NODE_ROOT, root, sizeof(root));
    v3_peek(t->db, v3_offset(v3_get64(root)), page, sizeof(page));
    const uint32_t stored = v3_get32(page + 12);
    const size_t count = (size_t)page[10] << 8 | page[11];
    const size_t covered = 32 + 16 * count + 8; /* leaf and internal alike */

    memset(page + 12, 0, 20);
    assert_u64(stored, pf_xor_sum(page, covered));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(every_sample_opens_with_its_total_and_mode),
        SCRATCH_TEST(every_page_of_small_survives_heavy_use),
        SCRATCH_TEST(every_page_of_medium_survives_heavy_use),
        SCRATCH_TEST(every_page_of_synth39_survives_heavy_use),
        SCRATCH_TEST(xor_sum_is_the_one_real_files_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
