/* What the API refuses, and the ends of its ranges. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "record.h"
#include "scratch.h"
#include "store.h"
#include "v3file.h"

static void nothing_is_not_a_number_of_pages(void **state)
{
    struct scratch *t = *state;
    const struct pf_range none = {5, 0}, one = {5, 1};
    uint8_t byte = 1;
    uint64_t id = 77, bad = 0;

    scratch_create(t, 20);
    assert_pf(PF_E_INVALID, pf_pages_alloc(t->store, 0, &id, NULL));
    assert_pf(PF_E_INVALID, pf_pages_alloc_contiguous(t->store, 0, &id, NULL));
    assert_pf(PF_E_INVALID, pf_pages_free(t->store, &one, 0, &bad, NULL));
    assert_pf(PF_E_INVALID, pf_pages_free(t->store, &none, 1, &bad, NULL));
    assert_u64(5, bad);
    assert_pf(PF_E_INVALID, pf_pages_pin(t->store, &one, 0, &bad));
    bad = 0;
    assert_pf(PF_E_INVALID, pf_pages_unpin(t->store, &none, 1, &bad));
    assert_u64(5, bad);
    assert_pf(PF_E_INVALID, pf_page_write(t->store, 5, 0, &byte, 0, NULL));
    assert_u64(77, id);
    assert_counts(t->store, 20, 0, 0);
}

static void an_lsn_that_was_never_given_cannot_be_waited_for(void **state)
{
    struct scratch *t = *state;
    uint64_t lsn = 0, id;

    scratch_create(t, 20);
    assert_ok(pf_page_alloc(t->store, &id, &lsn));
    assert_pf(PF_E_INVALID, pf_wait(t->store, lsn + 1));
    assert_ok(pf_wait(t->store, lsn));
    assert_ok(pf_wait(t->store, 0));
}

static void a_store_that_only_reads_has_nothing_to_sync(void **state)
{
    struct scratch *t = *state;
    const struct pf_options read_only = {.read_only = true};

    scratch_create(t, 20);
    scratch_close(t);
    const uint64_t before = v3_hash(t->db);
    scratch_open(t, &read_only);
    assert_ok(pf_sync(t->store));
    assert_ok(pf_checkpoint(t->store));
    assert_false(pf_checkpoint_due(t->store));
    scratch_close(t);
    assert_u64(before, v3_hash(t->db));
}

static void no_file_has_more_pages_than_an_offset_can_name(void **state)
{
    struct scratch *t = *state;
    const struct pf_options read_only = {.read_only = true};
    pf_store *clone = NULL;
    uint8_t page[PF_PAGE_SIZE];

    assert_pf(PF_E_MAX_PAGES, pf_open_memory(PF_MAX_PAGE_ID + 1, &clone));
    assert_pf(PF_E_INVALID, pf_create(t->db, PF_MAX_PAGE_ID + 1));
    const pf_err largest = pf_create(t->db, PF_MAX_PAGE_ID); /* up to the file system */
    assert_true(largest == PF_OK || largest == PF_E_FILE_LIMIT || largest == PF_E_IO);
    (void)unlink(t->db);
    scratch_create(t, 20);
    scratch_close(t);
    v3_poke64(t->db, V3_AT_TOTAL, UINT64_MAX);
    scratch_open(t, &read_only);
    assert_pf(PF_E_MAX_PAGES, pf_clone(t->store, &clone));
    assert_pf(PF_E_IO, pf_page_read(t->store, PF_MAX_PAGE_ID + 1, page));
    assert_null(clone);
}

static void pins_end_where_a_count_would_overflow(void **state)
{
    struct pins pins = {0};

    (void)state;
    assert_ok(pins_add(&pins, 7, false));
    *idmap_get(&pins.count, 7) = (uint64_t)UINT32_MAX << 32;
    assert_pf(PF_E_TOO_MANY_PINS, pins_add(&pins, 7, false));
    assert_pf(PF_E_TOO_MANY_PINS, pins_add(&pins, 7, true));
    assert_int_equal(pins_of(&pins, 7), UINT32_MAX);
    pins_clear(&pins);
}

