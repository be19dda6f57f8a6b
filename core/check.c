#include "check.h"

#include <inttypes.h>

#include "edgepage.h"
#include "format.h"

struct check {
    const struct check_input *in;
    struct check_summary sum;
    struct pageset own_free; /* when the caller has none */
    struct pageset *free;
    struct walk *walk;
    uint64_t end; /* ids below it are judged */
};

/* ---- reporting ---- */

static void deliver(void *ctx, const struct pf_finding *finding)
{
    struct check *check = ctx;
    check->sum.findings[finding->class]++;
    check->sum.finding_count++;
    if (check->in->finding != NULL)
        check->in->finding(check->in->finding_ctx, finding);
}

static struct pf_finding finding_of(pf_finding_class class, uint64_t page_id)
{
    return (struct pf_finding){.class = class, .page_id = page_id, .page_count = 1};
}

static void report_field(struct check *check, pf_finding_class class, const char *field,
                         uint64_t expected, uint64_t found)
{
    struct pf_finding finding = finding_of(class, 0);
    finding_expect(&finding, "%s %" PRIu64, field, expected);
    finding_found(&finding, "%" PRIu64, found);
    deliver(check, &finding);
}

/* ---- the header and the file's length ---- */

static void report_size(struct check *check, uint64_t pages, uint64_t bytes)
{
    struct pf_finding finding = finding_of(PF_FINDING_SIZE, 0);
    finding_expect(&finding, "%" PRIu64 " bytes for %" PRIu64 " pages", bytes, pages);
    finding_found(&finding, "%" PRIu64 " bytes", check->in->file_bytes);
    deliver(check, &finding);
}

/* Up to a page may be missing at the end; page 1 always may. */
static void check_size(struct check *check)
{
    const uint64_t total = check->sum.total_pages;
    const uint64_t bytes = check->in->file_bytes;
    if (total > PF_MAX_PAGE_ID + 1) {
        report_field(check, PF_FINDING_HEADER, "total_pages up to", PF_MAX_PAGE_ID + 1,
                     total);
        return;
    }
    const uint64_t nominal = nominal_size(total);
    const bool is_short = total > PF_FIRST_PAGE && nominal - PF_PAGE_SIZE >= bytes;
    if (bytes > nominal || is_short)
        report_size(check, total, nominal);
}

static void check_page_size(struct check *check)
{
    const uint32_t page_size = check->in->header.page_size;
    if (page_size != PF_PAGE_SIZE)
        report_field(check, PF_FINDING_HEADER, "page_size", PF_PAGE_SIZE, page_size);
}

/* What the header says about the graph, once that is known. edge_count is not compared:
 * edges may still be in the write-ahead log of the program that wrote the file. */
