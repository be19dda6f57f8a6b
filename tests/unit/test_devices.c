/* The way to the disk and the small structures, where files do not lead. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "dev.h"
#include "format.h"
#include "freelist.h"
#include "scratch.h"
#include "v3file.h"

/* ---- a file that answers as it is told ---- */

struct told {
    struct pf_file file;
    ssize_t answer;
};

static ssize_t told_pread(struct pf_file *file, void *bytes, size_t length,
                          uint64_t offset)
{
    (void)bytes;
    (void)length;
    (void)offset;
    return ((struct told *)file)->answer;
}

static ssize_t told_pwrite(struct pf_file *file, const void *bytes, size_t length,
                           uint64_t offset)
{
    (void)bytes;
    (void)length;
    (void)offset;
    return ((struct told *)file)->answer;
}

static int told_reserve(struct pf_file *file, uint64_t offset, uint64_t length)
{
    (void)offset;
    (void)length;
    return (int)((struct told *)file)->answer;
}

static const struct pf_file_ops told_ops = {
    .pread = told_pread, .pwrite = told_pwrite, .reserve = told_reserve};

static void answers_of_the_system_become_errors(void **state)
{
    struct told told = {.file = {.ops = &told_ops}};
    uint8_t byte = 0;
    size_t got = 5;
    bool done = true;

    (void)state;
    told.answer = 0;
    assert_ok(dev_read(&told.file, 0, &byte, 1, &got));
    assert_int_equal(got, 0);
    assert_pf(PF_E_IO, dev_write(&told.file, 0, &byte, 1)); /* it would go on for ever */
    told.answer = -ENOMEM;
    assert_pf(PF_E_NO_MEMORY, dev_read(&told.file, 0, &byte, 1, &got));
    told.answer = -EACCES;
    assert_pf(PF_E_IO, dev_read(&told.file, 0, &byte, 1, &got));
    told.answer = -ENOSYS;
    assert_ok(dev_reserve(&told.file, 0, 1, &done));
    assert_false(done);
    assert_pf(PF_OK, dev_err(0));
    assert_pf(PF_E_NEEDS_WRITE, dev_err(EROFS));
    assert_pf(PF_E_ACCESS, dev_err(EPERM));
    assert_pf(PF_E_NOT_FOUND, dev_err(ENOTDIR));
    assert_pf(PF_E_FILE_LIMIT, dev_err(EFBIG));
    assert_pf(PF_E_IO, dev_err(EBADF));
}

/* ---- a file on the disk ---- */

/* With relatime a read that follows a write would change it. */
static void reading_a_file_leaves_its_access_time(void **state)
{
    const struct scratch *const t = *state;
    const struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000001}};
    const int fd = open(t->db, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct pf_file *file = NULL;
    struct stat st;
    uint8_t byte;
    size_t got;

    assert_int_not_equal(fd, -1);
    assert_ok(dev_file_new(fd, &file));
    assert_ok(dev_write(file, 0, (const uint8_t[]){7}, 1));
    assert_int_equal(futimens(fd, old), 0);
    assert_ok(dev_read(file, 0, &byte, 1, &got));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_atim.tv_sec, old[0].tv_sec);
    dev_close(file);
}

/* ---- the file in memory ---- */

static uint8_t byte_at(struct pf_file *file, uint64_t offset)
{
    uint8_t byte = 0xEE;
    size_t got = 0;

    assert_ok(dev_read(file, offset, &byte, 1, &got));
    assert_int_equal(got, 1);
    return byte;
}

static uint64_t size_of(struct pf_file *file)
{
    uint64_t size = 0;

    assert_ok(dev_size(file, &size));
    return size;
}

