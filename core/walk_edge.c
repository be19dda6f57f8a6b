/* Edge pages, and the pages that hang on them: walk_state.h. */
#include <stdio.h>

#include "edgepage.h"
#include "walk_state.h"

enum {
    /* An overrunning cluster is followed through this many pages of others: enough to
     * name the damage, and a damaged length cannot make the walk slow. */
    MAX_CROSSINGS = 16,
    KEY_TEXT_SIZE = 48,
};

static void report_edge(struct walk *walk, uint64_t page_id, const char *expected,
                        const char *found)
{
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, page_id);
    finding_expect(&finding, "%s", expected);
    finding_found(&finding, "%s", found);
    walk_report(walk, &finding);
}

static void key_text(uint64_t key, char out_text[KEY_TEXT_SIZE])
{
    const uint64_t zigzag = key & 0x3FFFFFFFFFFFFFFF;
    const uint64_t source = zigzag >> 1 ^ ((zigzag & 1) != 0 ? UINT64_MAX : 0);
    snprintf(out_text, KEY_TEXT_SIZE, "%s edges of node %" PRId64,
             key >> 62 == EDGE_OUT ? "outgoing" : "incoming", (int64_t)source);
}

/* A page that a key of leaf_id leads to does not hold, or not only, what it should. */
static void report_key(struct walk *walk, pf_finding_class class, uint64_t page_id,
                       const struct key_list *keys, unsigned i, const char *found)
{
    char text[KEY_TEXT_SIZE];
    struct pf_finding finding =
        walk_finding(walk, class, page_id, USE_EDGE, keys->leaf_id);
    key_text(keys->keys[i], text);
    finding_expect(&finding, "the %s", text);
    finding_found(&finding, "%s", found);
    walk_report(walk, &finding);
}

static void count_list(struct walk *walk, unsigned direction, uint32_t edge_count)
{
    walk->totals.edge_lists++;
    if (direction == EDGE_OUT)
        walk->totals.edges += edge_count;
}

/* ---- packed pages: many keys share one ---- */

struct cluster_fact {
    uint64_t key;
    uint32_t edge_count;
};

/* What a slot holds. False: reported. */
static bool read_slot(struct walk *walk, uint64_t page_id, const uint8_t *page,
                      unsigned slot_count, unsigned i, struct cluster_fact *out_fact)
{
    static const char expected[] = "a cluster in each slot";
    struct packed_slot slot;
    struct cluster_scan scan;
    if (!packed_slot_get(page, slot_count, i, &slot)) {
        report_edge(walk, page_id, expected, "a slot that reaches out of the page");
        return false;
    }
    cluster_scan_init(&scan, NULL, NULL);
    const enum scan end = cluster_scan_feed(&scan, slot.payload, slot.length);
    if (end != SCAN_DONE)
        report_edge(walk, page_id, expected,
                    end == SCAN_BAD ? scan.problem : "a cluster longer than its slot");
    else if (scan.has_key && edge_key(scan.source, scan.direction) != slot.key)
        report_edge(walk, page_id, expected, "a cluster of another node than its slot's");
    *out_fact = (struct cluster_fact){slot.key, scan.count};
    return end == SCAN_DONE;
}

static unsigned read_slots(struct walk *walk, uint64_t page_id, const uint8_t *page,
                           struct cluster_fact facts[PACKED_MAX_SLOTS])
{
    unsigned slot_count;
    unsigned fact_count = 0;
    if (!packed_decode(page, &slot_count)) {
        report_edge(walk, page_id, "at most 255 slots", "more");
        return 0;
    }
    for (unsigned i = 0; i < slot_count; i++)
        if (read_slot(walk, page_id, page, slot_count, i, &facts[fact_count]))
            fact_count++;
    return fact_count;
}

/* Slots that no key asks for are left over from earlier, and no finding. */
static void match_slots(struct walk *walk, uint64_t page_id,
                        const struct cluster_fact *facts, unsigned fact_count,
                        struct key_list *keys)
{
    for (unsigned i = 0; i < fact_count; i++)
        if (key_list_mark(keys, facts[i].key))
            count_list(walk, (unsigned)(facts[i].key >> 62), facts[i].edge_count);
    for (unsigned i = 0; i < keys->count; i++)
        if (!keys->found[i])
            report_key(walk, PF_FINDING_TREE, page_id, keys, i, "no slot for them");
}

static pf_err walk_packed(struct walk *walk, uint64_t page_id, const uint8_t *page)
{
    struct cluster_fact facts[PACKED_MAX_SLOTS];
    struct key_list keys;
    size_t cursor = 0;
    bool more;
    pf_err err = walk_refine(walk, page_id, USE_EDGE_PACKED);
    if (err != PF_OK)
        return err;
    const unsigned fact_count = read_slots(walk, page_id, page, facts);
    while ((err = walk_next_keys(walk, page_id, &cursor, &keys, &more)) == PF_OK && more)
        match_slots(walk, page_id, facts, fact_count, &keys);
    return err;
}

/* ---- clusters: one key each ---- */

