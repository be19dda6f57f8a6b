#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "oracle.h"
#include "scratch.h"
#include "v3file.h"

struct probe {
    const struct specimen *s;
    enum bad_mode mode;
    const char *dir;
    char db[256], point[256];
    struct outcome *out;
    uint64_t total, head; /* of the mounted file */
    char text[65536];     /* what was read last */
};

__attribute__((format(printf, 2, 3))) static void wrong(struct probe *p,
                                                        const char *format, ...)
{
    va_list args;

    if (p->out->wrong[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(p->out->wrong, sizeof(p->out->wrong), format, args);
    va_end(args);
}

/* Name what comes next; SIGALRM ends us when it takes too long. */
static void step(struct probe *p, const char *what)
{
    snprintf(p->out->step, sizeof(p->out->step), "%s", what);
    (void)alarm(STEP_SECONDS);
}

/* ---- what lies in the directory ---- */

static uint64_t hash_of_file(const char *path, const struct stat *st)
{
    static char bytes[1 << 16];
    XXH3_state_t *const hash = XXH3_createState();
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n;
    uint64_t left = 16 << 20; /* what lies behind is a hole */

    (void)XXH3_64bits_reset(hash);
    (void)XXH3_64bits_update(hash, &st->st_size, sizeof(st->st_size));
    (void)XXH3_64bits_update(hash, &st->st_mtim, sizeof(st->st_mtim));
    while (fd >= 0 && left > 0 && (n = read(fd, bytes, sizeof(bytes))) > 0) {
        (void)XXH3_64bits_update(hash, bytes, (size_t)n);
        left -= (uint64_t)n;
    }
    if (fd >= 0)
        (void)close(fd);
    const uint64_t sum = XXH3_64bits_digest(hash);
    (void)XXH3_freeState(hash);
    return sum;
}

/* The database, its journal, and what lies behind a symbolic link to it. */
static bool is_ours(const char *name)
{
    return strcmp(name, "db.v3") == 0 || strncmp(name, "db.v3-", 6) == 0 ||
           strncmp(name, "db.v3.other", 11) == 0;
}

/* Names, kinds, modes, contents and times of all there is but the mountpoint and what we
 * wrote ourselves; with `sides` only of what is neither the database nor its journal. */
static uint64_t hash_of_all(struct probe *p, bool sides)
{
    DIR *const dir = opendir(p->dir);
    const struct dirent *entry;
    uint64_t sum = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[600];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", p->dir, entry->d_name);
        if (strncmp(entry->d_name, "db.", 3) != 0 || lstat(path, &st) != 0 ||
            (sides && is_ours(entry->d_name)))
            continue;
        const uint64_t kind = (uint64_t)st.st_mode << 32 | st.st_uid;
        sum ^= XXH3_64bits_withSeed(entry->d_name, strlen(entry->d_name), kind);
        if (S_ISREG(st.st_mode))
            sum += hash_of_file(path, &st);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return sum;
}

/* ---- running the program ---- */

static void limit(__rlimit_resource_t what, uint64_t mb)
{
    const struct rlimit limit = {mb << 20, mb << 20};

    (void)setrlimit(what, &limit);
}

static void limit_memory(void)
{
    const char *const was = getenv("ASAN_OPTIONS");
    char options[600];

    if (!built_with_sanitizer()) {
        limit(RLIMIT_AS, MEMORY_LIMIT_MB);
        return;
    }
    snprintf(options, sizeof(options), "%.300s:hard_rss_limit_mb=%d",
             was != NULL ? was : "", MEMORY_LIMIT_MB);
    (void)setenv("ASAN_OPTIONS", options, 1);
}

static void say_said(struct probe *p)
{
    char path[300];
    ssize_t n = 0;

    snprintf(path, sizeof(path), "%s/said", p->dir);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = pread(fd, p->text, sizeof(p->text) - 1, 0);
        (void)close(fd);
    }
    p->text[n > 0 ? n : 0] = '\0';
}

/* Is this the end of a program that knew what it did? 99 is a sanitizer's. */
static bool ended_well(struct probe *p, const char *what, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) < 64)
        return true;
    say_said(p);
    wrong(p, "%s: wait status %#x; it said: %.400s", what, (unsigned)status, p->text);
    return false;
}

