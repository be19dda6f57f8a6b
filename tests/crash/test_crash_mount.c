/* Trace what the real daemon writes while eight clients use the mount; then cut the power
 * between any two syncs, keep any subset of what was not synced, recover, and compare
 * with what the clients had been told by then.
 *
 * And kill -9 of the daemon under load, unmount, mount again, the same comparison.
 * PF_TEST_TRACE_PRELOAD is the library that records. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "claims.h"
#include "cuts.h"
#include "harness.h"
#include "load.h"
#include "run.h"

static const struct start_spec spec = {"mount", 700, 520, 506, 0};

static void write_start(const struct judge_start *start, const char *path)
{
    uint8_t *bytes = must_realloc(NULL, (size_t)start->image.size[0]);
    FILE *f = fopen(path, "wxe");

    assert_non_null(f);
    fd_image_read(&start->image, 0, bytes, (size_t)start->image.size[0], 0);
    assert_int_equal(fwrite(bytes, 1, (size_t)start->image.size[0], f),
                     start->image.size[0]);
    assert_int_equal(fclose(f), 0);
    free(bytes);
}

static void make_trace(struct mnt *m, struct trace *trace, size_t size)
{
    char path[256];

    scratch_path(&m->t, "trace", path);
    assert_true(trace_open(trace, path, size));
    setenv("PF_TRACE", path, 1);
    setenv("PF_TRACE_DB", m->t.db, 1);
}

/* ---- power cuts ---- */

/* One mount under load, from start to clean unmount, and all its cuts. */
static void trace_one(struct mnt *m, struct cuts *r, uint64_t seed, uint64_t requests)
{
    struct load load = {.point = m->point,
                        .trace = &r->trace,
                        .requests = requests,
                        .seed = seed,
                        .checkpoints = true};

    snprintf(r->judge.label, sizeof(r->judge.label), "PF_CRASH_SEED=%" PRIu64, seed);
    write_start(r->start, m->t.db);
    make_trace(m, &r->trace, (size_t)requests * LOAD_CLIENTS * 40000 + (64U << 20));
    setenv("LD_PRELOAD", getenv("PF_TEST_TRACE_PRELOAD"), 1);
    mnt_start(m, NULL);
    unsetenv("LD_PRELOAD");
    load_join(load_start(&load));
    mnt_stop(m);
    if (load.errors != 0)
        fail_msg("%s: %" PRIu64 " requests failed, the first with %s", r->judge.label,
                 (uint64_t)load.errors, strerror(load.first_error));

    cuts_judge(r);
    trace_close(&r->trace);
    assert_int_equal(unlink(m->t.db), 0);
}

static void power_cuts_under_the_real_daemon_lose_nothing_acknowledged(void **state)
{
    const char *only = getenv("PF_CRASH_SEED");
    const unsigned wanted = figure(3000, 30000, 200000);
    struct judge_start start;
    struct cuts r;
    uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : 1;
    unsigned runs = 0;

    if (built_with_sanitizer() || getenv("PF_TEST_TRACE_PRELOAD") == NULL) {
        print_message("a sanitizer's library must be the first that is loaded\n");
        skip();
    }
    start_make(&start, &spec);
    cuts_init(&r, &start);
    r.limit = figure(12, 24, 48);
    while (r.judge.seen.count < wanted && !judge_is_done(&r.judge) && runs < 400) {
        trace_one(*state, &r, seed++, figure(60, 250, 600));
        runs++;
    }
    print_message("#= real mount: %zu distinct images of %" PRIu64
                  " cuts in %u runs of %d clients\n",
                  r.judge.seen.count, r.points, runs, LOAD_CLIENTS);
    const unsigned violations = r.judge.violations;
    const size_t images = r.judge.seen.count;
    cuts_clear(&r);
    start_clear(&start);
    if (violations > 0)
        fail_msg("%u violations", violations);
    assert_true(images >= wanted);
}

/* ---- kill -9 ---- */

static void read_file(void *context, uint64_t offset, void *bytes, size_t length)
{
    memset(bytes, 0, length);
    if (pread(*(int *)context, bytes, length, (off_t)offset) < 0)
        memset(bytes, 0, length);
}

/* What the closed file holds. */
static void read_oracle(struct mnt *m, struct oracle *oracle,
                        struct oracle_source *source, int *fd)
{
    *fd = open(m->t.db, O_RDONLY | O_CLOEXEC);
    assert_true(*fd >= 0);
    *source = (struct oracle_source){
        .read = read_file, .context = fd, .size = v3_size(m->t.db)};
    if (!oracle_read(oracle, source))
        fail_msg("%s", oracle->finding);
    if (oracle_finds_stale_trunk(oracle, source, NULL, 0))
        fail_msg("%s", oracle->finding);
}

static void kill_under_load(struct mnt *m, struct trace *trace, uint64_t seed)
{
    struct load load = {.point = m->point,
                        .trace = trace,
                        .requests = UINT64_MAX,
                        .seed = seed,
                        .checkpoints = true};
    uint64_t rng = seed * 0x9E3779B97F4A7C15U + 1;
    int status = 0;

    mnt_start(m, NULL);
    struct load_client *clients = load_start(&load);
    usleep((useconds_t)(2000 + rng_below(&rng, 100000)));
    assert_int_equal(kill(m->daemon, SIGKILL), 0);
    load_join(clients);
    status = mnt_wait(m);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    mnt_unmount(m);
}

/* Kill, unmount, mount (that recovers), unmount, compare; the file goes on to the next.
 */
static void kill_cycle(struct mnt *m, struct oracle *oracle, uint64_t seed,
                       uint64_t *out_answers)
{
    struct trace trace = {0};
    struct oracle_source source;
    char why[512];
    int fd;

    read_oracle(m, oracle, &source, &fd);
    struct claims *claims =
        claims_new(oracle->total_pages, oracle->free_ids, oracle->free_count);
    close(fd);
    make_trace(m, &trace, 64U << 20);
    kill_under_load(m, &trace, seed);
    mnt_start(m, NULL);
    mnt_stop(m);

    claims_load(claims, &trace);
    claims_at(claims, trace_end(&trace));
    read_oracle(m, oracle, &source, &fd);
    if (!claims_fit(claims, oracle, &source, why, sizeof(why)))
        fail_msg("PF_CRASH_SEED=%" PRIu64 ": %s", seed, why);
    *out_answers += claims_answers(claims);
    close(fd);
    claims_delete(claims);
    trace_close(&trace);
}

static void nothing_acknowledged_is_lost_by_kill_9(void **state)
{
    const char *only = getenv("PF_CRASH_SEED");
    const unsigned cycles = built_with_sanitizer() ? 3 : figure(10, 200, 1000);
    const uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    struct judge_start start;
    struct oracle oracle;
    struct mnt *m = *state;
    uint64_t answers = 0;

    unsetenv("LD_PRELOAD");
    oracle_init(&oracle);
    start_make(&start, &spec);
    write_start(&start, m->t.db);
    for (unsigned i = 0; i < cycles; i++) {
        if (i % 10 == 9) { /* what dead clients held piles up */
            assert_int_equal(unlink(m->t.db), 0);
            write_start(&start, m->t.db);
        }
        kill_cycle(m, &oracle, first + i, &answers);
    }
    print_message("#= kill -9: %u cycles, %" PRIu64 " acknowledgements\n", cycles,
                  answers);
    start_clear(&start);
    oracle_clear(&oracle);
    assert_true(answers > cycles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(power_cuts_under_the_real_daemon_lose_nothing_acknowledged),
        MOUNT_TEST(nothing_acknowledged_is_lost_by_kill_9),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
