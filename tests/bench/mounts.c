#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FLOOR_FILE_BYTES = 4 << 20, WAIT_MS = 20000, POLL_MS = 5, MAX_ARGUMENTS = 8 };

static void pause_shortly(void)
{
    const struct timespec poll = {0, POLL_MS * 1000000L};

    nanosleep(&poll, NULL);
}

/* Is it a file system of its own yet? `..` of its root leads out of it. */
static bool is_mounted(const char *point)
{
    struct stat stat_buffer, above;
    char parent[BENCH_PATH + 4];

    (void)snprintf(parent, sizeof(parent), "%s/..", point);
    return stat(point, &stat_buffer) == 0 && stat(parent, &above) == 0 &&
           stat_buffer.st_ino == 1 && stat_buffer.st_dev != above.st_dev;
}

/* In the child. `arguments` end with NULL. */
__attribute__((noreturn)) static void become(const char *const arguments[])
{
    char *copies[MAX_ARGUMENTS + 1] = {NULL};

    for (size_t i = 0; i < MAX_ARGUMENTS && arguments[i] != NULL; i++)
        copies[i] = strdup(arguments[i]);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    execv(arguments[0], copies);
    perror(arguments[0]);
    _exit(127);
}

static struct mount start(const struct bench *b, const char *name,
                          const char *const arguments[])
{
    struct mount m = {.daemon = -1};

    bench_path(b, name, m.point);
    if (mkdir(m.point, 0700) != 0 && errno != EEXIST)
        die_errno("%s", m.point);
    (void)fflush(stdout);
    m.daemon = fork();
    if (m.daemon == -1)
        die_errno("fork");
    if (m.daemon == 0)
        become(arguments);
    for (int waited = 0; !is_mounted(m.point); waited += POLL_MS) {
        if (waitpid(m.daemon, NULL, WNOHANG) == m.daemon || waited > WAIT_MS)
            die("%s does not mount", arguments[0]);
        pause_shortly();
    }
    return m;
}

struct mount mount_database(const struct bench *b, const char *name, const char *options)
{
    char database[BENCH_PATH], point[BENCH_PATH];
    const char *const list = options != NULL ? options : "rw";
    const char *const arguments[] = {b->pagefs, "-f", "-o", list, database, point, NULL};
    char file[64];

    (void)snprintf(file, sizeof(file), "%s.v3", name);
    bench_path(b, file, database);
    bench_path(b, name, point);
    return start(b, name, arguments);
}

/* A database is older than its journal. Made one after the other their inodes share a
 * block, and a file system without a journal of its own writes that block at each sync
 * of the one because the other grew. */
static void age(const struct bench *b)
{
    enum { INODES_A_BLOCK = 32 };
    char name[32], path[BENCH_PATH];

    for (unsigned i = 0; i < INODES_A_BLOCK; i++) {
        (void)snprintf(name, sizeof(name), "spacer-%u-XXXXXX", i);
        bench_path(b, name, path);
        const int fd = mkstemp(path);
        if (fd == -1 || close(fd) != 0)
            die_errno("%s", path);
    }
}

struct mount mount_pagefs(const struct bench *b, const char *name, uint64_t page_count,
                          const char *options)
{
    char file[64], database[BENCH_PATH];

    (void)snprintf(file, sizeof(file), "%s.v3", name);
    bench_path(b, file, database);
    must(pf_create(database, page_count));
    age(b);
    return mount_database(b, name, options);
}

struct mount mount_null(const struct bench *b, uint64_t page_count)
{
    char point[BENCH_PATH], floor[BENCH_PATH], count[24];
    const char *const arguments[] = {b->nullfs, point, count, floor, NULL};

    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)page_count);
    bench_path(b, "null", point);
    bench_path(b, "null.floor", floor);
    make_full_file(floor, FLOOR_FILE_BYTES);
    return start(b, "null", arguments);
}

void mount_end(struct mount *m)
{
    int status = 0;

    /* both unmount themselves on SIGTERM */
    if (kill(m->daemon, SIGTERM) != 0 || waitpid(m->daemon, &status, 0) != m->daemon)
        die_errno("%s: the daemon", m->point);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("%s: the daemon ended with wait status %d", m->point, status);
    m->daemon = -1;
}

void mount_path(const struct mount *m, const char *name, char out_path[BENCH_PATH])
{
    if (snprintf(out_path, BENCH_PATH, "%s/%s", m->point, name) >= BENCH_PATH)
        die("%s/%s: too long", m->point, name);
}

void make_full_file(const char *path, size_t bytes)
{
    static const char zeros[1 << 16];
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd == -1)
        die_errno("%s", path);
    while (bytes > 0) {
        const size_t piece = bytes < sizeof(zeros) ? bytes : sizeof(zeros);
        if (write(fd, zeros, piece) != (ssize_t)piece)
            die_errno("%s", path);
        bytes -= piece;
    }
    if (fsync(fd) != 0 || close(fd) != 0)
        die_errno("%s", path);
}
