/* Node pages and the blobs of their records: walk_state.h. */
#include "walk_state.h"

/* ---- blobs ---- */

struct blob {
    uint64_t node_id, offset;
    unsigned length; /* > 0 */
};

static void report_blob(struct walk *walk, uint64_t page_id, const struct blob *blob,
                        pf_finding_class class, const char *expected)
{
    struct pf_finding finding = walk_finding_at(walk, class, page_id);
    finding_expect(&finding, "%s", expected);
    finding_found(&finding, "node %" PRIu64 " with %u bytes at offset %" PRIu64,
                  blob->node_id, blob->length, blob->offset);
    walk_report(walk, &finding);
}

/* A blob is whole pages, but its last one need not be: only its bytes must be there. */
static bool blob_is_in_file(const struct walk *walk, const struct blob *blob)
{
    return blob->offset <= walk->in.file_bytes &&
           blob->length <= walk->in.file_bytes - blob->offset;
}

static pf_err claim_blob(struct walk *walk, uint64_t node_page, const struct blob *blob)
{
    const uint64_t page_count =
        ((uint64_t)blob->length + PF_PAGE_SIZE - 1) / PF_PAGE_SIZE;
    if (blob->offset < PF_HEADER_SIZE ||
        (blob->offset - PF_HEADER_SIZE) % PF_PAGE_SIZE != 0) {
        report_blob(walk, node_page, blob, PF_FINDING_TREE,
                    "a blob that begins with a page");
        return PF_OK;
    }
    const uint64_t first = 1 + (blob->offset - PF_HEADER_SIZE) / PF_PAGE_SIZE;
    if (!blob_is_in_file(walk, blob)) {
        struct pf_finding finding =
            walk_finding(walk, PF_FINDING_DANGLING, first, USE_BLOB, node_page);
        finding_expect(&finding, "a blob inside the file's %" PRIu64 " bytes",
                       walk->in.file_bytes);
        finding_found(&finding, "node %" PRIu64 " with %u bytes at offset %" PRIu64,
                      blob->node_id, blob->length, blob->offset);
        walk_report(walk, &finding);
    }
    for (uint64_t i = 0; i < page_count && first + i < walk->file_pages; i++) {
        enum claim claim;
        const pf_err err =
            walk_claim(walk, first + i, USE_BLOB, node_page, false, &claim);
        if (err != PF_OK)
            return err;
        walk->totals.blob_pages += claim == CLAIM_NEW;
    }
    return PF_OK;
}

/* ---- records ---- */

static void report_records(struct walk *walk, uint64_t page_id,
                           const struct node_page *node, const struct node_cursor *at,
                           enum step end)
{
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, page_id);
    finding_expect(&finding, "%u records in %u bytes", node->node_count,
                   node->used_bytes);
    if (end == STEP_BAD)
        finding_found(&finding, "no record %u at byte %u of them", at->index + 1, at->at);
    else
        finding_found(&finding, "records of %u bytes", at->at);
    walk_report(walk, &finding);
}

/* All records, whether live or not, must fill the used bytes. */
static void check_records(struct walk *walk, uint64_t page_id,
                          const struct node_page *node)
{
    struct node_cursor cursor = {0};
    struct node_record record;
    enum step step;
    while ((step = node_record_next(node, &cursor, &record)) == STEP_ITEM)
        continue;
    if (step == STEP_BAD || cursor.at != node->used_bytes)
        report_records(walk, page_id, node, &cursor, step);
}

static void check_next_page(struct walk *walk, uint64_t page_id,
                            const struct node_page *node)
{
    if (node->next_page == 0)
        return;
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, page_id);
    finding_expect(&finding, "next page 0");
    finding_found(&finding, "next page %" PRIu64, node->next_page);
    walk_report(walk, &finding);
}

static void report_missing(struct walk *walk, uint64_t page_id,
                           const struct key_list *keys)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (keys->found[i])
            continue;
        struct pf_finding finding =
            walk_finding(walk, PF_FINDING_TREE, page_id, USE_NODE, keys->leaf_id);
        finding_expect(&finding, "a record of node %" PRIu64, keys->keys[i]);
        finding_found(&finding, "none");
        walk_report(walk, &finding);
    }
}

/* A record is live when a leaf maps its id to this page and it is not deleted. */
static pf_err claim_live(struct walk *walk, uint64_t page_id,
                         const struct node_page *node, struct key_list *keys)
{
    struct node_cursor cursor = {0};
    struct node_record record;
    while (node_record_next(node, &cursor, &record) == STEP_ITEM) {
        if (!key_list_mark(keys, record.id) || record.deleted)
            continue;
        walk->totals.nodes++;
        if (!record.external || record.data_length == 0)
            continue;
        const struct blob blob = {record.id, record.blob_offset, record.data_length};
        const pf_err err = claim_blob(walk, page_id, &blob);
        if (err != PF_OK)
            return err;
    }
    report_missing(walk, page_id, keys);
    return PF_OK;
}

/* Read and judge a claimed page. *out_usable false: reported, not to be followed. */
static pf_err load(struct walk *walk, uint64_t page_id, uint8_t *page,
                   struct node_page *out_node, bool *out_usable)
{
    struct page_seal seal;
    const pf_err err = walk_read(walk, page_id, page, out_usable);
    if (err != PF_OK || !*out_usable)
        return err;
    *out_usable = node_decode(page, out_node);
    if (!*out_usable) {
        struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, page_id);
        finding_expect(&finding, "a node page");
        finding_found(&finding, "more record bytes than a page has");
        walk_report(walk, &finding);
        return PF_OK;
    }
    node_seal(out_node, page_id, &seal);
    *out_usable = walk_accept_seal(walk, page_id, &seal, "a node page");
    return PF_OK;
}

pf_err walk_node_page(struct walk *walk, uint64_t page_id)
{
    uint8_t page[PF_PAGE_SIZE];
    struct node_page node;
    struct key_list keys;
    size_t cursor = 0;
    bool usable;
    bool more;

    walk->totals.node_pages++;
    pf_err err = load(walk, page_id, page, &node, &usable);
    if (err != PF_OK || !usable)
        return err;
    check_next_page(walk, page_id, &node);
    check_records(walk, page_id, &node);
    err = walk_next_keys(walk, page_id, &cursor, &keys, &more);
    while (err == PF_OK && more) {
        err = claim_live(walk, page_id, &node, &keys);
        if (err == PF_OK)
            err = walk_next_keys(walk, page_id, &cursor, &keys, &more);
    }
    return err;
}
