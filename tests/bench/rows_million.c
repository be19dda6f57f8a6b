/* rows_million.c: a million pages at a time, in the engine and through the mount. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "mounts.h"

enum {
    MILLION = 1000000,
    RANGE_PAGES = 100, /* as ranges: so many pages in each */
    WRITE_BYTES = 1 << 20,
    TURNS = 5, /* one takes a good part of a second whatever the slice is */
    LINE_BYTES = 24,
};

struct million {
    pf_store *store; /* the engine; NULL: through the mount */
    char alloc[BENCH_PATH], free[BENCH_PATH], bulk[BENCH_PATH];
    uint64_t *ids;
    struct pf_range *ranges;
    char *text; /* of a million ids, or of as many pages in ranges */
    size_t text_length;
    bool as_ranges, measure_alloc;
};

/* At the border of a page, as the buffers of dd and cat are. */
static void *get_memory(size_t bytes)
{
    void *memory = NULL;

    if (posix_memalign(&memory, PF_PAGE_SIZE, bytes) != 0)
        die("out of memory");
    return memory;
}

/* ---- text ---- */

/* What `free` is told: all pages from PF_FIRST_PAGE on, in steps that visit each once, so
 * that neighbours in the text are none in the file unless they make a range. */
static void write_text(struct million *m)
{
    const uint64_t run = m->as_ranges ? RANGE_PAGES : 1;
    const uint64_t count = MILLION / run, step = 7919;
    char *at = m->text;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t first = PF_FIRST_PAGE + i * step % count * run;
        m->ranges[i] = (struct pf_range){first, run};
        at += run == 1 ? sprintf(at, "%llu\n", (unsigned long long)first)
                       : sprintf(at, "%llu-%llu\n", (unsigned long long)first,
                                 (unsigned long long)(first + run - 1));
    }
    m->text_length = (size_t)(at - m->text);
}

static int open_file(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC);

    if (fd == -1)
        die_errno("%s", path);
    return fd;
}

static void write_pieces(const struct million *m)
{
    const int fd = open_file(m->free, O_WRONLY);

    for (size_t done = 0; done < m->text_length;) {
        const size_t left = m->text_length - done;
        const size_t piece = left < WRITE_BYTES ? left : WRITE_BYTES;
        const ssize_t written = write(fd, m->text + done, piece);
        if (written != (ssize_t)piece)
            die("%s: %zd of %zu bytes written", m->free, written, piece);
        done += piece;
    }
    if (close(fd) != 0)
        die_errno("%s", m->free);
}

/* Read `lines` lines, or up to the end. */
static uint64_t read_lines(int fd, const char *path, uint64_t lines)
{
    static char buffer[WRITE_BYTES];
    uint64_t seen = 0;
    ssize_t length = 1;

    while (seen < lines && length > 0) {
        length = read(fd, buffer, sizeof(buffer));
        if (length == -1)
            die_errno("%s", path);
        for (const char *at = buffer, *const end = buffer + length;
             (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
            seen++;
    }
    return seen;
}

static void read_ids(const struct million *m)
{
    static const char command[] = "1000000\n";
    const int fd = open_file(m->alloc, O_RDWR);

    if (write(fd, command, sizeof(command) - 1) != sizeof(command) - 1)
        die_errno("%s", m->alloc);
    if (read_lines(fd, m->alloc, MILLION) != MILLION)
        die("%s: not a million lines", m->alloc);
    (void)close(fd);
}

/* ---- turns: both halves are done, one is measured ---- */

static void alloc_all(const struct million *m)
{
    if (m->store != NULL)
        must(pf_pages_alloc(m->store, MILLION, m->ids, NULL));
    else
        read_ids(m);
}

static void free_all(const struct million *m)
{
    if (m->store != NULL)
        must(pf_pages_free(m->store, m->ranges,
                           m->as_ranges ? MILLION / RANGE_PAGES : MILLION, NULL, NULL));
    else
        write_pieces(m);
}

static double million_turn(const struct bench *b, void *side)
{
    const struct million *const m = side;

    (void)b;
    const double began = now_seconds();
    free_all(m);
    const double freed = now_seconds();
    alloc_all(m);
    const double allocated = now_seconds();
    return (m->measure_alloc ? allocated - freed : freed - began) * 1e9 / MILLION;
}

/* The same bytes through a file system that does nothing with them. */
static double null_turn(const struct bench *b, void *side)
{
    const struct million *const m = side;
    static char buffer[WRITE_BYTES];

    (void)b;
    const double began = now_seconds();
    if (m->measure_alloc) {
        const int fd = open_file(m->bulk, O_RDONLY);
        for (size_t done = 0; done < m->text_length;) {
            const ssize_t length = read(fd, buffer, sizeof(buffer));
            if (length <= 0)
                die_errno("%s", m->bulk);
            done += (size_t)length;
        }
        (void)close(fd);
    } else {
        write_pieces(m);
    }
    return (now_seconds() - began) * 1e9 / MILLION;
}

/* ---- rows ---- */

static void row(const struct bench *b, const char *what, struct million *ours,
                struct million *null, double target)
{
    const struct side side = {million_turn, ours};

    write_text(ours);
    if (null == NULL) {
        const struct comparison c = alone(b, side);
        table_rate(what, NULL, &c, "M", target);
        return;
    }
    null->text_length = ours->text_length;
    null->measure_alloc = ours->measure_alloc;
    const struct comparison c = compare(b, side, (struct side){null_turn, null});
    table_rate(what, "null, same bytes", &c, "M", target);
}

static void rows(const struct bench *b, struct million *ours, struct million *null,
                 const char *const what[3], double target)
{
    ours->measure_alloc = false;
    ours->as_ranges = true;
    row(b, what[0], ours, null, target);
    ours->as_ranges = false;
    row(b, what[1], ours, null, target);
    ours->measure_alloc = true;
    row(b, what[2], ours, null, target);
}

void rows_million(const struct bench *all)
{
    static const char *const in_engine[] = {"engine: free 1 M pages as ranges",
                                            "engine: free 1 M ids",
                                            "engine: allocate 1 M"};
    static const char *const in_mount[] = {"mount: free 1 M pages as ranges",
                                           "mount: free 1 M ids in 1 MiB writes",
                                           "mount: allocate 1 M, one open file"};
    struct bench few = *all;
    struct million m = {.ids = get_memory(MILLION * sizeof(*m.ids)),
                        .ranges = get_memory(MILLION * sizeof(*m.ranges)),
                        .text = get_memory((size_t)MILLION * LINE_BYTES)};
    struct million of_null = m;

    few.pairs = all->pairs < TURNS ? all->pairs : TURNS;
    table_group("A million pages");
    must(pf_open_memory(MILLION + PF_FIRST_PAGE, &m.store));
    rows(&few, &m, NULL, in_engine, 5);
    must(pf_close(m.store));
    m.store = NULL;

    struct mount ours = mount_pagefs(all, "million", MILLION + PF_FIRST_PAGE, NULL);
    struct mount null = mount_null(all, PF_FIRST_PAGE);
    mount_path(&ours, "alloc", m.alloc);
    mount_path(&ours, "free", m.free);
    mount_path(&null, "free", of_null.free);
    mount_path(&null, "bulk", of_null.bulk);
    rows(&few, &m, &of_null, in_mount, 1);
    mount_end(&ours);
    mount_end(&null);
    free(m.ids);
    free(m.ranges);
    free(m.text);
}
