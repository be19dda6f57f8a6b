/* rows_data.c: the contents of pages through the mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clients.h"
#include "mounts.h"

enum { PAGE_COUNT = 4096, APPEND_LIMIT = 64 << 20 };

/* ---- all pages, one after the other ---- */

struct reader {
    const struct mount *mount;
    uint64_t page_id;
};

static int read_next_page(void *self)
{
    struct reader *const r = self;
    char name[48], path[BENCH_PATH], page[PF_PAGE_SIZE];

    r->page_id = r->page_id + 1 < PAGE_COUNT ? r->page_id + 1 : PF_FIRST_PAGE;
    (void)snprintf(name, sizeof(name), "pages/%llu/data", (unsigned long long)r->page_id);
    mount_path(r->mount, name, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return errno;
    const ssize_t length = read(fd, page, sizeof(page));
    const int error = length == -1 ? errno : length == PF_PAGE_SIZE ? 0 : EIO;
    return close(fd) == 0 ? error : errno;
}

static void sequential_row(const struct bench *b, const struct mount *ours,
                           const struct mount *null)
{
    struct reader of_ours = {ours, PF_FIRST_PAGE}, of_null = {null, PF_FIRST_PAGE};
    struct clients ours_clients = clients_of("data", 1, read_next_page, &of_ours);
    struct clients null_clients = clients_of("data", 1, read_next_page, &of_null);

    /* the kernel learns the names first */
    for (unsigned i = 0; i < PAGE_COUNT; i++)
        if (read_next_page(&of_ours) != 0 || read_next_page(&of_null) != 0)
            die("cannot read the data of all pages");
    const struct comparison c = compare(b, (struct side){clients_turn, &ours_clients},
                                        (struct side){clients_turn, &null_clients});
    table_ratio("data of all pages in turn, a page", "null", &c, 2.0);
}

/* ---- one page, durably ---- */

struct writer {
    int fd;
    uint64_t length;                                /* so far, when it appends */
    uint64_t page[PF_PAGE_SIZE / sizeof(uint64_t)]; /* never twice the same */
};

static void renew(struct writer *w)
{
    for (size_t i = 0; i < sizeof(w->page) / sizeof(w->page[0]); i++)
        w->page[i]++;
}

static int write_page(void *self)
{
    struct writer *const w = self;

    renew(w);
    return pwrite(w->fd, w->page, PF_PAGE_SIZE, 0) == PF_PAGE_SIZE ? 0 : errno;
}

static int append_page(void *self)
{
    struct writer *const w = self;

    renew(w);

    if (w->length >= APPEND_LIMIT) {
        if (ftruncate(w->fd, 0) != 0)
            return errno;
        w->length = 0;
    }
    if (pwrite(w->fd, w->page, PF_PAGE_SIZE, (off_t)w->length) != PF_PAGE_SIZE)
        return errno;
    w->length += PF_PAGE_SIZE;
    return fdatasync(w->fd) == 0 ? 0 : errno;
}

static int open_to_write(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd == -1)
        die_errno("%s", path);
    return fd;
}

static void write_row(const struct bench *b, const struct mount *ours)
{
    char data[BENCH_PATH], log[BENCH_PATH];

    mount_path(ours, "pages/7/data", data);
    bench_path(b, "append", log);
    struct writer writer = {.fd = open_to_write(data)};
    struct writer appender = {.fd = open_to_write(log)};
    struct clients ours_clients = clients_of("data", 1, write_page, &writer);
    struct clients append_clients = clients_of("append", 1, append_page, &appender);
    const struct comparison c = compare(b, (struct side){clients_turn, &ours_clients},
                                        (struct side){clients_turn, &append_clients});
    table_ratio("write of a page, durable", "append, fdatasync", &c, 1.30);
    (void)close(writer.fd);
    (void)close(appender.fd);
}

void rows_data(const struct bench *b)
{
    struct mount ours = mount_pagefs(b, "data", PAGE_COUNT, NULL);
    struct mount null = mount_null(b, PAGE_COUNT);

    table_group("Contents of pages");
    sequential_row(b, &ours, &null);
    write_row(b, &ours);
    mount_end(&ours);
    mount_end(&null);
}
