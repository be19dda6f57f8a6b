/* Every short history of operations, from several free lists, with the power cut at every
 * call, and every subset of the unsynced sectors kept.
 *
 * A history is a word of run.h's letters. Shorter words are words too, so only the calls
 * of a word's last operation are cut. PF_CRASH_START=name PF_CRASH_WORD=word repeats one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "scratch.h"
#include "store.h"

static const struct start_spec specs[] = {
    {"fresh", 0, 0, 1, 0},
    {"empty-list", 8, 0, 1, 0},
    {"short-list", 16, 7, 506, 0},
    {"small-blocks", 24, 13, 3, 0},
    {"short-last-page", 12, 4, 2, 3174},
    {"list-of-505", 513, 505, 506, 0},
    {"list-of-506", 514, 506, 506, 0},
    {"list-of-507", 515, 507, 506, 0},
    {"two-blocks", 1022, 1012, 506, 0},
    {"two-blocks-and-1", 1024, 1013, 506, 0},
};
enum { SPECS = sizeof(specs) / sizeof(specs[0]), JOURNAL = 16 * 1024 };

/* A build with a sanitizer takes a sixth. */
static unsigned lighter(unsigned plain, unsigned full, unsigned soak)
{
    const unsigned chosen = figure(plain, full, soak);

    return built_with_sanitizer() ? chosen / 6 + 1 : chosen;
}

/* Letters in a word. */
static unsigned depth(unsigned plain, unsigned full, unsigned soak)
{
    const unsigned chosen = figure(plain, full, soak);

    return built_with_sanitizer() && chosen > 2 ? 2 : chosen;
}

/* ---- words ---- */

static void name_it(struct run *run, const char *start, const char *word)
{
    snprintf(run->judge->label, sizeof(run->judge->label),
             "PF_CRASH_START=%s PF_CRASH_WORD=%s", start, word);
}

/* All but the last letter. False: the word is not possible from this start. */
static bool play_up_to_last(struct run *run, const struct judge_start *start,
                            const char *word)
{
    const size_t length = strlen(word);

    name_it(run, start->name, word);
    if (!run_begin(run, start, 1))
        return false;
    for (size_t i = 0; i + 1 < length; i++) {
        snprintf(run->where, sizeof(run->where), "operation %zu (%c)", i + 1, word[i]);
        if (run_operation(run, word[i]) != RUN_DONE)
            return false;
    }
    snprintf(run->where, sizeof(run->where), "operation %zu (%c)", length,
             word[length - 1]);
    return true;
}

static bool play(struct run *run, const struct judge_start *start, const char *word,
                 uint64_t limit)
{
    if (!play_up_to_last(run, start, word))
        return false;
    run->limit = limit;
    const enum run_result result = run_operation(run, word[strlen(word) - 1]);
    run->limit = 0;
    run_end(run);
    return result == RUN_DONE;
}

/* Every word of up to `length` letters; of a length that has more than `most`, so many.
 */
struct words {
    const char *letters;
    unsigned length;
    uint64_t most;
    char word[16];
    uint64_t counter;
};

static bool next_word(struct words *w)
{
    const uint64_t base = strlen(w->letters);

    for (;;) {
        uint64_t n = w->counter++;
        uint64_t count = base;
        unsigned length = 1;

        while (length <= w->length && n >= count) {
            n -= count;
            count *= base;
            length++;
        }
        if (length > w->length)
            return false;
        if (count > w->most && ((n + 1) * 0x9E3779B97F4A7C15U >> 33) % count >= w->most)
            continue;
        for (unsigned i = 0; i < length; i++, n /= base)
            w->word[i] = w->letters[n % base];
        w->word[length] = '\0';
        return true;
    }
}

struct plan {
    const char *letters; /* all words of them, */
    unsigned length;     /* up to so long, */
    uint64_t most;       /* at most so many of each length */
    uint64_t limit;      /* images for each crash point */
    unsigned checks, check_every;
    const char *const *listed; /* more words, NULL at the end */
    bool no_reserve;
};

/* A word that is not found by counting: each of its letters is the last one once. */
static uint64_t play_every_letter(struct run *run, const struct judge_start *start,
                                  const char *word, uint64_t limit)
{
    char prefix[32];
    uint64_t played = 0;

    for (size_t length = 1; length <= strlen(word); length++) {
        snprintf(prefix, sizeof(prefix), "%.*s", (int)length, word);
        played += play(run, start, prefix, limit);
    }
    return played;
}

