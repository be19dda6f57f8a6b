/* Large files: listings stream, memory stays small. */
#include "harness.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_daemon_is_small(struct mnt *m)
{
    if (built_with_sanitizer())
        return;
    const uint64_t kb = proc_status_kb(m->daemon, "VmHWM:");
    if (kb >= 16 * 1024)
        fail_msg("the daemon took %" PRIu64 " kB at its largest", kb);
}

static void listing_1000000_pages_is_right_and_takes_under_16_mb(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 1000000);
    expect(m, "1000000\n", "ls -U pages | wc -l");
    assert_daemon_is_small(m);
    expect(m, "0\n1\n2\n", "ls -U pages | head -n 3");
    assert_daemon_is_small(m);
    mnt_stop(m);
}

static void a_million_pages_with_200000_free_take_under_16_mb(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 1000000);
    assert_write(0, m, "free", "300000-499999\n");
    assert_u64(200000, m_number(m, "stats", "free_pages"));
    mnt_restart(m);
    assert_state(m, 400000, "free"); /* walks the list */
    expect(m, "200000\n", "wc -l < freelist");
    expect(m, "499999\n", "cat alloc");
    assert_daemon_is_small(m);
    mnt_stop(m);
}

static void a_file_of_2_to_the_30_pages_is_mounted_and_used(void **state)
{
    const uint64_t total = 1ULL << 30;
    struct mnt *m = *state;
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, total);
    v3_make(m->t.db, header, V3_HEADER);
    if (truncate(m->t.db, (off_t)v3_nominal(total)) != 0) {
        print_message("this file system cannot hold a file of 4 TiB\n");
        skip();
    }
    mnt_start(m, NULL);
    expect(m, "1073741824\n", "cat alloc");
    assert_write(0, m, "free", "1073741823 5\n");
    mnt_restart(m);
    assert_state(m, 5, "free");
    expect(m, "5\n1073741823\n1073741825\n", "cat alloc; cat alloc; cat alloc");
    assert_daemon_is_small(m);
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(listing_1000000_pages_is_right_and_takes_under_16_mb),
        MOUNT_TEST(a_million_pages_with_200000_free_take_under_16_mb),
        MOUNT_TEST(a_file_of_2_to_the_30_pages_is_mounted_and_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
