/* client_acts.c: everything that can be done with a page beside taking and giving it, and
 * looks at the whole tree. */
#include "client.h"

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

/* ---- a page of ours does what we say, whatever the others do ---- */

static void expect_text(struct client *c, uint64_t id, const char *name, const char *text)
{
    must(c->s, client_get(c, client_path(id, name)) == 0);
    must(c->s, strcmp(c->text, text) == 0);
}

static void give_in_vain(struct client *c)
{
    char command[64];
    const uint64_t id = client_page(c);

    snprintf(command, sizeof(command), "%" PRIu64 " 1\n", id);
    must(c->s, client_put(c, "free", command) == EPERM);
    expect_text(c, id, "state", "allocated\n");
}

static void pin_mine(struct client *c)
{
    struct stress *s = c->s;
    const uint64_t id = client_page(c);

    if (!client_may_pin(id))
        return;
    atomic_fetch_add(&s->pins.begun, 2);
    must(s, client_put(c, "pin", client_decimal(id)) == 0);
    must(s, client_put(c, client_path(id, "pins"), "+1\n") == 0);
    atomic_fetch_add(&s->pins.ended, 2);
    expect_text(c, id, "state", "pinned\n");
    expect_text(c, id, "pins", "2\n");
    must(s, client_put(c, "free", client_decimal(id)) == EBUSY);
    atomic_fetch_add(&s->unpins.begun, 2);
    if (rng_below(&c->rng, 2) == 0) {
        must(s, client_put(c, client_path(id, "pins"), "0\n") == 0);
    } else {
        must(s, client_put(c, "unpin", client_decimal(id)) == 0);
        must(s, client_put(c, client_path(id, "pins"), "-1\n") == 0);
    }
    atomic_fetch_add(&s->unpins.ended, 2);
    expect_text(c, id, "state", "allocated\n");
}

/* The release is known to have happened before the next command. */
static void hold_mine(struct client *c)
{
    struct stress *s = c->s;
    const uint64_t id = client_page(c);

    if (!client_may_pin(id))
        return;
    atomic_fetch_add(&s->pins.begun, 1);
    const int fd = openat(c->root, client_path(id, "hold"), O_RDONLY | O_CLOEXEC);
    must(s, fd >= 0);
    atomic_fetch_add(&s->pins.ended, 1);
    expect_text(c, id, "state", "pinned\n");
    must(s, client_put(c, client_path(id, "state"), "free\n") == EBUSY);
    atomic_fetch_add(&s->unpins.begun, 1);
    close(fd);
    expect_text(c, id, "state", "allocated\n");
    atomic_fetch_add(&s->unpins.ended, 1);
}

static void write_mine(struct client *c)
{
    struct stress *s = c->s;
    const int fd =
        openat(c->root, client_path(client_page(c), "data"), O_RDWR | O_CLOEXEC);
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

    snprintf(path, sizeof(path), "pages/%" PRIu64, client_page(c));
    for (; !looks_allocated(c, path) && waited < PATIENCE_MS; waited += 10)
        poll(NULL, 0, 10);
    must(c->s, waited < PATIENCE_MS);
    atomic_fetch_add(&c->s->late_stats, waited > 0);
}

/* A line of pages.tsv is where its number says, and true. */
static void look_at_tsv(struct client *c)
{
    const int fd = openat(c->root, "pages.tsv", O_RDONLY | O_CLOEXEC);
    const uint64_t id = client_page(c);
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
    must(s, client_get(c, path) == 0);
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

static void control(struct client *c)
{
    static const char *const commands[] = {"sync\n", "checkpoint\n", "shrink\n",
                                           "rebuild-freelist\n"};
    must(c->s, client_put(c, "ctl", commands[rng_below(&c->rng, 4)]) == 0);
}

static void look_around(struct client *c)
{
    static const char *const files[] = {"status",         "header", "stats.json",
                                        "runs.histogram", "map",    "runs",
                                        "last_error",     "README"};
    must(c->s, client_get(c, files[rng_below(&c->rng, 8)]) == 0);
}

/* ---- which ---- */

typedef void (*act)(struct client *c);

void client_act_seldom(struct client *c)
{
    static const act acts[] = {snapshot_all, list_pages, control};

    acts[rng_below(&c->rng, 3)](c);
}

void client_act(struct client *c, uint64_t which)
{
    static const act acts[CLIENT_ACTS] = {pin_mine,     hold_mine, write_mine,
                                          give_in_vain, stat_mine, look_around,
                                          look_at_tsv};

    acts[which](c);
}