static void more_changes_than_a_batch_holds_are_committed_in_between(void **state)
{
    enum { PAGES = 8300 };
    struct scratch *t = *state;
    uint8_t byte = 1;
    uint64_t lsn;

    assert_ok(pf_open_memory(PAGES + 2, &t->store));
    for (uint64_t id = 2; id < PAGES; id++) {
        assert_ok(pf_page_write(t->store, id, 100, &byte, 1, &lsn));
        assert_true(t->store->pending.images.count <= 8192);
    }
    assert_true(t->store->durable_lsn > 0);
    uint8_t page[PF_PAGE_SIZE];
    for (uint64_t id = 2; id < PAGES; id += 500) {
        assert_ok(pf_page_read(t->store, id, page));
        assert_int_equal(page[100], 1);
    }
}

static void a_run_of_free_pages_comes_in_pieces(void **state)
{
    struct scratch *t = *state;
    struct pf_page page;
    uint64_t end = 0;

    assert_ok(pf_open_memory(200000, &t->store));
    free_range(t->store, 1000, 150000);
    for (uint64_t id = 1001; id < 151000; id = end) {
        assert_ok(pf_page_run(t->store, id, &page, &end));
        assert_int_equal(page.state, PF_STATE_FREE);
        assert_in_range(end, id + 1, id + 65536);
    }
    assert_u64(151000, end);
}

/* ---- names, limits and owners ---- */

