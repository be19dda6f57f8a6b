/* Walks of an open store, and what is written and freed while they are under way.
 *
 * A finding is delivered in the middle of the walk, in its thread, which holds no lock
 * then. So a damaged page is the place where the test makes its changes: no threads, no
 * luck. */
#include <string.h>

#include "scratch.h"
#include "v3file.h"

struct meddler {
    pf_store *store;
    unsigned findings; /* so far: one a walk */
    unsigned meddle;   /* in so many of the first walks */
    void (*change)(struct meddler *m);
    uint64_t page_id;
    atomic_bool cancel;
};

static void on_finding(void *ctx, const struct pf_finding *finding)
{
    struct meddler *m = ctx;

    (void)finding;
    if (m->findings++ < m->meddle)
        m->change(m);
}

static void write_page(struct meddler *m)
{
    static const uint8_t zeros[PF_PAGE_SIZE];

    assert_ok(pf_page_write(m->store, m->page_id, 0, zeros, sizeof(zeros), NULL));
}

static void free_page(struct meddler *m)
{
    assert_ok(pf_page_free(m->store, m->page_id, NULL));
}

static void free_and_cancel(struct meddler *m)
{
    free_page(m);
    atomic_store(&m->cancel, true);
}

/* A page that `type` names, the lowest or the highest. */
static uint64_t page_of_type(pf_store *store, const char *type, bool highest)
{
    const uint64_t total = pf_total_pages(store);
    uint64_t found = 0;

    for (uint64_t id = 2; id < total && (found == 0 || highest); id++) {
        struct pf_page_use use;

        assert_ok(pf_page_use_get(store, id, &use));
        if (strcmp(use.type, type) == 0)
            found = id;
    }
    assert_true(found != 0);
    return found;
}

/* medium, open, with a wrong sum in its last node page: so every walk has one finding,
 * when it has seen the trees and all other node pages. m->page_id: the first of these. */
static void start(struct scratch *t, struct meddler *m, void (*change)(struct meddler *))
{
    uint8_t byte;

    scratch_copy_sample(t, "medium");
    scratch_open(t, NULL);
    assert_ok(pf_graph_walk(t->store, NULL));
    const uint64_t first = page_of_type(t->store, "node", false);
    const uint64_t last = page_of_type(t->store, "node", true);
    scratch_close(t);
    v3_peek(t->db, v3_offset(last) + 31, &byte, 1);
    byte ^= 1;
    v3_poke(t->db, v3_offset(last) + 31, &byte, 1);
    scratch_open(t, NULL);
    *m = (struct meddler){
        .store = t->store, .meddle = 1, .change = change, .page_id = first};
}

static pf_err walk(struct meddler *m)
{
    const struct pf_watch watch = {
        .finding = on_finding, .finding_ctx = m, .cancel = &m->cancel};

    return pf_graph_walk(m->store, &watch);
}

static bool is_bad(pf_store *store, uint64_t page_id)
{
    struct pf_page_use use;

    assert_ok(pf_page_use_get(store, page_id, &use));
    assert_true(use.known);
    return use.bad;
}

static void a_walk_holds_when_nothing_is_written(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, write_page);
    m.meddle = 0;
    assert_ok(walk(&m));
    assert_int_equal(1, m.findings);
    assert_true(pf_graph_known(t->store));
    assert_false(is_bad(t->store, m.page_id));
}

static void a_page_written_behind_the_walk_makes_it_walk_again(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, write_page);
    assert_ok(walk(&m));
    assert_true(m.findings > 1); /* one of the first walk, the others of the second */
    assert_true(pf_graph_known(t->store));
    assert_true(is_bad(t->store, m.page_id)); /* as it is now */
}

static void a_page_freed_during_the_walk_makes_it_walk_again(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, free_page);
    assert_ok(walk(&m));
    assert_true(m.findings > 1);
    assert_true(is_bad(t->store, m.page_id)); /* it is a trunk of the free list now */
}

static void pages_that_the_graph_does_not_reach_may_change(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, free_page);
    m.page_id = 6; /* leaked */
    assert_ok(walk(&m));
    assert_int_equal(1, m.findings);
    m = (struct meddler){
        .store = t->store, .meddle = 1, .change = write_page, .page_id = 7};
    assert_ok(walk(&m));
    assert_int_equal(1, m.findings);
    assert_true(pf_graph_known(t->store));
}

