/* paths.c: the hot paths, to count the instructions of one at a time.
 *
 *     paths                       print the names, with how often to run each
 *     paths [-t] NAME COUNT [MOUNTPOINT]
 *
 * instructions.sh runs a path COUNT times and twice as often, both below callgrind: the
 * difference is what COUNT operations cost, whatever start and end cost. Paths of the
 * library run in this process; those named `mount ...` are made by a daemon that is
 * counted, for this process as its client. -t does each operation of the library twice,
 * to see that the comparison sees it. Uses nothing but pf.h, so that it can be linked
 * with the library of an older revision. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pf.h"

enum { PAGE_COUNT = 1 << 16, BATCH = 1000, STRIDE = 7919, READ_BYTES = 1 << 16 };

struct work {
    pf_store *store;
    uint64_t count;
    uint64_t times; /* each operation is done so often: 1 */
    const char *mountpoint;
};

/* Instead of the kernel's: the same hashes in every run, so that a path costs the same.
 */
ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    (void)flags;
    memset(bytes, 0x5A, length);
    return (ssize_t)length;
}

static void must(pf_err err)
{
    if (err == PF_OK)
        return;
    (void)fprintf(stderr, "paths: %s\n", pf_err_text(err));
    exit(1);
}

static void must_not_fail(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

/* Ids that follow one another in no order that a cache or a run knows. */
static uint64_t page_at(uint64_t i)
{
    return PF_FIRST_PAGE + i * STRIDE % (PAGE_COUNT - PF_FIRST_PAGE);
}

/* A store in memory, every second page free. */
static pf_store *memory_store(void)
{
    pf_store *store;

    must(pf_open_memory(PAGE_COUNT, &store));
    for (uint64_t i = 0; i < PAGE_COUNT / 2; i++)
        must(pf_page_free(store, page_at(i), NULL));
    return store;
}

/* ---- in the library ---- */

static void alloc_and_free(struct work *w)
{
    uint64_t id;

    for (uint64_t i = 0; i < w->count * w->times; i++) {
        must(pf_page_alloc(w->store, &id, NULL));
        must(pf_page_free(w->store, id, NULL));
    }
}

/* An operation is a page. */
static void batches(struct work *w)
{
    uint64_t ids[BATCH];
    struct pf_range ranges[BATCH];

    for (uint64_t i = 0; i < w->count * w->times / BATCH; i++) {
        must(pf_pages_alloc(w->store, BATCH, ids, NULL));
        for (unsigned k = 0; k < BATCH; k++)
            ranges[k] = (struct pf_range){ids[BATCH - 1 - k], 1};
        must(pf_pages_free(w->store, ranges, BATCH, NULL, NULL));
    }
}

static void state(struct work *w)
{
    struct pf_page page;

    for (uint64_t i = 0; i < w->count * w->times; i++)
        must(pf_page_get(w->store, page_at(i), &page));
}

static void pin_and_unpin(struct work *w)
{
    for (uint64_t i = 0; i < w->count * w->times; i++) {
        must(pf_page_pin(w->store, page_at(PAGE_COUNT / 2)));
        must(pf_page_unpin(w->store, page_at(PAGE_COUNT / 2)));
    }
}

static void stats(struct work *w)
{
    struct pf_stats out;

    for (uint64_t i = 0; i < w->count * w->times; i++)
        pf_stats_get(w->store, &out);
}

static void run_of_pages(struct work *w)
{
    struct pf_page page;
    uint64_t end;

    for (uint64_t i = 0; i < w->count * w->times; i++)
        must(pf_page_run(w->store, page_at(i), &page, &end));
}

/* An operation is an id. */
static void free_list(struct work *w)
{
    uint64_t ids[BATCH];
    size_t got;

    for (uint64_t i = 0; i < w->count * w->times; i += BATCH)
        must(pf_freelist_get(w->store, i % (PAGE_COUNT / 4), BATCH, ids, &got));
}

/* In a file, without the disk: journal, application and all. */
static void commit(struct work *w)
{
    static const char name[] = "paths.v3";
    const struct pf_options options = {.no_sync = true};
    char reason[PF_REASON_SIZE];
    pf_store *store;
    uint64_t id, lsn;

    (void)unlink(name);
    must(pf_create(name, PAGE_COUNT));
    must(pf_open(name, &options, &store, reason));
    for (uint64_t i = 0; i < w->count * w->times; i++) {
        must(pf_page_alloc(store, &id, &lsn));
        must(pf_wait(store, lsn));
    }
    must(pf_close(store));
    (void)unlink(name);
}

/* ---- through the mount ---- */

static int open_in(const struct work *w, const char *name, int flags)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", w->mountpoint, name);
    const int fd = open(path, flags | O_CLOEXEC);
    must_not_fail(fd != -1, path);
    return fd;
}

