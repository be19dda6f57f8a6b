/* Bad files through the real program: no signal, no hang, bounded memory, what is refused
 * stays as it is to the last byte, and what was written is right afterwards.
 *
 * PF_BAD_CASE=NAME or PF_BAD_CASE=seed:N repeats one, in every mode;
 * PF_BAD_KEEP=1 leaves its files. PF_BAD_SEED=N makes the random ones others. */
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
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "scratch.h"

enum { WORKERS = 2, MOST_FAILURES = 10 };

/* Shared by all processes. */
struct desk {
    atomic_uint next, failures, skipped;
    atomic_uint mounted, writable;
    atomic_uint_least64_t resident_kb;
};

struct plan {
    struct desk *desk;
    unsigned count;
    void (*make)(const struct plan *plan, unsigned i, struct specimen *out);
    uint64_t seed; /* of the first random one */
    unsigned stride;
    char dir[96];
};

/* Run in every build, whatever the figures. */
static const char *const kept[] = {
    "refused-beside-its-journal-0",
    "refused-beside-its-journal-2",
    "refused-beside-its-journal-4",
    "refused-beside-its-journal-6",
    "refused-once-replayed-0",
    "refused-once-replayed-2",
    "refused-once-replayed-4",
    "refused-once-replayed-6",
    "claims-2-to-the-62-pages",
    "claims-2-to-the-51-pages",
    "header-total-ffffffffffffffff-25",
    "claims-2-to-the-30-pages-and-no-list",
    "claims-2-to-the-62-pages-and-no-list",
    "has-2-to-the-26-pages",
    "list-fine",
};

static const char *const mode_names[] = {"rw", "ro", "scratch", "walk"};

static void *shared(size_t size)
{
    void *const memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

/* ---- one case, and what a hang leaves ---- */

/* Kill the processes that were left to us. */
static void kill_children(void)
{
    DIR *const proc = opendir("/proc");
    const struct dirent *entry;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        char path[64], text[256] = "";
        int parent = 0;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        FILE *const file = pid > 1 ? fopen(path, "re") : NULL;
        if (file == NULL)
            continue;
        const size_t n = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
        text[n] = '\0';
        const char *const name_end = strrchr(text, ')');
        if (name_end != NULL && sscanf(name_end + 1, " %*c %d", &parent) == 1 &&
            parent == (int)getpid())
            (void)kill(pid, SIGKILL);
    }
    if (proc != NULL)
        (void)closedir(proc);
}

/* What a case that died has left: a mount, and a daemon that is a child of ours now. */
static void end_what_is_left(const char *dir)
{
    char point[160];

    snprintf(point, sizeof(point), "%s/p", dir);
    kill_children();
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    while (umount2(point, MNT_DETACH) == 0)
        continue;
}

static void fail_case(const struct plan *plan, const struct specimen *s,
                      enum bad_mode mode, const struct outcome *out, int status)
{
    atomic_fetch_add(&plan->desk->failures, 1);
    printf("# %s -o %s: %s%s%s (wait status %#x, at: %s)\n", s->name, mode_names[mode],
           out->wrong, out->wrong[0] != '\0' ? "" : "it hung or died",
           WTERMSIG(status) == SIGALRM ? " over 5 s" : "", (unsigned)status, out->step);
    printf("# repeat: PF_BAD_CASE=%s\n", s->name);
    (void)fflush(stdout);
}

static void run_case(const struct plan *plan, unsigned worker, const struct specimen *s,
                     enum bad_mode mode, struct outcome *out)
{
    char dir[128];
    int status = 0;

    snprintf(dir, sizeof(dir), "%s/%u", plan->dir, worker);
    memset(out, 0, sizeof(*out));
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        probe(s, mode, dir, out);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status != 0)
        end_what_is_left(dir);
    if (status != 0 || out->wrong[0] != '\0')
        fail_case(plan, s, mode, out, status);
    atomic_fetch_add(&plan->desk->mounted, out->mounted);
    atomic_fetch_add(&plan->desk->writable, out->writable);
    if (out->resident_kb > atomic_load(&plan->desk->resident_kb))
        atomic_store(&plan->desk->resident_kb, out->resident_kb);
}

/* Mostly as a user mounts it. */
static enum bad_mode mode_of(unsigned i)
{
    static const enum bad_mode modes[] = {MODE_DEFAULT, MODE_DEFAULT, MODE_RO,
                                          MODE_DEFAULT, MODE_SCRATCH, MODE_WALK};

    return modes[i % (sizeof(modes) / sizeof(modes[0]))];
}

