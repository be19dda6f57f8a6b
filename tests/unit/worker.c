/* worker.c: it takes pages and gives them back, and acts on them in between. */
#include "worker.h"

#include <stdio.h>

void worker_violation(struct shared *s, const char *file, int line)
{
    if (atomic_fetch_add(&s->violations, 1) == 0)
        snprintf(s->first, sizeof(s->first), "%s:%d", file, line);
}

void worker_begin(struct interval *interval, uint64_t pages)
{
    atomic_fetch_add(&interval->begun, pages);
}

void worker_end(struct interval *interval, uint64_t pages)
{
    atomic_fetch_add(&interval->ended, pages);
}

/* ---- taking and giving pages: the owner table ---- */

/* Right after the store has given it to us. */
static void own(struct worker *w, uint64_t id)
{
    struct shared *s = w->shared;

    if (id < 2 || id >= WORKER_PAGES_MAX) {
        worker_violation(s, __FILE__, __LINE__);
        return;
    }
    must(s, atomic_exchange(&s->owner[id], w->number + 1) == 0);
    w->held[w->held_count++] = id;
}

/* Right before the store gets it back. */
static uint64_t disown(struct worker *w, size_t at)
{
    struct shared *s = w->shared;
    const uint64_t id = w->held[at];

    w->held[at] = w->held[--w->held_count];
    must(s, atomic_exchange(&s->owner[id], 0) == w->number + 1);
    return id;
}

bool worker_holds(const struct worker *w, uint64_t id)
{
    for (size_t i = 0; i < w->held_count; i++)
        if (w->held[i] == id)
            return true;
    return false;
}

uint64_t worker_page(struct worker *w)
{
    return w->held[rng_below(&w->rng, w->held_count)];
}

/* One, several, or several in a row. */
static void take_pages(struct worker *w, uint64_t count, bool contiguous)
{
    struct shared *s = w->shared;
    uint64_t ids[WORKER_BATCH] = {0};
    uint64_t lsn = 0;
    pf_err err;

    worker_begin(&s->allocs, count);
    if (contiguous)
        err = pf_pages_alloc_contiguous(s->store, count, ids, &lsn);
    else if (count == 1)
        err = pf_page_alloc(s->store, ids, &lsn);
    else
        err = pf_pages_alloc(s->store, count, ids, &lsn);
    must(s, err == PF_OK);
    if (err != PF_OK)
        return;
    worker_end(&s->allocs, count);
    for (uint64_t i = 0; i < count; i++)
        own(w, contiguous ? ids[0] + i : ids[i]);
    if (s->durable)
        must(s, pf_wait(s->store, lsn) == PF_OK);
}

/* A page that is free now; somebody may be faster. */
static void take_this_page(struct worker *w)
{
    struct shared *s = w->shared;
    uint64_t id = 0;
    size_t count = 0;

    must(s, pf_freelist_get(s->store, rng_below(&w->rng, 50), 1, &id, &count) == PF_OK);
    if (count == 0)
        return;
    worker_begin(&s->allocs, 1);
    const pf_err err = pf_page_take(s->store, id, NULL);
    if (err == PF_OK) {
        worker_end(&s->allocs, 1);
        own(w, id);
        return;
    }
    must(s, err == PF_E_ALREADY_ALLOC || err == PF_E_ALREADY_PINNED ||
                err == PF_E_NO_PAGE); /* given back to the file system */
}

static void give_one(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = disown(w, (size_t)rng_below(&w->rng, w->held_count));

    worker_begin(&s->frees, 1);
    must(s, pf_page_free(s->store, id, NULL) == PF_OK);
    worker_end(&s->frees, 1);
}

static void give_several(struct worker *w)
{
    struct shared *s = w->shared;
    struct pf_range ranges[WORKER_BATCH];
    const size_t most = w->held_count < WORKER_BATCH ? w->held_count : WORKER_BATCH;
    const size_t count = 1 + (size_t)rng_below(&w->rng, most);
    uint64_t bad_id = 0;

    for (size_t i = 0; i < count; i++) {
        ranges[i].first = disown(w, (size_t)rng_below(&w->rng, w->held_count));
        ranges[i].count = 1;
    }
    worker_begin(&s->frees, count);
    must(s, pf_pages_free(s->store, ranges, count, &bad_id, NULL) == PF_OK);
    worker_end(&s->frees, count);
}

/* ---- the run ---- */

static void work_on_mine(struct worker *w)
{
    const uint64_t which = rng_below(&w->rng, WORKER_ACTS + 1);

    if (which < WORKER_ACTS)
        worker_act(w, which);
    else
        give_several(w);
}

void *worker_work(void *argument)
{
    struct worker *w = argument;

    for (unsigned i = 0; i < w->shared->operations; i++) {
        const uint64_t what = rng_below(&w->rng, 1000);
        const uint64_t several = 1 + rng_below(&w->rng, WORKER_BATCH);

        if (w->held_count == 0)
            take_pages(w, 1, false);
        else if (what < 4)
            worker_act_seldom(w);
        else if (what < 200)
            work_on_mine(w);
        else if (w->held_count + WORKER_BATCH > WORKER_HOARD || what < 600)
            give_one(w);
        else if (what < 900)
            take_pages(w, 1, false);
        else if (what < 930)
            take_this_page(w);
        else
            take_pages(w, several, what >= 970);
    }
    atomic_fetch_add(&w->shared->finished, 1);
    return NULL;
}
