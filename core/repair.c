/* repair.c: make a database fit for writing again.
 *
 * First a plan, made from a read-only look that changes nothing; then, unless this is a
 * dry run, it is carried out through the journal. In between the file is closed and
 * opened again: if header or size are not those of the plan any more, nothing is done.
 *
 * Invariants
 *  P1  no page that the graph reaches is written, whatever the free list says of it.
 *  P2  total_pages is only ever raised, to where the file loses nothing.
 *  P3  every change is said, in the same words with and without dry_run, and only when
 *      nothing stands in its way any more.
 *  P4  what is wrong is put right in one transaction. Leaked pages, which may be any
 *      number, follow in transactions of their own, each of which leaves a valid file. */
#include "repair.h"

#include <inttypes.h>
#include <string.h>

#include "check.h"
#include "open.h"
#include "store.h"
#include "window.h"

enum { PORTION = 1 << 19 }; /* ids whose leaked pages share a transaction: ~1000 trunks */

/* ---- carrying it out; the store is open for repair, nobody else uses it ---- */

static pf_err clear_trunk(pf_store *store, uint64_t id, const uint8_t *page)
{
    static const uint8_t no_magic[TRUNK_MAGIC_SIZE];
    uint64_t stored, computed;
    if (!pf_trunk_sums(id, page, &stored, &computed))
        return PF_OK;
    pf_err err = commit_reserve(store, 1);
    if (err == PF_OK)
        err = batch_prepare(&store->pending, id, sizeof no_magic);
    if (err == PF_OK)
        batch_write(&store->pending, id, no_magic, sizeof no_magic);
    return err;
}

/* Pages that are, or become, free and look like trunks lose their magic: no stale link
 * may ever meet a valid old trunk. P1: pages in use were left out by the plan. */
static pf_err clear_trunks(const struct plan *p, pf_store *store,
                           const struct pageset *pages)
{
    struct window *window = NULL;
    uint8_t page[PF_PAGE_SIZE];
    uint64_t id = 0, file_bytes;
    pf_err err = graph_window_new(store, &window, &file_bytes);
    for (; err == PF_OK && pageset_next(pages, id, &id); id++) {
        err = is_cancelled(p->cancel) ? PF_E_CANCELLED : window_read(window, id, page);
        if (err == PF_OK)
            err = clear_trunk(store, id, page);
    }
    window_free(window);
    return err;
}

/* All members of `pages`, the highest first. */
static pf_err push_all(pf_store *store, const struct pageset *pages)
{
    pf_err err = commit_reserve(store, pages->count / TRUNK_BLOCK_PAGES + 2);
    if (err == PF_OK)
        err = care_reserve_trunks(store, pages);
    pthread_mutex_lock(&store->lock);
    if (err == PF_OK)
        err = care_push_downwards(store, pages);
    pthread_mutex_unlock(&store->lock);
    return err;
}

static pf_err load_old_list(pf_store *store)
{
    freelist_init(&store->fl, store->header.free_page_list_head, store->total_pages);
    pf_err err = store->fl.unknown_head == 0 ? PF_OK : load_newest(store);
    return err == PF_OK ? load_all(store) : err;
}

/* What is wrong, all at once. */
static pf_err mend(const struct plan *p, pf_store *store)
{
    store->total_pages = p->total_pages;
    freelist_init(&store->fl, 0, store->total_pages);
    pf_err err = p->rebuild ? clear_trunks(p, store, &p->old_trunks) : PF_OK;
    if (err == PF_OK && !p->rebuild)
        err = load_old_list(store);
    if (err == PF_OK)
        err = commit_reserve(store, 1);
    if (err == PF_OK && p->rebuild && p->list.count > 0)
        err = push_all(store, &p->list);
    return err == PF_OK ? change_commit_now(store) : err;
}

static pf_err take_portion(const struct pageset *pages, uint64_t start, uint64_t end,
                           struct pageset *out)
{
    pf_err err = PF_OK;
    uint64_t id = start, stop;
    bool added;
    for (; err == PF_OK && pageset_next(pages, id, &id) && id < end; id = stop) {
        stop = pageset_next_gap_below(pages, id, end);
        err = pageset_add_run(out, id, stop - id, &added);
    }
    return err;
}

static pf_err free_portion(const struct plan *p, pf_store *store, uint64_t start,
                           uint64_t end)
{
    struct pageset portion = {0};
    pf_err err = take_portion(&p->additions, start, end, &portion);
    if (err == PF_OK && portion.count > 0) {
        err = clear_trunks(p, store, &portion);
        if (err == PF_OK)
            err = push_all(store, &portion);
        if (err == PF_OK)
            err = change_commit_now(store);
    }
    pageset_clear(&portion);
    return err;
}

