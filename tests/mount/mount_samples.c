/* Real files: after heavy use through the mount, every page they came with is the same.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void use_heavily(struct mnt *m)
{
    expect(m, "",
           "exec 3<>alloc; echo 1500 >&3; cat <&3 > \"$D/ids\"; "
           "for id in $(awk 'NR % 10 == 0' \"$D/ids\"); do "
           "head -c 4096 /dev/urandom > pages/$id/data || echo $id; done; "
           "awk 'NR % 3 == 0' \"$D/ids\" > free; "
           "for i in $(seq 50); do cat alloc; done > \"$D/more\"; "
           "shuf --random-source=<(yes) \"$D/more\" > free; "
           "for id in $(awk 'NR % 3 == 1' \"$D/ids\" | tail -n 5); do echo pinned > "
           "pages/$id/state; done");
}

static void assert_original_pages_survive(struct mnt *m, const char *name)
{
    uint8_t before_header[V3_HEADER];
    uint8_t after_header[V3_HEADER];
    struct v3_image before;
    struct v3_image after;
    size_t free_count = 0;

    scratch_copy_sample(&m->t, name);
    v3_image_read(m->t.db, &before);
    v3_peek(m->t.db, 0, before_header, sizeof(before_header));
    mnt_start(m, NULL);
    use_heavily(m);
    mnt_restart(m);
    const uint64_t free_pages = m_number(m, "stats", "free_pages");
    assert_true(free_pages >= 500);
    mnt_stop(m);
    free(v3_free_list(m->t.db, &free_count));
    assert_int_equal(free_count, free_pages);
    v3_image_read(m->t.db, &after);
    v3_peek(m->t.db, 0, after_header, sizeof(after_header));
    for (size_t id = 1; id < before.page_count; id++)
        if (before.hashes[id] != after.hashes[id])
            fail_msg("%s: page %zu changed", name, id);
    /* free_page_list_head and total_pages are ours, the other 15 fields are not */
    memcpy(before_header + V3_AT_FREE_HEAD, after_header + V3_AT_FREE_HEAD, 16);
    assert_memory_equal(before_header, after_header, V3_HEADER);
    v3_image_free(&before);
    v3_image_free(&after);
}

static void every_page_of_small_survives_heavy_use(void **state)
{
    assert_original_pages_survive(*state, "small");
}

static void every_page_of_medium_survives_heavy_use(void **state)
{
    assert_original_pages_survive(*state, "medium");
}

static void side_files_of_a_sample_stay_as_they_are(void **state)
{
    struct mnt *m = *state;
    char edgemeta[256];

    scratch_copy_sample(&m->t, "medium");
    scratch_path(&m->t, "db.v3edgemeta", edgemeta);
    const uint64_t before = v3_hash(edgemeta);
    mnt_start(m, NULL);
    expect(m, "1276\n", "cat alloc");
    mnt_stop(m);
    assert_u64(before, v3_hash(edgemeta));
    expect(m, "db.v3\ndb.v3edgemeta\n", "cd \"$D\"; ls db*"); /* and no new one is left */
}

static void every_sample_mounts_and_shows_its_pages(void **state)
{
    static const char *const samples[][2] = {
        {"empty", "2"},     {"onenode", "4"},   {"small", "23"},
        {"medium", "1276"}, {"stale", "2"},     {"ps16k", "45"},
        {"ext_last", "6"},  {"wal_stale", "2"}, {"synth39", "29"},
    };
    struct mnt *m = *state;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char expected[32];

        expect(m, "", "rm -f \"$D\"/db*");
        scratch_copy_sample(&m->t, samples[i][0]);
        mnt_start(m, NULL);
        snprintf(expected, sizeof(expected), "%s\n", samples[i][1]);
        expect(m, expected, "ls -U pages | wc -l");
        mnt_stop(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(every_page_of_small_survives_heavy_use),
        MOUNT_TEST(every_page_of_medium_survives_heavy_use),
        MOUNT_TEST(side_files_of_a_sample_stay_as_they_are),
        MOUNT_TEST(every_sample_mounts_and_shows_its_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