static void play_start(struct run *run, const struct start_spec *spec,
                       const struct plan *plan, uint64_t *out_words)
{
    struct words words = {
        .letters = plan->letters, .length = plan->length, .most = plan->most};
    const char *only = getenv("PF_CRASH_WORD");
    struct judge_start start;

    start_make(&start, spec);
    for (size_t i = 0; only == NULL && plan->listed != NULL && plan->listed[i] != NULL;
         i++)
        *out_words += play_every_letter(run, &start, plan->listed[i], plan->limit);
    if (only != NULL)
        (void)play(run, &start, only, UINT64_C(1) << 16);
    while (only == NULL && next_word(&words) && !judge_is_done(run->judge))
        *out_words += play(run, &start, words.word, plan->limit);
    run_end(run);
    start_clear(&start);
}

/* Play all words from all starts; the figures, and whether there was a violation. */
static void play_all(const struct plan *plan, struct judge *judge, uint64_t *out_words)
{
    const char *only = getenv("PF_CRASH_START");
    struct run run;

    judge_init(judge);
    judge->checks = plan->checks;
    judge->every = plan->check_every;
    judge->journal_size = JOURNAL;
    run_init(&run, judge);
    run.journal_size = JOURNAL;
    run.no_reserve = plan->no_reserve;
    *out_words = 0;
    for (size_t i = 0; i < SPECS && !judge_is_done(judge); i++)
        if (only == NULL || strcmp(only, specs[i].name) == 0)
            play_start(&run, &specs[i], plan, out_words);
    run_clear(&run);
}

static void finish(struct judge *judge)
{
    const unsigned violations = judge->violations;

    judge_clear(judge);
    if (violations > 0)
        fail_msg("%u violations", violations);
}

/* ---- claims ---- */

static void print_figures(const char *what, const struct judge *judge, uint64_t words)
{
    print_message("#= %s: %zu distinct images (%" PRIu64 " looked at), %" PRIu64
                  " words, %" PRIu64 " crash points, %" PRIu64
                  " of them with all subsets\n",
                  what, judge->seen.count, judge->images, words, judge->points,
                  judge->points_complete);
}

static void alloc_free_write_reopen_are_whole_or_undone_after_a_power_cut(void **state)
{
    const struct plan plan = {
        .letters = "afwr",
        .length = depth(3, 4, 6),
        .most = UINT64_MAX,
        .limit = lighter(64, 640, 1024),
        .check_every = 1,
    };
    struct judge judge;
    uint64_t words;

    (void)state;
    play_all(&plan, &judge, &words);
    print_figures("alloc, free, write, reopen", &judge, words);
    if (full_figures() && !built_with_sanitizer() && getenv("PF_CRASH_WORD") == NULL)
        assert_true(judge.violations > 0 ||
                    judge.seen.count >= figure(0, 1000000, 20000000));
    finish(&judge);
}

static void every_operation_is_whole_or_undone_after_a_power_cut(void **state)
{
    const struct plan plan = {
        .letters = RUN_OPERATIONS,
        .length = depth(3, 4, 5),
        .most = lighter(70, 1200, 8000),
        .limit = lighter(12, 16, 64),
        .check_every = 1,
    };
    struct judge judge;
    uint64_t words;

    (void)state;
    play_all(&plan, &judge, &words);
    print_figures("all operations", &judge, words);
    finish(&judge);
}

static void a_file_system_that_cannot_reserve_makes_no_difference(void **state)
{
    const struct plan plan = {
        .letters = "aAcgsez",
        .length = depth(2, 3, 4),
        .most = UINT64_MAX,
        .limit = lighter(16, 32, 256),
        .check_every = 1,
        .no_reserve = true,
    };
    struct judge judge;
    uint64_t words;

    (void)state;
    play_all(&plan, &judge, &words);
    print_figures("without reserving", &judge, words);
    finish(&judge);
}

/* Within one generation of the journal: pages are written, given back with the end of the
 * file, and come back. */
static void pages_that_were_cut_off_come_back_as_zeros(void **state)
{
    static const char *const listed[] = {
        "ezsa",  "ezsaW", "ezsA", "zsAe",  "ezsxa", "ezskA", "gezsg", "ezsezsA",
        "Mzsbm", "Fgs",   "zezs", "gzwzs", "ezszs", "zzzs",  "zAzzs", NULL};
    const struct plan plan = {.letters = "",
                              .limit = lighter(24, 200, 2000),
                              .check_every = 16,
                              .checks = JUDGE_ALL,
                              .listed = listed};
    struct judge judge;
    uint64_t words;

    (void)state;
    play_all(&plan, &judge, &words);
    print_message("#= shrink and grow: %zu distinct images\n", judge.seen.count);
    finish(&judge);
}

static void check_claim(const char *what, unsigned checks, unsigned check_every)
{
    const struct plan plan = {
        .letters = RUN_OPERATIONS,
        .length = depth(2, 3, 3),
        .most = lighter(40, 200, 1000),
        .limit = lighter(8, 16, 64),
        .checks = checks,
        .check_every = check_every,
    };
    struct judge judge;
    uint64_t words;

    play_all(&plan, &judge, &words);
    print_message("#= %s: %" PRIu64 " of %zu distinct images", what, judge.close_looks,
                  judge.seen.count);
    if (judge.cut_images > 0)
        print_message(", %" PRIu64 " distinct images of cuts during recovery",
                      judge.cut_images);
    print_message("\n");
    assert_true(judge.violations > 0 || judge.close_looks > 0);
    finish(&judge);
}

