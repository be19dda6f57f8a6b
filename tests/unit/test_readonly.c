/* Read-only stores: asked for, and fallen back to because writing could destroy data. */
#include "scratch.h"
#include "v3file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t listing_of(const char *dir);

/* Every change is refused with PF_E_READ_ONLY; queries work. */
static void assert_refuses_changes(pf_store *store)
{
    const struct pf_range range = {3, 2};
    const uint8_t bytes[4] = {1, 2, 3, 4};
    uint64_t ids[2] = {77, 77};

    assert_false(pf_writable(store));
    assert_pf(PF_E_READ_ONLY, pf_page_alloc(store, ids, NULL));
    assert_pf(PF_E_READ_ONLY, pf_pages_alloc(store, 2, ids, NULL));
    assert_pf(PF_E_READ_ONLY, pf_pages_alloc_contiguous(store, 2, ids, NULL));
    assert_u64(77, ids[0]);
    assert_pf(PF_E_READ_ONLY, pf_page_take(store, 2, NULL));
    assert_pf(PF_E_READ_ONLY, pf_page_free(store, 2, NULL));
    assert_pf(PF_E_READ_ONLY, pf_pages_free(store, &range, 1, NULL, NULL));
    assert_pf(PF_E_READ_ONLY, pf_page_pin(store, 2));
    assert_pf(PF_E_READ_ONLY, pf_page_unpin(store, 2));
    assert_pf(PF_E_READ_ONLY, pf_page_write(store, 2, 0, bytes, 4, NULL));
}

/* t->db opens read-only with `reason_part` in the reason, require_rw refuses it, and no
 * byte of the directory changes. */
static void assert_falls_back(struct scratch *t, const char *reason_part)
{
    const struct pf_options need_rw = {.require_rw = true};
    const uint64_t before = v3_hash(t->db);
    const uint64_t listing = listing_of(t->dir);
    struct pf_info info;
    pf_store *store = NULL;

    scratch_open(t, NULL);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_false(info.failed);
    if (strstr(info.reason, reason_part) == NULL)
        fail_msg("reason \"%s\" lacks \"%s\"", info.reason, reason_part);
    assert_refuses_changes(t->store);
    scratch_close(t);
    t->reason[0] = '\0';
    assert_pf(PF_E_NEEDS_WRITE, pf_open(t->db, &need_rw, &store, t->reason));
    assert_null(store);
    if (strstr(t->reason, reason_part) == NULL)
        fail_msg("require_rw: reason \"%s\" lacks \"%s\"", t->reason, reason_part);
    assert_u64(before, v3_hash(t->db));
    assert_u64(listing, listing_of(t->dir));
}

/* Names, sizes and times of a directory, as one number. */
static uint64_t listing_of(const char *dir)
{
    char command[256];
    char text[8192];
    size_t length;
    FILE *pipe;

    snprintf(command, sizeof(command), "find %s -printf '%%p %%s %%T@ %%i\\n' | sort",
             dir);
    pipe = popen(command, "re");
    assert_non_null(pipe);
    length = fread(text, 1, sizeof(text), pipe);
    assert_int_equal(pclose(pipe), 0);
    assert_true(length > 0);
    return pf_checksum(text, length);
}

static void asked_for_read_only_changes_nothing(void **state)
{
    const struct pf_options read_only = {.read_only = true};
    struct scratch *t = *state;
    struct pf_info info;

    scratch_create(t, 100);
    free_range(t->store, 10, 20);
    scratch_close(t);
    const uint64_t before = v3_hash(t->db);
    const uint64_t listing = listing_of(t->dir);
    scratch_open(t, &read_only);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_counts(t->store, 100, 20, 0);
    assert_u64(29, pf_free_list_head(t->store));
    assert_int_equal(state_of(t->store, 15), PF_STATE_FREE);
    assert_refuses_changes(t->store);
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
    assert_u64(listing, listing_of(t->dir));
}

static void stale_sample_is_read_only(void **state)
{
    scratch_copy_sample(*state, "stale");
    assert_falls_back(*state, "total_pages");
}

static void wal_stale_sample_is_read_only(void **state)
{
    scratch_copy_sample(*state, "wal_stale");
    assert_falls_back(*state, "");
}

static void ps16k_sample_is_read_only(void **state)
{
    scratch_copy_sample(*state, "ps16k");
    assert_falls_back(*state, "16384");
}

/* The size and total of a good file, so that only the WAL can be the reason. */
static void an_unclean_wal_is_read_only(void **state)
{
    struct scratch *t = *state;
    char wal[256];

    v3_make_pages(t->db, 10);
    scratch_path(t, "db.v3wal", wal);
    v3_make(wal, (const uint8_t[V3_HEADER]){'j', 'u', 'n', 'k'}, 30);
    assert_falls_back(t, "v3wal");
}

