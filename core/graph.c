/* graph.c: the store's view of the graph: which pages it uses, and what a check of the
 * whole file finds. The walk and the check themselves know nothing of stores.
 *
 * A walk takes long and holds no lock. Its result is installed at the end, unless a page
 * that it reached was written meanwhile (overtake.h), and dropped when one is. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "edgepage.h"
#include "overtake.h"
#include "window.h"

void graph_drop(pf_store *store)
{
    pthread_mutex_lock(&store->graph_lock);
    walk_free(store->graph);
    store->graph = NULL;
    pthread_mutex_unlock(&store->graph_lock);
}

/* `graph_lock` held. */
static void page_range_written_locked(pf_store *store, const struct pf_range *range)
{
    uint64_t page_id;
    for (struct overtake *o = store->walks_under_way; o != NULL; o = o->next)
        overtake_note(o, range);
    if (store->graph != NULL && overtake_reaches(store->graph, range, &page_id)) {
        walk_free(store->graph);
        store->graph = NULL;
    }
}

void graph_pages_written(pf_store *store, const struct pf_range *ranges,
                         size_t range_count)
{
    pthread_mutex_lock(&store->graph_lock);
    for (size_t i = 0; i < range_count; i++)
        page_range_written_locked(store, &ranges[i]);
    pthread_mutex_unlock(&store->graph_lock);
}

bool pf_has_graph(pf_store *store)
{
    struct pf_header header;
    pf_header_get(store, &header);
    return header.root_index_page != 0 || store->edgemeta_length > 0 ||
           store->edgemeta_err != PF_OK ||
           (header.edge_data_offset != 0 && header.edge_data_offset != UINT64_MAX);
}

bool pf_graph_known(pf_store *store)
{
    pthread_mutex_lock(&store->graph_lock);
    const bool known = store->graph != NULL;
    pthread_mutex_unlock(&store->graph_lock);
    return known;
}

/* Pages behind total_pages that the file has all the same are read as they are there.
 * A window that was read while a batch began or ended may be half old: as in
 * pf_page_read(), it is read again; in the end its pages are, one by one. PF_E_STALE:
 * somebody cut the file. */
static pf_err fetch_window(pf_store *store, uint64_t first_id, unsigned count,
                           uint8_t *bytes)
{
    const size_t length = (size_t)count * PF_PAGE_SIZE;
    const uint64_t offset = page_offset(first_id);
    size_t got = 0;
    pthread_mutex_lock(&store->lock);
    const uint64_t moves = store->batch_moves;
    const uint64_t file_end = store->file_end;
    pthread_mutex_unlock(&store->lock);
    const uint64_t there = offset >= file_end ? 0 : file_end - offset;
    const pf_err err = dev_read(store->db, offset, bytes, length, &got);
    if (err == PF_OK)
        memset(bytes + got, 0, length - got);
    pthread_mutex_lock(&store->lock);
    const bool torn = moves != store->batch_moves;
    for (unsigned i = 0; i < count && err == PF_OK; i++)
        pageio_overlay_locked(store, first_id + i, bytes + (size_t)i * PF_PAGE_SIZE);
    pthread_mutex_unlock(&store->lock);
    if (err == PF_OK && torn)
        return PF_E_IO;
    return err == PF_OK && got < length && got < there ? PF_E_STALE : err;
}

static pf_err fetch(void *ctx, uint64_t first_id, unsigned count, uint8_t *bytes)
{
    enum { TRIES = 4 };
    pf_store *store = ctx;
    pf_err err = PF_E_IO;
    if (count == 1 && first_id < pf_total_pages(store)) {
        err = pf_page_read(store, first_id, bytes);
        if (err != PF_E_NO_PAGE) /* a shrink has just taken it */
            return err;
        err = PF_E_IO;
    }
    if (first_id > PF_MAX_PAGE_ID)
        return PF_E_IO;
    for (int i = 0; i < TRIES && err == PF_E_IO; i++)
        err = fetch_window(store, first_id, count, bytes);
    return err;
}

pf_err graph_read_page(void *store, uint64_t page_id, uint8_t *page)
{
    return fetch(store, page_id, 1, page);
}