static void match_cluster(struct walk *walk, uint64_t page_id,
                          const struct cluster_scan *scan, const struct key_list *keys,
                          unsigned i)
{
    char text[KEY_TEXT_SIZE];
    const uint64_t key = edge_key(scan->source, scan->direction);
    if (!scan->has_key || key == keys->keys[i]) {
        count_list(walk, (unsigned)(keys->keys[i] >> 62), scan->count);
        return;
    }
    key_text(key, text);
    report_key(walk, PF_FINDING_TREE, page_id, keys, i, text);
}

/* Two trees may both have the key; another key has no business here. */
static pf_err match_keys(struct walk *walk, uint64_t page_id,
                         const struct cluster_scan *scan)
{
    struct key_list keys;
    uint64_t only = 0;
    bool any = false;
    size_t cursor = 0;
    bool more;
    pf_err err;
    while ((err = walk_next_keys(walk, page_id, &cursor, &keys, &more)) == PF_OK &&
           more) {
        for (unsigned i = 0; i < keys.count; i++) {
            if (!any)
                match_cluster(walk, page_id, scan, &keys, i);
            else if (keys.keys[i] != only)
                report_key(walk, PF_FINDING_CROSS_LINKED, page_id, &keys, i,
                           "a page that another key leads to");
            only = any ? only : keys.keys[i];
            any = true;
        }
    }
    return err;
}

static pf_err finish_cluster(struct walk *walk, uint64_t page_id, enum scan end,
                             const struct cluster_scan *scan)
{
    if (end != SCAN_DONE)
        report_edge(walk, page_id, "an edge cluster",
                    end == SCAN_BAD ? scan->problem : "one whose end is missing");
    return match_keys(walk, page_id, scan);
}

/* The cluster goes on behind its page: old releases wrote it over whatever was there. */
static pf_err walk_overrun(struct walk *walk, uint64_t page_id, struct cluster_scan *scan,
                           enum scan *end)
{
    unsigned crossings = 0;
    for (uint64_t id = page_id + 1; *end == SCAN_MORE && crossings < MAX_CROSSINGS;
         id++) {
        uint8_t page[PF_PAGE_SIZE];
        enum claim claim;
        bool usable;
        pf_err err = walk_claim(walk, id, USE_EDGE_OVERRUN, page_id, false, &claim);
        if (err != PF_OK || id >= walk->file_pages)
            return err;
        crossings += claim == CLAIM_REFUSED;
        walk->totals.edge_pages += claim == CLAIM_NEW;
        err = walk_read(walk, id, page, &usable);
        if (err != PF_OK || !usable)
            return err;
        *end = cluster_scan_feed(scan, page, sizeof page);
    }
    return PF_OK;
}

static pf_err walk_cluster(struct walk *walk, uint64_t page_id, const uint8_t *page)
{
    struct cluster_scan scan;
    cluster_scan_init(&scan, NULL, NULL);
    enum scan end = cluster_scan_feed(&scan, page, PF_PAGE_SIZE);
    const pf_err err = walk_overrun(walk, page_id, &scan, &end);
    return err == PF_OK ? finish_cluster(walk, page_id, end, &scan) : err;
}

/* ---- chains: one cluster over many pages ---- */

/* One page of the chain; *next = 0 ends it. Pages behind the cluster's end still belong
 * to the chain. */
static void feed_chain(struct walk *walk, uint64_t page_id, const uint8_t *page,
                       struct cluster_scan *scan, enum scan *end, uint64_t *next)
{
    struct chain_page chain;
    *next = 0;
    if (!chain_decode(page, &chain)) {
        report_edge(walk, page_id, "a chain page of at most 4080 bytes", "none");
        return;
    }
    if (*end == SCAN_MORE)
        *end = cluster_scan_feed(scan, chain.payload, chain.length);
    *next = chain.next;
}

static pf_err walk_chain(struct walk *walk, uint64_t head_id, uint8_t *page)
{
    struct cluster_scan scan;
    enum scan end = SCAN_MORE;
    uint64_t next;
    cluster_scan_init(&scan, NULL, NULL);
    pf_err err = walk_refine(walk, head_id, USE_EDGE_CHAIN);
    if (err != PF_OK)
        return err;
    feed_chain(walk, head_id, page, &scan, &end, &next);
    while (next != 0) {
        const uint64_t page_id = next;
        enum claim claim;
        bool usable;
        err = walk_claim(walk, page_id, USE_EDGE_CHAIN, head_id, false, &claim);
        if (err != PF_OK)
            return err;
        if (claim == CLAIM_REFUSED)
            break;
        walk->totals.edge_pages++;
        err = walk_read(walk, page_id, page, &usable);
        if (err != PF_OK)
            return err;
        if (!usable)
            break;
        feed_chain(walk, page_id, page, &scan, &end, &next);
    }
    return finish_cluster(walk, head_id, end, &scan);
}

pf_err walk_edge_page(struct walk *walk, uint64_t page_id)
{
    uint8_t page[PF_PAGE_SIZE];
    bool usable;
    walk->totals.edge_pages++;
    const pf_err err = walk_read(walk, page_id, page, &usable);
    if (err != PF_OK || !usable)
        return err;
    switch (edge_form_of(page)) {
    case EDGE_PACKED:
        return walk_packed(walk, page_id, page);
    case EDGE_CHAIN:
        return walk_chain(walk, page_id, page);
    default:
        return walk_cluster(walk, page_id, page);
    }
}
