/* rows_terabyte.c: files of 1 TB, sparse, whose free pages lie all over them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"
#include "mounts.h"

#define TERABYTE_PAGES (UINT64_C(1) << 28)
#define MILLION UINT64_C(1000000)

enum { RUN_PAGES = 10, RANGES_A_CALL = 100000, TURNS = 7, FIGURE_BYTES = 32 };

struct file {
    char path[BENCH_PATH];
    uint64_t free_count;
};

/* ---- the files ---- */

/* Runs of RUN_PAGES at equal distances over the whole file. */
static void free_runs(pf_store *store, uint64_t free_count)
{
    struct pf_range *const ranges = malloc(RANGES_A_CALL * sizeof(*ranges));
    const uint64_t runs = free_count / RUN_PAGES;
    size_t count = 0;

    if (ranges == NULL)
        die("out of memory");
    for (uint64_t i = 0; i < runs; i++) {
        const uint64_t first = PF_FIRST_PAGE + i * (TERABYTE_PAGES / runs);
        ranges[count++] = (struct pf_range){first, RUN_PAGES};
        if (count == RANGES_A_CALL || i + 1 == runs) {
            must(pf_pages_free(store, ranges, count, NULL, NULL));
            count = 0;
        }
    }
    free(ranges);
}

static struct file make_file(const struct bench *b, const char *name, uint64_t free_count)
{
    const struct pf_options options = {.no_sync = true};
    struct file file = {.free_count = free_count};
    pf_store *store = NULL;
    char reason[PF_REASON_SIZE] = "";

    bench_path(b, name, file.path);
    must(pf_create(file.path, TERABYTE_PAGES));
    if (pf_open(file.path, &options, &store, reason) != PF_OK)
        die("%s: %s", file.path, reason);
    if (free_count > 0)
        free_runs(store, free_count);
    must(pf_close(store));
    return file;
}

/* ---- opening ---- */

static pf_store *open_file(const struct file *file)
{
    pf_store *store = NULL;
    char reason[PF_REASON_SIZE] = "";

    if (pf_open(file->path, NULL, &store, reason) != PF_OK)
        die("%s: %s", file->path, reason);
    if (!pf_writable(store))
        die("%s: opened read-only", file->path);
    return store;
}

static double open_turn(const struct bench *b, void *side)
{
    const double end = now_seconds() + b->slice;
    double took = 0;
    uint64_t done = 0;

    do {
        const double began = now_seconds();
        pf_store *const store = open_file(side);
        took += now_seconds() - began;
        must(pf_close(store));
        done++;
    } while (now_seconds() < end);
    return took * 1e9 / (double)done;
}

static double stats_turn(const struct bench *b, void *side)
{
    pf_store *const store = side;
    const double began = now_seconds(), end = began + b->slice;
    struct pf_stats stats;
    uint64_t done = 0;

    while (now_seconds() < end)
        for (unsigned i = 0; i < 1000; i++, done++)
            pf_stats_get(store, &stats);
    return (now_seconds() - began) * 1e9 / (double)done;
}

static double first_state_turn(const struct bench *b, void *side)
{
    const struct file *const file = side;
    pf_store *const store = open_file(file);
    struct pf_page page;

    (void)b;
    const double began = now_seconds();
    must(pf_page_get(store, TERABYTE_PAGES / 2, &page));
    const double took = now_seconds() - began;
    must(pf_close(store));
    return took * 1e9 / ((double)file->free_count / (double)MILLION);
}

/* ---- memory: in a process of its own ---- */

static long resident_kb(void)
{
    char text[64] = "";
    long total = 0, resident = 0;
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd == -1 || read(fd, text, sizeof(text) - 1) <= 0 ||
        sscanf(text, "%ld %ld", &total, &resident) != 2)
        die_errno("/proc/self/statm");
    (void)close(fd);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int memory_main(const char *path, bool ask)
{
    struct file file = {.free_count = 0};

    (void)snprintf(file.path, sizeof(file.path), "%s", path);
    const long before = resident_kb();
    pf_store *const store = open_file(&file);
    struct pf_page page;
    if (ask)
        must(pf_page_get(store, TERABYTE_PAGES / 2, &page));
    (void)printf("%ld\n", resident_kb() - before);
    must(pf_close(store));
    return 0;
}

