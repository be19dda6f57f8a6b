/* watch.c: one that looks at `stats` all the time: each look lies between what has ended
 * before it and what has begun after it. */
#include "client.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    must(s, client_get(c, "stats") == 0);
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
