#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int scratch_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    struct scratch *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -1;
    snprintf(t->dir, sizeof(t->dir), "%.60s/pt-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(t->dir) == NULL) {
        free(t);
        return -1;
    }
    snprintf(t->db, sizeof(t->db), "%s/db.v3", t->dir);
    *state = t;
    return 0;
}

int scratch_teardown(void **state)
{
    struct scratch *t = *state;

    pf_close(t->store);
    scratch_remove(t->dir);
    free(t);
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DP)
        rmdir(path);
    else
        unlink(path);
    return 0;
}

void scratch_remove(const char *dir)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

char *scratch_slurp(const char *path, size_t *out_length)
{
    size_t length = 0;
    size_t room = 65536;
    char *text = malloc(room);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    assert_non_null(text);
    while (fd >= 0 && (n = read(fd, text + length, room - length - 1)) > 0) {
        length += (size_t)n;
        if (room - length < 2) {
            room *= 2;
            text = realloc(text, room);
            assert_non_null(text);
        }
    }
    if (fd >= 0)
        close(fd);
    text[length] = '\0';
    if (out_length != NULL)
        *out_length = length;
    return text;
}

void scratch_path(const struct scratch *t, const char *name, char *out)
{
    snprintf(out, 256, "%s/%s", t->dir, name);
}

void scratch_assert_err(pf_err expected, pf_err got, const char *what, const char *file,
                        int line)
{
    if (got == expected)
        return;
    print_error("%s\n  gave %s, expected %s\n", what, pf_err_name(got),
                pf_err_name(expected));
    _fail(file, line);
}

void scratch_assert_u64(uint64_t expected, uint64_t got, const char *what,
                        const char *file, int line)
{
    if (got == expected)
        return;
    print_error("%s\n  is %" PRIu64 ", expected %" PRIu64 "\n", what, got, expected);
    _fail(file, line);
}

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    ssize_t n;

    if (in < 0 || out < 0)
        fail_msg("cannot copy %s to %s: %s", from, to, strerror(errno));
    while ((n = read(in, buffer, sizeof(buffer))) > 0)
        assert_int_equal(write(out, buffer, (size_t)n), n);
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

void scratch_copy_sample(struct scratch *t, const char *name)
{
    static const char *const extensions[] = {"v3", "v3wal", "v3edgemeta"};
    const char *data = getenv("PF_TEST_DATA");
    char from[512];
    char to[256];

    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        snprintf(from, sizeof(from), "%s/%s.%s", data != NULL ? data : "tests/data", name,
                 extensions[i]);
        if (i > 0 && access(from, F_OK) != 0)
            continue;
        snprintf(to, sizeof(to), "%s/db.%s", t->dir, extensions[i]);
        copy_file(from, to);
    }
}

void scratch_open(struct scratch *t, const struct pf_options *options)
{
    static const struct pf_options fast = {.no_sync = true};
    const pf_err err =
        pf_open(t->db, options != NULL ? options : &fast, &t->store, t->reason);

    if (err != PF_OK)
        fail_msg("pf_open(%s): %s: %s", t->db, pf_err_name(err), t->reason);
}

void scratch_close(struct scratch *t)
{
    pf_store *store = t->store;

    t->store = NULL;
    assert_ok(pf_close(store));
}

void scratch_reopen(struct scratch *t)
{
    scratch_close(t);
    scratch_open(t, NULL);
}

void scratch_create(struct scratch *t, uint64_t total_pages)
{
    assert_ok(pf_create(t->db, total_pages));
    scratch_open(t, NULL);
}

uint64_t alloc_one(pf_store *store)
{
    uint64_t page_id = 0;

    assert_ok(pf_page_alloc(store, &page_id, NULL));
    return page_id;
}

void free_one(pf_store *store, uint64_t page_id)
{
    assert_ok(pf_page_free(store, page_id, NULL));
}

void free_range(pf_store *store, uint64_t first, uint64_t count)
{
    const struct pf_range range = {first, count};

    assert_ok(pf_pages_free(store, &range, 1, NULL, NULL));
}

void pin_one(pf_store *store, uint64_t page_id)
{
    assert_ok(pf_page_pin(store, page_id));
}

pf_state state_of(pf_store *store, uint64_t page_id)
{
    struct pf_page page;

    assert_ok(pf_page_get(store, page_id, &page));
    return page.state;
}

struct pf_stats stats_of(pf_store *store)
{
    struct pf_stats stats;

    pf_stats_get(store, &stats);
    return stats;
}

void assert_counts(pf_store *store, uint64_t total, uint64_t free_pages, uint64_t pinned)
{
    const struct pf_stats stats = stats_of(store);

    assert_u64(total, stats.total_pages);
    assert_u64(free_pages, stats.free_pages);
    assert_u64(pinned, stats.pinned_pages);
    assert_u64(total - free_pages, stats.allocated_pages);
    assert_u64(total, pf_total_pages(store));
}

bool built_with_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

bool full_figures(void)
{
    return getenv("PF_TEST_FULL") != NULL;
}

unsigned scaled(unsigned plain, unsigned full)
{
    return full_figures() ? full : plain;
}

unsigned figure(unsigned plain, unsigned full, unsigned soak)
{
    return getenv("PF_TEST_SOAK") != NULL ? soak : scaled(plain, full);
}

uint64_t proc_status_kb(int pid, const char *field)
{
    char path[64];
    char line[256];
    uint64_t kb = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", pid != 0 ? pid : (int)getpid());
    f = fopen(path, "re");
    if (f == NULL)
        fail_msg("cannot open %s", path);
    while (fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtoull(line + strlen(field) + 1, NULL, 10);
    fclose(f);
    if (kb == 0)
        fail_msg("%s has no %s", path, field);
    return kb;
}

uint64_t rng_next(uint64_t *rng)
{
    *rng ^= *rng >> 12;
    *rng ^= *rng << 25;
    *rng ^= *rng >> 27;
    return *rng * 0x2545F4914F6CDD1DU;
}

uint64_t rng_below(uint64_t *rng, uint64_t bound)
{
    return rng_next(rng) % bound;
}
