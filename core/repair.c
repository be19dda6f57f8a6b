/* repair.c: make a database fit for writing again.
 *
 * First a plan, made from a read-only look that changes nothing; then, unless this is a
 * dry run, one transaction through the journal. In between the file is closed and opened
 * again: if header or size are not those of the plan any more, nothing is done.
 *
 * Invariants
 *  P1  no page that the graph reaches is written, whatever the free list says of it.
 *  P2  total_pages is only ever raised, to where the file loses nothing.
 *  P3  every change is said, in the same words with and without dry_run. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "open.h"
#include "replay.h"
#include "store.h"

struct plan {
    const struct pf_repair_options *options;
    pf_repair_fn say;
    void *say_ctx;
    struct pf_repair_result result;
    char *reason;
    uint8_t header[PF_HEADER_SIZE]; /* of the file the plan was made for */
    uint64_t file_bytes;
    uint64_t total_pages;     /* to be written */
    bool discard_journal;     /* there is one to be set aside */
    bool rebuild;             /* the free list is written anew, from `list` */
    struct pageset list;      /* if rebuild */
    struct pageset additions; /* leaked pages, for the list */
    struct pageset
        old_trunks; /* if rebuild: pages that look like trunks of the old list */
};

__attribute__((format(printf, 2, 3))) static void say(struct plan *p, const char *format,
                                                      ...)
{
    char line[PF_REASON_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    p->result.changes++;
    p->say(p->say_ctx, line);
}

/* ---- the plan ---- */

/* What a refused journal would have changed, as far as it can be read. */
static void describe_journal(struct plan *p, pf_store *store)
{
    char why[PF_REASON_SIZE] = "", pages[200] = "";
    struct replay replay = {0};
    struct pf_file *file = NULL;
    struct pf_place *place = store->journal.place;
    uint64_t last = UINT64_MAX;
    size_t used = 0, more = 0;
    pf_err err = PF_E_JOURNAL;
    if (place != NULL && place->ops->open(place, false, &file) == 0)
        err = replay_read(&replay, file, store->db, why);
    for (size_t i = 0; i < replay.sector_count; i++) {
        const uint64_t offset = replay.sectors[i].sector.number * SECTOR;
        const uint64_t page =
            offset < PF_HEADER_SIZE ? 0 : 1 + (offset - PF_HEADER_SIZE) / PF_PAGE_SIZE;
        if (page == last)
            continue;
        last = page;
        if (used + 24 < sizeof pages)
            used +=
                (size_t)snprintf(pages + used, sizeof pages - used, " %" PRIu64, page);
        else
            more++;
    }
    (void)err; /* refused: that is why we are here */
    say(p,
        "set the journal aside as <database>-journal.refused: its %" PRIu64
        " records would have changed pages%s%s",
        replay.records, used == 0 ? " that cannot be told" : pages,
        more > 0 ? " and others" : "");
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

static void plan_total(struct plan *p, const struct pf_check_summary *summary)
{
    p->total_pages = summary->total_pages;
    if (summary->right_total <= summary->total_pages) /* P2 */
        return;
    p->total_pages = summary->right_total;
    say(p, "raise total_pages from %" PRIu64 " to %" PRIu64, summary->total_pages,
        summary->right_total);
}

/* The pages on the list, as far as it can be read. */
static pf_err read_list(pf_store *store, struct pageset *pages)
{
    bool intact;
    struct check_input input = {
        .read = graph_read_page, .read_ctx = store, .file_bytes = store->file_size};
    pf_header_get(store, &input.header);
    return check_free_list(&input, walk_file_pages(store->file_size), pages, &intact);
}

/* The trunks of the chain, the one where it breaks included, unless the graph uses them.
 */
static pf_err find_old_trunks(pf_store *store, struct pageset *out)
{
    uint8_t page[PF_PAGE_SIZE];
    uint64_t id = store->header.free_page_list_head, stored = 0, computed = 0;
    const uint64_t limit = walk_file_pages(store->file_size);
    bool added = true;
    pf_err err = PF_OK;
    while (err == PF_OK && added && stored == computed && id >= PF_FIRST_PAGE &&
           id < limit) {
        err = graph_read_page(store, id, page);
        if (err != PF_OK || !pf_trunk_sums(id, page, &stored, &computed))
            break;
        if (!pf_page_is_used(store, id))
            err = pageset_add(out, id, &added);
        id = trunk_next_of(page);
    }
    return err;
}

/* P1: what the graph reaches does not stay on the list. */
static uint64_t drop_used(pf_store *store, struct pageset *pages)
{
    uint64_t id = 0, dropped = 0;
    while (pageset_next(pages, id, &id)) {
        if (pf_page_is_used(store, id)) {
            (void)pageset_remove(pages, id);
            dropped++;
        }
        id++;
    }
    return dropped;
}

/* Pages of the file that are neither used nor in `free_pages`, put into `out`. */
static pf_err collect_leaked(pf_store *store, struct pageset *free_pages, uint64_t total,
                             struct pageset *out)
{
    pf_err err = PF_OK;
    uint64_t id = PF_FIRST_PAGE;
    while (err == PF_OK && graph_unreached_next(store, id, total, &id)) {
        bool added;
        if (!pageset_has(free_pages, id))
            err = pageset_add(out, id, &added);
        id++;
    }
    return err;
}

static pf_err plan_list(struct plan *p, pf_store *store,
                        const struct pf_check_summary *summary)
{
    struct pageset leaked = {0};
    const bool free_leaked = p->options->free_leaked && summary->graph_intact &&
                             summary->walked && summary->leaked > 0;
    p->rebuild =
        !summary->free_list_intact || summary->findings[PF_FINDING_FREE_BUT_USED] > 0;
    pf_err err = read_list(store, &p->list);
    if (err == PF_OK && free_leaked)
        err = collect_leaked(store, &p->list, p->total_pages, &leaked);
    if (err != PF_OK)
        goto out;
    if (p->rebuild) {
        err = find_old_trunks(store, &p->old_trunks);
        p->result.dropped_pages = drop_used(store, &p->list);
        say(p,
            "write the free list anew from the %" PRIu64
            " pages that can be read from it and are not in use (%" PRIu64
            " in use dropped)",
            p->list.count, p->result.dropped_pages);
    }
    if (leaked.count > 0) {
        p->result.freed_pages = leaked.count;
        say(p, "put %" PRIu64 " leaked pages on the free list", leaked.count);
        p->additions = leaked;
        leaked = (struct pageset){0};
    }
out:
    pageset_clear(&leaked);
    return err;
}

static pf_err make_plan(struct plan *p, const char *path, const struct pf_watch *watch)
{
    const struct pf_options read_only = {.read_only = true};
    struct pf_check_summary summary;
    pf_store *store = NULL;
    pf_err err = pf_open(path, &read_only, &store, p->reason);
    if (err != PF_OK)
        return err;
    err = pf_check(store, watch, &summary);
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
    (void)pf_close(store);
    return err;
}

/* ---- carrying it out; the store is open for repair, nobody else uses it ---- */

/* Pages that are, or become, free and look like trunks lose their magic: no stale link
 * may ever meet a valid old trunk. P1: pages in use were left out by the plan. */
static pf_err clear_trunks(pf_store *store, const struct pageset *pages)
{
    static const uint8_t no_magic[TRUNK_MAGIC_SIZE];
    uint8_t page[PF_PAGE_SIZE];
    uint64_t id = 0, stored, computed;
    pf_err err = PF_OK;
    for (; err == PF_OK && pageset_next(pages, id, &id); id++) {
        err = pf_page_read(store, id, page);
        if (err != PF_OK || !pf_trunk_sums(id, page, &stored, &computed))
            continue;
        err = commit_reserve(store, 1);
        if (err == PF_OK)
            err = batch_prepare(&store->pending, id, sizeof no_magic);
        if (err == PF_OK)
            batch_write(&store->pending, id, no_magic, sizeof no_magic);
    }
    return err;
}

/* All members, the highest first. */
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

static pf_err carry_out(struct plan *p, pf_store *store)
{
    uint8_t header[PF_HEADER_SIZE];
    uint64_t lsn;
    header_encode(&store->header, header);
    if (store->disk_size != p->file_bytes ||
        memcmp(header, p->header, sizeof header) != 0) {
        store_say(p->reason, "the file changed while it was checked");
        return PF_E_STALE;
    }
    pf_err err = change_begin(store);
    if (err != PF_OK)
        return err;
    store->total_pages = p->total_pages;
    freelist_init(&store->fl, 0, store->total_pages);
    if (p->rebuild)
        err = clear_trunks(store, &p->old_trunks);
    else
        err = load_old_list(store);
    if (err == PF_OK)
        err = clear_trunks(store, &p->additions);
    if (err == PF_OK)
        err = commit_reserve(store, 1);
    if (err == PF_OK && p->rebuild && p->list.count > 0)
        err = push_all(store, &p->list);
    if (err == PF_OK && p->additions.count > 0)
        err = push_all(store, &p->additions);
    if (err == PF_OK)
        err = change_commit_now(store);
    return change_end(store, err, &lsn);
}

pf_err pf_repair(const char *path, const struct pf_repair_options *options,
                 const struct pf_watch *watch, pf_repair_fn say_fn, void *say_ctx,
                 struct pf_repair_result *out_result, char *out_reason)
{
    char reason[PF_REASON_SIZE] = "";
    struct plan plan = {.options = options,
                        .say = say_fn,
                        .say_ctx = say_ctx,
                        .reason = out_reason != NULL ? out_reason : reason};
    pf_store *store = NULL;
    plan.reason[0] = '\0';
    pf_err err = make_plan(&plan, path, watch);
    if (err == PF_OK && plan.result.changes > 0 && !options->dry_run) {
        err = open_for_repair(path, plan.discard_journal, &store, plan.reason);
        if (err == PF_OK)
            err = carry_out(&plan, store);
        const pf_err closed = pf_close(store);
        err = err == PF_OK ? closed : err;
    }
    if (err == PF_OK)
        *out_result = plan.result;
    else if (plan.reason[0] == '\0')
        store_say(plan.reason, "%s", pf_err_text(err));
    pageset_clear(&plan.list);
    pageset_clear(&plan.additions);
    pageset_clear(&plan.old_trunks);
    return err;
}
