/* pagefs check, as a user runs it. */
#include "checking.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the samples ---- */

static const struct sample {
    const char *name;
    uint64_t in_use, leaked; /* in_use 0: not walked */
    int status;
} samples[] = {
    {"empty", 2, 0, 0},      {"onenode", 4, 0, 0},  {"small", 23, 0, 0},
    {"medium", 1261, 15, 0}, {"ext_last", 6, 0, 0}, {"stale", 68, 0, 4},
    {"wal_stale", 4, 0, 4},  {"ps16k", 0, 0, 4},    {"synth39", 10, 19, 0},
};
enum { SAMPLE_COUNT = sizeof(samples) / sizeof(samples[0]) };

static void every_sample_has_the_figures_of_the_table(void **state)
{
    struct mnt *m = *state;

    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const struct sample *const s = &samples[i];

        take_sample(m, s->name);
        assert_status(m, s->status, "");
        assert_string_equal(m->err, "");
        if (s->in_use == 0) {
            assert_null(strstr(m->out, "in_use"));
            assert_said(m, "page 0: header: expected page_size 4096, found 16384\n");
            continue;
        }
        assert_count(m, "in_use", s->in_use);
        assert_count(m, "leaked", s->leaked);
        assert_count(m, "free", 0);
    }
}

static void a_check_changes_nothing_and_leaves_no_file(void **state)
{
    struct mnt *m = *state;

    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        take_sample(m, samples[i].name);
        expect(
            m, "",
            "ls -A --full-time -I stdout -I stderr >\"$D/before\"; sha256sum db.* >sums; "
            "ls db.* >names");
        assert_status(m, samples[i].status, "--json");
        assert_status(m, samples[i].status, "");
        expect(m, "", "sha256sum --quiet -c sums; ls db.* | cmp - names");
    }
}

static void json_says_the_same_as_the_lines(void **state)
{
    static const char script[] =
        "\"$PAGEFS\" check \"$DB\" >lines; \"$PAGEFS\" check --json \"$DB\" >json; "
        "python3 - <<'E'\n"
        "import json\n"
        "lines = dict(l.split(' ', 1) for l in open('lines') if l.count(' ') >= 1)\n"
        "r = json.load(open('json'))\n"
        "s = r['summary']\n"
        "for key in 'total_pages', 'in_use', 'free', 'leaked', 'nodes', 'edges':\n"
        "    assert not s['walked'] or s[key] == int(lines[key]), key\n"
        "assert len(r['findings']) == s['finding_count'] == sum(s['by_class'].values())\n"
        "pages = sum(f['pages'] for f in r['findings'])\n"
        "assert pages == int(lines['findings'].split()[0])\n"
        "assert pages == sum(l.startswith('page ') for l in open('lines'))\n"
        "assert r['advice'] + '\\n' == open('lines').readlines()[-1]\n"
        "E";
    struct mnt *m = *state;

    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        take_sample(m, samples[i].name);
        expect(m, "", script);
        assert_status(m, samples[i].status, "--json");
    }
}

/* ---- the report ---- */

static void a_finding_names_page_class_what_is_wrong_and_the_path(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "small");
    flip(m, v3_offset(3) + 15);
    assert_status(m, 4, "");
    assert_said(m, "page 3: checksum: expected sum ");
    assert_said(m, ", found sum ");
    assert_said(m, "; reached by node root\n");
    assert_said(m, "findings 1 (checksum 1)\n");
    assert_said(m, "restore a backup");
    assert_status(m, 4, "--repair"); /* nothing that it could do */
    assert_said(m, "repair: nothing");
}

static void exit_statuses_and_messages(void **state)
{
    static const char *const misuses[] = {
        "check",
        "check a b",
        "check --nonsense \"$DB\"",
        "check --dry-run \"$DB\"",
        "check --free-leaked \"$DB\"",
        "check --discard-journal --json \"$DB\"",
    };
    struct mnt *m = *state;
    char command[128];

    take_sample(m, "small");
    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        snprintf(command, sizeof(command), "\"$PAGEFS\" %s", misuses[i]);
        assert_int_equal(sh(m, command), 16);
        assert_string_equal(m->out, "");
        assert_non_null(strstr(m->err, "pagefs: "));
    }
    assert_int_equal(sh(m, "\"$PAGEFS\" check --help"), 0);
    assert_int_equal(strncmp(m->out, "usage: pagefs check", 19), 0);
    assert_string_equal(m->err, "");
    assert_int_equal(sh(m, "\"$PAGEFS\" check --help >/dev/full"), 8);
    assert_int_equal(sh(m, "\"$PAGEFS\" check \"$DB\" >/dev/full"), 8);
    assert_int_equal(sh(m, "\"$PAGEFS\" check nothing.v3"), 8);
    assert_string_equal(m->err,
                        "pagefs: nothing.v3: no such file: pagefs create makes one\n");
    assert_int_equal(sh(m, "head -c 5000 /dev/zero >zeros; \"$PAGEFS\" check zeros"), 8);
    assert_int_equal(sh(m, "\"$PAGEFS\" check --json zeros 2>/dev/null | "
                           "python3 -c 'import json, sys; "
                           "assert json.load(sys.stdin)[\"exit_status\"] == 8'"),
                     0);
}