static void a_file_longer_than_its_process_may_write_is_read_only(void **state)
{
    struct scratch *t = *state;
    struct rlimit old;

    scratch_create(t, 2000);
    scratch_close(t);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit low = {1000000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    scratch_open(t, NULL);
    const bool writable = pf_writable(t->store);
    struct pf_info info;
    pf_info_get(t->store, &info);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_false(writable);
    assert_non_null(strstr(info.reason, "ulimit -f"));
}

static void names_without_room_for_side_files_do_no_harm(void **state)
{
    struct scratch *t = *state;
    char path[400], name[260];
    pf_store *store = NULL;
    uint64_t id;

    memset(name, 'n', sizeof(name));
    name[255] = '\0'; /* no room for "-journal" */
    snprintf(path, sizeof(path), "%s/%s", t->dir, name);
    assert_ok(pf_create(path, 20));
    assert_pf(PF_E_INVALID, pf_open(path, NULL, &store, t->reason));
    assert_null(store);
    name[247] = '\0'; /* nor, here, for ".v3edgemeta" */
    snprintf(path, sizeof(path), "%s/%s", t->dir, name);
    assert_ok(pf_create(path, 20));
    assert_ok(pf_open(path, NULL, &store, t->reason));
    assert_ok(pf_page_alloc(store, &id, NULL));
    assert_ok(pf_close(store));
    snprintf(path, sizeof(path), "%s/.v3", t->dir); /* nothing before the extension */
    assert_ok(pf_create(path, 20));
    assert_ok(pf_open(path, NULL, &store, t->reason));
    assert_true(pf_writable(store));
    assert_ok(pf_close(store));
}

static void the_journal_belongs_to_the_databases_owner(void **state)
{
    struct scratch *t = *state;
    char journal[256];
    struct stat st;

    if (geteuid() != 0)
        skip();
    scratch_create(t, 20);
    scratch_close(t);
    assert_int_equal(chown(t->db, 12345, 23456), 0);
    scratch_open(t, NULL);
    (void)alloc_one(t->store);
    snprintf(journal, sizeof(journal), "%s-journal", t->db);
    assert_int_equal(stat(journal, &st), 0);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(st.st_gid, 23456);
}

/* ---- corrupt lists, where nobody looks at first ---- */

/* 60 pages; trunk 12 lists 5 and 50, then trunk 11 lists 30; the older one is broken. */
static void make_broken_list(const char *path)
{
    const uint64_t old_leaves[] = {30}, new_leaves[] = {5, 50};
    uint8_t page[V3_PAGE];

    v3_make_pages(path, 60);
    v3_trunk(page, 11, 0, 3, 0, old_leaves, 1);
    page[V3_TRUNK_SUM] ^= 1;
    v3_poke(path, v3_offset(11), page, sizeof(page));
    v3_trunk(page, 12, 11, 9, 5, new_leaves, 2);
    v3_poke(path, v3_offset(12), page, sizeof(page));
    v3_poke64(path, V3_AT_FREE_HEAD, 12);
}

static void every_look_at_a_broken_list_says_so(void **state)
{
    struct scratch *t = *state;
    const struct pf_range range = {40, 1};
    struct pf_page page;
    pf_snapshot *snapshot = NULL;
    pf_store *clone = NULL;
    uint64_t id, ids[8];
    size_t count;

    make_broken_list(t->db);
    scratch_open(t, NULL); /* only the newest block is read: that one is sound */
    assert_true(pf_writable(t->store));
    assert_pf(PF_E_CORRUPT, pf_page_get(t->store, 40, &page));
    assert_false(pf_writable(t->store));
    assert_pf(PF_E_CORRUPT, pf_page_run(t->store, 40, &page, &id));
    assert_pf(PF_E_CORRUPT, pf_freelist_get(t->store, 0, 8, ids, &count));
    assert_pf(PF_E_CORRUPT, pf_trailing_free(t->store, &id));
    assert_pf(PF_E_CORRUPT, pf_snapshot_take(t->store, &snapshot));
    assert_pf(PF_E_CORRUPT, pf_clone(t->store, &clone));
    assert_pf(PF_E_CORRUPT, pf_freelist_load(t->store));
    assert_pf(PF_E_READ_ONLY, pf_page_free(t->store, 40, NULL));
    assert_pf(PF_E_READ_ONLY, pf_pages_pin(t->store, &range, 1, NULL));
    assert_true(pf_freelist_loaded(t->store));
    assert_null(snapshot);
    assert_null(clone);
}

static void keep_path(void *ctx, const struct pf_finding *finding)
{
    if (finding->class == PF_FINDING_FREE_LIST)
        snprintf(ctx, PF_REASON_SIZE, "%s", finding->path);
}

static void a_finding_about_the_list_says_where_it_was_met(void **state)
{
    static const struct {
        uint64_t head;
        const char *path;
    } cases[] = {{12, "free list > trunk 12"}, {11, "free list"}};
    struct scratch *t = *state;
    const struct pf_options read_only = {.read_only = true};

    for (size_t i = 0; i < 2; i++) {
        char path[PF_REASON_SIZE] = "";
        const struct pf_watch watch = {.finding = keep_path, .finding_ctx = path};
        struct pf_check_summary summary;

        make_broken_list(t->db);
        v3_poke64(t->db, V3_AT_FREE_HEAD, cases[i].head);
        scratch_open(t, &read_only);
        assert_ok(pf_check(t->store, &watch, &summary));
        assert_string_equal(path, cases[i].path);
        assert_false(summary.free_list_intact);
        scratch_close(t);
        (void)unlink(t->db);
    }
}

static void a_change_that_must_know_the_list_latches_on_a_broken_one(void **state)
{
    static const char *const what[] = {"free",   "take",    "contiguous",
                                       "shrink", "rebuild", "pop"};
    struct scratch *t = *state;

    for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        uint64_t id, ids[5];
        pf_err err = PF_OK;

        make_broken_list(t->db);
        const uint64_t before = v3_hash(t->db);
        scratch_open(t, NULL);
        switch (i) {
        case 0:
            err = pf_page_free(t->store, 40, NULL);
            break;
        case 1:
            err = pf_page_take(t->store, 5, NULL);
            break;
        case 2:
            err = pf_pages_alloc_contiguous(t->store, 2, &id, NULL);
            break;
        case 3:
            err = pf_shrink(t->store, &id);
            break;
        case 4:
            err = pf_freelist_rebuild(t->store);
            break;
        default: /* three are in the sound block; more would need the other */
            err = pf_pages_alloc(t->store, 5, ids, NULL);
            break;
        }
        if (err != PF_E_CORRUPT)
            fail_msg("%s: %s", what[i], pf_err_name(err));
        assert_false(pf_writable(t->store));
        (void)pf_close(t->store);
        t->store = NULL;
        assert_u64(before, v3_hash(t->db));
        (void)unlink(t->db);
    }
}

