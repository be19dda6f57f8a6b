/* Long random histories with power cuts and kills at random calls: the list grows and
 * shrinks over block borders, the journal wraps, grows and is checkpointed.
 *
 * PF_CRASH_SEED=n repeats one history. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "scratch.h"
#include "store.h"

enum { OPERATIONS = 2000 };

static const struct start_spec specs[] = {
    {"fresh", 0, 0, 1, 0},
    {"around-505", 560, 505, 506, 0},
    {"around-506", 560, 506, 506, 0},
    {"around-1012", 1100, 1012, 506, 0},
    {"small-blocks", 120, 60, 4, 0},
    {"blocks-of-one", 60, 30, 1, 0},
    {"short-last-page", 40, 12, 5, 3000},
    {"three-blocks", 1250, 1019, 506, 0},
};
enum { SPECS = sizeof(specs) / sizeof(specs[0]) };

struct history {
    struct run *run;
    uint64_t images; /* for each power cut */
    uint64_t done, cuts, kills;
    bool group_only;
};

static uint64_t below(struct history *h, uint64_t bound)
{
    return rng_below(&h->run->rng, bound);
}

/* The process is dead, or the power went. */
static bool after_the_cut(struct history *h)
{
    struct run *run = h->run;

    if (below(h, 3) == 0) {
        h->kills++;
        snprintf(run->where, sizeof(run->where),
                 "after kill %" PRIu64 " (operation %" PRIu64 ")", h->kills, h->done);
        run_end(run);
        faultdisk_revive(&run->disk);
        run->limit = h->images / 4;
        const bool opened = run_open(run);
        run->limit = 0;
        return opened;
    }
    h->cuts++;
    snprintf(run->where, sizeof(run->where),
             "power cut %" PRIu64 " (operation %" PRIu64 ")", h->cuts, h->done);
    run_judge(run, h->images);
    return !judge_is_done(run->judge) && run_power_cycle(run);
}

static bool step(struct history *h, const char *letters)
{
    struct run *run = h->run;
    const char operation = letters[below(h, strlen(letters))];

    if (!run->expect_cut && below(h, 40) == 0) {
        run->disk.cut_at = run->disk.changes + below(h, 60);
        run->expect_cut = true;
    }
    snprintf(run->where, sizeof(run->where), "operation %" PRIu64 " (%c)", h->done,
             operation);
    const enum run_result result = run_operation(run, operation);
    h->done += result == RUN_DONE;
    if (!run->disk.dead)
        return result != RUN_FAILED;
    run->expect_cut = false;
    return after_the_cut(h);
}

/* Around a border: allocate when the list is long, free when it is short. */
static const char *letters_now(struct history *h, uint64_t target)
{
    const struct model *m = &h->run->states[0];

    if (h->group_only)
        return "gggggggggk";
    if (m->depth > target + 30)
        return "aaAAmcttwWgggkrxs";
    if (m->depth + 30 < target)
        return "ffFFFMwWgggkrxa";
    return "aaaaAAAffffFFFmMttcwwWWggggggggkrxsb";
}

static void play(struct history *h, uint64_t seed, unsigned operations)
{
    static const uint64_t journal_sizes[] = {4096, 9 * 1024, 16 * 1024, 40 * 1024,
                                             1 << 20};
    const struct start_spec *spec = &specs[seed % SPECS];
    struct judge_start start;

    snprintf(h->run->judge->label, sizeof(h->run->judge->label), "PF_CRASH_SEED=%" PRIu64,
             seed);
    start_make(&start, spec);
    h->run->journal_size = journal_sizes[seed / SPECS % 5];
    h->run->judge->journal_size = h->run->journal_size;
    h->run->no_reserve = seed % 3 == 1;
    h->done = 0;
    bool fine = run_begin(h->run, &start, seed);
    for (uint64_t tries = 0; fine && h->done < operations && tries < 4ULL * operations;
         tries++)
        fine = step(h, letters_now(h, spec->free_pages));
    h->run->expect_cut = false;
    h->run->disk.cut_at = UINT64_MAX;
    snprintf(h->run->where, sizeof(h->run->where), "the end");
    if (fine)
        (void)run_operation(h->run, 'r');
    run_end(h->run);
    imagemap_clear(&h->run->judge->seen);
    start_clear(&start);
}

static void histories(const char *what, unsigned seeds, unsigned operations,
                      bool group_only)
{
    const char *only = getenv("PF_CRASH_SEED");
    struct judge judge;
    struct run run;
    struct history h = {.run = &run, .images = 24, .group_only = group_only};
    uint64_t images = 0, first = 1, last = seeds;

    judge_init(&judge);
    judge.every = 32;
    run_init(&run, &judge);
    if (only != NULL)
        first = last = strtoull(only, NULL, 10);
    for (uint64_t seed = first; seed <= last && !judge_is_done(&judge); seed++) {
        play(&h, seed, operations);
        images = judge.images;
    }
    run_clear(&run);
    print_message("#= %s: seeds %" PRIu64 "-%" PRIu64 ", %u operations each, %" PRIu64
                  " power cuts, %" PRIu64 " kills, %" PRIu64 " images\n",
                  what, first, last, operations, h.cuts, h.kills, images);
    const unsigned violations = judge.violations;
    judge_clear(&judge);
    if (violations > 0)
        fail_msg("%u violations", violations);
}

/* A build with a sanitizer plays fewer. */
static unsigned seeds(unsigned plain, unsigned full, unsigned soak)
{
    const unsigned chosen = figure(plain, full, soak);

    return built_with_sanitizer() ? chosen / 5 + 1 : chosen;
}

static void random_histories_survive_power_cuts_and_kills(void **state)
{
    (void)state;
    histories("random", seeds(5, 50, 1000), OPERATIONS, false);
}

static void groups_survive_power_cuts_as_a_prefix(void **state)
{
    (void)state;
    histories("groups", seeds(3, 16, 200), OPERATIONS / 4, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_survive_power_cuts_and_kills),
        cmocka_unit_test(groups_survive_power_cuts_as_a_prefix),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
