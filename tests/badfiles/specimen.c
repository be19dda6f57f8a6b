#include "specimen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "scratch.h"
#include "store.h"
#include "v3file.h"

static struct specimen bases[BASE_COUNT];

static void die(const char *what)
{
    perror(what);
    exit(2);
}

void bad_set(struct bad_file *file, const void *bytes, size_t length)
{
    free(file->bytes);
    file->bytes = malloc(length + 1);
    if (file->bytes == NULL)
        die("malloc");
    if (length > 0)
        memcpy(file->bytes, bytes, length);
    file->length = length;
    file->size = length;
    file->kind = BAD_REGULAR;
}

void bad_resize(struct bad_file *file, uint64_t size)
{
    if (size < file->length)
        file->length = (size_t)size;
    file->size = size;
}

uint8_t *bad_page(struct specimen *s, uint64_t page_id)
{
    const uint64_t at = v3_offset(page_id);

    return at + V3_PAGE <= s->file[BAD_DB].length ? s->file[BAD_DB].bytes + at : NULL;
}

void specimen_clear(struct specimen *s)
{
    for (unsigned i = 0; i < BAD_SIDES; i++)
        free(s->file[i].bytes);
    memset(s, 0, sizeof(*s));
}

void specimen_from(struct specimen *s, enum base base)
{
    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < BAD_SIDES; i++) {
        const struct bad_file *const from = &bases[base].file[i];
        if (from->kind == BAD_NONE)
            continue;
        bad_set(&s->file[i], from->bytes, from->length);
        s->file[i].size = from->size;
    }
}

/* ---- journals ---- */

size_t journal_record(const struct bad_file *journal, unsigned i)
{
    size_t at = 512;

    while (at + 64 <= journal->length && memcmp(journal->bytes + at, "PFRC", 4) == 0 &&
           i-- > 0)
        at += (size_t)v3_get64(journal->bytes + at + 40);
    return at + 64 <= journal->length ? at : journal->length;
}

void journal_sum_header(struct bad_file *journal)
{
    v3_put64(journal->bytes + 48, XXH3_64bits(journal->bytes, 48));
}

void journal_sum_record(struct bad_file *journal, size_t at)
{
    uint8_t *const record = journal->bytes + at;
    const uint64_t length = v3_get64(record + 40);

    if (length > journal->length - at)
        return;
    v3_put64(record + 48, 0);
    v3_put64(record + 48,
             XXH3_64bits_withSeed(record, (size_t)length, v3_get64(record + 8)));
}

/* ---- bases ---- */

static void make_plain(struct specimen *s, uint64_t pages)
{
    uint8_t *const bytes = calloc(1, (size_t)v3_nominal(pages));

    if (bytes == NULL)
        die("calloc");
    v3_header(bytes);
    v3_put64(bytes + V3_AT_TOTAL, pages);
    bad_set(&s->file[BAD_DB], bytes, (size_t)v3_nominal(pages));
    free(bytes);
}

static void put_list(struct specimen *s, uint64_t head, uint64_t next, uint64_t block,
                     uint64_t total, uint64_t first_leaf, uint32_t count)
{
    uint64_t leaves[V3_BLOCK_LEAVES];

    for (uint32_t i = 0; i < count; i++)
        leaves[i] = first_leaf + i;
    v3_trunk(bad_page(s, head), head, next, block, total, leaves, count);
    v3_put64(s->file[BAD_DB].bytes + V3_AT_FREE_HEAD, head);
}

static void make_list(struct specimen *s)
{
    make_plain(s, LIST_PAGES);
    put_list(s, LIST_OLDEST, 0, 1, 4, 6, 3);
    put_list(s, LIST_NEWEST, LIST_OLDEST, 2, 9, 22, 4);
}

static void make_blocks(struct specimen *s)
{
    make_plain(s, 1300);
    put_list(s, 10, 0, 1, 506, 11, 505);
    put_list(s, 600, 10, 2, 1012, 601, 505);
    put_list(s, 1200, 600, 3, 1020, 1201, 7);
}

static void read_whole(struct bad_file *file, const char *path)
{
    static uint8_t bytes[1 << 20];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

    if (n < 0)
        die(path);
    (void)close(fd);
    bad_set(file, bytes, (size_t)n);
}

static void read_sample(struct bad_file *file, const char *name)
{
    const char *const data = getenv("PF_TEST_DATA");
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", data != NULL ? data : "tests/data", name);
    read_whole(file, path);
}

static void make_graph(struct specimen *s)
{
    struct bad_file *const db = &s->file[BAD_DB];

    read_sample(db, "small.v3");
    const uint64_t old = v3_get64(db->bytes + V3_AT_TOTAL);
    const size_t length = (size_t)v3_nominal(old + 8);
    db->bytes = realloc(db->bytes, length);
    if (db->bytes == NULL)
        die("realloc");
    memset(db->bytes + db->length, 0, length - db->length);
    db->length = db->size = length;
    v3_put64(db->bytes + V3_AT_TOTAL, old + 8);
    put_list(s, old, 0, 1, 8, old + 1, 7);
}