static void check_header_counts(struct check *check)
{
    const struct pf_header *header = &check->in->header;
    const struct walk_totals *graph = &check->sum.graph;
    if (graph->highest_page >= check->sum.total_pages)
        report_field(check, PF_FINDING_HEADER, "total_pages of at least",
                     check->sum.right_total, header->total_pages);
    if (!graph->intact)
        return;
    if (header->node_count != graph->nodes)
        report_field(check, PF_FINDING_HEADER, "node_count", graph->nodes,
                     header->node_count);
    if (header->btree_height != graph->node_depth)
        report_field(check, PF_FINDING_HEADER, "btree_height", graph->node_depth,
                     header->btree_height);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t right_total(const struct check *check)
{
    const uint64_t total = check->sum.total_pages;
    if (total > PF_MAX_PAGE_ID + 1) /* no file can have these: they are made up */
        return check->sum.file_pages;
    return larger(total, check->sum.file_pages); /* no reachable page is behind the end */
}

/* ---- the graph ---- */

/* The side file's root counts, and the header's too where it is another: pages of either
 * may be wanted. */
static void edge_roots(struct check *check, uint64_t out_roots[2])
{
    uint64_t root;
    out_roots[0] = check->in->header.edge_data_offset;
    out_roots[1] = 0;
    if (check->in->edgemeta == NULL)
        return;
    if (edgemeta_decode(check->in->edgemeta, check->in->edgemeta_length, &root)) {
        out_roots[1] = root == out_roots[0] ? 0 : root;
        return;
    }
    struct pf_finding finding = finding_of(PF_FINDING_HEADER, 0);
    finding_expect(&finding, "a valid .v3edgemeta file of 24 bytes");
    finding_found(&finding, "%zu bytes that are not", check->in->edgemeta_length);
    deliver(check, &finding);
}

static pf_err check_graph(struct check *check)
{
    const struct check_input *in = check->in;
    struct walk_input input = {.read = in->read,
                               .read_ctx = in->read_ctx,
                               .file_bytes = in->file_bytes,
                               .node_root = in->header.root_index_page,
                               .finding = deliver,
                               .finding_ctx = check,
                               .progress = in->progress,
                               .cancel = in->cancel};
    edge_roots(check, input.edge_roots);
    const pf_err err = walk_run(&input, &check->walk);
    if (err != PF_OK)
        return err;
    check->sum.walked = true;
    check->sum.graph = *walk_totals_of(check->walk);
    check->sum.in_use += check->sum.graph.pages;
    check->sum.graph_intact = check->sum.graph.intact;
    return check->sum.graph.complete ? PF_OK : PF_E_CANCELLED;
}

/* ---- the graph and the free list ---- */

static void report_run(struct check *check, pf_finding_class class, uint64_t first,
                       uint64_t end, const char *expected, const char *found)
{
    struct pf_finding finding = finding_of(class, first);
    finding.page_count = end - first;
    finding_expect(&finding, "%s", expected);
    finding_found(&finding, "%s", found);
    if (class == PF_FINDING_FREE_BUT_USED)
        walk_path(check->walk, first, finding.path);
    deliver(check, &finding);
}

/* The lowest page >= from that one of the two sets has, at most the end. */
static uint64_t next_known(const struct check *check, uint64_t from)
{
    uint64_t next = check->end;
    uint64_t id;
    if (pageset_next(check->free, from, &id) && id < next)
        next = id;
    if (walk_next(check->walk, from, &id) && id < next)
        next = id;
    return next;
}

/* Runs of pages that neither set has; whole regions are passed at once. */
static void find_leaks(struct check *check)
{
    uint64_t id = PF_FIRST_PAGE;
    while (id < check->end && !is_cancelled(check->in->cancel)) {
        const uint64_t gap =
            pageset_next_gap(check->free, walk_next_gap(check->walk, id));
        if (gap != id) { /* it may be in the other set */
            id = gap;
            continue;
        }
        const uint64_t next = next_known(check, id);
        report_run(check, PF_FINDING_LEAKED, id, next, "in use or on the free list",
                   "neither");
        check->sum.leaked += next - id;
        id = next;
    }
}

/* Pages that both sets have: one finding each, for each has its own path. */
static void find_used_free(struct check *check)
{
    uint64_t id = 0;
    while (pageset_next(check->free, id, &id) && !is_cancelled(check->in->cancel)) {
        if (walk_use(check->walk, id, NULL) != USE_NONE) {
            report_run(check, PF_FINDING_FREE_BUT_USED, id, id + 1, "free or in use",
                       "both");
            id++;
        } else if (!walk_next(check->walk, id, &id)) {
            return;
        }
    }
}

static pf_err check_free(struct check *check)
{
    struct check_input input = *check->in;
    check->free = check->in->free;
    check->sum.free_list_intact = true;
    pf_err err = PF_OK;
    if (check->free == NULL) {
        input.finding = deliver;
        input.finding_ctx = check;
        check->free = &check->own_free;
        err = check_free_list(&input, check->sum.file_pages, check->free,
                              &check->sum.free_list_intact);
    }
    check->sum.free_pages = check->free->count;
    return err;
}

/* ---- the run ---- */

static pf_err check_all(struct check *check)
{
    check_page_size(check);
    check_size(check);
    if (check->in->header.page_size != PF_PAGE_SIZE)
        return PF_OK; /* pages of two sizes lie over each other: nothing can be told apart
                       */
    pf_err err = check_graph(check);
    check->sum.right_total = right_total(check);
    if (err != PF_OK)
        return err;
    check_header_counts(check);
    err = check_free(check);
    if (err != PF_OK)
        return err;
    check->end = larger(check->sum.total_pages, check->sum.file_pages);
    find_used_free(check);
    find_leaks(check);
    return is_cancelled(check->in->cancel) ? PF_E_CANCELLED : PF_OK;
}

pf_err check_run(const struct check_input *input, struct check_summary *out_summary,
                 struct walk **out_walk)
{
    struct check check = {.in = input};
    check.sum.total_pages = effective_total(input->header.total_pages);
    check.sum.file_pages = larger(pf_file_pages(input->file_bytes), PF_FIRST_PAGE);
    check.sum.in_use = PF_FIRST_PAGE;
    check.sum.right_total = check.sum.total_pages;
    pf_err err = check_all(&check);
    check.sum.complete = err == PF_OK;
    if (err == PF_E_CANCELLED) /* cancelled */
        err = PF_OK;
    pageset_clear(&check.own_free);
    if (err == PF_OK)
        *out_summary = check.sum;
    if (err == PF_OK && out_walk != NULL)
        *out_walk = check.walk;
    else
        walk_free(check.walk);
    return err;
}
