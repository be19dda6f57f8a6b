/* client.c: one of many clients: it takes pages and gives them back, and acts on them in
 * between. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BEHIND = 512 * 1024 };

/* ---- the owner table ---- */

static void own(struct client *c, uint64_t id)
{
    struct stress *s = c->s;

    if (id < STRESS_FIRST_PAGES || id >= STRESS_PAGES_MAX ||
        c->held_count == STRESS_HOARD) {
        stress_violation(s, __FILE__, __LINE__);
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

uint64_t client_page(struct client *c)
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
    must(s, client_read(c, fd) == 0);
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

bool client_may_pin(uint64_t id)
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
    if (client_may_pin(id))
        return;
    atomic_fetch_add(&s->allocs.begun, 1);
    const int error = client_put(c, client_path(id, "state"), "allocated\n");
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
        must(s, client_put(c, "free", client_decimal(id)) == 0);
    else
        must(s, client_put(c, client_path(id, "state"), "free\n") == 0);
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
    must(c->s, client_put(c, "free", command) == 0);
    gave(c, count);
}

/* ---- the run ---- */

static void work_on_mine(struct client *c)
{
    const uint64_t which = rng_below(&c->rng, CLIENT_ACTS + 1);

    if (which < CLIENT_ACTS)
        client_act(c, which);
    else
        give_several(c);
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
        client_act_seldom(c);
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