static void the_advice_can_be_pasted_into_a_shell(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "stale");
    expect(m, "", "mv db.v3 \"it's -- a \\$name.v3\"");
    assert_int_equal(sh(m, "\"$PAGEFS\" check \"it's -- a \\$name.v3\" >report"), 4);
    assert_int_equal(sh(m, "pagefs() { \"$PAGEFS\" \"$@\"; }; "
                           "eval \"$(tail -n 1 report | sed 's/.*: //')\""),
                     1);
}

static void the_advice_names_the_file_or_calls_it_db(void **state)
{
    static const struct {
        const char *name, *command;
    } table[] = {
        {"-x.v3", "pagefs check --repair -- -x.v3\n"},
        {"$(printf 'a b%.0s' $(seq 70))", "pagefs check --repair DB\n"},
        {"$(printf 'a-b%.0s' $(seq 70))", "pagefs check --repair DB\n"},
    };
    struct mnt *m = *state;
    char command[300];

    take_sample(m, "stale");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        snprintf(command, sizeof(command),
                 "d=\"%s\"; if [ ${#d} -gt 100 ]; then mkdir -p \"$d/$d\"; "
                 "d=$d/$d/$d; fi; cp db.v3 \"./$d\"; \"$PAGEFS\" check -- \"$d\" | "
                 "tail -n 1 | sed 's/.*: //'",
                 table[i].name);
        expect(m, table[i].command, command);
    }
}

static void leaked_pages_are_lines_up_to_a_limit_then_runs(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 10002);
    assert_status(m, 0, "");
    expect(m, "10000\n", "\"$PAGEFS\" check \"$DB\" | grep -c '^page [0-9]*: leaked$'");
    unlink(m->t.db);
    v3_make_pages(m->t.db, 10003);
    assert_status(m, 0, "");
    assert_said(m, "pages 2-10002: leaked (10001 pages)\n");
    assert_count(m, "leaked", 10001);
}

/* ---- bad files ---- */

static void flip_one_bit(struct mnt *m, const uint8_t *bytes, uint64_t size,
                         uint64_t *rng)
{
    const uint64_t bit = rng_below(rng, size * 8);
    const uint8_t byte = (uint8_t)(bytes[bit / 8] ^ (1U << (bit % 8)));

    v3_poke(m->t.db, 0, bytes, size);
    v3_poke(m->t.db, bit / 8, &byte, 1);
}

static void copies_with_a_flipped_bit_neither_crash_nor_hang(void **state)
{
    const unsigned rounds = scaled(100, 1000);
    struct mnt *m = *state;
    uint64_t rng = 0x9e3779b97f4a7c15;
    unsigned noticed = 0;

    take_sample(m, "small");
    const uint64_t size = v3_size(m->t.db);
    uint8_t *const bytes = malloc(size);
    assert_non_null(bytes);
    v3_peek(m->t.db, 0, bytes, size);
    for (unsigned round = 0; round < rounds; round++) {
        const uint64_t seed = rng;

        flip_one_bit(m, bytes, size, &rng);
        const uint64_t before = v3_hash(m->t.db);
        const int status =
            sh(m, built_with_sanitizer() ? "timeout 20 \"$PAGEFS\" check \"$DB\""
                                         : "ulimit -v 100000; "
                                           "timeout 10 \"$PAGEFS\" check \"$DB\"");
        if (status != 0 && status != 4 && status != 8)
            fail_msg("seed %#" PRIx64 ": exit status %d: %s", seed, status, m->err);
        assert_u64(before, v3_hash(m->t.db));
        noticed += status != 0;
    }
    print_message("# %u of %u noticed\n", noticed, rounds);
    free(bytes);
}

static void a_sparse_file_of_10_gb_is_checked_at_once(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "small");
    assert_int_equal(truncate(m->t.db, (off_t)v3_nominal(2621441)), 0);
    v3_poke64(m->t.db, V3_AT_TOTAL, 2621441);
    assert_int_equal(sh(m, built_with_sanitizer()
                               ? "timeout 20 \"$PAGEFS\" check \"$DB\""
                               : "ulimit -v 100000; timeout 5 \"$PAGEFS\" check \"$DB\""),
                     0);
    assert_said(m, "pages 23-2621440: leaked (2621418 pages)\n");
    assert_count(m, "in_use", 23);
}

static void a_total_that_no_file_can_have_is_a_finding(void **state)
{
    struct mnt *m = *state;

    take_sample(m, "small");
    v3_poke64(m->t.db, V3_AT_TOTAL, UINT64_MAX);
    assert_int_equal(sh(m, "timeout 10 \"$PAGEFS\" check \"$DB\""), 4);
    assert_said(m, "page 0: header: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(every_sample_has_the_figures_of_the_table),
        MOUNT_TEST(a_check_changes_nothing_and_leaves_no_file),
        MOUNT_TEST(json_says_the_same_as_the_lines),
        MOUNT_TEST(a_finding_names_page_class_what_is_wrong_and_the_path),
        MOUNT_TEST(exit_statuses_and_messages),
        MOUNT_TEST(the_advice_can_be_pasted_into_a_shell),
        MOUNT_TEST(the_advice_names_the_file_or_calls_it_db),
        MOUNT_TEST(leaked_pages_are_lines_up_to_a_limit_then_runs),
        MOUNT_TEST(copies_with_a_flipped_bit_neither_crash_nor_hang),
        MOUNT_TEST(a_sparse_file_of_10_gb_is_checked_at_once),
        MOUNT_TEST(a_total_that_no_file_can_have_is_a_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
