/* pf_repair(): what it changes, what it says, and what it never touches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "v3file.h"

struct said {
    unsigned count;
    char all[4096];
};

static void note(void *ctx, const char *change)
{
    struct said *said = ctx;
    said->count++;
    strncat(said->all, change, sizeof said->all - strlen(said->all) - 2);
    strcat(said->all, "\n");
}

static struct pf_repair_result
repair(struct scratch *t, const struct pf_repair_options *options, struct said *said)
{
    struct pf_repair_result result = {0};
    memset(said, 0, sizeof *said);
    assert_ok(pf_repair(t->db, options, NULL, note, said, &result, t->reason));
    assert_u64(said->count, result.changes);
    return result;
}

static struct pf_check_summary check(struct scratch *t)
{
    const struct pf_options read_only = {.read_only = true};
    struct pf_check_summary summary;
    scratch_open(t, &read_only);
    assert_ok(pf_check(t->store, NULL, &summary));
    scratch_close(t);
    return summary;
}

static uint8_t *contents(const char *path, size_t *out_size)
{
    struct stat st;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    *out_size = fread(bytes, 1, (size_t)st.st_size, f);
    fclose(f);
    return bytes;
}

static void a_repaired_stale_file_is_clean_and_opens_for_writing(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options plain = {0};
    const struct pf_options require_rw = {.require_rw = true};
    struct said said;
    size_t before_size, after_size;
    scratch_copy_sample(t, "stale");
    uint8_t *before = contents(t->db, &before_size);
    assert_true(check(t).finding_count > 0);
    (void)repair(t, &plain, &said);
    assert_non_null(strstr(said.all, "raise total_pages from 2 to 68"));
    uint8_t *after = contents(t->db, &after_size);
    assert_int_equal(before_size, after_size);
    assert_u64(68, v3_get64(after + V3_AT_TOTAL));
    memcpy(after + V3_AT_TOTAL, before + V3_AT_TOTAL, 8);
    assert_memory_equal(before, after, before_size); /* and nothing else */
    assert_u64(0, check(t).finding_count);
    assert_ok(pf_open(t->db, &require_rw, &t->store, t->reason));
    assert_u64(68, alloc_one(t->store));
    free(before);
    free(after);
}

static void repair_of_a_sound_file_changes_nothing(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options plain = {0};
    struct said said;
    scratch_copy_sample(t, "medium");
    const uint64_t before = v3_hash(t->db);
    (void)repair(t, &plain, &said);
    assert_int_equal(said.count, 0);
    assert_u64(before, v3_hash(t->db));
}

static void leaked_pages_are_freed_only_when_asked_and_all_of_them(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options free_leaked = {.free_leaked = true};
    struct said said;
    scratch_copy_sample(t, "medium");
    assert_u64(15, check(t).leaked);
    const struct pf_repair_result result = repair(t, &free_leaked, &said);
    assert_u64(15, result.freed_pages);
    const struct pf_check_summary after = check(t);
    assert_u64(0, after.leaked);
    assert_u64(15, after.free_pages);
    assert_u64(1261, after.in_use);
    assert_u64(0, after.finding_count);
    assert_u64(1988, after.nodes);
}

static void a_broken_list_is_rebuilt_from_what_can_be_read(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options plain = {0};
    struct said said;
    scratch_create(t, 3000);
    free_range(t->store, 100, 506);
    free_range(t->store, 1000, 506);
    free_range(t->store, 2000, 100);
    scratch_close(t);
    v3_poke64(t->db, v3_offset(1000) + V3_TRUNK_LEAVES + 80, 100); /* the middle block */
    assert_false(check(t).free_list_intact);
    (void)repair(t, &plain, &said);
    assert_non_null(strstr(said.all, "write the free list anew"));
    const struct pf_check_summary after = check(t);
    assert_true(after.free_list_intact);
    assert_in_range(after.free_pages, 100, 1112);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
    for (uint64_t id = 2000; id < 2100; id++) /* lowest first, all of the sound block */
        assert_int_equal(state_of(t->store, id), PF_STATE_FREE);
}

