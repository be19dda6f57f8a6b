/* repair_plan.c: what a repair will change, from a look that changes nothing: repair.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "repair.h"
#include "replay.h"
#include "store.h"

enum { POLL_PAGES = 1 << 16 }; /* at most, between two looks at `cancel` */

__attribute__((format(printf, 2, 3))) static void say(struct plan *p, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->changes[p->result.changes], sizeof p->changes[0], format, args);
    va_end(args);
    p->result.changes++;
}

/* ---- a refused journal ---- */

/* The pages in text, as many as fit. */
static void list_pages(const struct replay *replay, char *out, size_t size)
{
    uint64_t last = UINT64_MAX;
    size_t used = 0;
    for (size_t i = 0; i < replay->sector_count; i++) {
        const uint64_t offset = replay->sectors[i].sector.number * SECTOR;
        const uint64_t page =
            offset < PF_HEADER_SIZE ? 0 : 1 + (offset - PF_HEADER_SIZE) / PF_PAGE_SIZE;
        if (page == last)
            continue;
        last = page;
        if (used + 32 >= size) {
            snprintf(out + used, size - used, " and others");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, " %" PRIu64, page);
    }
    if (used == 0)
        snprintf(out, size, " that cannot be told");
}

/* What it would have changed, as far as it can be read. */
static void describe_journal(struct plan *p, pf_store *store)
{
    char why[PF_REASON_SIZE] = "";
    char pages[240];
    struct replay replay = {0};
    struct pf_file *file = NULL;
    struct pf_place *place = store->journal.place;
    pf_err err = PF_E_JOURNAL;
    if (place != NULL && place->ops->open(place, false, &file) == 0)
        err = replay_read(&replay, file, store->db, why);
    (void)err; /* refused: that is why we are here */
    list_pages(&replay, pages, sizeof pages);
    say(p,
        "set the journal aside as <database>-journal.refused: its %" PRIu64
        " records would have changed pages%s",
        replay.records, pages);
    replay_clear(&replay);
    dev_close(file);
}

static pf_err plan_journal(struct plan *p, pf_store *store)
{
    if (!store->journal_refused)
        return PF_OK;
    if (!p->options->discard_journal) {
        store_say(p->reason, "%s; --discard-journal sets it aside", store->reason);
        return PF_E_JOURNAL;
    }
    describe_journal(p, store);
    p->discard_journal = true;
    return PF_OK;
}

/* ---- total_pages ---- */

static void plan_total(struct plan *p, const struct pf_check_summary *summary)
{
    p->total_pages = summary->total_pages;
    if (summary->right_total <= summary->total_pages) /* P2 */
        return;
    p->total_pages = summary->right_total;
    say(p, "raise total_pages from %" PRIu64 " to %" PRIu64, summary->total_pages,
        summary->right_total);
}

/* ---- the free list ---- */

/* Pages that can be free: those that the file has. */
static uint64_t free_limit(const struct plan *p, const pf_store *store)
{
    const uint64_t in_file = pf_file_pages(store->file_size);
    return in_file < p->total_pages ? in_file : p->total_pages;
}

/* The pages on the list, as far as it can be read. */
static pf_err read_list(const struct plan *p, pf_store *store, struct pageset *pages)
{
    bool intact;
    struct check_input input = {.read = graph_read_page,
                                .read_ctx = store,
                                .file_bytes = store->file_size,
                                .cancel = p->cancel};
    pf_header_get(store, &input.header);
    return check_free_list(&input, pf_file_pages(store->file_size), pages, &intact);
}

/* The trunks of the chain. One with a wrong sum or without its magic still may know the
 * next, and what that leads to is a trunk only if its own id and sum say so. */
static pf_err find_old_trunks(const struct plan *p, pf_store *store, struct pageset *out)
{
    uint8_t page[PF_PAGE_SIZE];
    struct pageset seen = {0};
    uint64_t id = store->header.free_page_list_head, stored, computed;
    const uint64_t limit = pf_file_pages(store->file_size);
    bool is_new = true;
    pf_err err = PF_OK;
    while (err == PF_OK && id >= PF_FIRST_PAGE && id < limit &&
           !pf_page_is_used(store, id)) {
        err = is_cancelled(p->cancel) ? PF_E_CANCELLED : pageset_add(&seen, id, &is_new);
        if (err != PF_OK || !is_new || graph_read_page(store, id, page) != PF_OK)
            break;
        if (pf_trunk_sums(id, page, &stored, &computed))
            err = pageset_add(out, id, &is_new);
        else if (seen.count > 1)
            break; /* it was no trunk's link */
        id = trunk_next_of(page);
    }
    pageset_clear(&seen);
    return err;
}