/* In a process that ends without closing its store. */
static void leave_a_journal(const char *db)
{
    uint8_t page[V3_PAGE];
    uint64_t ids[6];
    pf_store *store;

    memset(page, 'j', sizeof(page));
    if (pf_open(db, NULL, &store, NULL) != PF_OK)
        _exit(1);
    store_set_journal_size(store, 64 * 1024);
    if (pf_pages_alloc(store, 6, ids, NULL) != PF_OK ||
        pf_page_write(store, ids[1], 0, page, sizeof(page), NULL) != PF_OK ||
        pf_page_free(store, ids[2], NULL) != PF_OK ||
        pf_page_free(store, 12, NULL) != PF_OK ||
        pf_pages_alloc(store, 6, ids, NULL) != PF_OK)
        _exit(1);
    _exit(0);
}

/* The salt is random: another one in its place, so that a seed always makes the same. */
static void fix_salt(struct bad_file *journal)
{
    const uint64_t salt = 0x5A17;
    size_t at = 512;

    v3_put64(journal->bytes + 8, salt);
    journal_sum_header(journal);
    while (at + 64 <= journal->length && memcmp(journal->bytes + at, "PFRC", 4) == 0) {
        v3_put64(journal->bytes + at + 8, salt);
        journal_sum_record(journal, at);
        at += (size_t)v3_get64(journal->bytes + at + 40);
    }
}

static void make_hot(const char *directory)
{
    struct specimen *const hot = &bases[BASE_HOT], *const applied = &bases[BASE_APPLIED];
    char db[512], journal[600];
    int status = 0;

    make_list(hot);
    snprintf(db, sizeof(db), "%s/db.v3", directory);
    snprintf(journal, sizeof(journal), "%s-journal", db);
    specimen_lay_out(hot, directory);
    const pid_t child = fork();
    if (child == 0)
        leave_a_journal(db);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        die("a journal could not be made");
    read_whole(&hot->file[BAD_JOURNAL], journal);
    read_whole(&applied->file[BAD_JOURNAL], journal);
    read_whole(&applied->file[BAD_DB], db);
    fix_salt(&hot->file[BAD_JOURNAL]);
    fix_salt(&applied->file[BAD_JOURNAL]);
    if (journal_record(&hot->file[BAD_JOURNAL], 3) == 512) {
        (void)fprintf(stderr, "the journal has no records\n");
        exit(2);
    }
    if (unlink(db) != 0 || unlink(journal) != 0)
        die(db);
}

void bases_make(const char *directory)
{
    make_list(&bases[BASE_LIST]);
    make_graph(&bases[BASE_GRAPH]);
    read_sample(&bases[BASE_EDGES].file[BAD_DB], "synth39.v3");
    read_sample(&bases[BASE_EDGES].file[BAD_META], "synth39.v3edgemeta");
    make_blocks(&bases[BASE_BLOCKS]);
    make_hot(directory);
}

void bases_free(void)
{
    for (unsigned i = 0; i < BASE_COUNT; i++)
        specimen_clear(&bases[i]);
}

/* ---- laying them out ---- */

static void write_file(const char *path, const struct bad_file *file)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, file->bytes, file->length) != (ssize_t)file->length ||
        (file->size != file->length && ftruncate(fd, (off_t)file->size) != 0))
        die(path);
    (void)close(fd);
}

static void lay_out(const char *path, const struct bad_file *file)
{
    char other[600];
    int rc = 0;

    snprintf(other, sizeof(other), "%s.other", path);
    if (file->kind == BAD_SYMLINK || file->kind == BAD_DANGLING)
        rc = symlink(other, path);
    else if (file->kind == BAD_FIFO)
        rc = mkfifo(path, 0644);
    else if (file->kind == BAD_DIRECTORY)
        rc = mkdir(path, 0755);
    else if (file->kind != BAD_NONE)
        write_file(path, file);
    if (file->kind == BAD_SYMLINK)
        write_file(other, file);
    if (rc == 0 && file->kind == BAD_OTHER_OWNER && geteuid() == 0)
        rc = chown(path, 12345, 12345);
    if (rc == 0 && file->kind == BAD_UNREADABLE)
        rc = chmod(path, 0);
    if (rc == 0 && file->kind == BAD_HARD_LINK)
        rc = link(path, other);
    if (rc != 0)
        die(path);
}

void specimen_lay_out(const struct specimen *s, const char *directory)
{
    static const char *const names[BAD_SIDES] = {"db.v3", "db.v3-journal", "db.v3wal",
                                                 "db.v3edgemeta"};
    char path[512];

    for (unsigned i = 0; i < BAD_SIDES; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        lay_out(path, &s->file[i]);
    }
}
