#include "races.h"

#include <pthread.h>
#include <stdatomic.h>

#include "scratch.h"
#include "v3file.h"

/* ---- reading a page while it is written ---- */

enum { READERS = 3 };

struct rewriting {
    pf_store *store;
    uint64_t page_id;
    atomic_uint begun, ended; /* the page is filled with 1, 2, 3, ... */
    atomic_bool over;
    atomic_uint torn, stale, errors;
    atomic_uint reads;
};

/* 1024 times the same number, and none from before our time. */
static void *read_again_and_again(void *argument)
{
    struct rewriting *r = argument;
    uint8_t page[PF_PAGE_SIZE];

    while (!atomic_load(&r->over)) {
        const unsigned low = atomic_load(&r->ended);
        const pf_err err = pf_page_read(r->store, r->page_id, page);
        const unsigned high = atomic_load(&r->begun);
        const uint32_t first = v3_get32(page);
        bool torn = false;

        for (size_t at = 4; at < PF_PAGE_SIZE; at += 4)
            torn = torn || v3_get32(page + at) != first;
        atomic_fetch_add(&r->errors, err != PF_OK);
        atomic_fetch_add(&r->torn, torn);
        atomic_fetch_add(&r->stale, !torn && (first < low || first > high));
        atomic_fetch_add(&r->reads, 1);
    }
    return NULL;
}

static void rewrite(struct rewriting *r, unsigned times)
{
    uint8_t page[PF_PAGE_SIZE];
    uint64_t lsn = 0;

    for (uint32_t number = 1; number <= times; number++) {
        for (size_t at = 0; at < PF_PAGE_SIZE; at += 4)
            v3_put32(page + at, number);
        atomic_store(&r->begun, number);
        assert_ok(pf_page_write(r->store, r->page_id, 0, page, PF_PAGE_SIZE, &lsn));
        atomic_store(&r->ended, number);
        assert_ok(pf_wait(r->store, lsn)); /* without syncs: the file is written now */
    }
}

void a_page_is_read_wholly_old_or_wholly_new(void **state)
{
    struct scratch *t = *state;
    pthread_t readers[READERS];
    struct rewriting r = {0};

    scratch_create(t, 10);
    r.store = t->store;
    r.page_id = 5;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_again_and_again, &r), 0);
    rewrite(&r, figure(2000, 20000, 500000));
    atomic_store(&r.over, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    print_message("# %u reads\n", atomic_load(&r.reads));
    if (atomic_load(&r.torn) + atomic_load(&r.stale) + atomic_load(&r.errors) != 0)
        fail_msg("of %u reads %u were torn, %u stale, %u failed", atomic_load(&r.reads),
                 atomic_load(&r.torn), atomic_load(&r.stale), atomic_load(&r.errors));
}

/* ---- reading pages that come and go ---- */

struct moving_end {
    pf_store *store;
    atomic_bool over;
    atomic_uint reads, missing, errors;
};

static void *read_at_the_end(void *argument)
{
    struct moving_end *e = argument;
    uint8_t page[PF_PAGE_SIZE];
    uint64_t id = 2;

    for (; !atomic_load(&e->over); id = id == 11 ? 2 : id + 1) {
        const pf_err err = pf_page_read(e->store, id, page);

        atomic_fetch_add(&e->reads, 1);
        atomic_fetch_add(&e->missing, err == PF_E_NO_PAGE);
        atomic_fetch_add(&e->errors, err != PF_OK && err != PF_E_NO_PAGE);
    }
    return NULL;
}

void a_page_read_while_a_shrink_takes_it_is_there_or_not(void **state)
{
    struct scratch *t = *state;
    pthread_t readers[READERS];
    struct moving_end e = {0};
    uint64_t ids[10];
    uint64_t given_back = 0;

    scratch_create(t, 0);
    e.store = t->store;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_at_the_end, &e), 0);
    for (unsigned n = figure(300, 1000, 30000); n > 0; n--) {
        assert_ok(pf_pages_alloc(t->store, 10, ids, NULL));
        assert_ok(pf_sync(t->store));
        free_range(t->store, 2, 10);
        assert_ok(pf_shrink(t->store, &given_back));
        assert_u64(10, given_back);
    }
    atomic_store(&e.over, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    print_message("# %u reads, %u of pages that were not there\n", atomic_load(&e.reads),
                  atomic_load(&e.missing));
    assert_int_equal(atomic_load(&e.errors), 0);
    assert_true(pf_writable(t->store));
}

/* ---- freeing one page at the same time ---- */

struct race {
    pf_store *store;
    uint64_t page_id;
    atomic_int successes, refusals, others;
};

static void *free_the_same(void *argument)
{
    struct race *r = argument;
    const pf_err err = pf_page_free(r->store, r->page_id, NULL);

    if (err == PF_OK)
        atomic_fetch_add(&r->successes, 1);
    else if (err == PF_E_ALREADY_FREE)
        atomic_fetch_add(&r->refusals, 1);
    else
        atomic_fetch_add(&r->others, 1);
    return NULL;
}

void of_many_frees_of_one_page_exactly_one_succeeds(void **state)
{
    struct scratch *t = *state;
    pthread_t threads[8];

    scratch_create(t, 300);
    for (uint64_t id = 2; id < 300; id++) {
        struct race race = {.store = t->store, .page_id = id};

        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, free_the_same, &race), 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&race.successes), 1);
        assert_int_equal(atomic_load(&race.refusals), 7);
        assert_int_equal(atomic_load(&race.others), 0);
    }
    assert_counts(t->store, 300, 298, 0);
}
