/* Many processes on one mount: no page is owned by two, the counts lie between what has
 * ended and what has begun, and `events` tells all of it in an order that makes sense.
 * The database lies on a tmpfs where there is one, so that nothing waits for a disk. */
#include "follow.h"
#include "tmpfs.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WATCHERS = 2, PATIENCE_S = 600 };

struct fixture {
    struct mnt *m;
    struct stress *s; /* shared with the processes */
    struct tmpfs tmpfs;
    pid_t children[STRESS_CLIENTS_MAX + WATCHERS];
    unsigned child_count;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    void *m = NULL;

    if (f == NULL || mnt_setup(&m) != 0)
        return -1;
    f->m = m;
    f->s = mmap(NULL, sizeof(*f->s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (f->s == MAP_FAILED)
        return -1;
    tmpfs_take(&f->tmpfs, f->m);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *m = f->m;

    for (unsigned i = 0; i < f->child_count;
         i++) { /* none is left of a test that passed */
        kill(f->children[i], SIGKILL);
        waitpid(f->children[i], NULL, 0);
    }
    const int result = mnt_teardown(&m);
    tmpfs_remove(&f->tmpfs);
    munmap(f->s, sizeof(*f->s));
    free(f);
    return result;
}

static void start_child(struct fixture *f, unsigned number)
{
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler goes on with the next test */
        signal(SIGFPE, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        if (number < f->s->clients)
            stress_client(f->s, number);
        else
            stress_watch(f->s);
        _exit(0);
    }
    if (number < f->s->clients)
        f->s->told[number].pid = child;
    f->children[f->child_count++] = child;
}

/* Until all have ended; the log is read meanwhile, or nothing would be left of it. */
static void wait_for_children(struct fixture *f, struct follower *follower)
{
    unsigned idle_ms = 0;

    while (f->child_count > 0) {
        int status = 0;
        const pid_t pid = waitpid(f->children[f->child_count - 1], &status, WNOHANG);

        if (pid > 0) {
            f->child_count--;
            assert_int_equal(status, 0);
            idle_ms = 0;
        }
        if (follower_read(follower)) {
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
static void compare_with_file(const struct fixture *f)
{
    uint8_t header[V3_HEADER];
    size_t count = 0;
    uint64_t nobodys = 0;

    v3_peek(f->m->t.db, 0, header, sizeof(header));
    uint64_t *ids = v3_free_list(f->m->t.db, &count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(atomic_load(&f->s->owner[ids[i]]), 0);
    free(ids);
    const uint64_t total = v3_get64(header + V3_AT_TOTAL);
    for (uint64_t id = STRESS_FIRST_PAGES; id < total; id++)
        nobodys += atomic_load(&f->s->owner[id]) == 0;
    for (uint64_t id = total; id < STRESS_PAGES_MAX; id++)
        assert_int_equal(atomic_load(&f->s->owner[id]), 0);
    assert_u64(nobodys, count);
}

static void run(struct fixture *f, unsigned clients, unsigned operations,
                const char *options)
{
    struct stress *s = f->s;
    struct follower log;

    v3_make_pages(f->m->t.db, STRESS_FIRST_PAGES);
    mnt_start(f->m, options);
    memcpy(s->point, f->m->point, sizeof(s->point));
    s->clients = clients;
    s->operations = operations;
    follower_begin(&log, s);
    for (unsigned i = 0; i < clients + WATCHERS; i++)
        start_child(f, i);
    wait_for_children(f, &log);
    if (atomic_load(&s->violations) != 0)
        fail_msg("%d violations, the first in client.c:%d (%s)",
                 atomic_load(&s->violations), atomic_load(&s->where),
                 strerror(atomic_load(&s->error)));
    compare_with_log(s, &log);
    print_message("#= %u clients x %u operations, %" PRIu64 " events, %u looks at the "
                  "stats, %u listings, %u attributes that were late\n",
                  clients, operations, log.lines, atomic_load(&s->looks),
                  atomic_load(&s->listings), atomic_load(&s->late_stats));
    follower_end(&log);
    assert_u64(0, m_number(f->m, "stats", "pinned_pages"));
    mnt_stop(f->m);
    compare_with_file(f);
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
        cmocka_unit_test_setup_teardown(no_page_is_owned_by_two_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(no_page_is_owned_by_two_clients_without_syncs,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
