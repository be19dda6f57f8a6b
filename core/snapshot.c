/* snapshot.c: the states of all pages at one moment, to be compared with later ones. */
#include "store.h"

#include <stdlib.h>

struct pf_snapshot {
    struct pageset free, pinned;
    struct pf_stats stats;
};

/* A query with the free list known; `lock` is held on PF_OK. */
static pf_err look(pf_store *store)
{
    const pf_err err = load_for_query(store);
    if (err == PF_OK)
        pthread_mutex_lock(&store->lock);
    return err;
}

pf_err pf_snapshot_take(pf_store *store, pf_snapshot **out_snapshot)
{
    pf_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return PF_E_NO_MEMORY;
    pf_err err = look(store);
    if (err == PF_OK) {
        err = pageset_copy(&store->fl.free, &snapshot->free);
        if (err == PF_OK)
            err = pageset_copy(&store->pins.pages, &snapshot->pinned);
        query_stats_locked(store, &snapshot->stats);
        pthread_mutex_unlock(&store->lock);
    }
    if (err == PF_OK)
        *out_snapshot = snapshot;
    else
        pf_snapshot_drop(snapshot);
    return err;
}

void pf_snapshot_drop(pf_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    pageset_clear(&snapshot->free);
    pageset_clear(&snapshot->pinned);
    free(snapshot);
}

void pf_snapshot_stats(const pf_snapshot *snapshot, struct pf_stats *out_stats)
{
    *out_stats = snapshot->stats;
}

uint64_t pf_snapshot_bytes(const pf_snapshot *snapshot)
{
    return sizeof *snapshot + snapshot->free.bytes + snapshot->pinned.bytes;
}

/* One of the two sides of a comparison. */
struct side {
    const struct pageset *free, *pinned;
    uint64_t total;
};

struct stretch { /* pages from some id on that are alike */
    bool exists;
    pf_state state;
    uint64_t end; /* UINT64_MAX beyond total */
};

static uint64_t next_member(const struct pageset *set, uint64_t from, uint64_t otherwise)
{
    uint64_t id;
    return pageset_next(set, from, &id) && id < otherwise ? id : otherwise;
}

static struct stretch stretch_at(const struct side *side, uint64_t page_id)
{
    struct stretch s = {.exists = page_id < side->total, .end = UINT64_MAX};
    if (!s.exists)
        return s;
    if (next_member(side->free, page_id, UINT64_MAX) == page_id) {
        s.state = PF_STATE_FREE;
        s.end = pageset_next_gap(side->free, page_id);
    } else if (next_member(side->pinned, page_id, UINT64_MAX) == page_id) {
        s.state = PF_STATE_PINNED;
        s.end = pageset_next_gap(side->pinned, page_id);
    } else {
        s.state = PF_STATE_ALLOCATED;
        s.end = next_member(side->pinned, page_id,
                            next_member(side->free, page_id, side->total));
    }
    return s;
}

pf_err pf_snapshot_next(pf_store *store, const pf_snapshot *snapshot, uint64_t page_id,
                        struct pf_change *out_change, bool *out_found)
{
    const pf_err err = look(store);
    if (err != PF_OK)
        return err;
    const struct side then = {&snapshot->free, &snapshot->pinned,
                              snapshot->stats.total_pages};
    const struct side now = {&store->fl.free, &store->pins.pages, store->total_pages};
    *out_found = false;
    while (!*out_found && (page_id < then.total || page_id < now.total)) {
        const struct stretch a = stretch_at(&then, page_id);
        const struct stretch b = stretch_at(&now, page_id);
        *out_found = a.exists != b.exists || a.state != b.state;
        if (*out_found)
            *out_change = (struct pf_change){.page_id = page_id,
                                             .existed = a.exists,
                                             .exists = b.exists,
                                             .before = a.state,
                                             .after = b.state};
        page_id = a.end < b.end ? a.end : b.end;
    }
    pthread_mutex_unlock(&store->lock);
    return PF_OK;
}