static void a_file_in_memory_grows_shrinks_and_forgets(void **state)
{
    struct pf_file *file = NULL;
    uint8_t bytes[10000], byte;
    size_t got;

    (void)state;
    memset(bytes, 0x55, sizeof(bytes));
    assert_ok(dev_mem_new(NULL, 100, &file));
    assert_true(file->ops->is_dense(file));
    assert_ok(dev_write(file, 90, bytes, sizeof(bytes))); /* past the end */
    assert_u64(10090, size_of(file));
    assert_int_equal(byte_at(file, 89), 0);
    assert_int_equal(byte_at(file, 10089), 0x55);
    assert_ok(dev_truncate(file, 5000)); /* within a chunk */
    assert_ok(dev_truncate(file, 9000));
    assert_int_equal(byte_at(file, 4999), 0x55);
    assert_int_equal(byte_at(file, 5000), 0);
    assert_int_equal(byte_at(file, 8999), 0);
    assert_ok(dev_truncate(file, 4096)); /* at the end of one */
    assert_u64(4096, size_of(file));
    assert_ok(dev_read(file, 4096, &byte, 1, &got));
    assert_int_equal(got, 0);
    dev_close(file);
}

static void bytes_that_a_cut_took_do_not_come_back_from_the_base(void **state)
{
    struct pf_file *base = NULL, *file = NULL;
    uint8_t bytes[9000];

    (void)state;
    memset(bytes, 0x77, sizeof(bytes));
    assert_ok(dev_mem_new(NULL, 0, &base));
    assert_ok(dev_write(base, 0, bytes, sizeof(bytes)));
    assert_ok(dev_mem_new(base, 9000, &file));
    assert_int_equal(byte_at(file, 8999), 0x77);
    assert_ok(dev_truncate(file, 4096));
    assert_ok(dev_truncate(file, 9000));
    assert_int_equal(byte_at(file, 4095), 0x77);
    assert_int_equal(byte_at(file, 4096), 0);
    assert_int_equal(byte_at(file, 8999), 0);
    assert_ok(dev_truncate(file, 8000)); /* the base ends before */
    assert_int_equal(byte_at(file, 7999), 0);
    assert_int_equal(byte_at(base, 8999), 0x77);
    dev_close(file);
}

/* ---- the id map ---- */

static void an_id_map_refuses_what_no_memory_could_hold(void **state)
{
    struct idmap map = {0};

    (void)state;
    assert_false(idmap_remove(&map, 7)); /* empty */
    assert_pf(PF_E_NO_MEMORY, idmap_reserve(&map, SIZE_MAX / 2));
    assert_ok(idmap_reserve(&map, 1));
    idmap_put(&map, 7, 8);
    assert_pf(PF_E_NO_MEMORY, idmap_reserve(&map, SIZE_MAX / 4));
    assert_u64(8, *idmap_get(&map, 7));
    idmap_clear(&map);
}

/* ---- the free list ---- */

/* A list of one block whose trunk is page 10, with this number. */
static void visit_one(struct freelist *fl, uint64_t number)
{
    const uint64_t leaves[] = {20, 21};
    uint8_t page[V3_PAGE];

    v3_trunk(page, 10, 0, number, 3, leaves, 2);
    freelist_init(fl, 10, 100);
    assert_ok(freelist_visit(fl, page, true));
}

static void block_numbers_end_and_say_so(void **state)
{
    struct freelist fl;
    struct batch batch = {0};
    uint64_t pushed = 0;

    (void)state;
    visit_one(&fl, TRUNK_MAX_NUMBER);
    assert_ok(freelist_push_run(&fl, &batch, 22, 50, &pushed));
    assert_u64(50, pushed);
    fl.page_limit = 2000; /* the block gets full, another would need a number */
    assert_pf(PF_E_MAX_PAGES, freelist_push_run(&fl, &batch, 100, 600, &pushed));
    assert_u64(TRUNK_MAX_LEAVES - 52, pushed);
    assert_pf(PF_E_MAX_PAGES, freelist_push(&fl, &batch, 1999));
    assert_u64(TRUNK_MAX_LEAVES + 1, fl.total);
    freelist_clear(&fl);
    batch_clear(&batch);
}

