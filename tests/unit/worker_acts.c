/* worker_acts.c: everything that can be done with a page beside taking and giving it, and
 * looks at the whole store. */
#include "v3file.h"
#include "worker.h"

/* ---- a page of ours does what we say, whatever the others do ---- */

static void expect_page(struct worker *w, uint64_t id, pf_state state, uint32_t pins,
                        uint32_t holds_of_it)
{
    struct pf_page page;

    must(w->shared, pf_page_get(w->shared->store, id, &page) == PF_OK &&
                        page.state == state && page.pins == pins &&
                        page.holds == holds_of_it && !page.trunk);
}

static void pin_mine(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = worker_page(w);
    uint64_t seen = 0;

    worker_begin(&s->pins, 2);
    must(s, pf_page_pin(s->store, id) == PF_OK);
    expect_page(w, id, PF_STATE_PINNED, 1, 0);
    must(s, pf_page_free(s->store, id, NULL) == PF_E_PINNED);
    must(s, pf_pages_pin(s->store, &(struct pf_range){id, 1}, 1, NULL) == PF_OK);
    worker_end(&s->pins, 2);
    must(s, pf_pinned_next(s->store, id, &seen) && seen == id);
    worker_begin(&s->unpins, 2);
    if (rng_below(&w->rng, 2) == 0) {
        must(s, pf_page_unpin_all(s->store, id) == PF_OK);
    } else {
        must(s, pf_page_unpin(s->store, id) == PF_OK);
        must(s, pf_pages_unpin(s->store, &(struct pf_range){id, 1}, 1, NULL) == PF_OK);
    }
    worker_end(&s->unpins, 2);
    must(s, pf_page_unpin(s->store, id) == PF_E_NOT_PINNED);
    expect_page(w, id, PF_STATE_ALLOCATED, 0, 0);
}

static void hold_mine(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = worker_page(w);

    worker_begin(&s->pins, 1);
    must(s, pf_page_hold(s->store, id) == PF_OK);
    worker_end(&s->pins, 1);
    expect_page(w, id, PF_STATE_PINNED, 1, 1);
    must(s, pf_page_free(s->store, id, NULL) == PF_E_HELD);
    must(s, pf_page_unpin(s->store, id) == PF_E_HELD);
    worker_begin(&s->unpins, 1);
    pf_page_unhold(s->store, id);
    worker_end(&s->unpins, 1);
    expect_page(w, id, PF_STATE_ALLOCATED, 0, 0);
}

static void write_mine(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t id = worker_page(w);
    uint8_t mark[8];
    uint8_t page[PF_PAGE_SIZE];

    v3_put64(mark, rng_next(&w->rng));
    must(s, pf_page_write(s->store, id, 500, mark, sizeof(mark), NULL) == PF_OK);
    must(s, pf_page_read(s->store, id, page) == PF_OK);
    must(s, v3_get64(page + 500) == v3_get64(mark));
}

/* All or none: a page of ours beside one that cannot be freed stays ours. */
static void give_in_vain(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t mine = worker_page(w);
    const struct pf_range ranges[] = {{mine, 1}, {1, 1}};
    struct pf_page page;
    uint64_t bad_id = 0;

    must(s, pf_pages_free(s->store, ranges, 2, &bad_id, NULL) == PF_E_RESERVED);
    must(s, bad_id == 1);
    must(s,
         pf_page_get(s->store, mine, &page) == PF_OK && page.state == PF_STATE_ALLOCATED);
}

/* ---- looks at everything ---- */

/* A snapshot has our pages as they are: we do not change them meanwhile. */
static void snapshot_all(struct worker *w)
{
    struct shared *s = w->shared;
    pf_snapshot *snapshot = NULL;
    struct pf_stats stats;
    struct pf_change change;
    bool found = false;

    must(s, pf_snapshot_take(s->store, &snapshot) == PF_OK);
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < w->held_count; i++)
        must(s,
             pf_snapshot_next(s->store, snapshot, w->held[i], &change, &found) == PF_OK &&
                 (!found || change.page_id > w->held[i]));
    pf_snapshot_stats(snapshot, &stats);
    must(s, stats.allocated_pages + stats.free_pages == stats.total_pages);
    must(s, pf_snapshot_bytes(snapshot) > 0);
    pf_snapshot_drop(snapshot);
}

