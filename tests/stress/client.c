/* client.c: one of many clients: it does everything that can be done with a page. */
#include "stress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_SIZE = 8192, MAX_BEHIND = 512 * 1024 };

struct client {
    struct stress *s;
    unsigned number;
    int root; /* the mountpoint */
    uint64_t rng;
    uint64_t held[STRESS_HOARD];
    size_t held_count;
    char text[TEXT_SIZE];
};

/* ---- system calls ---- */

/* One write: 0 or the errno of open or write. */
static int put(struct client *c, const char *path, const char *text)
{
    const int fd = openat(c->root, path, O_WRONLY | O_CLOEXEC);
    const size_t length = strlen(text);
    int error = 0;

    if (fd < 0)
        return errno;
    const ssize_t n = write(fd, text, length);
    if (n != (ssize_t)length)
        error = n < 0 ? errno : EIO;
    close(fd);
    return error;
}

/* All of a small file, in c->text. */
static int get_from(struct client *c, int fd)
{
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, c->text + length, TEXT_SIZE - 1 - length)) > 0)
        length += (size_t)n;
    c->text[length] = '\0';
    return n < 0 ? errno : 0;
}

static int get(struct client *c, const char *path)
{
    const int fd = openat(c->root, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    const int error = get_from(c, fd);
    close(fd);
    return error;
}

static const char *page_path(uint64_t id, const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/%s", id, name);
    return path;
}

static const char *decimal(uint64_t id)
{
    static char text[24];

    snprintf(text, sizeof(text), "%" PRIu64 "\n", id);
    return text;
}

/* ---- the owner table ---- */

static void own(struct client *c, uint64_t id)
{
    struct stress *s = c->s;

    if (id < STRESS_FIRST_PAGES || id >= STRESS_PAGES_MAX ||
        c->held_count == STRESS_HOARD) {
        stress_violation(s, __LINE__);
        return;
    }
    must(s, atomic_exchange(&s->owner[id], (int)c->number + 1) == 0);
    c->held[c->held_count++] = id;
}

static uint64_t disown(struct client *c)
{
    struct stress *s = c->s;
    const size_t at = (size_t)rng_below(&c->rng, c->held_count);
    const uint64_t id = c->held[at];

    c->held[at] = c->held[--c->held_count];
    must(s, atomic_exchange(&s->owner[id], 0) == (int)c->number + 1);
    return id;
}

static uint64_t one_of_mine(struct client *c)
{
    return c->held[rng_below(&c->rng, c->held_count)];
}

static void given(struct client *c, uint64_t count)
{
    atomic_fetch_add(&c->s->allocs.ended, count);
    c->s->told[c->number].allocs += count;
}

/* ---- taking and giving pages ---- */

static void take_pages(struct client *c, unsigned count, bool contiguous)
{
    struct stress *s = c->s;
    const int fd = openat(c->root, "alloc", (count > 1 ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    char command[32];
    unsigned got = 0;
    char *rest = c->text;

    must(s, fd >= 0);
    if (fd < 0)
        return;
    atomic_fetch_add(&s->allocs.begun, count);
    snprintf(command, sizeof(command), "%u%s\n", count, contiguous ? " contiguous" : "");
    if (count > 1)
        must(s, write(fd, command, strlen(command)) == (ssize_t)strlen(command));
    must(s, get_from(c, fd) == 0);
    close(fd);
    for (uint64_t id, before = 0; *rest != '\0' && got < count; before = id, got++) {
        id = strtoull(rest, &rest, 10);
        must(s, *rest++ == '\n');
        must(s, !contiguous || got == 0 || id == before + 1);
        own(c, id);
    }
    must(s, got == count && *rest == '\0');
    given(c, got);
}

/* Odd pages are pinned, even ones are taken by number: to write `allocated` to a page
 * that somebody has got and pinned in the meantime would unpin it. */
static bool may_be_pinned(uint64_t id)
{
    return id % 2 == 1;
}

/* A page that is free now; somebody may be faster. */
static void take_this_page(struct client *c)
{
    struct stress *s = c->s;
    const int fd = openat(c->root, "freelist", O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    must(s, fd >= 0);
    if (fd < 0)
        return;
    n = pread(fd, c->text, 600, 0);
    close(fd);
    if (n <= 0)
        return;
    c->text[n] = '\0';
    const uint64_t id = strtoull(c->text, NULL, 10);
    if (may_be_pinned(id))
        return;
    atomic_fetch_add(&s->allocs.begun, 1);
    const int error = put(c, page_path(id, "state"), "allocated\n");
    must(s, error == 0 || error == EALREADY || error == ENOENT);
    if (error == 0) {
        own(c, id);
        given(c, 1);
    }
}

static void gave(struct client *c, uint64_t count)
{
    atomic_fetch_add(&c->s->frees.ended, count);
    c->s->told[c->number].frees += count;
}

static void give_one(struct client *c)
{
    struct stress *s = c->s;
    const uint64_t id = disown(c);

    atomic_fetch_add(&s->frees.begun, 1);
    if (rng_below(&c->rng, 2) == 0)
        must(s, put(c, "free", decimal(id)) == 0);
    else
        must(s, put(c, page_path(id, "state"), "free\n") == 0);
    gave(c, 1);
}

static void give_several(struct client *c)
{
    char command[32 * STRESS_BATCH] = "";
    uint64_t count = 1 + rng_below(&c->rng, STRESS_BATCH);
    size_t length = 0;

    if (count > c->held_count)
        count = c->held_count;
    for (uint64_t i = 0; i < count; i++)
        length += (size_t)snprintf(command + length, sizeof(command) - length,
                                   "%" PRIu64 "%c", disown(c), i % 2 == 0 ? ' ' : '\n');
    atomic_fetch_add(&c->s->frees.begun, count);
    must(c->s, put(c, "free", command) == 0);
    gave(c, count);
}

/* ---- a page of ours does what we say, whatever the others do ---- */

static void expect_text(struct client *c, uint64_t id, const char *name, const char *text)
{
    must(c->s, get(c, page_path(id, name)) == 0);
    must(c->s, strcmp(c->text, text) == 0);
}

static void give_in_vain(struct client *c)
{
    char command[64];
    const uint64_t id = one_of_mine(c);

    snprintf(command, sizeof(command), "%" PRIu64 " 1\n", id);
    must(c->s, put(c, "free", command) == EPERM);
    expect_text(c, id, "state", "allocated\n");
}

static void pin_mine(struct client *c)
{
    struct stress *s = c->s;
    const uint64_t id = one_of_mine(c);

    if (!may_be_pinned(id))
        return;
    atomic_fetch_add(&s->pins.begun, 2);
    must(s, put(c, "pin", decimal(id)) == 0);
    must(s, put(c, page_path(id, "pins"), "+1\n") == 0);
    atomic_fetch_add(&s->pins.ended, 2);
    expect_text(c, id, "state", "pinned\n");
    expect_text(c, id, "pins", "2\n");
    must(s, put(c, "free", decimal(id)) == EBUSY);
    atomic_fetch_add(&s->unpins.begun, 2);
    if (rng_below(&c->rng, 2) == 0) {
        must(s, put(c, page_path(id, "pins"), "0\n") == 0);
    } else {
        must(s, put(c, "unpin", decimal(id)) == 0);
        must(s, put(c, page_path(id, "pins"), "-1\n") == 0);
    }
    atomic_fetch_add(&s->unpins.ended, 2);
    expect_text(c, id, "state", "allocated\n");
}

/* The release is known to have happened before the next command. */
static void hold_mine(struct client *c)
{
    struct stress *s = c->s;
    const uint64_t id = one_of_mine(c);

    if (!may_be_pinned(id))
        return;
    atomic_fetch_add(&s->pins.begun, 1);
    const int fd = openat(c->root, page_path(id, "hold"), O_RDONLY | O_CLOEXEC);
    must(s, fd >= 0);
    atomic_fetch_add(&s->pins.ended, 1);
    expect_text(c, id, "state", "pinned\n");
    must(s, put(c, page_path(id, "state"), "free\n") == EBUSY);
    atomic_fetch_add(&s->unpins.begun, 1);
    close(fd);
    expect_text(c, id, "state", "allocated\n");
    atomic_fetch_add(&s->unpins.ended, 1);
}

static void write_mine(struct client *c)
{
    struct stress *s = c->s;
    const int fd = openat(c->root, page_path(one_of_mine(c), "data"), O_RDWR | O_CLOEXEC);
    const uint64_t mark = rng_next(&c->rng);
    const off_t at = (off_t)rng_below(&c->rng, PF_PAGE_SIZE - sizeof(mark));
    uint64_t back = 0;

    must(s, fd >= 0);
    must(s, pwrite(fd, &mark, sizeof(mark), at) == sizeof(mark));
    must(s, pread(fd, &back, sizeof(back), at) == sizeof(back) && back == mark);
    must(s, rng_below(&c->rng, 8) != 0 || fsync(fd) == 0);
    close(fd);
}

static bool looks_allocated(struct client *c, const char *path)
{
    struct stat st = {0};

    must(c->s, fstatat(c->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0);
    return S_ISDIR(st.st_mode) && st.st_blocks == 8 && st.st_size == 4096;
}

/* fs/attr_cache.h: what the kernel is told about a page that it did not know, just before
 * that page is changed, it may believe for a second. */
static void stat_mine(struct client *c)
{
    enum { PATIENCE_MS = 3000 };
    char path[32];
    int waited = 0;

    snprintf(path, sizeof(path), "pages/%" PRIu64, one_of_mine(c));
    for (; !looks_allocated(c, path) && waited < PATIENCE_MS; waited += 10)
        poll(NULL, 0, 10);
    must(c->s, waited < PATIENCE_MS);
    atomic_fetch_add(&c->s->late_stats, waited > 0);
}

/* ---- looks at everything ---- */

/* What is ours all the time is listed once, and nothing twice. */
static void list_pages(struct client *c)
{
    const int fd = openat(c->root, "pages", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const dir = fd >= 0 ? fdopendir(fd) : NULL;
    uint8_t *const seen = calloc(1, STRESS_PAGES_MAX);
    const struct dirent *entry;

    must(c->s, dir != NULL && seen != NULL);
    if (dir == NULL || seen == NULL)
        exit(1);
    while ((entry = readdir(dir)) != NULL) {
        const uint64_t id = strtoull(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && id < STRESS_PAGES_MAX)
            must(c->s, seen[id]++ == 0);
    }
    closedir(dir);
    for (uint64_t id = 0; id < STRESS_FIRST_PAGES; id++)
        must(c->s, seen[id] == 1);
    for (size_t i = 0; i < c->held_count; i++)
        must(c->s, seen[c->held[i]] == 1);
    free(seen);
    atomic_fetch_add(&c->s->listings, 1);
}

/* Our pages do not change between the two. */
static void snapshot_all(struct client *c)
{
    char path[64];
    struct stress *s = c->s;

    snprintf(path, sizeof(path), "snapshots/c%u", c->number);
    must(s, mkdirat(c->root, path, 0755) == 0);
    snprintf(path, sizeof(path), "snapshots/c%u/diff", c->number);
    must(s, get(c, path) == 0);
    for (const char *line = c->text; *line != '\0';) {
        const uint64_t id = strtoull(line, NULL, 10);
        must(s,
             id >= STRESS_PAGES_MAX || atomic_load(&s->owner[id]) != (int)c->number + 1);
        line = strchr(line, '\n');
        if (line++ == NULL)
            break; /* more than fits */
    }
    snprintf(path, sizeof(path), "snapshots/c%u", c->number);
    must(s, unlinkat(c->root, path, AT_REMOVEDIR) == 0);
}

/* A line of pages.tsv is where its number says, and true. */
static void look_at_tsv(struct client *c)
{
    const int fd = openat(c->root, "pages.tsv", O_RDONLY | O_CLOEXEC);
    const uint64_t id = one_of_mine(c);
    unsigned long long said = 0;
    char state[16] = "";

    must(c->s, fd >= 0);
    ssize_t n = pread(fd, c->text, 200, 0);
    must(c->s, n > 100);
    c->text[n > 0 ? n : 0] = '\0';
    const off_t width = (off_t)strcspn(c->text, "\n") + 1;
    n = pread(fd, c->text, (size_t)width, width * (off_t)(id + 1));
    close(fd);
    c->text[n > 0 ? n : 0] = '\0';
    must(c->s, n == width && sscanf(c->text, "%llu %15s", &said, state) == 2);
    must(c->s, said == id && strcmp(state, "allocated") == 0);
}

static void control(struct client *c)
{
    static const char *const commands[] = {"sync\n", "checkpoint\n", "shrink\n",
                                           "rebuild-freelist\n"};
    must(c->s, put(c, "ctl", commands[rng_below(&c->rng, 4)]) == 0);
}

static void look_around(struct client *c)
{
    static const char *const files[] = {"status",         "header", "stats.json",
                                        "runs.histogram", "map",    "runs",
                                        "last_error",     "README"};
    must(c->s, get(c, files[rng_below(&c->rng, 8)]) == 0);
}

/* ---- the run ---- */

typedef void (*action)(struct client *c);

static void seldom(struct client *c)
{
    static const action actions[] = {snapshot_all, list_pages, control};
    actions[rng_below(&c->rng, 3)](c);
}

static void work_on_mine(struct client *c)
{
    static const action actions[] = {pin_mine,  hold_mine,   write_mine,  give_in_vain,
                                     stat_mine, look_around, look_at_tsv, give_several};
    actions[rng_below(&c->rng, sizeof(actions) / sizeof(actions[0]))](c);
}

/* The log keeps a megabyte: whoever follows it must not be left behind. */
static void wait_for_follower(struct client *c)
{
    struct stat st = {0};

    while (fstatat(c->root, "events", &st, 0) == 0 &&
           (uint64_t)st.st_size > atomic_load(&c->s->followed) + MAX_BEHIND)
        poll(NULL, 0, 1);
}

static void one_operation(struct client *c)
{
    const uint64_t what = rng_below(&c->rng, 1000);
    const unsigned several = 2 + (unsigned)rng_below(&c->rng, STRESS_BATCH - 1);

    if (c->held_count == 0)
        take_pages(c, 1, false);
    else if (what < 8)
        seldom(c);
    else if (what < 350)
        work_on_mine(c);
    else if (c->held_count + STRESS_BATCH > STRESS_HOARD || what < 600)
        give_one(c);
    else if (what < 850)
        take_pages(c, 1, false);
    else if (what < 900)
        take_this_page(c);
    else
        take_pages(c, several, what >= 950);
}

void stress_client(struct stress *s, unsigned number)
{
    struct client c = {.s = s, .number = number, .rng = number * 7919 + 1};

    s->told[number].pid = getpid();
    c.root = open(s->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(s, c.root >= 0);
    for (unsigned i = 0; i < s->operations && atomic_load(&s->violations) == 0; i++) {
        if (i % 32 == 0)
            wait_for_follower(&c);
        one_operation(&c);
    }
    close(c.root);
    atomic_fetch_add(&s->finished, 1);
}

/* ---- stats ---- */

struct bounds {
    uint64_t allocs, frees, pins, unpins;
};

static uint64_t number_of(const char *text, const char *key)
{
    const char *const at = strstr(text, key);

    return at != NULL ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

static bool between(uint64_t low, uint64_t value, uint64_t high)
{
    return low <= value && value <= high;
}

static struct bounds ended(struct stress *s)
{
    return (struct bounds){atomic_load(&s->allocs.ended), atomic_load(&s->frees.ended),
                           atomic_load(&s->pins.ended), atomic_load(&s->unpins.ended)};
}

static struct bounds begun(struct stress *s)
{
    return (struct bounds){atomic_load(&s->allocs.begun), atomic_load(&s->frees.begun),
                           atomic_load(&s->pins.begun), atomic_load(&s->unpins.begun)};
}

static void look_at_stats(struct client *c)
{
    struct stress *s = c->s;
    const struct bounds low = ended(s);
    must(s, get(c, "stats") == 0);
    const struct bounds high = begun(s);
    const uint64_t allocated = number_of(c->text, "\nallocated_pages ");
    const uint64_t allocations = number_of(c->text, "\nallocations ");
    const uint64_t deallocations = number_of(c->text, "\ndeallocations ");

    must(s, strncmp(c->text, "total_pages ", 12) == 0);
    must(s, allocated + number_of(c->text, "\nfree_pages ") ==
                strtoull(c->text + 12, NULL, 10));
    must(s, allocated == STRESS_FIRST_PAGES + allocations - deallocations);
    must(s, between(low.allocs, allocations, high.allocs));
    must(s, between(low.frees, deallocations, high.frees));
    must(s, between(low.pins, number_of(c->text, "\npins "), high.pins));
    must(s, between(low.unpins, number_of(c->text, "\nunpins "), high.unpins));
    must(s, number_of(c->text, "\npinned_pages ") <= s->clients);
    atomic_fetch_add(&s->looks, 1);
}

void stress_watch(struct stress *s)
{
    struct client c = {.s = s};

    c.root = open(s->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(s, c.root >= 0);
    while (atomic_load(&s->finished) < s->clients && atomic_load(&s->violations) == 0)
        look_at_stats(&c);
    close(c.root);
}

void stress_violation(struct stress *s, int line)
{
    const int error = errno;
    int none = 0;

    if (atomic_compare_exchange_strong(&s->where, &none, line))
        atomic_store(&s->error, error);
    atomic_fetch_add(&s->violations, 1);
}