pf_err graph_window_new(pf_store *store, struct window **out_window,
                        uint64_t *out_file_bytes)
{
    pthread_mutex_lock(&store->lock);
    *out_file_bytes = store->file_size;
    pthread_mutex_unlock(&store->lock);
    return window_new(fetch, store, pf_file_pages(*out_file_bytes), out_window);
}

/* What the walk and the check start from, with a window to read through. */
static pf_err start(pf_store *store, const struct pf_watch *watch,
                    struct check_input *out_input)
{
    struct window *window = NULL;
    uint64_t file_bytes;
    if (store->edgemeta_err != PF_OK)
        return store->edgemeta_err; /* pages would look leaked that are not */
    const pf_err err = graph_window_new(store, &window, &file_bytes);
    if (err != PF_OK)
        return err;
    *out_input = (struct check_input){
        .read = window_read,
        .read_ctx = window,
        .file_bytes = file_bytes,
        .edgemeta = store->edgemeta_length > 0 ? store->edgemeta : NULL,
        .edgemeta_length = store->edgemeta_length,
    };
    pf_header_get(store, &out_input->header);
    if (watch != NULL) {
        out_input->finding = watch->finding;
        out_input->finding_ctx = watch->finding_ctx;
        out_input->progress = watch->progress;
        out_input->cancel = watch->cancel;
    }
    return PF_OK;
}

static void walk_begins(pf_store *store, struct overtake *overtake)
{
    *overtake = (struct overtake){0};
    pthread_mutex_lock(&store->graph_lock);
    overtake->next = store->walks_under_way;
    store->walks_under_way = overtake;
    pthread_mutex_unlock(&store->graph_lock);
}

/* Put the walk in place, or free it; NULL: there is none. False: it was overtaken. */
static bool walk_ends(pf_store *store, struct overtake *overtake, struct walk *walk)
{
    struct overtake **at = &store->walks_under_way;
    pthread_mutex_lock(&store->graph_lock);
    while (*at != overtake)
        at = &(*at)->next;
    *at = overtake->next;
    const bool holds = walk == NULL || !overtake_hits(overtake, walk);
    if (walk != NULL) {
        walk_free(holds ? store->graph : walk);
        store->graph = holds ? walk : store->graph;
    }
    pthread_mutex_unlock(&store->graph_lock);
    return holds;
}

/* The free pages as the store knows them; *out_free NULL when it does not. */
static pf_err copy_free(pf_store *store, struct pageset *copy, struct pageset **out_free)
{
    pf_err err = load_for_query(store);
    *out_free = NULL;
    if (err == PF_E_CORRUPT)
        return PF_OK; /* the check reads and judges the list itself */
    if (err != PF_OK)
        return err;
    pthread_mutex_lock(&store->lock);
    err = pageset_copy(&store->fl.free, copy);
    pthread_mutex_unlock(&store->lock);
    *out_free = copy;
    return err;
}

static void summarise(const struct check_summary *from, struct pf_check_summary *to)
{
    *to = (struct pf_check_summary){
        .total_pages = from->total_pages,
        .file_pages = from->file_pages,
        .in_use = from->in_use,
        .free_pages = from->free_pages,
        .leaked = from->leaked,
        .right_total = from->right_total,
        .finding_count = from->finding_count,
        .nodes = from->graph.nodes,
        .edges = from->graph.edges,
        .pages_read = from->graph.pages_read,
        .walked = from->walked,
        .complete = from->complete,
        .graph_intact = from->graph_intact,
        .free_list_intact = from->free_list_intact,
    };
    memcpy(to->findings, from->findings, sizeof to->findings);
}

static void report_log(const struct pf_watch *watch, struct pf_check_summary *summary,
                       const char *expected, const char *found)
{
    struct pf_finding finding = {.class = PF_FINDING_JOURNAL, .page_count = 1};
    finding_expect(&finding, "%s", expected);
    finding_found(&finding, "%s", found);
    summary->findings[PF_FINDING_JOURNAL]++;
    summary->finding_count++;
    if (watch != NULL && watch->finding != NULL)
        watch->finding(watch->finding_ctx, &finding);
}