/* Exit status of `pagefs arguments...`, or -1. */
static int run(struct probe *p, const char *const arguments[])
{
    const char *argv[12] = {getenv("PF_TEST_PAGEFS")};
    char said[300];
    int status = 0;

    for (unsigned i = 0; arguments[i] != NULL && i < 10; i++)
        argv[i + 1] = arguments[i];
    snprintf(said, sizeof(said), "%s/said", p->dir);
    const pid_t child = fork();
    if (child == 0) {
        const int fd = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
        limit_memory();
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
            _exit(126);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return ended_well(p, arguments[0], status) ? WEXITSTATUS(status) : -1;
}

/* ---- looking at the mounted tree ---- */

static int open_in(struct probe *p, const char *name, int flags)
{
    char path[400];

    snprintf(path, sizeof(path), "%s/%s", p->point, name);
    snprintf(p->out->step, sizeof(p->out->step), "%s of %s",
             flags == O_RDONLY ? "read" : "write", name);
    (void)alarm(STEP_SECONDS);
    return open(path, flags | O_CLOEXEC);
}

/* At most so much as `text` holds; "" when it cannot be read. */
static const char *look(struct probe *p, const char *name)
{
    const int fd = open_in(p, name, O_RDONLY);
    size_t length = 0;
    ssize_t n = fd < 0 ? -1 : 0;

    while (fd >= 0 && length < sizeof(p->text) - 1 &&
           (n = read(fd, p->text + length, sizeof(p->text) - 1 - length)) > 0)
        length += (size_t)n;
    if (n < 0 && (errno == ENOTCONN || errno == ECONNABORTED))
        wrong(p, "%s: the daemon is gone", p->out->step);
    if (fd >= 0)
        (void)close(fd);
    p->text[length] = '\0';
    return p->text;
}

static void put_text(struct probe *p, const char *name, const char *text)
{
    const int fd = open_in(p, name, O_WRONLY);

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0 && (errno == ENOTCONN || errno == ECONNABORTED))
        wrong(p, "%s: the daemon is gone", p->out->step);
    (void)close(fd);
}

static void list(struct probe *p, const char *name)
{
    char path[400];
    DIR *dir;

    snprintf(path, sizeof(path), "%s/%s", p->point, name);
    snprintf(p->out->step, sizeof(p->out->step), "list %s", name);
    (void)alarm(STEP_SECONDS);
    dir = opendir(path);
    for (unsigned i = 0; dir != NULL && i < 300 && readdir(dir) != NULL; i++)
        continue;
    if (dir != NULL)
        (void)closedir(dir);
}