static void a_broken_list_makes_scratch_read_only(void **state)
{
    struct scratch *t = *state;
    const struct pf_options scratch = {.scratch = true};
    struct pf_info info;

    make_broken_list(t->db);
    v3_poke64(t->db, V3_AT_FREE_HEAD, 11);
    scratch_open(t, &scratch);
    assert_false(pf_writable(t->store));
    pf_info_get(t->store, &info);
    assert_non_null(strstr(info.reason, "the free list is corrupt"));
}

/* ---- others who have the file ---- */

/* Busy stores never come to rest: the question is asked when the journal is full. */
static void a_busy_store_finds_out_who_else_has_the_file(void **state)
{
    struct scratch *t = *state;
    const struct pf_options with_syncs = {.no_sync = false};
    struct pf_info info;
    uint64_t id;
    int changes = 0;

    assert_ok(pf_create(t->db, 300));
    scratch_open(t, &with_syncs);
    store_set_journal_size(t->store, 64 * 1024);
    pf_info_get(t->store, &info);
    if (strstr(info.lock, "no leases") != NULL)
        skip();
    const int fd = open(t->db, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while (pf_writable(t->store) && changes++ < 1000)
        assert_ok(pf_page_alloc(t->store, &id, NULL));
    assert_false(pf_writable(t->store));
    pf_info_get(t->store, &info);
    assert_non_null(strstr(info.reason, "the file was opened in"));
    close(fd);
}

static void so_does_a_checkpoint(void **state)
{
    struct scratch *t = *state;
    struct pf_info info;

    assert_ok(pf_create(t->db, 300));
    scratch_open(t, NULL);
    pf_info_get(t->store, &info);
    if (strstr(info.lock, "no leases") != NULL)
        skip();
    assert_ok(pf_checkpoint(t->store));
    assert_true(pf_writable(t->store));
    const int fd = open(t->db, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(pf_checkpoint(t->store));
    assert_false(pf_writable(t->store));
    pf_info_get(t->store, &info);
    assert_non_null(strstr(info.reason, "the file was opened in"));
    close(fd);
}

/* ---- journals by hand ---- */

/* A journal of one record, after which the database has `db_size` bytes. */
static void put_journal(const struct scratch *t, const struct record_sector *sectors,
                        uint32_t count, uint64_t db_size)
{
    uint8_t bytes[SECTOR * 8] = {0};
    char path[256];

    const struct journal_header header = {
        .salt = 9, .first_lsn = 5, .db_size = v3_size(t->db)};
    struct record_head head = {.salt = 9, .lsn = 5, .durable_lsn = 4, .db_size = db_size};
    journal_header_encode(&header, bytes);
    record_encode(&head, sectors, count, bytes + JOURNAL_START);
    snprintf(path, sizeof(path), "%s-journal", t->db);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), f), sizeof(bytes));
    fclose(f);
}

/* One that gives one sector new content. */
static void write_journal(const struct scratch *t, uint64_t number, bool has_base)
{
    uint8_t old[SECTOR] = {0}, new[SECTOR];

    v3_peek(t->db, number * SECTOR, old, sizeof(old));
    memcpy(new, old, sizeof(new));
    new[200] ^= 0xFF;
    const struct record_sector sector = {.number = number,
                                         .has_base = has_base,
                                         .base_sum = sector_sum(old),
                                         .content = new};
    put_journal(t, &sector, 1, v3_size(t->db));
}

/* One that changes the size as well, with a sector behind the end that there was or will
 * be, of which it says that it had `base` in it. */
static void write_sizing_journal(const struct scratch *t, uint64_t page_id,
                                 uint64_t pages_after, uint8_t base)
{
    uint8_t header[SECTOR], resized[SECTOR], old[SECTOR], new[SECTOR];

    v3_peek(t->db, 0, header, sizeof(header));
    memcpy(resized, header, sizeof(header));
    v3_put64(resized + V3_AT_TOTAL, pages_after);
    memset(old, base, sizeof(old));
    memset(new, 7, sizeof(new));
    const uint64_t number = v3_offset(page_id) / SECTOR + 1;
    const struct record_sector sectors[] = {
        {.number = 0,
         .has_base = true,
         .base_sum = sector_sum(header),
         .content = resized},
        {.number = number, .has_base = true, .base_sum = sector_sum(old), .content = new},
    };
    put_journal(t, sectors, 2, v3_nominal(pages_after));
}