/* Our journal and the other program's log are not part of what check_run() sees. */
static void report_logs(const pf_store *store, const struct pf_watch *watch,
                        struct pf_check_summary *summary)
{
    summary->journal_refused = store->journal_refused;
    summary->wal_unclean = store->wal_unclean;
    if (store->journal_refused)
        report_log(watch, summary, "a journal that belongs to this file", store->reason);
    if (store->wal_unclean)
        report_log(watch, summary, "a write-ahead log that was closed cleanly",
                   "a .v3wal that was not: the file may not be the youngest state");
}

pf_err pf_check(pf_store *store, const struct pf_watch *watch,
                struct pf_check_summary *out_summary)
{
    struct check_input input;
    struct check_summary summary;
    struct pageset free_pages = {0};
    struct overtake overtake;
    struct walk *walk = NULL;
    pf_err err = start(store, watch, &input);
    if (err != PF_OK)
        return err;
    walk_begins(store, &overtake);
    err = copy_free(store, &free_pages, &input.free);
    if (err == PF_OK)
        err = check_run(&input, &summary, &walk);
    if (err == PF_OK && !summary.complete)
        err = PF_E_CANCELLED;
    if (err == PF_OK) {
        summarise(&summary, out_summary);
        report_logs(store, watch, out_summary);
    } else {
        walk_free(walk);
        walk = NULL;
    }
    /* of what changed meanwhile the findings may tell the old or the new: the caller
     * knows that; who asks for uses gets another walk */
    (void)walk_ends(store, &overtake, walk);
    pageset_clear(&free_pages);
    window_free(input.read_ctx);
    return err;
}

static void add_root(uint64_t roots[2], uint64_t root)
{
    if (root == 0 || root == UINT64_MAX || root == roots[0])
        return;
    roots[roots[0] == 0 ? 0 : 1] = root;
}

/* One walk, from the header as it is now. */
static pf_err walk_once(const struct check_input *check, struct walk **out_walk)
{
    struct walk_input input = {.read = check->read,
                               .read_ctx = check->read_ctx,
                               .file_bytes = check->file_bytes,
                               .node_root = check->header.root_index_page,
                               .finding = check->finding,
                               .finding_ctx = check->finding_ctx,
                               .progress = check->progress,
                               .cancel = check->cancel};
    uint64_t root;
    add_root(input.edge_roots, check->header.edge_data_offset);
    if (check->edgemeta != NULL &&
        edgemeta_decode(check->edgemeta, check->edgemeta_length, &root))
        add_root(input.edge_roots, root);
    if (check->header.page_size != PF_PAGE_SIZE) {
        input.node_root = 0;
        memset(input.edge_roots, 0, sizeof input.edge_roots);
    }
    const pf_err err = walk_run(&input, out_walk);
    if (err != PF_OK || walk_totals_of(*out_walk)->complete)
        return err;
    walk_free(*out_walk);
    *out_walk = NULL;
    return PF_E_CANCELLED;
}

pf_err pf_graph_walk(pf_store *store, const struct pf_watch *watch)
{
    enum { TRIES = 3 };
    pf_err err = PF_E_CHANGING;
    for (int i = 0; i < TRIES && err == PF_E_CHANGING; i++) {
        struct check_input input;
        struct overtake overtake;
        struct walk *walk = NULL;
        err = start(store, watch, &input);
        if (err != PF_OK)
            return err;
        walk_begins(store, &overtake);
        err = walk_once(&input, &walk);
        if (!walk_ends(store, &overtake, walk))
            err = PF_E_CHANGING;
        window_free(input.read_ctx);
    }
    return err;
}