static uint64_t key(const char *text, const char *name)
{
    const char *const at = strstr(text, name);

    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static bool is_rw(struct probe *p)
{
    return strstr(look(p, "status"), "\nmode rw\n") != NULL;
}

static void look_at_pages(struct probe *p)
{
    static const char *const files[] = {"state", "pins",     "type",  "used_by",
                                        "data",  "checksum", "offset"};
    const uint64_t pages[] = {0, 1, 2, 5, p->head, p->total - 1, p->total};
    char name[64];

    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        for (unsigned f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
            snprintf(name, sizeof(name), "pages/%" PRIu64 "/%s", pages[i], files[f]);
            (void)look(p, name);
        }
}

static void look_around(struct probe *p)
{
    static const char *const files[] = {
        "header", "stats.json", "last_error",  "limits/max_pages",
        "map",    "freelist",   "runs",        "runs.histogram",
        "events", "pages.tsv",  "pages.jsonl", "map.svg"};
    static const char *const directories[] = {".",      "pages",     "bad",  "leaked",
                                              "pinned", "snapshots", "check"};

    (void)look(p, "stats");
    p->total = key(p->text, "total_pages ");
    p->head = key(p->text, "\nfree_list_head ");
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        (void)look(p, files[i]);
    look_at_pages(p);
    for (unsigned i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        list(p, directories[i]);
}

static void run_check(struct probe *p)
{
    put_text(p, "check/action", "check");
    step(p, "a check of the mounted file");
    const uint64_t started = (uint64_t)time(NULL);
    while (strstr(look(p, "check/action"), "check") != NULL) {
        if ((uint64_t)time(NULL) - started > STEP_SECONDS)
            raise(SIGALRM);
        poll(NULL, 0, 1);
    }
    (void)look(p, "check/findings");
    (void)look(p, "check/count");
    list(p, "bad");
    list(p, "leaked");
}

static void make_snapshot(struct probe *p)
{
    char path[400];

    step(p, "a snapshot");
    snprintf(path, sizeof(path), "%s/snapshots/s", p->point);
    if (mkdir(path, 0755) != 0)
        return;
    (void)look(p, "snapshots/s/stats");
    (void)look(p, "snapshots/s/diff");
    (void)rmdir(path);
}

/* Where it is read-only this must do no harm, and elsewhere none to the file. */
static void change(struct probe *p)
{
    static const char *const words[] = {"sync", "checkpoint", "rebuild-freelist",
                                        "shrink"};
    char name[64];

    const uint64_t id = key(look(p, "alloc"), "");
    if (id != 0) {
        put_text(p, "pin", p->text);
        put_text(p, "free", p->text); /* refused */
        put_text(p, "unpin", p->text);
        snprintf(name, sizeof(name), "pages/%" PRIu64 "/data", id);
        put_text(p, name, "bad");
        put_text(p, "free", p->text);
    }
    snprintf(name, sizeof(name), "pages/%" PRIu64 "/state", p->head);
    put_text(p, name, "allocated");
    put_text(p, name, "free");
    put_text(p, "pages/3/state", "free");
    put_text(p, "free", "2 3 4-9 18446744073709551615");
    put_text(p, "ctl", words[XXH3_64bits(p->s->name, strlen(p->s->name)) % 4]);
    (void)look(p, "last_error");
    (void)look(p, "events");
}

/* ---- the independent reader ---- */

struct source {
    int fd;
};

static void source_read(void *context, uint64_t offset, void *bytes, size_t length)
{
    const struct source *const source = context;
    ssize_t n = pread(source->fd, bytes, length, (off_t)offset);

    if (n < 0)
        n = 0;
    memset((char *)bytes + n, 0, length - (size_t)n);
}

static void read_by_the_book(struct probe *p, const char *when)
{
    struct source source = {open(p->db, O_RDONLY | O_CLOEXEC)};
    struct oracle oracle;
    struct stat st = {0};

    step(p, "the independent reader");
    if (source.fd < 0 || fstat(source.fd, &st) != 0) {
        wrong(p, "%s the database cannot be opened", when);
        return;
    }
    const struct oracle_source file = {source_read, &source, (uint64_t)st.st_size};
    oracle_init(&oracle);
    if (!oracle_read(&oracle, &file))
        wrong(p, "%s its free list is not right: %.400s", when, oracle.finding);
    oracle_clear(&oracle);
    (void)close(source.fd);
}

/* ---- a mount from end to end ---- */

static void unmount(struct probe *p)
{
    const char *const argv[] = {"fusermount3", "-u", p->point, NULL};
    int status = 1;

    step(p, "fusermount3 -u");
    for (unsigned i = 0; status != 0 && i < 400; i++) {
        const pid_t child = fork();
        if (child == 0) {
            (void)close(2);
            execvp(argv[0], (char *const *)(uintptr_t)argv);
            _exit(127);
        }
        (void)waitpid(child, &status, 0);
        if (status != 0)
            poll(NULL, 0, 10);
    }
}

/* The daemon was left to us. */
static void see_it_end(struct probe *p)
{
    struct rusage usage = {0};
    int status = 0;
    pid_t pid;

    step(p, "the daemon's end");
    do
        pid = wait4(-1, &status, 0, &usage);
    while (pid < 0 && errno == EINTR);
    if (pid < 0) {
        wrong(p, "no daemon was left behind");
        return;
    }
    (void)ended_well(p, "the daemon", status);
    p->out->resident_kb = (uint64_t)usage.ru_maxrss;
    if (!built_with_sanitizer() && usage.ru_maxrss > RESIDENT_LIMIT_MB * 1024L)
        wrong(p, "the daemon took %ld kB", usage.ru_maxrss);
}

static void use_mount(struct probe *p, uint64_t before)
{
    say_said(p); /* at the mount: a list that is corrupt further down is found later */
    p->out->mounted = true;
    p->out->writable = (p->mode == MODE_DEFAULT || p->mode == MODE_WALK) &&
                       strstr(p->text, ": mounted read-only: ") == NULL;
    look_around(p);
    run_check(p);
    make_snapshot(p);
    change(p);
    look_around(p);
    const bool still = p->out->writable && is_rw(p);
    unmount(p);
    see_it_end(p);
    if (!p->out->writable && hash_of_all(p, false) != before)
        wrong(p, "it was not writable, and is not as it was");
    if (still && p->out->wrong[0] == '\0')
        read_by_the_book(p, "after the mount");
}

static void mount_it(struct probe *p)
{
    static const char *const options[] = {"rw", "ro", "scratch", "walk"};
    const char *const arguments[] = {"-o", options[p->mode], p->db, p->point, NULL};
    const uint64_t before = hash_of_all(p, false), sides = hash_of_all(p, true);

    step(p, "mounting");
    const int status = run(p, arguments);
    if (status == 0) {
        use_mount(p, before);
    } else if (status > 0) {
        say_said(p);
        if (p->text[0] == '\0')
            wrong(p, "it was refused with %d and without a word", status);
        /* a walk that fails ends a mount that had begun, with all that belongs to that */
        if (hash_of_all(p, false) != before)
            wrong(p, "it was refused, and is not as it was");
    }
    if (hash_of_all(p, true) != sides)
        wrong(p, "a file beside the database was changed");
}

/* ---- without a mount ---- */

static void command(struct probe *p, const char *name, const char *option)
{
    const char *const arguments[] = {name, option, p->db, NULL};
    const uint64_t before = hash_of_all(p, false);

    step(p, name);
    (void)run(p, arguments);
    if (hash_of_all(p, false) != before)
        wrong(p, "pagefs %s %s changed something", name, option);
}

static void repair(struct probe *p)
{
    const char *const arguments[] = {"check", "--repair", p->db, NULL};
    const uint64_t before = hash_of_all(p, false), sides = hash_of_all(p, true);

    step(p, "check --repair");
    const int status = run(p, arguments);
    if (status >= 8 && hash_of_all(p, false) != before)
        wrong(p, "it could not be repaired, and is not as it was");
    if (hash_of_all(p, true) != sides)
        wrong(p, "a repair changed a file beside the database");
    if (status == 1)
        read_by_the_book(p, "after a repair");
}

static void clean(struct probe *p)
{
    char path[300];

    step(p, "cleaning up");
    scratch_remove(p->dir);
    (void)mkdir(p->dir, 0755);
    snprintf(path, sizeof(path), "%s/p", p->dir);
    if (mkdir(path, 0755) != 0)
        wrong(p, "cannot make %s: %s", path, strerror(errno));
}

/* A letter a page would be a long text, and rightly so. */
static bool is_vast(const struct specimen *s)
{
    return s->file[BAD_DB].size > (uint64_t)1 << 34;
}

void probe(const struct specimen *s, enum bad_mode mode, const char *dir,
           struct outcome *out)
{
    static struct probe p;

    p = (struct probe){.s = s, .mode = mode, .dir = dir, .out = out};
    snprintf(p.db, sizeof(p.db), "%s/db.v3", dir);
    snprintf(p.point, sizeof(p.point), "%s/p", dir);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    clean(&p);
    specimen_lay_out(s, dir);
    command(&p, "check", mode == MODE_RO ? "--json" : "--");
    command(&p, "stat", "--");
    command(&p, "map", mode == MODE_WALK || is_vast(s) ? "--svg" : "--");
    mount_it(&p);
    if (mode == MODE_DEFAULT || mode == MODE_WALK) {
        clean(&p);
        specimen_lay_out(s, dir);
        repair(&p);
    }
    step(&p, "nothing");
}