static void a_number_beyond_the_last_is_no_trunk(void **state)
{
    struct freelist fl;
    uint8_t page[V3_PAGE];

    (void)state;
    v3_trunk(page, 10, 0, TRUNK_MAX_NUMBER + 1, 1, NULL, 0);
    freelist_init(&fl, 10, 100);
    assert_pf(PF_E_CORRUPT, freelist_visit(&fl, page, true));
    assert_true(fl.corrupt);
    v3_trunk(page, 10, 0, 1, 1, NULL, 0);
    assert_pf(PF_E_CORRUPT, freelist_visit(&fl, page, true)); /* and stays so */
    freelist_set_corrupt(&fl, 50, "another reason");
    assert_null(strstr(fl.finding, "another reason")); /* the first one stays */
    freelist_clear(&fl);
}

static void a_trunk_on_a_page_that_cannot_be_free_is_corrupt(void **state)
{
    const uint64_t bad[] = {1, 100, UINT64_MAX};
    uint8_t page[V3_PAGE];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct freelist fl;

        freelist_init(&fl, bad[i], 100);
        v3_trunk(page, bad[i], 0, 1, 1, NULL, 0);
        assert_pf(PF_E_CORRUPT, freelist_visit(&fl, page, true));
        assert_non_null(strstr(fl.finding, "is no page that can be free"));
        assert_u64(0, fl.free.count);
        freelist_clear(&fl);
    }
}

static void a_trunk_that_changed_since_it_was_read_is_corrupt(void **state)
{
    const uint64_t older[] = {30, 31, 32}, newer[] = {20};
    uint8_t page[V3_PAGE];
    struct freelist fl;

    (void)state;
    for (int i = 0; i < 3; i++) {
        freelist_init(&fl, 11, 100);
        v3_trunk(page, 11, 10, 2, 6, newer, 1);
        assert_ok(freelist_visit(&fl, page, true));
        assert_ok(freelist_fill(&fl, fl.oldest, page)); /* it is there already */
        v3_trunk(page, 10, 0, 1, 0, older, 3);
        assert_ok(freelist_visit(&fl, page, false));
        assert_null(fl.oldest->block);
        if (i == 1)
            v3_trunk(page, 10, 0, 1, 0, older, 2);
        if (i == 2)
            page[V3_TRUNK_SUM] ^= 1;
        assert_pf(i == 0 ? PF_OK : PF_E_CORRUPT, freelist_fill(&fl, fl.oldest, page));
        assert_int_equal(fl.corrupt, i != 0);
        freelist_clear(&fl);
    }
}

/* ---- names of what does not exist ---- */

static void numbers_that_are_no_error_have_a_name_all_the_same(void **state)
{
    const pf_err none = (pf_err)1000;

    (void)state;
    assert_int_equal(pf_err_errno(none), EIO);
    assert_string_equal(pf_err_text(none), "unknown error");
    assert_string_equal(pf_err_name(none), "unknown");
    assert_string_equal(pf_finding_class_name((pf_finding_class)1000), "unknown");
    assert_int_equal(page_length(0), PF_HEADER_SIZE);
    assert_int_equal(page_length(1), PF_PAGE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_the_system_become_errors),
        SCRATCH_TEST(reading_a_file_leaves_its_access_time),
        cmocka_unit_test(a_file_in_memory_grows_shrinks_and_forgets),
        cmocka_unit_test(bytes_that_a_cut_took_do_not_come_back_from_the_base),
        cmocka_unit_test(an_id_map_refuses_what_no_memory_could_hold),
        cmocka_unit_test(block_numbers_end_and_say_so),
        cmocka_unit_test(a_number_beyond_the_last_is_no_trunk),
        cmocka_unit_test(a_trunk_on_a_page_that_cannot_be_free_is_corrupt),
        cmocka_unit_test(a_trunk_that_changed_since_it_was_read_is_corrupt),
        cmocka_unit_test(numbers_that_are_no_error_have_a_name_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
