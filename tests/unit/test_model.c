/* Random operations against a model that is too simple to be wrong. */
#include "scratch.h"
#include "v3file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL_MAX = 4000 };

/* An array of states and a stack of free pages. */
struct model {
    uint64_t total;
    uint64_t stack[MODEL_MAX];
    size_t depth;
    bool is_free[MODEL_MAX];
    uint32_t pins[MODEL_MAX];
};

static void model_push(struct model *m, uint64_t id)
{
    m->stack[m->depth++] = id;
    m->is_free[id] = true;
}

static uint64_t model_alloc(struct model *m)
{
    uint64_t id = m->total;

    if (m->depth > 0)
        id = m->stack[--m->depth];
    else
        m->total++;
    m->is_free[id] = false;
    return id;
}

static void model_take(struct model *m, uint64_t id)
{
    size_t at = 0;

    while (m->stack[at] != id)
        at++;
    memmove(m->stack + at, m->stack + at + 1, (m->depth - at - 1) * sizeof(m->stack[0]));
    m->depth--;
    m->is_free[id] = false;
}

static pf_err model_free_error(const struct model *m, uint64_t id)
{
    if (id < 2)
        return PF_E_RESERVED;
    if (id >= m->total)
        return PF_E_NO_PAGE;
    if (m->is_free[id])
        return PF_E_ALREADY_FREE;
    return m->pins[id] > 0 ? PF_E_PINNED : PF_OK;
}

static pf_err model_pin_error(const struct model *m, uint64_t id, bool unpin)
{
    if (id < 2)
        return PF_E_RESERVED;
    if (id >= m->total)
        return PF_E_NO_PAGE;
    if (m->is_free[id])
        return PF_E_IS_FREE;
    return unpin && m->pins[id] == 0 ? PF_E_NOT_PINNED : PF_OK;
}

static void compare(pf_store *store, const struct model *m)
{
    uint64_t ids[MODEL_MAX];
    size_t count = 0;
    uint64_t pinned = 0;

    for (uint64_t id = 0; id < m->total; id++) {
        const pf_state expected = m->is_free[id]     ? PF_STATE_FREE
                                  : m->pins[id] != 0 ? PF_STATE_PINNED
                                                     : PF_STATE_ALLOCATED;
        if (state_of(store, id) != expected)
            fail_msg("page %" PRIu64 " is in state %d, expected %d", id,
                     (int)state_of(store, id), (int)expected);
        pinned += m->pins[id] != 0;
    }
    assert_counts(store, m->total, m->depth, pinned);
    assert_u64(m->depth > 0 ? m->stack[m->depth - 1] : 0, pf_free_list_head(store));
    assert_ok(pf_freelist_get(store, 0, MODEL_MAX, ids, &count));
    assert_int_equal(count, m->depth);
    for (size_t i = 0; i < count; i++)
        assert_u64(m->stack[m->depth - 1 - i], ids[i]);
}

static void do_alloc(pf_store *store, struct model *m, uint64_t *rng)
{
    const uint64_t count = 1 + rng_below(rng, 30);
    uint64_t ids[30];

    if (m->total + count >= MODEL_MAX)
        return;
    assert_ok(pf_pages_alloc(store, count, ids, NULL));
    for (uint64_t i = 0; i < count; i++)
        assert_u64(model_alloc(m), ids[i]);
}

/* Ranges are looked at before pages. */
static pf_err model_range_error(const struct model *m, struct pf_range range,
                                uint64_t *out_bad_id)
{
    pf_err err = range.first < 2 ? PF_E_RESERVED : PF_OK;
    uint64_t id = range.first;

    if (range.first >= 2 && range.first + range.count > m->total) {
        id = range.first > m->total ? range.first : m->total;
        err = PF_E_NO_PAGE;
    }
    while (err == PF_OK && id < range.first + range.count) {
        err = model_free_error(m, id);
        id += err == PF_OK;
    }
    *out_bad_id = id;
    return err;
}

/* A range that often is partly refused: then nothing may change. */
static void do_free(pf_store *store, struct model *m, uint64_t *rng)
{
    const struct pf_range range = {rng_below(rng, m->total + 2), 1 + rng_below(rng, 40)};
    uint64_t expected_bad_id = 0;
    uint64_t bad_id = 0;
    const pf_err expected = model_range_error(m, range, &expected_bad_id);

    assert_pf(expected, pf_pages_free(store, &range, 1, &bad_id, NULL));
    if (expected != PF_OK) {
        assert_u64(expected_bad_id, bad_id);
        return;
    }
    for (uint64_t id = range.first; id < range.first + range.count; id++)
        model_push(m, id);
}