/* Every other one of the file's last 300 pages, then the page that matters. */
static void write_scattered(struct meddler *m)
{
    const uint64_t total = pf_total_pages(m->store);
    struct meddler other = *m;

    for (other.page_id = total - 300; other.page_id < total; other.page_id += 2)
        write_page(&other);
    write_page(m);
}

/* More than can be kept apart: then any page may have been among them. */
static void many_scattered_writes_are_not_forgotten(void **state)
{
    struct scratch *t = *state;
    struct meddler m;
    uint64_t ids[300];

    start(t, &m, write_scattered);
    assert_ok(pf_pages_alloc(t->store, 300, ids, NULL));
    assert_ok(walk(&m));
    assert_true(m.findings > 1);
    assert_true(is_bad(t->store, m.page_id));
}

static void a_graph_that_is_written_all_the_time_is_not_known(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, write_page);
    m.meddle = UINT32_MAX;
    assert_pf(PF_E_CHANGING, walk(&m));
    assert_false(pf_graph_known(t->store));
    m.meddle = 0; /* and when it is left alone it is */
    assert_ok(walk(&m));
    assert_true(pf_graph_known(t->store));
}

static void a_walk_that_is_cancelled_leaves_nothing(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, free_and_cancel);
    assert_pf(PF_E_CANCELLED, walk(&m));
    assert_false(pf_graph_known(t->store));
    atomic_store(&m.cancel, false);
    assert_ok(walk(&m));
    assert_true(pf_graph_known(t->store));
}

static void a_check_that_was_overtaken_does_not_say_what_is_in_use(void **state)
{
    struct scratch *t = *state;
    struct pf_check_summary summary;
    struct meddler m;

    start(t, &m, write_page);
    const struct pf_watch watch = {.finding = on_finding, .finding_ctx = &m};
    assert_ok(pf_check(t->store, &watch, &summary));
    assert_true(summary.complete);
    assert_false(pf_graph_known(t->store));
    assert_ok(pf_check(t->store, &watch, &summary));
    assert_true(pf_graph_known(t->store));
    assert_true(is_bad(t->store, m.page_id));
}

static void a_walk_is_dropped_when_a_page_that_it_reached_changes(void **state)
{
    struct scratch *t = *state;
    struct meddler m;

    start(t, &m, write_page);
    m.meddle = 0;
    assert_ok(walk(&m));
    free_one(t->store, 6);
    assert_true(pf_graph_known(t->store));
    free_one(t->store, m.page_id);
    assert_false(pf_graph_known(t->store));
}

static void a_range_is_refused_for_any_page_of_it_that_is_used(void **state)
{
    struct scratch *t = *state;
    const struct pf_range leaked = {10, 3}, both = {6, 7};
    const struct pf_range ranges[] = {leaked, {53, 3}, both};
    uint64_t bad_id = 0;

    scratch_copy_sample(t, "medium");
    scratch_open(t, NULL);
    assert_ok(pf_pages_unused(t->store, ranges, 3, &bad_id)); /* nothing is known */
    assert_ok(pf_graph_walk(t->store, NULL));
    assert_ok(pf_pages_unused(t->store, ranges, 2, &bad_id));
    assert_pf(PF_E_IN_USE, pf_pages_unused(t->store, ranges, 3, &bad_id));
    assert_u64(8, bad_id); /* 6 and 7 are leaked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_walk_holds_when_nothing_is_written),
        SCRATCH_TEST(a_page_written_behind_the_walk_makes_it_walk_again),
        SCRATCH_TEST(a_page_freed_during_the_walk_makes_it_walk_again),
        SCRATCH_TEST(pages_that_the_graph_does_not_reach_may_change),
        SCRATCH_TEST(many_scattered_writes_are_not_forgotten),
        SCRATCH_TEST(a_graph_that_is_written_all_the_time_is_not_known),
        SCRATCH_TEST(a_walk_that_is_cancelled_leaves_nothing),
        SCRATCH_TEST(a_check_that_was_overtaken_does_not_say_what_is_in_use),
        SCRATCH_TEST(a_walk_is_dropped_when_a_page_that_it_reached_changes),
        SCRATCH_TEST(a_range_is_refused_for_any_page_of_it_that_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
