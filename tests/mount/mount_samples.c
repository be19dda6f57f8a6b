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
    struct v3_image before;
    size_t free_count = 0;

    scratch_copy_sample(&m->t, name);
    v3_image_read(m->t.db, &before);
    mnt_start(m, NULL);
    use_heavily(m);
    mnt_restart(m);
    const uint64_t free_pages = m_number(m, "stats", "free_pages");
    assert_true(free_pages >= 500);
    mnt_stop(m);
    free(v3_free_list(m->t.db, &free_count));
    assert_int_equal(free_count, free_pages);
    v3_assert_original_kept(&before, m->t.db);
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
