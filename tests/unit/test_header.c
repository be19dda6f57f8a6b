/* Opening: which headers are refused, with which error, in which order. */
#include "scratch.h"
#include "v3file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One fault of a header each, in the order in which they are looked for. */
struct fault {
    const char *what;
    pf_err err;
    int at;
    int width; /* bytes: 4 or 8 */
    uint64_t value;
};

static const struct fault faults[] = {
    {"magic", PF_E_MAGIC, V3_AT_MAGIC, 4, 0x53514C55},
    {"version", PF_E_VERSION, V3_AT_VERSION, 4, 5},
    {"flags", PF_E_FLAGS, V3_AT_FLAGS, 4, 5},
    {"index flag", PF_E_FLAGS_INDEX, V3_AT_FLAGS, 4, 3},
    {"outgoing", PF_E_OUTGOING, V3_AT_OUTGOING, 8, 111},
    {"incoming", PF_E_INCOMING, V3_AT_INCOMING, 8, 112},
    {"free space", PF_E_FREE_SPACE, V3_AT_FREE_SPACE, 8, 100},
    {"page size", PF_E_PAGE_SIZE, V3_AT_PAGE_SIZE, 4, 4097},
    {"height", PF_E_HEIGHT, V3_AT_HEIGHT, 4, 5},
};
enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

static void put(uint8_t *header, int at, int width, uint64_t value)
{
    if (width == 8)
        v3_put64(header + at, value);
    else
        v3_put32(header + at, (uint32_t)value);
}

/* A header with all faults from `first` on. The cluster offsets depend on each other:
 * "incoming" needs an outgoing above it, "free space" an incoming above it. */
static void make_faulty(const char *path, int first)
{
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put64(header + V3_AT_OUTGOING, 200);
    v3_put64(header + V3_AT_INCOMING, 200);
    v3_put64(header + V3_AT_FREE_SPACE, 200);
    for (int i = FAULTS - 1; i >= first; i--)
        put(header, faults[i].at, faults[i].width, faults[i].value);
    v3_make(path, header, V3_HEADER);
}

static void open_fails(struct scratch *t, pf_err expected)
{
    const struct pf_options read_only = {.read_only = true};
    const uint64_t before = v3_hash(t->db);
    pf_store *store = NULL;

    t->reason[0] = '\0';
    assert_pf(expected, pf_open(t->db, NULL, &store, t->reason));
    assert_null(store);
    assert_true(strlen(t->reason) > 0);
    assert_pf(expected, pf_open(t->db, &read_only, &store, NULL));
    assert_null(store);
    assert_u64(before, v3_hash(t->db));
}

static void each_header_fault_has_its_own_error(void **state)
{
    struct scratch *t = *state;
    char path[256];

    for (int i = 0; i < FAULTS; i++) {
        uint8_t header[V3_HEADER];

        v3_header(header);
        v3_put64(header + V3_AT_OUTGOING, i == 6 ? 0 : 200);
        v3_put64(header + V3_AT_INCOMING, 200);
        put(header, faults[i].at, faults[i].width, faults[i].value);
        scratch_path(t, faults[i].what, path);
        v3_make(path, header, V3_HEADER);
        snprintf(t->db, sizeof(t->db), "%.120s", path);
        open_fails(t, faults[i].err);
    }
}

static void the_first_fault_in_order_is_the_one_named(void **state)
{
    struct scratch *t = *state;
    char path[256];

    for (int i = 0; i < FAULTS; i++) {
        scratch_path(t, faults[i].what, path);
        make_faulty(path, i);
        snprintf(t->db, sizeof(t->db), "%.120s", path);
        open_fails(t, faults[i].err);
    }
}

static void every_size_below_112_is_too_short(void **state)
{
    struct scratch *t = *state;
    uint8_t header[V3_HEADER];
    char path[256];
    char name[16];

    memset(header, 0xFF, sizeof(header)); /* too short comes before a wrong magic */
    for (unsigned size = 0; size < V3_HEADER; size++) {
        snprintf(name, sizeof(name), "%u", size);
        scratch_path(t, name, path);
        v3_make(path, header, size);
        snprintf(t->db, sizeof(t->db), "%.120s", path);
        open_fails(t, PF_E_SHORT_HEADER);
    }
}