static void a_journal_says_what_it_was_written_for(void **state)
{
    static const struct {
        uint64_t number;
        bool has_base;
        const char *reason;
    } cases[] = {
        {0, true, NULL},
        {0, false, "lacks the sum of what it replaces"},
        {9, true, "does not have the database's header"},
    };
    struct scratch *t = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pf_info info;

        v3_make_pages(t->db, 20);
        write_journal(t, cases[i].number, cases[i].has_base);
        const uint64_t before = v3_hash(t->db);
        scratch_open(t, NULL);
        pf_info_get(t->store, &info);
        assert_int_equal(pf_writable(t->store), cases[i].reason == NULL);
        if (cases[i].reason != NULL) {
            assert_non_null(strstr(info.reason, cases[i].reason));
            assert_u64(before, v3_hash(t->db));
        } else {
            assert_true(before != v3_hash(t->db));
        }
        scratch_close(t);
        (void)unlink(t->db);
        char path[256];
        snprintf(path, sizeof(path), "%s-journal", t->db);
        (void)unlink(path);
    }
}

/* Behind the end that the file has: zeros. Behind the end that it will have: what is
 * there, as long as it is there. */
static void what_is_behind_an_end_is_compared_as_well(void **state)
{
    static const struct {
        uint64_t page_id, pages_after;
        uint8_t base;
        bool replayed;
    } cases[] = {
        {25, 30, 0, true}, /* grown */
        {25, 30, 1, false},
        {15, 10, 0, true}, /* shrunk; the pages are zeros */
        {15, 10, 1, false},
    };
    struct scratch *t = *state;
    char path[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pf_info info;

        v3_make_pages(t->db, 20);
        write_sizing_journal(t, cases[i].page_id, cases[i].pages_after, cases[i].base);
        const uint64_t before = v3_hash(t->db);
        scratch_open(t, NULL);
        pf_info_get(t->store, &info);
        if (cases[i].replayed) {
            assert_string_equal(info.reason, "");
            assert_u64(v3_nominal(cases[i].pages_after), v3_size(t->db));
        } else {
            assert_non_null(strstr(info.reason, "not the one it was written for"));
            assert_u64(before, v3_hash(t->db));
        }
        scratch_close(t);
        (void)unlink(t->db);
        snprintf(path, sizeof(path), "%s-journal", t->db);
        (void)unlink(path);
    }
}

static void the_sum_field_of_a_sector_without_base_is_zero(void **state)
{
    static const uint8_t content[SECTOR] = {7};
    const struct record_sector sectors[] = {
        {.number = 0,
         .has_base = true,
         .base_sum = 0x1122334455667788,
         .content = content},
        {.number = 9, .has_base = false, .base_sum = 0x99, .content = content},
    };
    struct record_head head = {.salt = 1, .lsn = 1, .db_size = 4208};
    uint8_t bytes[SECTOR * 4] = {0};

    (void)state;
    assert_u64(sizeof(bytes) - SECTOR, record_length(2));
    record_encode(&head, sectors, 2, bytes);
    assert_u64(0x1122334455667788, v3_get64(bytes + RECORD_HEAD + 8));
    assert_u64(0, v3_get64(bytes + RECORD_HEAD + RECORD_ENTRY + 8));
}

static void a_record_never_reaches_behind_the_journals_end(void **state)
{
    struct journal j = {.used = JOURNAL_START};
    static struct journal_sector sector;

    (void)state;
    assert_pf(PF_E_NO_SPACE,
              journal_append(&j, JOURNAL_START + record_length(1) - 1, &sector, 1, 112));
    assert_u64(JOURNAL_START, j.used);
    assert_u64(0, j.records);
}

/* ---- repair of what is refused ---- */

static void keep_text(void *ctx, const char *change)
{
    snprintf(ctx, PF_REASON_SIZE, "%s", change);
}