static void a_wal_with_records_is_read_only(void **state)
{
    struct scratch *t = *state;
    uint8_t bytes[V3_HEADER] = {0};
    char wal[256];

    v3_make_pages(t->db, 10);
    scratch_path(t, "db.v3wal", wal);
    memcpy(bytes, "V3WAL\0\0\0\1\0\0\0\0\20\0\0", 16);
    v3_make(wal, bytes, 65);
    assert_falls_back(t, "v3wal");
}

static void an_empty_wal_file_does_no_harm(void **state)
{
    struct scratch *t = *state;
    uint8_t bytes[V3_HEADER] = {0};
    char wal[256];

    v3_make_pages(t->db, 10);
    scratch_path(t, "db.v3wal", wal);
    memcpy(bytes, "V3WAL\0\0\0\1\0\0\0\0\20\0\0", 16);
    v3_make(wal, bytes, 64);
    const uint64_t before = v3_hash(wal);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    assert_u64(10, alloc_one(t->store));
    scratch_close(t);
    assert_u64(before, v3_hash(wal));
}

struct shape {
    const char *what;
    uint64_t total;
    uint64_t size;
    int at; /* a field to set */
    uint64_t value;
    const char *reason; /* NULL = writable */
};

static const struct shape shapes[] = {
    {"exact", 10, 36976, V3_AT_TOTAL, 10, NULL},
    {"fresh", 0, 112, V3_AT_TOTAL, 0, NULL},
    {"fresh with page 1", 2, 4208, V3_AT_TOTAL, 2, NULL},
    {"one byte longer", 10, 36977, V3_AT_TOTAL, 10, "longer"},
    {"a page longer", 10, 41072, V3_AT_TOTAL, 10, "longer"},
    {"unpadded last page", 10, 36975, V3_AT_TOTAL, 10, NULL},
    {"one byte of the last page", 10, 32881, V3_AT_TOTAL, 10, NULL},
    {"a page short", 10, 32880, V3_AT_TOTAL, 10, "shorter"},
    {"header only", 10, 112, V3_AT_TOTAL, 10, "shorter"},
    {"total 2^50", 0, 112, V3_AT_TOTAL, 1ULL << 50, "shorter"},
    {"total 2^51", 0, 112, V3_AT_TOTAL, 1ULL << 51, ""},
    {"total 2^52", 0, 112, V3_AT_TOTAL, 1ULL << 52, ""},
    {"total 2^64-1", 0, 112, V3_AT_TOTAL, UINT64_MAX, ""},
    {"total 0 with data", 0, 36976, V3_AT_TOTAL, 0, "longer"},
    {"node root below total", 10, 36976, V3_AT_NODE_ROOT, 9, NULL},
    {"node root at total", 10, 36976, V3_AT_NODE_ROOT, 10, "root"},
    {"node root huge", 10, 36976, V3_AT_NODE_ROOT, UINT64_MAX - 1, "root"},
    {"edge root at total", 10, 36976, V3_AT_EDGE_ROOT, 10, "edge_data_offset"},
    {"edge root none", 10, 36976, V3_AT_EDGE_ROOT, UINT64_MAX, NULL},
};

static void only_sizes_and_roots_that_are_safe_are_written(void **state)
{
    struct scratch *t = *state;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct shape *s = &shapes[i];
        uint8_t header[V3_HEADER];

        print_message("# %s\n", s->what);
        snprintf(t->db, sizeof(t->db), "%.90s/%zu.v3", t->dir, i);
        v3_header(header);
        v3_put64(header + V3_AT_TOTAL, s->total);
        v3_put64(header + s->at, s->value);
        v3_make(t->db, header, s->size);
        if (s->reason != NULL) {
            assert_falls_back(t, s->reason);
            continue;
        }
        scratch_open(t, NULL);
        if (!pf_writable(t->store))
            fail_msg("%s: not writable", s->what);
        scratch_close(t);
    }
}

static void page_size_8192_is_read_only(void **state)
{
    struct scratch *t = *state;
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put32(header + V3_AT_PAGE_SIZE, 8192);
    v3_make(t->db, header, V3_HEADER);
    assert_falls_back(t, "8192");
}