static void do_free_one(pf_store *store, struct model *m, uint64_t *rng)
{
    const uint64_t id = rng_below(rng, m->total + 2);
    const pf_err expected = model_free_error(m, id);

    assert_pf(expected, pf_page_free(store, id, NULL));
    if (expected == PF_OK)
        model_push(m, id);
}

static void do_take(pf_store *store, struct model *m, uint64_t *rng)
{
    if (m->depth == 0)
        return;
    const uint64_t id = m->stack[rng_below(rng, m->depth)];
    assert_ok(pf_page_take(store, id, NULL));
    model_take(m, id);
}

/* The lowest run that is long enough, else the run at the end, completed by growing. */
static uint64_t model_run(const struct model *m, uint64_t count)
{
    uint64_t run = 0;

    for (uint64_t id = 2; id < m->total; id++) {
        run = m->is_free[id] ? run + 1 : 0;
        if (run == count)
            return id + 1 - count;
    }
    return m->total - run;
}

static void do_contiguous(pf_store *store, struct model *m, uint64_t *rng)
{
    const uint64_t count = 1 + rng_below(rng, 12);
    uint64_t first = 0;

    if (m->total + count >= MODEL_MAX)
        return;
    assert_ok(pf_pages_alloc_contiguous(store, count, &first, NULL));
    assert_u64(model_run(m, count), first);
    for (uint64_t id = first; id < first + count && id < m->total; id++)
        model_take(m, id);
    if (first + count > m->total)
        m->total = first + count;
}

static void do_pin(pf_store *store, struct model *m, uint64_t *rng)
{
    const uint64_t id = rng_below(rng, m->total + 2);
    const bool unpin = rng_below(rng, 2) == 0;
    const pf_err expected = model_pin_error(m, id, unpin);

    assert_pf(expected, unpin ? pf_page_unpin(store, id) : pf_page_pin(store, id));
    if (expected == PF_OK)
        m->pins[id] += unpin ? (uint32_t)-1 : 1;
}

static void step(struct scratch *t, struct model *m, uint64_t *rng)
{
    switch (rng_below(rng, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        do_alloc(t->store, m, rng);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        do_free(t->store, m, rng);
        break;
    case 8:
    case 9:
        do_free_one(t->store, m, rng);
        break;
    case 10:
    case 11:
        do_take(t->store, m, rng);
        break;
    case 12:
        do_contiguous(t->store, m, rng);
        break;
    case 13:
    case 14:
        do_pin(t->store, m, rng);
        break;
    default:
        if (rng_below(rng, 4) == 0) {
            scratch_reopen(t);
            memset(m->pins, 0, sizeof(m->pins));
        }
    }
}

static void run_seed(struct scratch *t, uint64_t seed, unsigned steps)
{
    struct model *m = calloc(1, sizeof(*m));
    uint64_t rng = seed * 0x9E3779B97F4A7C15 + 1;
    size_t count;

    assert_non_null(m);
    print_message("# seed %" PRIu64 "\n", seed);
    snprintf(t->db, sizeof(t->db), "%.90s/%" PRIu64 ".v3", t->dir, seed);
    m->total = 2 + rng_below(&rng, 1500);
    scratch_create(t, m->total);
    for (unsigned i = 0; i < steps; i++) {
        step(t, m, &rng);
        if (i % 64 == 0)
            compare(t->store, m);
    }
    compare(t->store, m);
    scratch_close(t);
    uint64_t *ids = v3_free_list(t->db, &count);
    assert_int_equal(count, m->depth);
    for (size_t i = 0; i < count; i++)
        assert_u64(m->stack[m->depth - 1 - i], ids[i]);
    free(ids);
    free(m);
    assert_int_equal(remove(t->db), 0);
}

/* PF_TEST_SEED=n repeats one. */
static void random_operations_agree_with_a_naive_model(void **state)
{
    const char *one = getenv("PF_TEST_SEED");
    const unsigned seeds = scaled(40, 200);

    if (one != NULL) {
        run_seed(*state, strtoull(one, NULL, 10), 400);
        return;
    }
    for (unsigned seed = 1; seed <= seeds; seed++)
        run_seed(*state, seed, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(random_operations_agree_with_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
