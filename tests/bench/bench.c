/* bench.c: how fast pagefs is, as one table of ratios.
 *
 *     PF_TEST_PAGEFS=... PF_BENCH_NULLFS=... bench [-p PAIRS] [-s SECONDS] [GROUP]...
 *
 * The parent does nothing but wait and clean up, so that neither a mount nor a file is
 * left however the measuring child ends. */
#include "bench.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "measure.h"

enum { DEFAULT_PAIRS = 25, REMOVE_FDS = 16 };

static const struct group {
    const char *name;
    rows_function *rows;
} groups[] = {
    {"requests", rows_requests}, {"durable", rows_durable},   {"engine", rows_engine},
    {"million", rows_million},   {"terabyte", rows_terabyte}, {"bulk", rows_bulk},
    {"data", rows_data},         {"check", rows_check},
};

enum { GROUP_COUNT = sizeof(groups) / sizeof(groups[0]) };

/* ---- for all ---- */

void bench_path(const struct bench *b, const char *name, char out_path[BENCH_PATH])
{
    if (snprintf(out_path, BENCH_PATH, "%s/%s", b->dir, name) >= BENCH_PATH)
        die("%s/%s: too long", b->dir, name);
}

void die(const char *format, ...)
{
    va_list args;

    (void)fflush(stdout);
    (void)fputs("bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

void die_errno(const char *format, ...)
{
    const int error = errno;
    va_list args;

    (void)fflush(stdout);
    (void)fputs("bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, ": %s\n", strerror(error));
    exit(1);
}

void bench_must(pf_err err, const char *call)
{
    if (err != PF_OK)
        die("%s: %s", call, pf_err_text(err));
}

double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- start and end ---- */

static bool is_group(const char *name)
{
    for (size_t i = 0; i < GROUP_COUNT; i++)
        if (strcmp(groups[i].name, name) == 0)
            return true;
    return false;
}

/* Among those asked for; without names, all are. */
static bool is_wanted(const struct group *group, int name_count, char **names)
{
    for (int i = 0; i < name_count; i++)
        if (strcmp(group->name, names[i]) == 0)
            return true;
    return name_count == 0;
}

static int usage(void)
{
    (void)fputs("usage: bench [-p PAIRS] [-s SECONDS] [-r] [GROUP]...\ngroups:", stderr);
    for (size_t i = 0; i < GROUP_COUNT; i++)
        (void)fprintf(stderr, " %s", groups[i].name);
    (void)fputc('\n', stderr);
    return 2;
}

static void measure(const struct bench *b, int name_count, char **names)
{
    struct statfs fs;

    if (statfs(b->dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
        (void)puts("TMPDIR is in memory: a sync there costs nothing, set it to a disk");
    table_head();
    for (size_t i = 0; i < GROUP_COUNT; i++)
        if (is_wanted(&groups[i], name_count, names))
            groups[i].rows(b);
    table_end();
}

static int remove_one(const char *path, const struct stat *stat, int type,
                      struct FTW *where)
{
    (void)stat;
    (void)type;
    (void)where;
    return remove(path);
}

/* Wait for the child that measures, then for the daemons it may have left, which get
 * SIGTERM when it ends. */
static int wait_for(pid_t child)
{
    int status = 0, child_status = 1;
    pid_t pid;

    while ((pid = wait(&status)) != -1 || errno == EINTR)
        if (pid == child)
            child_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    return child_status;
}

static int run(struct bench *b, int name_count, char **names)
{
    const char *const tmp = getenv("TMPDIR");

    (void)snprintf(b->dir, sizeof(b->dir), "%s/pn-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(b->dir) == NULL)
        die_errno("%s", b->dir);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t child = fork();
    if (child == -1)
        die_errno("fork");
    if (child == 0) {
        measure(b, name_count, names);
        exit(0);
    }
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    const int status = wait_for(child);
    if (nftw(b->dir, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        die_errno("%s", b->dir);
    return status;
}

int main(int argc, char **argv)
{
    struct bench b = {.pagefs = getenv("PF_TEST_PAGEFS"),
                      .nullfs = getenv("PF_BENCH_NULLFS"),
                      .pairs = DEFAULT_PAIRS,
                      .slice = 0.1};
    int letter;

    while ((letter = getopt(argc, argv, "p:s:m:M:r")) != -1) {
        if (letter == 'p')
            b.pairs = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 's')
            b.slice = strtod(optarg, NULL);
        else if (letter == 'r')
            table_markdown();
        else if (letter == 'm' || letter == 'M')
            return memory_main(optarg, letter == 'M');
        else
            return usage();
    }
    if (b.pairs == 0 || b.slice <= 0)
        return usage();
    for (int i = optind; i < argc; i++)
        if (!is_group(argv[i]))
            return usage();
    if (b.pagefs == NULL || b.nullfs == NULL)
        die("PF_TEST_PAGEFS and PF_BENCH_NULLFS must name the two programs");
    return run(&b, argc - optind, argv + optind);
}