/* P1: what the graph reaches does not stay on the list. */
static uint64_t drop_used(pf_store *store, struct pageset *pages)
{
    uint64_t id = 0, dropped = 0;
    while (pageset_next(pages, id, &id)) {
        const struct pf_range rest = {id, UINT64_MAX - id};
        if (pf_pages_unused(store, &rest, 1, &id) == PF_OK)
            break;
        dropped += pageset_remove(pages, id);
        id++;
    }
    return dropped;
}

/* Pages from `id` up to `end` that are not in `free_pages`, put into `out`. */
static pf_err collect_run(const struct plan *p, const struct pageset *free_pages,
                          uint64_t id, uint64_t end, struct pageset *out)
{
    pf_err err = PF_OK;
    uint64_t stop;
    bool added;
    while (err == PF_OK && (id = pageset_next_gap_below(free_pages, id, end)) < end) {
        if (!pageset_next(free_pages, id, &stop) || stop > end)
            stop = end;
        if (stop - id > POLL_PAGES)
            stop = id + POLL_PAGES;
        err = is_cancelled(p->cancel) ? PF_E_CANCELLED
                                      : pageset_add_run(out, id, stop - id, &added);
        id = stop;
    }
    return err;
}

/* Pages below `end` that are neither used nor in `free_pages`, put into `out`. */
static pf_err collect_leaked(const struct plan *p, pf_store *store,
                             const struct pageset *free_pages, uint64_t end,
                             struct pageset *out)
{
    struct pf_range run;
    uint64_t id = PF_FIRST_PAGE;
    pf_err err = PF_OK;
    while (err == PF_OK && graph_unreached_run(store, id, end, &run)) {
        id = run.first + run.count;
        err = is_cancelled(p->cancel) ? PF_E_CANCELLED
                                      : collect_run(p, free_pages, run.first, id, out);
    }
    return err;
}

static pf_err plan_rebuild(struct plan *p, pf_store *store)
{
    const pf_err err = find_old_trunks(p, store, &p->old_trunks);
    if (err != PF_OK)
        return err;
    p->result.dropped_pages = drop_used(store, &p->list);
    say(p,
        "write the free list anew from the %" PRIu64
        " pages that can be read from it and are not in use (%" PRIu64 " in use dropped)",
        p->list.count, p->result.dropped_pages);
    return PF_OK;
}

static pf_err plan_leaked(struct plan *p, pf_store *store,
                          const struct pf_check_summary *summary)
{
    if (!p->options->free_leaked || !summary->graph_intact || summary->leaked == 0)
        return PF_OK;
    const pf_err err =
        collect_leaked(p, store, &p->list, free_limit(p, store), &p->additions);
    p->result.freed_pages = p->additions.count;
    if (err == PF_OK && p->additions.count > 0)
        say(p, "put %" PRIu64 " leaked pages on the free list", p->additions.count);
    return err;
}

static pf_err plan_list(struct plan *p, pf_store *store,
                        const struct pf_check_summary *summary)
{
    p->rebuild =
        !summary->free_list_intact || summary->findings[PF_FINDING_FREE_BUT_USED] > 0;
    pf_err err = read_list(p, store, &p->list);
    if (err == PF_OK && p->rebuild)
        err = plan_rebuild(p, store);
    return err == PF_OK ? plan_leaked(p, store, summary) : err;
}

/* ---- the plan ---- */

pf_err plan_make(struct plan *p, pf_store *store, const struct pf_watch *watch)
{
    struct pf_check_summary summary;
    pf_err err = pf_check(store, watch, &summary);
    if (err == PF_OK)
        err = plan_journal(p, store);
    if (err == PF_OK && summary.walked) {
        plan_total(p, &summary);
        err = plan_list(p, store, &summary);
    }
    if (err == PF_OK) {
        header_encode(&store->header, p->header);
        p->file_bytes = store->file_size;
    }
    return err;
}

void plan_clear(struct plan *p)
{
    pageset_clear(&p->list);
    pageset_clear(&p->additions);
    pageset_clear(&p->old_trunks);
}