static void a_v2_file_is_called_a_v2_file(void **state)
{
    struct scratch *t = *state;
    uint8_t header[V3_HEADER];

    v3_header(header);
    header[7] = 0;
    v3_put32(header + V3_AT_VERSION, 2); /* would be the next complaint */
    v3_make(t->db, header, V3_HEADER);
    open_fails(t, PF_E_V2);
}

static void each_flipped_bit_of_the_magic_is_refused(void **state)
{
    struct scratch *t = *state;
    char path[256];
    char name[16];

    for (int bit = 0; bit < 64; bit++) {
        uint8_t header[V3_HEADER];

        v3_header(header);
        header[bit / 8] = (uint8_t)(header[bit / 8] ^ 1U << (bit % 8));
        snprintf(name, sizeof(name), "bit%d", bit);
        scratch_path(t, name, path);
        v3_make(path, header, V3_HEADER);
        snprintf(t->db, sizeof(t->db), "%.120s", path);
        open_fails(t, PF_E_MAGIC);
    }
}

struct accepted {
    const char *what;
    int at;
    int width;
    uint64_t value;
};

/* Not validated by the format, or explicitly fine. */
static const struct accepted accepted[] = {
    {"unknown flags", V3_AT_FLAGS, 4, 0xFFFFFFFF},
    {"dynamic allocation", V3_AT_FLAGS, 4, 15},
    {"schema", V3_AT_SCHEMA, 4, 0xDEADBEEF},
    {"reserved", V3_AT_RESERVED, 4, 3},
    {"node count", V3_AT_NODE_COUNT, 8, UINT64_MAX},
    {"edge count", V3_AT_EDGE_COUNT, 8, UINT64_MAX},
    {"node data", V3_AT_NODE_DATA, 8, UINT64_MAX},
    {"no edge root", V3_AT_EDGE_ROOT, 8, UINT64_MAX},
    {"outgoing", V3_AT_OUTGOING, 8, 112},
    {"incoming", V3_AT_INCOMING, 8, 1},
    {"free space", V3_AT_FREE_SPACE, 8, 1},
    {"height", V3_AT_HEIGHT, 4, 4},
};

static void what_the_format_accepts_opens_read_write(void **state)
{
    struct scratch *t = *state;
    char path[256];

    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        uint8_t header[V3_HEADER];

        v3_header(header);
        put(header, accepted[i].at, accepted[i].width, accepted[i].value);
        scratch_path(t, accepted[i].what, path);
        v3_make(path, header, V3_HEADER);
        snprintf(t->db, sizeof(t->db), "%.120s", path);
        scratch_open(t, NULL);
        if (!pf_writable(t->store))
            fail_msg("%s: not writable", accepted[i].what);
        assert_u64(2, alloc_one(t->store));
        scratch_close(t);
    }
}

/* 17 fields, each with a value of its own. */
static void all_17_header_fields_are_read_as_they_are_on_disk(void **state)
{
    const struct pf_options read_only = {.read_only = true};
    struct scratch *t = *state;
    struct pf_header h;
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put32(header + V3_AT_FLAGS, 0x80000017);
    v3_put64(header + V3_AT_NODE_COUNT, 0x0102030405060708);
    v3_put64(header + V3_AT_EDGE_COUNT, 0x1112131415161718);
    v3_put32(header + V3_AT_SCHEMA, 0x21222324);
    v3_put32(header + V3_AT_RESERVED, 0x31323334);
    v3_put64(header + V3_AT_NODE_DATA, 0x4142434445464748);
    v3_put64(header + V3_AT_EDGE_ROOT, 0x51);
    v3_put64(header + V3_AT_OUTGOING, 0x6162);
    v3_put64(header + V3_AT_INCOMING, 0x7172);
    v3_put64(header + V3_AT_FREE_SPACE, 0x8182);
    v3_put64(header + V3_AT_NODE_ROOT, 0x91);
    v3_put64(header + V3_AT_TOTAL, 0xA1A2);
    v3_put32(header + V3_AT_PAGE_SIZE, 8192);
    v3_put32(header + V3_AT_HEIGHT, 3);
    v3_make(t->db, header, V3_HEADER);
    scratch_open(t, &read_only);
    pf_header_get(t->store, &h);
    assert_memory_equal(h.magic, header, 8);
    assert_u64(4, h.version);
    assert_u64(0x80000017, h.flags);
    assert_u64(0x0102030405060708, h.node_count);
    assert_u64(0x1112131415161718, h.edge_count);
    assert_u64(0x21222324, h.schema_version);
    assert_u64(0x31323334, h.reserved);
    assert_u64(0x4142434445464748, h.node_data_offset);
    assert_u64(0x51, h.edge_data_offset);
    assert_u64(0x6162, h.outgoing_cluster_offset);
    assert_u64(0x7172, h.incoming_cluster_offset);
    assert_u64(0x8182, h.free_space_offset);
    assert_u64(0x91, h.root_index_page);
    assert_u64(0, h.free_page_list_head);
    assert_u64(0xA1A2, h.total_pages);
    assert_u64(8192, h.page_size);
    assert_u64(3, h.btree_height);
}

