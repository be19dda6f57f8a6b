/* Listings of a large database while others allocate, free, pin and shrink: what is there
 * all the time is listed exactly once, and nothing is listed twice. */
#include "crew.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGES = 100000, /* these stay; some of them are freed and allocated again */
    PAGES_MAX = 1 << 18,
    PINNED_FIRST = 3000, /* these stay pinned */
    PINNED = 1000,
    CHURNERS = 4,
};

struct shared {
    atomic_bool over;
    atomic_uint operations, failures;
};

static int setup(void **state)
{
    return crew_setup(state, sizeof(struct shared));
}

/* ---- churn ---- */

/* The pages of each are its own, so nothing it does may fail. */
static void churn(struct mnt *m, struct shared *shared, unsigned number)
{
    uint64_t rng = number + 1;
    char text[64];

    while (!atomic_load(&shared->over)) {
        const uint64_t id = PINNED_FIRST + PINNED + number +
                            CHURNERS * rng_below(&rng, (PAGES - 5000) / CHURNERS);
        int failures = 0;

        snprintf(text, sizeof(text), "%" PRIu64 "\n", id);
        failures += m_write(m, "free", text) != 0;
        failures += m_write(m, "free", text) != EALREADY;
        snprintf(text, sizeof(text), "pages/%" PRIu64 "/state", id);
        failures += m_write(m, text, "allocated") != 0;
        failures += m_write(m, text, "pinned") != 0;
        failures += m_write(m, text, "allocated") != 0;
        atomic_fetch_add(&shared->failures, failures);
        atomic_fetch_add(&shared->operations, 5);
    }
}

/* The end of the file moves all the time. */
static void grow_and_shrink(struct mnt *m, struct shared *shared)
{
    char ids[256];
    int failures = 0;

    while (!atomic_load(&shared->over)) {
        const int fd = m_open(m, "alloc", O_RDWR);
        ssize_t n = -1;

        if (fd >= 0 && write(fd, "20 contiguous\n", 14) == 14)
            n = read(fd, ids, sizeof(ids) - 1);
        close(fd);
        ids[n > 0 ? n : 0] = '\0';
        failures = (n <= 0) + (m_write(m, "free", ids) != 0) +
                   (m_write(m, "ctl", "shrink") != 0);
        atomic_fetch_add(&shared->failures, failures);
        atomic_fetch_add(&shared->operations, 3);
    }
}

static void work(struct crew *c, unsigned number)
{
    if (number == 0)
        grow_and_shrink(c->m, c->shared);
    else
        churn(c->m, c->shared, number);
}

static void stop_churning(struct crew *c)
{
    struct shared *shared = c->shared;

    atomic_store(&shared->over, true);
    crew_join(c);
    assert_int_equal(atomic_load(&shared->failures), 0);
    assert_true(atomic_load(&shared->operations) > 0);
}

/* ---- listings ---- */

/* How many entries; none twice, and all of first .. first + count - 1. */
static unsigned list(struct mnt *m, const char *name, uint64_t first, uint64_t count)
{
    uint8_t *const seen = calloc(1, PAGES_MAX);
    char path[160];
    unsigned entries = 0;
    const struct dirent *entry;

    snprintf(path, sizeof(path), "%s/%s", m->point, name);
    DIR *const dir = opendir(path);
    assert_non_null(dir);
    assert_non_null(seen);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        const uint64_t id = strtoull(entry->d_name, NULL, 10);
        assert_in_range(id, 0, PAGES_MAX - 1);
        if (seen[id]++ != 0)
            fail_msg("%s lists %" PRIu64 " twice", name, id);
        entries++;
    }
    closedir(dir);
    for (uint64_t id = first; id < first + count; id++)
        if (seen[id] != 1)
            fail_msg("%s does not list %" PRIu64, name, id);
    free(seen);
    return entries;
}

static void begin(struct crew *c)
{
    char text[64];

    v3_make_pages(c->m->t.db, PAGES);
    mnt_start(c->m, "sync=none");
    snprintf(text, sizeof(text), "%d-%d\n", PINNED_FIRST, PINNED_FIRST + PINNED - 1);
    assert_write(0, c->m, "pin", text);
    for (unsigned i = 0; i < CHURNERS; i++)
        crew_start(c, work, i);
}

static void listings_during_churn_are_complete_and_without_duplicates(void **state)
{
    struct crew *c = *state;
    const struct shared *shared = c->shared;
    const unsigned times = scaled(3, 60);
    unsigned most = 0;

    begin(c);
    for (unsigned i = 0; i < times; i++) {
        const unsigned pages = list(c->m, "pages", 0, PAGES);

        most = pages > most ? pages : most;
        for (int k = 0; k < 20; k++)
            (void)list(c->m, "pinned", PINNED_FIRST, PINNED);
    }
    stop_churning(c);
    print_message(
        "#= %u listings of at least %d and at most %u pages during %u changes\n", times,
        PAGES, most, atomic_load(&shared->operations));
    mnt_stop(c->m);
}

static void ls_during_churn_shows_every_page_once(void **state)
{
    struct crew *c = *state;

    begin(c);
    for (unsigned i = scaled(1, 10); i > 0; i--) {
        expect(c->m, "100000\n0\n",
               "ls -f pages > $D/list; "
               "awk '$1 ~ /^[0-9]+$/ && $1 < 100000' $D/list | wc -l; "
               "sort $D/list | uniq -d | wc -l");
    }
    stop_churning(c);
    mnt_stop(c->m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            listings_during_churn_are_complete_and_without_duplicates, setup,
            crew_teardown),
        cmocka_unit_test_setup_teardown(ls_during_churn_shows_every_page_once, setup,
                                        crew_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
