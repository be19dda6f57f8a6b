/* mounts.h: the two file systems that are compared, each mounted on a directory of its
 * own below the scratch directory. Both end with this program, however it ends. */
#ifndef BENCH_MOUNTS_H
#define BENCH_MOUNTS_H

#include <sys/types.h>

#include "bench.h"

struct mount {
    char point[BENCH_PATH];
    pid_t daemon;
};

/* A fresh database of `page_count` pages, mounted with these options (NULL = none). Its
 * file is `name`.v3 in the scratch directory. */
struct mount mount_pagefs(const struct bench *b, const char *name, uint64_t page_count,
                          const char *options);
/* Mount a database that is there. */
struct mount mount_database(const struct bench *b, const char *name, const char *options);
/* The null file system with `page_count` pages. */
struct mount mount_null(const struct bench *b, uint64_t page_count);
/* Unmount; dies when the daemon complains. */
void mount_end(struct mount *m);

/* `name` below the mountpoint. */
void mount_path(const struct mount *m, const char *name, char out_path[BENCH_PATH]);

/* A file of `bytes` zeros that are on the disk: writing to it changes only contents. */
void make_full_file(const char *path, size_t bytes);

#endif
