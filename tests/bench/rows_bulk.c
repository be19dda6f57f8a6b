/* rows_bulk.c: files that are computed by offset, read from end to end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"
#include "mounts.h"

enum { PAGE_COUNT = 1 << 20, READ_BYTES = 1 << 20 };

struct bulk {
    char path[BENCH_PATH];
    uint64_t bytes; /* of a turn: the file once, or as much of an endless one */
};

static double read_turn(const struct bench *b, void *side)
{
    static char buffer[READ_BYTES];
    const struct bulk *const bulk = side;
    const int fd = open(bulk->path, O_RDONLY | O_CLOEXEC);
    uint64_t done = 0;

    (void)b;
    if (fd == -1)
        die_errno("%s", bulk->path);
    const double began = now_seconds();
    while (done < bulk->bytes) {
        const ssize_t length = read(fd, buffer, sizeof(buffer));
        if (length <= 0)
            die_errno("%s after %llu bytes", bulk->path, (unsigned long long)done);
        done += (uint64_t)length;
    }
    const double took = now_seconds() - began;
    (void)close(fd);
    return took * 1e9 / (double)done;
}

static void row(const struct bench *b, const struct mount *ours, const struct mount *null,
                const char *name)
{
    struct bulk bulk, of_null;
    struct stat stat_buffer;
    char what[64];

    mount_path(ours, name, bulk.path);
    if (stat(bulk.path, &stat_buffer) != 0)
        return; /* this version does not have it */
    bulk.bytes = (uint64_t)stat_buffer.st_size;
    of_null.bytes = bulk.bytes;
    mount_path(null, "bulk", of_null.path);
    const struct comparison c =
        compare(b, (struct side){read_turn, &bulk}, (struct side){read_turn, &of_null});
    (void)snprintf(what, sizeof(what), "%s, 1 M pages", name);
    table_rate(what, "null", &c, "MB", 200);
}

void rows_bulk(const struct bench *b)
{
    struct mount ours = mount_pagefs(b, "bulk", PAGE_COUNT, NULL);
    struct mount null = mount_null(b, PF_FIRST_PAGE);
    char path[BENCH_PATH], text[64];

    table_group("Bulk files, read in 1 MiB pieces");
    mount_path(&ours, "free", path);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const int length = snprintf(text, sizeof(text), "2-%d\n", PAGE_COUNT - 1);
    if (fd == -1 || write(fd, text, (size_t)length) != length || close(fd) != 0)
        die_errno("%s", path);
    row(b, &ours, &null, "freelist");
    row(b, &ours, &null, "pages.tsv");
    row(b, &ours, &null, "map");
    mount_end(&ours);
    mount_end(&null);
}