static void read_once(const struct work *w, const char *name)
{
    char text[64];
    const int fd = open_in(w, name, O_RDONLY);

    must_not_fail(read(fd, text, sizeof(text)) > 0, name);
    must_not_fail(close(fd) == 0, name);
}

static void mount_state(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++)
        read_once(w, "pages/777/state");
}

static void mount_alloc(struct work *w)
{
    for (uint64_t i = 0; i < w->count; i++)
        read_once(w, "alloc");
}

/* An operation is an entry; names only, so that the kernel asks again each time. */
static void mount_listing(struct work *w)
{
    uint64_t done = 0;

    while (done < w->count) {
        DIR *const directory = fdopendir(open_in(w, "pages", O_RDONLY | O_DIRECTORY));
        must_not_fail(directory != NULL, "pages");
        while (done < w->count && readdir(directory) != NULL)
            done++;
        (void)closedir(directory);
    }
}

/* An operation is a byte. */
static void read_bytes(const struct work *w, const char *name)
{
    static char bytes[READ_BYTES];
    const int fd = open_in(w, name, O_RDONLY);

    for (uint64_t done = 0; done < w->count; done += READ_BYTES)
        must_not_fail(pread(fd, bytes, sizeof(bytes), (off_t)done) == READ_BYTES, name);
    (void)close(fd);
}

static void mount_pages_tsv(struct work *w)
{
    read_bytes(w, "pages.tsv");
}

static void mount_map(struct work *w)
{
    read_bytes(w, "map");
}

static void mount_freelist(struct work *w)
{
    read_bytes(w, "freelist");
}

/* ---- all of them ---- */

static const struct path {
    const char *name;
    uint64_t count;
    void (*run)(struct work *w);
} paths[] = {
    {"allocate and free one", 20000, alloc_and_free},
    {"allocate and free in batches, a page", 50000, batches},
    {"state of a page", 20000, state},
    {"pin and unpin", 20000, pin_and_unpin},
    {"stats", 50000, stats},
    {"run of pages", 20000, run_of_pages},
    {"free list, an id", 50000, free_list},
    {"commit of an allocation", 500, commit},
    {"mount open, read, close state", 500, mount_state},
    {"mount alloc", 500, mount_alloc},
    {"mount listing, an entry", 10000, mount_listing},
    {"mount pages.tsv, a byte", 1 << 20, mount_pages_tsv},
    {"mount map, a byte", 1 << 19, mount_map},
    {"mount freelist, a byte", 1 << 18, mount_freelist},
};

enum { PATH_COUNT = sizeof(paths) / sizeof(paths[0]) };

static void run_path(const struct path *path, uint64_t count, bool twice,
                     const char *mountpoint)
{
    struct work work = {.count = count, .times = twice ? 2 : 1, .mountpoint = mountpoint};

    if (mountpoint == NULL)
        work.store = memory_store();
    path->run(&work);
    if (work.store != NULL)
        must(pf_close(work.store));
}

int main(int argc, char **argv)
{
    const bool twice = argc > 1 && strcmp(argv[1], "-t") == 0;

    argc -= twice;
    argv += twice;
    for (unsigned i = 0; i < PATH_COUNT; i++) {
        if (argc < 3)
            (void)printf("%s\t%llu\n", paths[i].name, (unsigned long long)paths[i].count);
        else if (strcmp(argv[1], paths[i].name) == 0) {
            run_path(&paths[i], strtoull(argv[2], NULL, 10), twice, argv[3]);
            return 0;
        }
    }
    return argc < 3 ? 0 : 2;
}