static void pages_in_use_are_taken_off_the_list_and_keep_their_bytes(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options plain = {0};
    struct said said;
    size_t size;
    scratch_copy_sample(t, "small");
    scratch_open(t, NULL);
    for (int i = 0; i < 3; i++)
        (void)alloc_one(t->store);
    free_range(t->store, 23, 3);
    free_one(t->store, 10); /* the graph uses it: a leaf of the list */
    scratch_close(t);
    uint8_t *before = contents(t->db, &size);
    const struct pf_check_summary broken = check(t);
    assert_u64(1, broken.findings[PF_FINDING_FREE_BUT_USED]);
    const struct pf_repair_result result = repair(t, &plain, &said);
    assert_u64(1, result.dropped_pages);
    uint8_t *after = contents(t->db, &size);
    assert_memory_equal(before + v3_offset(2), after + v3_offset(2), 21 * V3_PAGE);
    const struct pf_check_summary sound = check(t);
    assert_u64(0, sound.finding_count - sound.findings[PF_FINDING_LEAKED]);
    assert_u64(3, sound.free_pages);
    free(before);
    free(after);
}

static void a_dry_run_says_the_same_and_changes_nothing(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options dry = {.dry_run = true, .free_leaked = true};
    const struct pf_repair_options wet = {.free_leaked = true};
    struct said would, did;
    scratch_copy_sample(t, "medium");
    const uint64_t before = v3_hash(t->db);
    (void)repair(t, &dry, &would);
    assert_u64(before, v3_hash(t->db));
    (void)repair(t, &wet, &did);
    assert_string_equal(would.all, did.all);
}

static void a_refused_journal_is_set_aside_only_when_asked(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options plain = {0}, discard = {.discard_journal = true};
    struct pf_repair_result result;
    struct said said = {0};
    char journal[256], aside[300];
    scratch_create(t, 50);
    scratch_close(t);
    snprintf(journal, sizeof journal, "%s-journal", t->db);
    snprintf(aside, sizeof aside, "%s.refused", journal);
    FILE *f = fopen(journal, "w");
    fputs("PFJRNL, but not really: a journal whose header is damaged", f);
    for (int i = 0; i < 1000; i++)
        fputc('x', f);
    fclose(f);
    const uint64_t before = v3_hash(journal);
    assert_pf(PF_E_JOURNAL,
              pf_repair(t->db, &plain, NULL, note, &said, &result, t->reason));
    assert_non_null(strstr(t->reason, "--discard-journal"));
    (void)repair(t, &discard, &said);
    assert_non_null(strstr(said.all, "set the journal aside"));
    assert_int_not_equal(access(journal, F_OK), 0);
    assert_u64(before, v3_hash(aside));
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
}

static void a_file_with_an_unclean_log_is_not_repaired(void **state)
{
    struct scratch *t = *state;
    const struct pf_repair_options plain = {0};
    struct pf_repair_result result;
    struct said said = {0};
    scratch_copy_sample(t, "wal_stale");
    const uint64_t before = v3_hash(t->db);
    assert_pf(PF_E_NEEDS_WRITE,
              pf_repair(t->db, &plain, NULL, note, &said, &result, t->reason));
    assert_non_null(strstr(t->reason, "write-ahead log"));
    assert_u64(before, v3_hash(t->db));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_repaired_stale_file_is_clean_and_opens_for_writing),
        SCRATCH_TEST(repair_of_a_sound_file_changes_nothing),
        SCRATCH_TEST(leaked_pages_are_freed_only_when_asked_and_all_of_them),
        SCRATCH_TEST(a_broken_list_is_rebuilt_from_what_can_be_read),
        SCRATCH_TEST(pages_in_use_are_taken_off_the_list_and_keep_their_bytes),
        SCRATCH_TEST(a_dry_run_says_the_same_and_changes_nothing),
        SCRATCH_TEST(a_refused_journal_is_set_aside_only_when_asked),
        SCRATCH_TEST(a_file_with_an_unclean_log_is_not_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