/* A journal that a killed process left, beside a database that is another one by now. */
static void make_refused_journal(struct scratch *t, uint64_t pages)
{
    const struct pf_options with_syncs = {.no_sync = false};
    const uint8_t bytes[] = "new";

    assert_ok(pf_create(t->db, 300));
    scratch_open(t, &with_syncs);
    for (uint64_t id = 20; id < 20 + pages; id++)
        assert_ok(pf_page_write(t->store, id, 2000, bytes, sizeof(bytes), NULL));
    store_delete(t->store);
    t->store = NULL;
    v3_poke(t->db, v3_offset(20) + 2010, bytes, sizeof(bytes));
}

static void the_pages_of_a_refused_journal_are_named(void **state)
{
    const struct pf_repair_options discard = {.discard_journal = true, .dry_run = true};
    struct scratch *t = *state;
    struct pf_repair_result result;
    char text[PF_REASON_SIZE] = "";

    make_refused_journal(t, 3);
    assert_ok(pf_repair(t->db, &discard, NULL, keep_text, text, &result, t->reason));
    assert_non_null(strstr(text, "its 3 records would have changed pages 0 20 21 22"));
    assert_null(strstr(text, "others"));
}

static void
many_pages_of_a_refused_journal_are_named_as_far_as_there_is_room(void **state)
{
    const struct pf_repair_options discard = {.discard_journal = true, .dry_run = true};
    struct scratch *t = *state;
    struct pf_repair_result result;
    char text[PF_REASON_SIZE] = "";

    make_refused_journal(t, 200);
    assert_ok(pf_repair(t->db, &discard, NULL, keep_text, text, &result, t->reason));
    assert_non_null(strstr(text, "changed pages 0 20 21 22"));
    assert_non_null(strstr(text, " and others"));
}

static void a_repair_that_is_cancelled_changes_nothing(void **state)
{
    const struct pf_repair_options free_leaked = {.free_leaked = true};
    struct scratch *t = *state;
    const atomic_bool cancel = true;
    const struct pf_watch watch = {.cancel = &cancel};
    struct pf_repair_result result;
    char text[PF_REASON_SIZE] = "";

    scratch_copy_sample(t, "medium"); /* it has leaked pages */
    const uint64_t before = v3_hash(t->db);
    assert_pf(PF_E_CANCELLED,
              pf_repair(t->db, &free_leaked, &watch, keep_text, text, &result, NULL));
    assert_u64(before, v3_hash(t->db));
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(nothing_is_not_a_number_of_pages),
        SCRATCH_TEST(an_lsn_that_was_never_given_cannot_be_waited_for),
        SCRATCH_TEST(a_store_that_only_reads_has_nothing_to_sync),
        SCRATCH_TEST(no_file_has_more_pages_than_an_offset_can_name),
        SCRATCH_TEST(pins_end_where_a_count_would_overflow),
        SCRATCH_TEST(more_changes_than_a_batch_holds_are_committed_in_between),
        SCRATCH_TEST(a_run_of_free_pages_comes_in_pieces),
        SCRATCH_TEST(a_file_longer_than_its_process_may_write_is_read_only),
        SCRATCH_TEST(names_without_room_for_side_files_do_no_harm),
        SCRATCH_TEST(the_journal_belongs_to_the_databases_owner),
        SCRATCH_TEST(every_look_at_a_broken_list_says_so),
        SCRATCH_TEST(a_finding_about_the_list_says_where_it_was_met),
        SCRATCH_TEST(a_change_that_must_know_the_list_latches_on_a_broken_one),
        SCRATCH_TEST(a_broken_list_makes_scratch_read_only),
        SCRATCH_TEST(a_busy_store_finds_out_who_else_has_the_file),
        SCRATCH_TEST(so_does_a_checkpoint),
        SCRATCH_TEST(what_is_behind_an_end_is_compared_as_well),
        SCRATCH_TEST(a_journal_says_what_it_was_written_for),
        SCRATCH_TEST(the_sum_field_of_a_sector_without_base_is_zero),
        SCRATCH_TEST(a_record_never_reaches_behind_the_journals_end),
        SCRATCH_TEST(the_pages_of_a_refused_journal_are_named),
        SCRATCH_TEST(many_pages_of_a_refused_journal_are_named_as_far_as_there_is_room),
        SCRATCH_TEST(a_repair_that_is_cancelled_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
