/* rows_requests.c: what a request costs that needs no disk, against a file system that
 * does nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients.h"
#include "mounts.h"

enum { PAGE_COUNT = 10000 };

/* ---- one file ---- */

static double read_open_turn(const struct bench *b, void *side)
{
    const int fd = *(const int *)side;
    const double began = now_seconds(), end = began + b->slice;
    uint64_t done = 0;
    char text[64];

    while (now_seconds() < end) {
        if (pread(fd, text, sizeof(text), 0) <= 0)
            die_errno("reading a state file");
        done++;
    }
    return (now_seconds() - began) * 1e9 / (double)done;
}

static int open_state(const struct mount *m, char path[BENCH_PATH])
{
    mount_path(m, "pages/777/state", path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        die_errno("%s", path);
    return fd;
}

static void one_file(const struct bench *b, const struct mount *ours,
                     const struct mount *null)
{
    char ours_path[BENCH_PATH], null_path[BENCH_PATH];
    int ours_fd = open_state(ours, ours_path), null_fd = open_state(null, null_path);
    struct clients ours_clients = clients_of("state", 1, clients_read_file, ours_path);
    struct clients null_clients = clients_of("state", 1, clients_read_file, null_path);
    struct comparison c = compare(b, (struct side){read_open_turn, &ours_fd},
                                  (struct side){read_open_turn, &null_fd});

    table_limit(
        "Noise of a busy machine: at real-time priority 1.02 and 1.04 were measured.");
    table_ratio("read an open state file", "null", &c, 1.10);
    c = compare(b, (struct side){clients_turn, &ours_clients},
                (struct side){clients_turn, &null_clients});
    table_ratio("open, read, close a state file", "null", &c, 1.10);
    (void)close(ours_fd);
    (void)close(null_fd);
}

/* ---- listings ---- */

struct listing {
    bool of_null;
    bool with_stat;
    char path[BENCH_PATH];
};

/* One pass, as ls makes it; the number of entries. */
static uint64_t list(const struct listing *listing)
{
    DIR *const directory = opendir(listing->path);
    const struct dirent *entry;
    struct stat stat;
    uint64_t count = 0;

    if (directory == NULL)
        die_errno("%s", listing->path);
    while ((entry = readdir(directory)) != NULL) {
        if (listing->with_stat &&
            fstatat(dirfd(directory), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
            die_errno("%s/%s", listing->path, entry->d_name);
        count++;
    }
    (void)closedir(directory);
    if (count != PAGE_COUNT + 2)
        die("%s: %llu entries", listing->path, (unsigned long long)count);
    return count;
}

static double list_turn(const struct bench *b, void *side)
{
    const double began = now_seconds(), end = began + b->slice;
    uint64_t done = 0;

    do
        done += list(side);
    while (now_seconds() < end);
    return (now_seconds() - began) * 1e9 / (double)done;
}

/* On a mount of which the kernel knows nothing yet. */
static double first_list_turn(const struct bench *b, void *side)
{
    struct listing *const listing = side;
    struct mount m = listing->of_null ? mount_null(b, PAGE_COUNT)
                                      : mount_database(b, "requests", NULL);

    mount_path(&m, "pages", listing->path);
    const double began = now_seconds();
    const uint64_t done = list(listing);
    const double took = now_seconds() - began;
    mount_end(&m);
    return took * 1e9 / (double)done;
}

static struct comparison compare_listings(const struct bench *b, side_function *turn,
                                          const struct mount *ours,
                                          const struct mount *null, bool with_stat)
{
    struct listing of_ours = {.with_stat = with_stat};
    struct listing of_null = {.with_stat = with_stat, .of_null = true};

    mount_path(ours, "pages", of_ours.path);
    mount_path(null, "pages", of_null.path);
    return compare(b, (struct side){turn, &of_ours}, (struct side){turn, &of_null});
}

void rows_requests(const struct bench *b)
{
    struct mount ours = mount_pagefs(b, "requests", PAGE_COUNT, NULL);
    struct mount null = mount_null(b, PAGE_COUNT);
    struct comparison c;

    table_group("Requests that need no disk");
    one_file(b, &ours, &null);
    c = compare_listings(b, list_turn, &ours, &null, false);
    table_ratio("ls -U pages, an entry", "null", &c, 1.20);
    c = compare_listings(b, list_turn, &ours, &null, true);
    table_ratio("ls -l pages again, an entry", "null", &c, 1.30);
    mount_end(&ours);
    mount_end(&null);
    c = compare_listings(b, first_list_turn, &ours, &null, true);
    table_ratio("ls -l pages for the first time, an entry", "null", &c, 1.30);
}
