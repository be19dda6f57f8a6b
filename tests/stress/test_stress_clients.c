/* Many processes on one mount: no page is owned by two, the counts lie between what has
 * ended and what has begun, and `events` tells all of it in an order that makes sense.
 * The database lies on a tmpfs where there is one, so that nothing waits for a disk. */
#include "crew.h"
#include "follow.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCHERS = 2, PATIENCE_S = 600 };

static int setup(void **state)
{
    return crew_setup(state, sizeof(struct stress));
}

void stress_violation(struct stress *s, const char *file, int line)
{
    const int error = errno;

    if (atomic_fetch_add(&s->violations, 1) > 0)
        return;
    snprintf(s->first, sizeof(s->first), "%s:%d (%s)", file, line, strerror(error));
}

/* Clients first, then those who watch. */
static void work(struct crew *c, unsigned number)
{
    struct stress *s = c->shared;

    if (number < s->clients)
        stress_client(s, number);
    else
        stress_watch(s);
}

/* Until all have ended; the log is read meanwhile, or nothing would be left of it. */
static void join(struct crew *c, struct follower *follower)
{
    unsigned idle_ms = 0;

    while (c->count > 0) {
        const bool ended = crew_reap(c);

        if (follower_read(follower) || ended) {
            idle_ms = 0;
        } else if (idle_ms++ > PATIENCE_S * 1000) {
            fail_msg("nothing happens any more");
        } else {
            poll(NULL, 0, 1);
        }
    }
    while (follower_read(follower)) {
    }
}

static void compare_with_log(const struct stress *s, const struct follower *log)
{
    for (unsigned i = 0; i < s->clients; i++) {
        assert_u64(s->told[i].allocs, log->logged[i].allocs);
        assert_u64(s->told[i].frees, log->logged[i].frees);
    }
    for (uint64_t id = STRESS_FIRST_PAGES; id < STRESS_PAGES_MAX; id++)
        assert_int_equal(log->allocated[id], atomic_load(&s->owner[id]) != 0);
}

/* The closed file, by an independent reader. */
static void compare_with_file(const struct crew *c)
{
    const struct stress *s = c->shared;
    uint8_t header[V3_HEADER];
    size_t count = 0;
    uint64_t nobodys = 0;

    v3_peek(c->m->t.db, 0, header, sizeof(header));
    uint64_t *ids = v3_free_list(c->m->t.db, &count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(atomic_load(&s->owner[ids[i]]), 0);
    free(ids);
    const uint64_t total = v3_get64(header + V3_AT_TOTAL);
    for (uint64_t id = STRESS_FIRST_PAGES; id < total; id++)
        nobodys += atomic_load(&s->owner[id]) == 0;
    for (uint64_t id = total; id < STRESS_PAGES_MAX; id++)
        assert_int_equal(atomic_load(&s->owner[id]), 0);
    assert_u64(nobodys, count);
}

static void run(struct crew *c, unsigned clients, unsigned operations,
                const char *options)
{
    struct stress *s = c->shared;
    struct follower log;

    v3_make_pages(c->m->t.db, STRESS_FIRST_PAGES);
    mnt_start(c->m, options);
    memcpy(s->point, c->m->point, sizeof(s->point));
    s->clients = clients;
    s->operations = operations;
    follower_begin(&log, s);
    for (unsigned i = 0; i < clients + WATCHERS; i++)
        crew_start(c, work, i);
    join(c, &log);
    if (atomic_load(&s->violations) != 0)
        fail_msg("%d violations, the first in %s", atomic_load(&s->violations), s->first);
    compare_with_log(s, &log);
    print_message("#= %u clients x %u operations, %" PRIu64 " events, %u looks at the "
                  "stats, %u listings, %u attributes that were late\n",
                  clients, operations, log.lines, atomic_load(&s->looks),
                  atomic_load(&s->listings), atomic_load(&s->late_stats));
    follower_end(&log);
    assert_u64(0, m_number(c->m, "stats", "pinned_pages"));
    mnt_stop(c->m);
    compare_with_file(c);
}

static void no_page_is_owned_by_two_clients(void **state)
{
    run(*state, figure(8, 32, 32), figure(200, 3000, 31250), NULL);
}

static void no_page_is_owned_by_two_clients_without_syncs(void **state)
{
    run(*state, 8, figure(200, 1000, 10000), "sync=none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_page_is_owned_by_two_clients, setup,
                                        crew_teardown),
        cmocka_unit_test_setup_teardown(no_page_is_owned_by_two_clients_without_syncs,
                                        setup, crew_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
