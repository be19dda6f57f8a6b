/* graph.c: the store's view of the graph: which pages it uses, and what a check of the
 * whole file finds. The walk and the check themselves know nothing of stores.
 *
 * A walk takes long and holds no lock; its result is installed at the end and dropped
 * when a page it reached is written. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "edgepage.h"
#include "window.h"

void graph_drop(pf_store *store)
{
    pthread_mutex_lock(&store->graph_lock);
    walk_free(store->graph);
    store->graph = NULL;
    pthread_mutex_unlock(&store->graph_lock);
}

void graph_page_written(pf_store *store, uint64_t page_id)
{
    pthread_mutex_lock(&store->graph_lock);
    const bool reached =
        store->graph != NULL && walk_use(store->graph, page_id, NULL) != USE_NONE;
    if (reached) {
        walk_free(store->graph);
        store->graph = NULL;
    }
    pthread_mutex_unlock(&store->graph_lock);
}

bool pf_has_graph(pf_store *store)
{
    struct pf_header header;
    pf_header_get(store, &header);
    return header.root_index_page != 0 || store->edgemeta_length > 0 ||
           (header.edge_data_offset != 0 && header.edge_data_offset != UINT64_MAX);
}

bool pf_graph_known(pf_store *store)
{
    pthread_mutex_lock(&store->graph_lock);
    const bool known = store->graph != NULL;
    pthread_mutex_unlock(&store->graph_lock);
    return known;
}

/* Pages behind total_pages that the file has all the same are read as they are there. */
static pf_err fetch(void *ctx, uint64_t first_id, unsigned count, uint8_t *bytes)
{
    pf_store *store = ctx;
    size_t got = 0;
    if (count == 1 && first_id < pf_total_pages(store)) {
        const pf_err err = pf_page_read(store, first_id, bytes);
        if (err != PF_E_NO_PAGE) /* a shrink has just taken it */
            return err;
    }
    if (first_id > PF_MAX_PAGE_ID)
        return PF_E_IO;
    memset(bytes, 0, (size_t)count * PF_PAGE_SIZE);
    const pf_err err = dev_read(store->db, page_offset(first_id), bytes,
                                (size_t)count * PF_PAGE_SIZE, &got);
    pthread_mutex_lock(&store->lock); /* what is not in the file yet */
    for (unsigned i = 0; i < count && err == PF_OK; i++)
        pageio_overlay_locked(store, first_id + i, bytes + (size_t)i * PF_PAGE_SIZE);
    pthread_mutex_unlock(&store->lock);
    return err;
}

pf_err graph_read_page(void *store, uint64_t page_id, uint8_t *page)
{
    return fetch(store, page_id, 1, page);
}

/* What the walk and the check start from, with a window to read through. */
static pf_err start(pf_store *store, const struct pf_watch *watch,
                    struct check_input *out_input)
{
    struct window *window = NULL;
    pthread_mutex_lock(&store->lock);
    const uint64_t file_bytes = store->file_size;
    pthread_mutex_unlock(&store->lock);
    const pf_err err = window_new(fetch, store, walk_file_pages(file_bytes), &window);
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

static void install(pf_store *store, struct walk *walk)
{
    pthread_mutex_lock(&store->graph_lock);
    walk_free(store->graph);
    store->graph = walk;
    pthread_mutex_unlock(&store->graph_lock);
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

/* The journal is not part of what check_run() sees. */
static void report_journal(const pf_store *store, const struct pf_watch *watch,
                           struct check_summary *summary)
{
    struct pf_finding finding = {.class = PF_FINDING_JOURNAL, .page_count = 1};
    if (!store->journal_refused)
        return;
    finding_expect(&finding, "a journal that belongs to this file");
    finding_found(&finding, "%s", store->reason);
    summary->findings[PF_FINDING_JOURNAL]++;
    summary->finding_count++;
    if (watch != NULL && watch->finding != NULL)
        watch->finding(watch->finding_ctx, &finding);
}

pf_err pf_check(pf_store *store, const struct pf_watch *watch,
                struct pf_check_summary *out_summary)
{
    struct check_input input;
    struct check_summary summary;
    struct pageset free_pages = {0};
    struct walk *walk = NULL;
    pf_err err = start(store, watch, &input);
    if (err != PF_OK)
        return err;
    err = copy_free(store, &free_pages, &input.free);
    if (err == PF_OK)
        err = check_run(&input, &summary, &walk);
    if (err == PF_OK && !summary.complete) {
        walk_free(walk);
        err = PF_E_CANCELLED;
    } else if (err == PF_OK) {
        report_journal(store, watch, &summary);
        summarise(&summary, out_summary);
        install(store, walk);
    }
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

pf_err pf_graph_walk(pf_store *store, const struct pf_watch *watch)
{
    struct check_input check;
    struct walk *walk = NULL;
    pf_err err = start(store, watch, &check);
    if (err != PF_OK)
        return err;
    struct walk_input input = {.read = check.read,
                               .read_ctx = check.read_ctx,
                               .total_pages = check.header.total_pages,
                               .file_bytes = check.file_bytes,
                               .node_root = check.header.root_index_page,
                               .finding = check.finding,
                               .finding_ctx = check.finding_ctx,
                               .progress = check.progress,
                               .cancel = check.cancel};
    uint64_t root;
    add_root(input.edge_roots, check.header.edge_data_offset);
    if (check.edgemeta != NULL &&
        edgemeta_decode(check.edgemeta, check.edgemeta_length, &root))
        add_root(input.edge_roots, root);
    if (check.header.page_size != PF_PAGE_SIZE) {
        input.node_root = 0;
        memset(input.edge_roots, 0, sizeof input.edge_roots);
    }
    err = walk_run(&input, &walk);
    if (err == PF_OK && !walk_totals_of(walk)->complete) {
        walk_free(walk);
        err = PF_E_CANCELLED;
    } else if (err == PF_OK) {
        install(store, walk);
    }
    window_free(check.read_ctx);
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

bool graph_unreached_next(pf_store *store, uint64_t from, uint64_t end,
                          uint64_t *out_page_id)
{
    pthread_mutex_lock(&store->graph_lock);
    const uint64_t id = store->graph == NULL ? from : walk_next_gap(store->graph, from);
    pthread_mutex_unlock(&store->graph_lock);
    *out_page_id = id;
    return id < end;
}

bool pf_page_is_used(pf_store *store, uint64_t page_id)
{
    pthread_mutex_lock(&store->graph_lock);
    const bool used =
        store->graph != NULL && walk_use(store->graph, page_id, NULL) != USE_NONE;
    pthread_mutex_unlock(&store->graph_lock);
    return used;
}

pf_err pf_pages_unused(pf_store *store, const struct pf_range *ranges, size_t range_count,
                       uint64_t *out_bad_id)
{
    pf_err err = PF_OK;
    pthread_mutex_lock(&store->graph_lock);
    for (size_t i = 0; i < range_count && store->graph != NULL && err == PF_OK; i++) {
        uint64_t used;
        if (walk_next(store->graph, ranges[i].first, &used) &&
            used - ranges[i].first < ranges[i].count) {
            *out_bad_id = used;
            err = PF_E_IN_USE;
        }
    }
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