/* From the end of the file, so that the lowest page comes out first. */
static pf_err free_leaked(const struct plan *p, pf_store *store)
{
    pf_err err = PF_OK;
    uint64_t end = UINT64_MAX, last;
    while (err == PF_OK && pageset_last(&p->additions, end, &last)) {
        const uint64_t start = last / p->portion * p->portion;
        err = is_cancelled(p->cancel) ? PF_E_CANCELLED
                                      : free_portion(p, store, start, last + 1);
        end = start;
    }
    return err;
}

static pf_err carry_out(struct plan *p, pf_store *store)
{
    uint8_t header[PF_HEADER_SIZE];
    header_encode(&store->header, header);
    if (store->disk_size != p->file_bytes ||
        memcmp(header, p->header, sizeof header) != 0) {
        store_say(p->reason, "the file changed while it was checked");
        return PF_E_STALE;
    }
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    err = mend(p, store);
    if (err == PF_OK)
        err = free_leaked(p, store);
    pthread_mutex_lock(&store->lock);
    if (err != PF_OK) /* half of a transaction must not be committed by the close */
        store_fail_locked(store, err, pf_err_text(err));
    pthread_mutex_unlock(&store->lock);
    uint64_t lsn;
    return change_end(store, err, &lsn);
}

/* ---- the whole ---- */

static pf_err look(struct plan *p, const struct repair_door *door,
                   const struct pf_watch *watch)
{
    pf_store *store = NULL;
    pf_err err = door->look(door->ctx, p->reason, &store);
    if (err != PF_OK)
        return err;
    err = plan_make(p, store, watch);
    (void)pf_close(store);
    return err;
}

static pf_err enter(struct plan *p, const struct repair_door *door)
{
    pf_store *store = NULL;
    pf_err err = door->enter(door->ctx, p->discard_journal, p->reason, &store);
    if (err != PF_OK)
        return err;
    err = carry_out(p, store);
    const pf_err closed = pf_close(store);
    return err == PF_OK ? closed : err;
}

pf_err repair_run(const struct repair_door *door, const struct pf_repair_options *options,
                  const struct pf_watch *watch, pf_repair_fn say, void *say_ctx,
                  struct pf_repair_result *out_result, char *out_reason)
{
    char reason[PF_REASON_SIZE] = "";
    struct plan plan = {.options = options,
                        .cancel = watch != NULL ? watch->cancel : NULL,
                        .portion = door->portion != 0 ? door->portion : PORTION,
                        .reason = out_reason != NULL ? out_reason : reason};
    plan.reason[0] = '\0';
    pf_err err = look(&plan, door, watch);
    if (err == PF_OK && plan.result.changes > 0)
        err = door->may_enter(door->ctx, plan.discard_journal, plan.reason);
    for (uint64_t i = 0; i < plan.result.changes && err == PF_OK; i++) /* P3 */
        say(say_ctx, plan.changes[i]);
    if (err == PF_OK && plan.result.changes > 0 && !options->dry_run)
        err = enter(&plan, door);
    if (err == PF_OK)
        *out_result = plan.result;
    else if (plan.reason[0] == '\0')
        store_say(plan.reason, "%s", pf_err_text(err));
    plan_clear(&plan);
    return err;
}

/* ---- by path ---- */

static pf_err look_by_path(void *ctx, char *reason, pf_store **out_store)
{
    const struct pf_options read_only = {.read_only = true};
    return pf_open(*(const char **)ctx, &read_only, out_store, reason);
}

static pf_err may_enter_by_path(void *ctx, bool set_aside, char *reason)
{
    return open_may_repair(*(const char **)ctx, set_aside, reason);
}

static pf_err enter_by_path(void *ctx, bool set_aside, char *reason, pf_store **out_store)
{
    return open_for_repair(*(const char **)ctx, set_aside, out_store, reason);
}

pf_err pf_repair(const char *path, const struct pf_repair_options *options,
                 const struct pf_watch *watch, pf_repair_fn say, void *say_ctx,
                 struct pf_repair_result *out_result, char *out_reason)
{
    const struct repair_door door = {.ctx = &path,
                                     .look = look_by_path,
                                     .may_enter = may_enter_by_path,
                                     .enter = enter_by_path};
    return repair_run(&door, options, watch, say, say_ctx, out_result, out_reason);
}