/* A clone has them allocated, hands out others, and nothing of it reaches the store. */
static void clone_all(struct worker *w)
{
    struct shared *s = w->shared;
    pf_store *clone = NULL;
    struct pf_page page;

    must(s, pf_clone(s->store, &clone) == PF_OK);
    if (clone == NULL)
        return;
    for (int i = 0; i < 20; i++) {
        uint64_t id = 0;
        must(s, pf_page_alloc(clone, &id, NULL) == PF_OK && !worker_holds(w, id));
    }
    for (size_t i = 0; i < w->held_count; i++) {
        must(s, pf_page_get(clone, w->held[i], &page) == PF_OK &&
                    page.state == PF_STATE_ALLOCATED);
        must(s, pf_page_free(clone, w->held[i], NULL) == PF_OK);
    }
    must(s, pf_close(clone) == PF_OK);
}

static void iterate_all(struct worker *w)
{
    struct shared *s = w->shared;
    const uint64_t total = pf_total_pages(s->store);
    struct pf_page page;
    uint64_t next = 0;

    for (uint64_t id = 0; id < total; id = next) {
        const pf_err err = pf_page_run(s->store, id, &page, &next);

        if (err == PF_E_NO_PAGE) /* shrunk meanwhile */
            return;
        must(s, err == PF_OK && next > id);
        if (err != PF_OK || next <= id)
            return;
        for (size_t i = 0; i < w->held_count; i++)
            must(s, w->held[i] < id || w->held[i] >= next ||
                        page.state == PF_STATE_ALLOCATED);
    }
}

static void check_all(struct worker *w)
{
    struct shared *s = w->shared;
    struct pf_check_summary summary;

    must(s, pf_check(s->store, NULL, &summary) == PF_OK);
    must(s, pf_graph_walk(s->store, NULL) == PF_OK);
    must(s, !pf_page_is_used(s->store, worker_page(w))); /* there is no graph */
}

static void shrink(struct worker *w)
{
    uint64_t given_back = 0;

    must(w->shared, pf_shrink(w->shared->store, &given_back) == PF_OK);
}

static void look_around(struct worker *w)
{
    struct shared *s = w->shared;
    struct pf_header header;
    struct pf_info info;
    struct pf_page_use use;
    uint64_t trailing = 0;
    const uint64_t id = worker_page(w);

    pf_header_get(s->store, &header);
    must(s, header.total_pages > id && header.page_size == PF_PAGE_SIZE);
    pf_info_get(s->store, &info);
    must(s, info.mode == PF_MODE_RW && !info.failed);
    must(s, pf_trailing_free(s->store, &trailing) == PF_OK);
    must(s, pf_page_use_get(s->store, id, &use) == PF_OK && !use.used);
    must(s, !worker_holds(w, pf_free_list_head(s->store)));
    must(s, pf_writable(s->store));
    (void)pf_checkpoint_due(s->store);
    pf_set_max_pages(s->store, rng_below(&w->rng, 2) == 0 ? 0 : WORKER_PAGES_MAX);
}

/* ---- one operation in a thousand is a slow one ---- */

typedef void (*act)(struct worker *w);

static void sync_all(struct worker *w)
{
    must(w->shared, pf_sync(w->shared->store) == PF_OK);
}

static void checkpoint(struct worker *w)
{
    must(w->shared, pf_checkpoint(w->shared->store) == PF_OK);
}

static void rebuild(struct worker *w)
{
    must(w->shared, pf_freelist_rebuild(w->shared->store) == PF_OK);
}

void worker_act_seldom(struct worker *w)
{
    static const act acts[] = {snapshot_all, clone_all, iterate_all, check_all,
                               shrink,       sync_all,  checkpoint,  rebuild};

    acts[rng_below(&w->rng, sizeof(acts) / sizeof(acts[0]))](w);
}

void worker_act(struct worker *w, uint64_t which)
{
    static const act acts[WORKER_ACTS] = {pin_mine, hold_mine, write_mine, give_in_vain,
                                          look_around};

    acts[which](w);
}
