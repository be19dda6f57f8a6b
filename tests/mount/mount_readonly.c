/* Read-only mounts: why, what they refuse, and that no byte changes. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names, sizes, times and contents of everything beside the database. */
static const char *const fingerprint =
    "cd \"$D\"; find . -maxdepth 1 -name 'db*' -printf '%p %s %T@ %i %m\\n' | sort; "
    "sha256sum db*";

static char *fingerprint_of(struct mnt *m)
{
    assert_int_equal(sh(m, fingerprint), 0);
    return strdup(m->out);
}

struct attempt {
    const char *path, *text;
};

static void assert_refuses_changes(struct mnt *m)
{
    static const struct attempt attempts[] = {
        {"free", "2\n"},          {"pin", "2\n"},
        {"unpin", "2\n"},         {"pages/1/state", "free\n"},
        {"pages/1/pins", "+1\n"}, {"pages/1/data", "x"},
    };

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        assert_write(EROFS, m, attempts[i].path, attempts[i].text);
    expect_error(m, "Read-only file system", "cat alloc");
    expect_error(m, "Read-only file system", "mkdir new");
    expect_error(m, "Read-only file system", "touch new");
    expect_error(m, "Read-only file system", "rm -f stats");
    expect_error(m, "Read-only file system", "mv stats other");
    expect_error(m, "Read-only file system", "chmod 777 stats");
    expect(m, "", "touch stats pages/1");
}

static void read_everything(struct mnt *m)
{
    expect(m, "",
           "cat README status header stats stats.json freelist last_error "
           "pages/[01]/{state,pins,offset,data,checksum} > \"$D/all\"; "
           "ls -lR pages/0 > \"$D/all\"; df . > \"$D/all\"");
}

/* Mount, look, try everything; then nothing has changed. */
static void assert_read_only_mount(struct mnt *m, const char *options, const char *reason)
{
    char *before = fingerprint_of(m);

    mnt_start(m, options);
    expect(m, "mode ro\n", "grep ^mode status");
    if (reason != NULL) {
        if (strstr(m_read(m, "status"), reason) == NULL)
            fail_msg("status lacks \"%s\":\n%s", reason, m->out);
    }
    read_everything(m);
    assert_refuses_changes(m);
    mnt_stop(m);
    char *after = fingerprint_of(m);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Falls back with the reason on stderr; require_rw refuses with status 32. */
static void assert_falls_back(struct mnt *m, const char *sample, const char *reason)
{
    scratch_copy_sample(&m->t, sample);
    char *before = fingerprint_of(m);
    mnt_start(m, NULL);
    if (strstr(m->err, "read-only") == NULL || strstr(m->err, reason) == NULL)
        fail_msg("stderr does not say \"read-only\" and \"%s\": %s", reason, m->err);
    mnt_stop(m);
    assert_read_only_mount(m, NULL, reason);
    assert_read_only_mount(m, "rw", reason);
    assert_int_equal(mnt_try(m, "require_rw"), 32);
    assert_false(mnt_mounted(m));
    assert_int_equal(m->daemon, 0);
    if (strstr(m->err, reason) == NULL)
        fail_msg("require_rw: stderr lacks \"%s\": %s", reason, m->err);
    char *after = fingerprint_of(m);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void stale_falls_back_to_read_only(void **state)
{
    assert_falls_back(*state, "stale", "total_pages");
}

static void wal_stale_falls_back_to_read_only(void **state)
{
    assert_falls_back(*state, "wal_stale", "total_pages");
}

static void ps16k_falls_back_to_read_only(void **state)
{
    assert_falls_back(*state, "ps16k", "16384");
}

/* The graph uses pages 700 to 1200. */
static void free_by_force(struct mnt *m)
{
    assert_write(EBUSY, m, "free", "700-1200\n");
    expect(m, "", "for n in {700..1200}; do echo 'free!' >pages/$n/state; done");
}

static void asked_for_read_only_changes_no_byte(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    free_by_force(m);
    mnt_stop(m);
    assert_read_only_mount(m, "ro", NULL);
}

static void a_read_only_mount_shows_the_states(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    free_by_force(m);
    mnt_stop(m);
    mnt_start(m, "ro");
    assert_state(m, 700, "free");
    assert_state(m, 699, "allocated");
    assert_u64(501, m_number(m, "stats", "free_pages"));
    assert_u64(1200, m_number(m, "stats", "free_list_head"));
    mnt_stop(m);
}

static void a_total_of_2_to_the_50_is_mounted_read_only(void **state)
{
    struct mnt *m = *state;
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, 1ULL << 50);
    v3_make(m->t.db, header, V3_HEADER);
    mnt_start(m, NULL);
    expect(m, "mode ro\n", "grep ^mode status");
    assert_u64(1ULL << 50, m_number(m, "stats", "total_pages"));
    expect(m, "1000\n", "ls -U pages | head -n 1000 | wc -l"); /* streams */
    assert_state(m, (1ULL << 50) - 1, "allocated");
    expect(m, "0 4096\n", "stat -c '%s' freelist pages/1125899906842623 | xargs");
    assert_open(ENOENT, m, "pages/1125899906842624", O_RDONLY);
    if (!built_with_sanitizer())
        assert_in_range(proc_status_kb(m->daemon, "VmHWM:"), 1, 16 * 1024);
    mnt_stop(m);
    assert_u64(V3_HEADER, v3_size(m->t.db));
}

static void a_corrupt_free_list_is_mounted_read_only(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 60);
    v3_poke64(m->t.db, V3_AT_FREE_HEAD, 33); /* no trunk there */
    const uint64_t before = v3_hash(m->t.db);
    mnt_start(m, NULL);
    assert_non_null(strstr(m->err, "read-only"));
    assert_non_null(strstr(m_read(m, "status"), "free list"));
    expect_error(m, "Structure needs cleaning", "cat pages/7/state");
    expect_error(m, "Structure needs cleaning", "cat freelist");
    expect(m, "4096\n", "wc -c < pages/7/data"); /* what does not depend on it works */
    expect(m, "free_pages unknown\n", "grep ^free_pages stats");
    assert_refuses_changes(m);
    mnt_stop(m);
    assert_int_equal(mnt_try(m, "require_rw"), 32);
    assert_u64(before, v3_hash(m->t.db));
}

static void two_read_only_mounts_share_a_file(void **state)
{
    struct mnt *m = *state;
    char second[256];

    v3_make_pages(m->t.db, 60);
    mnt_start(m, "ro");
    scratch_path(&m->t, "second", second);
    assert_int_equal(mkdir(second, 0755), 0);
    expect(m, "60\n60\n",
           "\"$PAGEFS\" -o ro \"$DB\" \"$D/second\" && awk '/^total_pages/ {print $2}' "
           "stats \"$D/second/stats\"; fusermount3 -u \"$D/second\"");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(stale_falls_back_to_read_only),
        MOUNT_TEST(wal_stale_falls_back_to_read_only),
        MOUNT_TEST(ps16k_falls_back_to_read_only),
        MOUNT_TEST(asked_for_read_only_changes_no_byte),
        MOUNT_TEST(a_read_only_mount_shows_the_states),
        MOUNT_TEST(a_total_of_2_to_the_50_is_mounted_read_only),
        MOUNT_TEST(a_corrupt_free_list_is_mounted_read_only),
        MOUNT_TEST(two_read_only_mounts_share_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
