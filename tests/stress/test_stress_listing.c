/* Listings of a large database while others allocate, free, pin and shrink: what is there
 * all the time is listed exactly once, and nothing is listed twice. */
#include "tmpfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

struct fixture {
    struct mnt *m;
    struct shared *shared;
    struct tmpfs tmpfs;
    pid_t churners[CHURNERS];
    unsigned churner_count;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    void *m = NULL;

    if (f == NULL || mnt_setup(&m) != 0)
        return -1;
    f->m = m;
    tmpfs_take(&f->tmpfs, f->m);
    f->shared = mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *state = f;
    return f->shared == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *m = f->m;

    for (unsigned i = 0; i < f->churner_count;
         i++) { /* none is left of a test that passed */
        kill(f->churners[i], SIGKILL);
        waitpid(f->churners[i], NULL, 0);
    }
    const int result = mnt_teardown(&m);
    tmpfs_remove(&f->tmpfs);
    munmap(f->shared, sizeof(*f->shared));
    free(f);
    return result;
}

/* ---- churn ---- */

/* The pages of each are its own, so nothing it does may fail. */
static void churn(struct fixture *f, unsigned number)
{
    struct mnt *m = f->m;
    uint64_t rng = number + 1;
    char text[64];

    while (!atomic_load(&f->shared->over)) {
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
        atomic_fetch_add(&f->shared->failures, failures);
        atomic_fetch_add(&f->shared->operations, 5);
    }
}

/* The end of the file moves all the time. */
static void grow_and_shrink(struct fixture *f)
{
    struct mnt *m = f->m;
    char ids[256];
    int failures = 0;

    while (!atomic_load(&f->shared->over)) {
        const int fd = m_open(m, "alloc", O_RDWR);
        ssize_t n = -1;

        if (fd >= 0 && write(fd, "20 contiguous\n", 14) == 14)
            n = read(fd, ids, sizeof(ids) - 1);
        close(fd);
        ids[n > 0 ? n : 0] = '\0';
        failures = (n <= 0) + (m_write(m, "free", ids) != 0) +
                   (m_write(m, "ctl", "shrink") != 0);
        atomic_fetch_add(&f->shared->failures, failures);
        atomic_fetch_add(&f->shared->operations, 3);
    }
}

static void start_churners(struct fixture *f)
{
    for (unsigned i = 0; i < CHURNERS; i++) {
        const pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL);
            if (i == 0)
                grow_and_shrink(f);
            else
                churn(f, i);
            _exit(0);
        }
        f->churners[f->churner_count++] = child;
    }
}

static void stop_churners(struct fixture *f)
{
    int status = 0;

    atomic_store(&f->shared->over, true);
    for (; f->churner_count > 0; f->churner_count--) {
        assert_true(waitpid(f->churners[f->churner_count - 1], &status, 0) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(&f->shared->failures), 0);
    assert_true(atomic_load(&f->shared->operations) > 0);
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

static void begin(struct fixture *f)
{
    char text[64];

    v3_make_pages(f->m->t.db, PAGES);
    mnt_start(f->m, "sync=none");
    snprintf(text, sizeof(text), "%d-%d\n", PINNED_FIRST, PINNED_FIRST + PINNED - 1);
    assert_write(0, f->m, "pin", text);
    start_churners(f);
}

static void listings_during_churn_are_complete_and_without_duplicates(void **state)
{
    struct fixture *f = *state;
    const unsigned times = scaled(3, 60);
    unsigned most = 0;

    begin(f);
    for (unsigned i = 0; i < times; i++) {
        const unsigned pages = list(f->m, "pages", 0, PAGES);

        most = pages > most ? pages : most;
        for (int k = 0; k < 20; k++)
            (void)list(f->m, "pinned", PINNED_FIRST, PINNED);
    }
    stop_churners(f);
    print_message(
        "#= %u listings of at least %d and at most %u pages during %u changes\n", times,
        PAGES, most, atomic_load(&f->shared->operations));
    mnt_stop(f->m);
}

static void ls_during_churn_shows_every_page_once(void **state)
{
    struct fixture *f = *state;

    begin(f);
    for (unsigned i = scaled(1, 10); i > 0; i--) {
        expect(f->m, "100000\n0\n",
               "ls -f pages > $D/list; "
               "awk '$1 ~ /^[0-9]+$/ && $1 < 100000' $D/list | wc -l; "
               "sort $D/list | uniq -d | wc -l");
    }
    stop_churners(f);
    mnt_stop(f->m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            listings_during_churn_are_complete_and_without_duplicates, setup, teardown),
        cmocka_unit_test_setup_teardown(ls_during_churn_shows_every_page_once, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