static void work(const struct plan *plan, unsigned worker)
{
    struct outcome *const out = shared(sizeof(*out));
    struct specimen s;
    unsigned i;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    while ((i = atomic_fetch_add(&plan->desk->next, 1)) < plan->count &&
           atomic_load(&plan->desk->failures) < MOST_FAILURES) {
        plan->make(plan, i, &s);
        run_case(plan, worker, &s, mode_of(i), out);
        specimen_clear(&s);
    }
}

static void run_plan(struct plan *plan, const char *what)
{
    pid_t workers[WORKERS];
    int status = 0;

    plan->desk = shared(sizeof(*plan->desk));
    (void)fflush(stdout);
    for (unsigned w = 0; w < WORKERS; w++) {
        workers[w] = fork();
        assert_true(workers[w] >= 0);
        if (workers[w] == 0) {
            work(plan, w);
            (void)fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned w = 0; w < WORKERS; w++) {
        assert_int_equal(waitpid(workers[w], &status, 0), workers[w]);
        assert_int_equal(status, 0);
    }
    print_message(
        "#= bad files, %s: %u run, %u mounted, %u of them writable; a daemon took "
        "%" PRIu64 " kB at most\n",
        what, plan->count, atomic_load(&plan->desk->mounted),
        atomic_load(&plan->desk->writable),
        (uint64_t)atomic_load(&plan->desk->resident_kb));
    assert_int_equal(atomic_load(&plan->desk->failures), 0);
    assert_true(atomic_load(&plan->desk->mounted) > 0);
    assert_true(atomic_load(&plan->desk->writable) > 0);
}

/* ---- the tests ---- */

static int setup(void **state)
{
    struct plan *const plan = calloc(1, sizeof(*plan));
    const char *const base = getenv("TMPDIR");

    snprintf(plan->dir, sizeof(plan->dir), "%.60s/pb-XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(plan->dir) == NULL)
        return -1;
    bases_make(plan->dir);
    *state = plan;
    return 0;
}

static int teardown(void **state)
{
    struct plan *const plan = *state;

    if (getenv("PF_BAD_KEEP") == NULL)
        scratch_remove(plan->dir);
    bases_free();
    free(plan);
    return 0;
}

static void skip_without_fuse(void)
{
    const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        skip();
    (void)close(fd);
}

static void make_curated(const struct plan *plan, unsigned i, struct specimen *out)
{
    curated_make(i * plan->stride + plan->stride / 2, out);
}

static void make_seeded(const struct plan *plan, unsigned i, struct specimen *out)
{
    seeded_make(plan->seed + i, out);
}

static bool one_case(struct plan *plan)
{
    const char *const name = getenv("PF_BAD_CASE");
    struct outcome *const out = shared(sizeof(*out));
    struct specimen s;

    if (name == NULL)
        return false;
    plan->desk = shared(sizeof(*plan->desk));
    if (strncmp(name, "seed:", 5) == 0)
        seeded_make(strtoull(name + 5, NULL, 10), &s);
    else if (curated_find(name) < curated_count())
        curated_make(curated_find(name), &s);
    else
        fail_msg("there is no bad file %s", name);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (unsigned mode = 0; mode < MODE_COUNT; mode++)
        run_case(plan, 0, &s, (enum bad_mode)mode, out);
    specimen_clear(&s);
    assert_int_equal(atomic_load(&plan->desk->failures), 0);
    return true;
}

static void curated_bad_files_do_no_harm(void **state)
{
    struct plan *const plan = *state;
    const unsigned all = curated_count();

    skip_without_fuse();
    assert_true(all >= 1300);
    if (one_case(plan))
        return;
    plan->stride = figure(all / 100, 2, 1);
    plan->count = all / plan->stride;
    plan->make = make_curated;
    run_plan(plan, "made by hand");
}

static void make_kept(const struct plan *plan, unsigned i, struct specimen *out)
{
    (void)plan;
    curated_make(curated_find(kept[i]), out);
}

static void files_that_once_did_harm_do_none_now(void **state)
{
    struct plan *const plan = *state;

    skip_without_fuse();
    if (getenv("PF_BAD_CASE") != NULL)
        skip();
    plan->count = sizeof(kept) / sizeof(kept[0]);
    plan->make = make_kept;
    run_plan(plan, "kept");
}

static void files_broken_at_random_do_no_harm(void **state)
{
    struct plan *const plan = *state;
    const char *const seed = getenv("PF_BAD_SEED");

    skip_without_fuse();
    if (getenv("PF_BAD_CASE") != NULL)
        skip();
    plan->seed = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    plan->count = figure(60, 2000, 10000);
    plan->make = make_seeded;
    print_message("# PF_BAD_SEED=%" PRIu64 "\n", plan->seed);
    run_plan(plan, "broken at random");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(curated_bad_files_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_once_did_harm_do_none_now, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(files_broken_at_random_do_no_harm, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("bad files", tests, NULL, NULL);
}