pf_err pf_page_use_get(pf_store *store, uint64_t page_id, struct pf_page_use *out_use)
{
    struct pf_page page;
    const pf_err err = pf_page_get(store, page_id, &page);
    if (err != PF_OK)
        return err;
    memset(out_use, 0, sizeof *out_use);
    pthread_mutex_lock(&store->graph_lock);
    const enum page_use use =
        store->graph == NULL ? USE_NONE : walk_use(store->graph, page_id, NULL);
    out_use->known = store->graph != NULL;
    out_use->type = page_id == 0                  ? "header"
                    : page_id == 1                ? "reserved"
                    : page.trunk                  ? "trunk"
                    : use != USE_NONE             ? page_use_name(use)
                    : page.state == PF_STATE_FREE ? "free"
                                                  : "unknown";
    if (store->graph != NULL) {
        out_use->used = use != USE_NONE;
        out_use->bad = walk_is_bad(store->graph, page_id);
        out_use->crossed = walk_is_crossed(store->graph, page_id);
        walk_path(store->graph, page_id, out_use->path);
    }
    pthread_mutex_unlock(&store->graph_lock);
    out_use->leaked = out_use->known && !out_use->used && page_id >= PF_FIRST_PAGE &&
                      page.state != PF_STATE_FREE;
    return PF_OK;
}

bool graph_unreached_run(pf_store *store, uint64_t from, uint64_t end,
                         struct pf_range *out_run)
{
    uint64_t next = end;
    pthread_mutex_lock(&store->graph_lock);
    const uint64_t first =
        store->graph == NULL ? from : walk_next_gap(store->graph, from);
    if (store->graph != NULL && (!walk_next(store->graph, first, &next) || next > end))
        next = end;
    pthread_mutex_unlock(&store->graph_lock);
    if (first >= end)
        return false;
    *out_run = (struct pf_range){first, next - first};
    return true;
}

bool pf_page_is_used(pf_store *store, uint64_t page_id)
{
    pthread_mutex_lock(&store->graph_lock);
    const bool used =
        store->graph != NULL && walk_use(store->graph, page_id, NULL) != USE_NONE;
    pthread_mutex_unlock(&store->graph_lock);
    return used;
}

bool pf_used_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id)
{
    pthread_mutex_lock(&store->graph_lock);
    const bool found =
        store->graph != NULL && walk_next(store->graph, page_id, out_page_id);
    pthread_mutex_unlock(&store->graph_lock);
    return found;
}

pf_err pf_pages_unused(pf_store *store, const struct pf_range *ranges, size_t range_count,
                       uint64_t *out_bad_id)
{
    pf_err err = PF_OK;
    pthread_mutex_lock(&store->graph_lock);
    for (size_t i = 0; i < range_count && store->graph != NULL && err == PF_OK; i++)
        if (overtake_reaches(store->graph, &ranges[i], out_bad_id))
            err = PF_E_IN_USE;
    pthread_mutex_unlock(&store->graph_lock);
    return err;
}

/* The lowest page >= page_id that is not free and that the graph does not reach. */
static bool next_leaked(pf_store *store, uint64_t page_id, uint64_t *out_page_id)
{
    const uint64_t total = pf_total_pages(store);
    while (page_id < total) {
        const uint64_t at = walk_next_gap(store->graph, page_id);
        pthread_mutex_lock(&store->lock);
        const uint64_t candidate = pageset_next_gap(&store->fl.free, at);
        pthread_mutex_unlock(&store->lock);
        if (candidate == at) {
            *out_page_id = at;
            return at < total;
        }
        page_id = candidate;
    }
    return false;
}

bool pf_leaked_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id)
{
    bool found = false;
    pthread_mutex_lock(&store->graph_lock);
    if (store->graph != NULL)
        found = next_leaked(store, page_id < PF_FIRST_PAGE ? PF_FIRST_PAGE : page_id,
                            out_page_id);
    pthread_mutex_unlock(&store->graph_lock);
    return found;
}

bool pf_bad_next(pf_store *store, uint64_t page_id, uint64_t *out_page_id)
{
    bool found = false;
    pthread_mutex_lock(&store->graph_lock);
    while (store->graph != NULL && !found && walk_next(store->graph, page_id, &page_id)) {
        found =
            walk_is_bad(store->graph, page_id) || walk_is_crossed(store->graph, page_id);
        if (found)
            *out_page_id = page_id;
        page_id++;
    }
    pthread_mutex_unlock(&store->graph_lock);
    return found;
}
