/* Threads that share a store on a fault disk, checkpoints between them: what any of them
 * was told survives a power cut at any moment. Syncs take a while, so that commits are
 * shared and everything overlaps. PF_CRASH_SEED=n repeats a seed; the schedule is the
 * machine's. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuts.h"
#include "fixedrandom.h"
#include "run.h"
#include "scratch.h"
#include "store.h"

enum { THREADS = 6, HELD = 24 };

static const struct start_spec spec = {"threads", 700, 520, 506, 0};

struct party {
    pf_store *store;
    struct trace *trace;
    unsigned requests;
    _Atomic uint64_t next_number, errors;
};

struct member {
    struct party *party;
    pthread_t thread;
    uint64_t rng;
    uint64_t held[HELD + 4];
    size_t held_count;
};

static uint64_t issue(struct member *m, const struct trace_request *request)
{
    const uint64_t number = atomic_fetch_add(&m->party->next_number, 1);

    trace_put(m->party->trace, TRACE_ISSUE, number, 0, request, sizeof(*request));
    return number;
}

static void answer(struct member *m, uint64_t number, pf_err err, const uint64_t *ids,
                   size_t count)
{
    trace_put(m->party->trace, TRACE_ACK, number, err, ids, count * sizeof(ids[0]));
    if (err != PF_OK)
        atomic_fetch_add(&m->party->errors, 1);
}

static void do_alloc(struct member *m, uint64_t count)
{
    const struct trace_request request = {.kind = TRACE_ALLOC, .count = count};
    uint64_t ids[4];
    const uint64_t number = issue(m, &request);
    const pf_err err = pf_pages_alloc(m->party->store, count, ids, NULL);

    answer(m, number, err, ids, err == PF_OK ? count : 0);
    for (uint64_t i = 0; i < count && err == PF_OK; i++)
        m->held[m->held_count++] = ids[i];
}

static void do_free(struct member *m, uint64_t count)
{
    struct trace_request request = {.kind = TRACE_FREE, .count = count};
    struct pf_range ranges[4];

    for (uint64_t i = 0; i < count; i++) {
        const size_t at = rng_below(&m->rng, m->held_count);

        request.ids[i] = m->held[at];
        ranges[i] = (struct pf_range){m->held[at], 1};
        m->held[at] = m->held[--m->held_count];
    }
    const uint64_t number = issue(m, &request);
    answer(m, number, pf_pages_free(m->party->store, ranges, count, NULL, NULL), NULL, 0);
}

static void do_data(struct member *m)
{
    struct trace_request request = {.kind = TRACE_DATA, .count = 1};
    uint8_t bytes[PF_PAGE_SIZE];

    request.ids[0] = m->held[rng_below(&m->rng, m->held_count)];
    request.version = rng_next(&m->rng) | 1;
    claims_data(bytes, request.ids[0], request.version);
    const uint64_t number = issue(m, &request);
    answer(m, number,
           pf_page_write(m->party->store, request.ids[0], 0, bytes, sizeof(bytes), NULL),
           NULL, 0);
}

static void *member(void *argument)
{
    struct member *m = argument;

    for (unsigned i = 0; i < m->party->requests; i++) {
        const uint64_t dice = rng_below(&m->rng, 100);

        if (dice < 5 && pf_checkpoint(m->party->store) != PF_OK)
            atomic_fetch_add(&m->party->errors, 1);
        else if (m->held_count > HELD || (dice < 35 && m->held_count > 2))
            do_free(m, 1 + dice % 3);
        else if (dice < 60 && m->held_count > 0)
            do_data(m);
        else
            do_alloc(m, dice > 90 ? 3 : 1);
    }
    return NULL;
}

static void record(void *context, enum fd_call call, unsigned stream, uint64_t at,
                   const void *bytes, size_t length, bool done)
{
    static const enum trace_type types[] = {
        [FD_WRITE] = TRACE_WRITE,
        [FD_TRUNCATE] = TRACE_TRUNCATE,
        [FD_CREATE] = TRACE_CREATE,
        [FD_REMOVE] = TRACE_REMOVE,
    };
    enum trace_type type = done ? TRACE_SYNC_END : TRACE_SYNC_BEGIN;

    if (call != FD_SYNC && call != FD_DIR_SYNC)
        type = types[call];
    trace_put(context, type, stream, at, bytes, length);
}

static void party(struct cuts *r, uint64_t seed, unsigned requests)
{
    struct member members[THREADS] = {0};
    struct party p = {.trace = &r->trace, .requests = requests};
    struct arena *arena = arena_new();
    struct faultdisk disk;
    char reason[PF_REASON_SIZE];

    snprintf(r->judge.label, sizeof(r->judge.label), "PF_CRASH_SEED=%" PRIu64, seed);
    assert_true(trace_open_memory(&r->trace, (size_t)2 << 30));
    faultdisk_init(&disk, arena);
    faultdisk_load(&disk, &r->start->image);
    disk.sync_usec = 300;
    disk.record = record;
    disk.record_context = &r->trace;
    fixed_random_set(seed);
    assert_ok(store_open(faultdisk_db(&disk), faultdisk_place(&disk), true, false, reason,
                         &p.store));
    store_set_journal_size(p.store, 96 * 1024);
    for (size_t i = 0; i < THREADS; i++) {
        members[i].party = &p;
        members[i].rng = (seed * THREADS + i + 1) * 0x9E3779B97F4A7C15U;
        assert_int_equal(pthread_create(&members[i].thread, NULL, member, &members[i]),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(members[i].thread, NULL);
    assert_ok(pf_close(p.store));
    assert_int_equal(p.errors, 0);
    faultdisk_clear(&disk);
    arena_delete(arena);
    cuts_judge(r);
    trace_close(&r->trace);
}

static void what_threads_were_told_survives_power_cuts(void **state)
{
    const char *only = getenv("PF_CRASH_SEED");
    uint64_t first = 1, last = figure(4, 12, 200);
    struct judge_start start;
    struct cuts r;

    (void)state;
    start_make(&start, &spec);
    cuts_init(&r, &start);
    r.limit = figure(8, 8, 24);
    if (only != NULL)
        first = last = strtoull(only, NULL, 10);
    for (uint64_t seed = first; seed <= last && !judge_is_done(&r.judge); seed++)
        party(&r, seed, scaled(80, 200));
    print_message("#= threads: seeds %" PRIu64 "-%" PRIu64
                  ", %d threads, %zu distinct images of "
                  "%" PRIu64 " cuts\n",
                  first, last, THREADS, r.judge.seen.count, r.points);
    const unsigned violations = r.judge.violations;
    cuts_clear(&r);
    start_clear(&start);
    if (violations > 0)
        fail_msg("%u violations", violations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_threads_were_told_survives_power_cuts),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