static void a_power_cut_during_recovery_changes_nothing_of_its_result(void **state)
{
    (void)state;
    check_claim("recovery cut", JUDGE_CUT, lighter(12, 8, 2));
}

static void the_recovered_store_says_what_the_file_says(void **state)
{
    (void)state;
    check_claim("recovered store asked and drained", JUDGE_STORE, lighter(4, 2, 1));
}

static void
a_read_only_open_of_a_crashed_disk_shows_the_same_and_writes_nothing(void **state)
{
    (void)state;
    check_claim("read-only open", JUDGE_READ_ONLY, lighter(8, 4, 1));
}

static void recovery_gives_the_bytes_that_the_specification_gives(void **state)
{
    (void)state;
    check_claim("replay by the book", JUDGE_REPLAY, lighter(8, 4, 1));
}

static void a_recovered_store_works_on(void **state)
{
    (void)state;
    check_claim("work and clean close after recovery", JUDGE_GO_ON, lighter(8, 4, 1));
}

/* ---- the process dies, then the power goes ---- */

/* Kill the process at the `at`-th change of the last operation. False: there is none. */
static bool kill_at(struct run *run, const struct judge_start *start, const char *word,
                    uint64_t at, uint64_t limit)
{
    if (!play_up_to_last(run, start, word))
        return false;
    run->disk.cut_at = run->disk.changes + at;
    run->expect_cut = true;
    (void)run_operation(run, word[strlen(word) - 1]);
    run->expect_cut = false;
    if (!run->disk.dead) {
        run_end(run);
        return false;
    }
    run_end(run);
    faultdisk_revive(&run->disk);
    snprintf(run->where, sizeof(run->where),
             "open after a kill at change %" PRIu64 " of operation %zu (%c)", at,
             strlen(word), word[strlen(word) - 1]);
    run->limit = limit;
    if (run_open(run)) {
        run_judge(run, limit);
        snprintf(run->where, sizeof(run->where),
                 "work after a kill at change %" PRIu64 " of operation %zu (%c)", at,
                 strlen(word), word[strlen(word) - 1]);
        if (run_operation(run, 'A') == RUN_DONE)
            (void)run_operation(run, 'F');
    }
    run->limit = 0;
    run_end(run);
    return true;
}

static void
a_power_cut_after_a_process_died_leaves_every_operation_whole_or_undone(void **state)
{
    struct words words = {.letters = RUN_OPERATIONS,
                          .length = depth(2, 3, 3),
                          .most = lighter(25, 300, 1500)};
    const char *only_start = getenv("PF_CRASH_START"),
               *only_word = getenv("PF_CRASH_WORD");
    struct judge_start start;
    struct judge judge;
    struct run run;
    uint64_t kills = 0;

    (void)state;
    judge_init(&judge);
    judge.checks = 0;
    run_init(&run, &judge);
    run.journal_size = judge.journal_size = JOURNAL;
    for (size_t i = 0; i < SPECS; i++) {
        if (only_start != NULL && strcmp(only_start, specs[i].name) != 0)
            continue;
        start_make(&start, &specs[i]);
        words.counter = 0;
        while (next_word(&words) && !judge_is_done(&judge)) {
            const char *word = only_word != NULL ? only_word : words.word;

            for (uint64_t at = 0; kill_at(&run, &start, word, at, lighter(8, 16, 64));
                 at++)
                kills++;
            if (only_word != NULL)
                break;
        }
        run_end(&run);
        start_clear(&start);
    }
    run_clear(&run);
    print_message("#= %" PRIu64 " kills, %zu distinct images of power cuts after them\n",
                  kills, judge.seen.count);
    finish(&judge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_free_write_reopen_are_whole_or_undone_after_a_power_cut),
        cmocka_unit_test(every_operation_is_whole_or_undone_after_a_power_cut),
        cmocka_unit_test(a_file_system_that_cannot_reserve_makes_no_difference),
        cmocka_unit_test(pages_that_were_cut_off_come_back_as_zeros),
        cmocka_unit_test(a_power_cut_during_recovery_changes_nothing_of_its_result),
        cmocka_unit_test(
            a_power_cut_after_a_process_died_leaves_every_operation_whole_or_undone),
        cmocka_unit_test(the_recovered_store_says_what_the_file_says),
        cmocka_unit_test(
            a_read_only_open_of_a_crashed_disk_shows_the_same_and_writes_nothing),
        cmocka_unit_test(recovery_gives_the_bytes_that_the_specification_gives),
        cmocka_unit_test(a_recovered_store_works_on),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