static void a_total_of_2_to_the_50_allocates_nothing_large(void **state)
{
    struct scratch *t = *state;
    struct pf_page page;
    uint8_t header[V3_HEADER];
    const uint64_t before = proc_status_kb(0, "VmHWM:");

    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, 1ULL << 50);
    v3_make(t->db, header, V3_HEADER);
    scratch_open(t, NULL);
    assert_false(pf_writable(t->store));
    assert_u64(1ULL << 50, pf_total_pages(t->store));
    assert_ok(pf_page_get(t->store, (1ULL << 50) - 1, &page));
    assert_int_equal(page.state, PF_STATE_ALLOCATED);
    assert_pf(PF_E_NO_PAGE, pf_page_get(t->store, 1ULL << 50, &page));
    if (!built_with_sanitizer())
        assert_in_range(proc_status_kb(0, "VmHWM:") - before, 0, 2048);
}

static void a_second_hard_link_is_read_only(void **state)
{
    struct scratch *t = *state;
    char other[256];

    v3_make_pages(t->db, 10);
    scratch_path(t, "other.v3", other);
    assert_int_equal(link(t->db, other), 0);
    assert_falls_back(t, "link");
}

/* Root may write anything, so become somebody else for a while. */
static bool become_somebody_else(struct scratch *t)
{
    if (geteuid() != 0)
        return true;
    if (chmod(t->dir, 0755) != 0 || chown(t->db, 65534, 65534) != 0)
        return false;
    return seteuid(65534) == 0;
}

static void a_file_without_write_permission_is_read_only(void **state)
{
    struct scratch *t = *state;
    const uid_t was = geteuid();
    struct pf_info info;

    v3_make_pages(t->db, 10);
    assert_int_equal(chmod(t->db, 0444), 0);
    assert_true(become_somebody_else(t));
    const pf_err err = pf_open(t->db, NULL, &t->store, t->reason);
    assert_int_equal(seteuid(was), 0);
    if (err == PF_E_ACCESS)
        skip(); /* a TMPDIR that others cannot enter */
    assert_ok(err);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    if (strcasestr(info.reason, "permission") == NULL)
        fail_msg("reason \"%s\" lacks \"permission\"", info.reason);
    assert_refuses_changes(t->store);
}

/* No side file could be made, so no change could be made durable. */
static void a_directory_without_write_permission_is_read_only(void **state)
{
    struct scratch *t = *state;
    const uid_t was = geteuid();
    struct pf_info info;

    v3_make_pages(t->db, 10);
    assert_true(become_somebody_else(t));
    if (was != 0)
        assert_int_equal(chmod(t->dir, 0555), 0);
    const pf_err err = pf_open(t->db, NULL, &t->store, t->reason);
    assert_int_equal(seteuid(was), 0);
    assert_int_equal(chmod(t->dir, 0755), 0);
    if (err == PF_E_ACCESS)
        skip(); /* a TMPDIR that others cannot enter */
    assert_ok(err);
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_true(strlen(info.reason) > 0);
}

/* A read-only store stays what it was asked to be; it is not one that failed. */
static void a_file_cut_under_a_read_only_store_is_stale(void **state)
{
    struct scratch *t = *state;
    const struct pf_options options = {.read_only = true};
    struct pf_info info;
    uint8_t page[PF_PAGE_SIZE];

    v3_make_pages(t->db, 20);
    scratch_open(t, &options);
    assert_ok(pf_page_read(t->store, 15, page));
    assert_int_equal(truncate(t->db, (off_t)v3_offset(10)), 0);
    assert_pf(PF_E_STALE, pf_page_read(t->store, 15, page));
    assert_ok(pf_page_read(t->store, 9, page));
    pf_info_get(t->store, &info);
    assert_int_equal(info.mode, PF_MODE_RO);
    assert_false(info.failed);
    assert_string_equal(info.reason, "asked for");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(asked_for_read_only_changes_nothing),
        SCRATCH_TEST(stale_sample_is_read_only),
        SCRATCH_TEST(wal_stale_sample_is_read_only),
        SCRATCH_TEST(ps16k_sample_is_read_only),
        SCRATCH_TEST(an_unclean_wal_is_read_only),
        SCRATCH_TEST(a_wal_with_records_is_read_only),
        SCRATCH_TEST(an_empty_wal_file_does_no_harm),
        SCRATCH_TEST(only_sizes_and_roots_that_are_safe_are_written),
        SCRATCH_TEST(page_size_8192_is_read_only),
        SCRATCH_TEST(a_total_of_2_to_the_50_allocates_nothing_large),
        SCRATCH_TEST(a_second_hard_link_is_read_only),
        SCRATCH_TEST(a_file_cut_under_a_read_only_store_is_stale),
        SCRATCH_TEST(a_file_without_write_permission_is_read_only),
        SCRATCH_TEST(a_directory_without_write_permission_is_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