/* What opening the file, or also its first question, adds to a process, in kB. */
static long memory_kb(const struct file *file, bool ask)
{
    char command[2 * BENCH_PATH];
    long grown = 0;

    (void)snprintf(command, sizeof(command), "/proc/%ld/exe -%c '%s'", (long)getpid(),
                   ask ? 'M' : 'm', file->path);
    FILE *const out = popen(command, "re");
    if (out == NULL || fscanf(out, "%ld", &grown) != 1 || pclose(out) != 0)
        die("%s failed", command);
    return grown;
}

static void memory_row(const struct file *file, const char *what, bool ask, long limit_kb)
{
    char ours[FIGURE_BYTES], target[FIGURE_BYTES];
    const long grown = memory_kb(file, ask);

    (void)snprintf(ours, sizeof(ours), "%.1f MB", (double)grown / 1024);
    (void)snprintf(target, sizeof(target), "<= %.1f MB", (double)limit_kb / 1024);
    table_text(what, ours, "-", "-", target, grown <= limit_kb);
}

/* ---- rows ---- */

static void rows_of(const struct bench *all, struct file *file, struct file *empty,
                    const char *label)
{
    struct bench few = *all;
    char what[64];

    few.pairs = all->pairs < TURNS ? all->pairs : TURNS;
    (void)snprintf(what, sizeof(what), "open, %s free pages", label);
    struct comparison c =
        compare(all, (struct side){open_turn, file}, (struct side){open_turn, empty});
    table_nanoseconds(what, "none free", &c, 1e6);
    (void)snprintf(what, sizeof(what), "  memory, %s", label);
    memory_row(file, what, false, 10 * 1024);
    pf_store *const store = open_file(file), *const other = open_file(empty);
    c = compare(&few, (struct side){stats_turn, store}, (struct side){stats_turn, other});
    (void)snprintf(what, sizeof(what), "  stats, %s", label);
    table_nanoseconds(what, "none free", &c, 50);
    must(pf_close(store));
    must(pf_close(other));
    c = alone(&few, (struct side){first_state_turn, file});
    (void)snprintf(what, sizeof(what), "  first state, a million of %s", label);
    table_nanoseconds(what, NULL, &c, 20e6);
    table_limit(
        "The bits alone are the target, with free pages in every region; the rest is "
        "what finds the trunks, one page in 506 of those that are free: 48 bytes and "
        "two hash slots of 16 each, and 8 bytes beside each bitmap of 512.");
    (void)snprintf(what, sizeof(what), "  memory after it, %s", label);
    memory_row(file, what, true, (long)(TERABYTE_PAGES / 8 / 1024));
}

/* ---- through the mount ---- */

struct place {
    char path[BENCH_PATH];
    off_t offset;
};

static double read_place_turn(const struct bench *b, void *side)
{
    static char buffer[1 << 16];
    const struct place *const place = side;
    const double began = now_seconds(), end = began + b->slice;
    uint64_t done = 0;

    do {
        const int fd = open(place->path, O_RDONLY | O_CLOEXEC);
        if (fd == -1 || pread(fd, buffer, sizeof(buffer), place->offset) <= 0)
            die_errno("%s", place->path);
        (void)close(fd);
        done++;
    } while (now_seconds() < end);
    return (now_seconds() - began) * 1e9 / (double)done;
}

static void middle_row(const struct bench *b)
{
    struct mount m = mount_database(b, "terabyte-27", NULL);
    struct place start = {.offset = 0}, middle;
    struct stat stat_buffer;

    mount_path(&m, "pages.tsv", start.path);
    if (stat(start.path, &stat_buffer) == 0) { /* an older version does not have it */
        middle = start;
        middle.offset = stat_buffer.st_size / 2;
        const struct comparison c = compare(b, (struct side){read_place_turn, &middle},
                                            (struct side){read_place_turn, &start});
        table_ratio("64 KiB of the middle of pages.tsv", "of its start", &c, 2.0);
    }
    mount_end(&m);
}

void rows_terabyte(const struct bench *b)
{
    struct file empty = make_file(b, "terabyte-0.v3", 0);
    struct file few = make_file(b, "terabyte-1.v3", MILLION);
    struct file many = make_file(b, "terabyte-27.v3", 27 * MILLION);

    table_group("A sparse file of 1 TB, 268 M pages, free pages all over it");
    rows_of(b, &few, &empty, "1 M");
    rows_of(b, &many, &empty, "27 M");
    middle_row(b);
}