/* Only free_page_list_head and total_pages are ours to change. */
static void changes_leave_the_other_15_fields_alone(void **state)
{
    struct scratch *t = *state;
    uint8_t before[V3_HEADER];
    uint8_t after[V3_HEADER];

    v3_header(before);
    v3_put32(before + V3_AT_FLAGS, 0xF7);
    v3_put64(before + V3_AT_NODE_COUNT, 1);
    v3_put64(before + V3_AT_EDGE_COUNT, 2);
    v3_put32(before + V3_AT_SCHEMA, 3);
    v3_put32(before + V3_AT_RESERVED, 4);
    v3_put64(before + V3_AT_NODE_DATA, 5);
    v3_put64(before + V3_AT_EDGE_ROOT, UINT64_MAX);
    v3_put64(before + V3_AT_OUTGOING, 200);
    v3_put64(before + V3_AT_INCOMING, 300);
    v3_put64(before + V3_AT_FREE_SPACE, 400);
    v3_put32(before + V3_AT_HEIGHT, 2);
    v3_put64(before + V3_AT_TOTAL, 10);
    v3_make(t->db, before, v3_nominal(10));
    scratch_open(t, NULL);
    assert_u64(10, alloc_one(t->store));
    free_one(t->store, 7);
    scratch_close(t);

    v3_peek(t->db, 0, after, sizeof(after));
    assert_u64(11, v3_get64(after + V3_AT_TOTAL));
    assert_u64(7, v3_get64(after + V3_AT_FREE_HEAD));
    v3_put64(after + V3_AT_TOTAL, 10);
    v3_put64(after + V3_AT_FREE_HEAD, 0);
    assert_memory_equal(before, after, V3_HEADER);
}

static void what_is_not_a_regular_file_is_refused(void **state)
{
    struct scratch *t = *state;
    pf_store *store = NULL;
    char fifo[256];

    assert_pf(PF_E_NOT_REGULAR, pf_open(t->dir, NULL, &store, t->reason));
    assert_pf(PF_E_NOT_REGULAR, pf_open("/dev/null", NULL, &store, t->reason));
    scratch_path(t, "fifo", fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_pf(PF_E_NOT_REGULAR, pf_open(fifo, NULL, &store, t->reason)); /* at once */
    assert_null(store);
}

static void a_missing_file_is_not_found(void **state)
{
    struct scratch *t = *state;
    pf_store *store = NULL;

    assert_pf(PF_E_NOT_FOUND, pf_open(t->db, NULL, &store, t->reason));
    assert_null(store);
    assert_int_not_equal(access(t->db, F_OK), 0); /* and it was not made */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(each_header_fault_has_its_own_error),
        SCRATCH_TEST(the_first_fault_in_order_is_the_one_named),
        SCRATCH_TEST(every_size_below_112_is_too_short),
        SCRATCH_TEST(a_v2_file_is_called_a_v2_file),
        SCRATCH_TEST(each_flipped_bit_of_the_magic_is_refused),
        SCRATCH_TEST(what_the_format_accepts_opens_read_write),
        SCRATCH_TEST(all_17_header_fields_are_read_as_they_are_on_disk),
        SCRATCH_TEST(changes_leave_the_other_15_fields_alone),
        SCRATCH_TEST(what_is_not_a_regular_file_is_refused),
        SCRATCH_TEST(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
