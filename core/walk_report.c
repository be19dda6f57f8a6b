/* Findings and paths of the walk: walk_state.h, walk.h. */
#include <stdio.h>
#include <string.h>

#include "walk_state.h"

static const char *const use_names[USE_COUNT] = {
    /* as pages/N/type has them */
    [USE_NONE] = "unknown",
    [USE_NODE_INDEX] = "unknown",
    [USE_NODE_INTERNAL] = "node-internal",
    [USE_NODE_LEAF] = "node-leaf",
    [USE_NODE] = "node",
    [USE_EDGE_INDEX] = "unknown",
    [USE_EDGE_INTERNAL] = "edge-internal",
    [USE_EDGE_LEAF] = "edge-leaf",
    [USE_EDGE] = "edge",
    [USE_EDGE_PACKED] = "edge-packed",
    [USE_EDGE_CHAIN] = "edge-chain",
    [USE_EDGE_OVERRUN] = "edge",
    [USE_BLOB] = "blob",
};

static const char *const path_words[USE_COUNT] = {
    /* as they stand in a path */
    [USE_NONE] = "unknown",
    [USE_NODE_INDEX] = "index",
    [USE_NODE_INTERNAL] = "internal",
    [USE_NODE_LEAF] = "leaf",
    [USE_NODE] = "node",
    [USE_EDGE_INDEX] = "index",
    [USE_EDGE_INTERNAL] = "internal",
    [USE_EDGE_LEAF] = "leaf",
    [USE_EDGE] = "edge",
    [USE_EDGE_PACKED] = "edge-packed",
    [USE_EDGE_CHAIN] = "edge-chain",
    [USE_EDGE_OVERRUN] = "edge-overrun",
    [USE_BLOB] = "blob",
};

const char *page_use_name(enum page_use use)
{
    return (unsigned)use < USE_COUNT ? use_names[use] : "unknown";
}

/* ---- paths ---- */

enum {
    PATH_MAX_STEPS = INDEX_MAX_DEPTH + 4
}; /* index pages, value page, what hangs on it */

static const char *word_of(enum page_use use, uint64_t user_id)
{
    if (user_id == 0 && use >= USE_NODE_INDEX && use <= USE_NODE_LEAF)
        return "node root";
    if (user_id == 0 && use >= USE_EDGE_INDEX && use <= USE_EDGE_LEAF)
        return "edge root";
    return path_words[use];
}

/* Append to `path`, cut at its end. */
static void path_add(char path[PF_PATH_SIZE], const char *text)
{
    const size_t held = strlen(path);
    snprintf(path + held, PF_PATH_SIZE - held, "%s", text);
}

static void path_add_page(char path[PF_PATH_SIZE], const char *word, uint64_t page_id)
{
    char step[64];
    snprintf(step, sizeof step, "%s %" PRIu64 " > ", word, page_id);
    path_add(path, step);
}

/* The path of a page with this use and user, whether it is claimed or not. Users are
 * claimed before what they use, so the way up ends. */
static void path_of(struct walk *walk, enum page_use use, uint64_t user_id,
                    char out_path[PF_PATH_SIZE])
{
    uint64_t ids[PATH_MAX_STEPS];
    unsigned count = 0;
    for (uint64_t id = user_id; id != 0 && count < PATH_MAX_STEPS;) {
        ids[count++] = id;
        if (usemap_get(&walk->uses, id, &id) == USE_NONE)
            break;
    }
    out_path[0] = '\0';
    while (count > 0) {
        uint64_t above;
        const uint64_t id = ids[--count];
        const enum page_use of_id = usemap_get(&walk->uses, id, &above);
        path_add_page(out_path, word_of(of_id, above), id);
    }
    path_add(out_path, word_of(use, user_id));
}

void walk_path(struct walk *walk, uint64_t page_id, char out_path[PF_PATH_SIZE])
{
    uint64_t user_id;
    const enum page_use use = usemap_get(&walk->uses, page_id, &user_id);
    out_path[0] = '\0';
    if (use != USE_NONE)
        path_of(walk, use, user_id, out_path);
}

/* ---- findings ---- */

struct pf_finding walk_finding(struct walk *walk, pf_finding_class class,
                               uint64_t page_id, enum page_use use, uint64_t user_id)
{
    struct pf_finding finding = {
        .class = class, .page_id = page_id, .page_count = 1, .user_id = user_id};
    path_of(walk, use, user_id, finding.path);
    return finding;
}

struct pf_finding walk_finding_at(struct walk *walk, pf_finding_class class,
                                  uint64_t page_id)
{
    uint64_t user_id;
    const enum page_use use = usemap_get(&walk->uses, page_id, &user_id);
    return walk_finding(walk, class, page_id, use, user_id);
}

/* The marks are for pictures: without memory for one there is one letter less. */
static void mark(struct walk *walk, uint64_t page_id, uint64_t bit)
{
    uint64_t *marks = idmap_get(&walk->marks, page_id);
    if (marks != NULL)
        *marks |= bit;
    else if (idmap_reserve(&walk->marks, 1) == PF_OK)
        idmap_put(&walk->marks, page_id, bit);
}

void walk_report(struct walk *walk, const struct pf_finding *finding)
{
    walk->totals.findings++;
    if (finding->class == PF_FINDING_DANGLING)
        mark(walk, finding->user_id, MARK_CROSSED); /* the page itself is not there */
    else
        mark(walk, finding->page_id,
             finding->class == PF_FINDING_CROSS_LINKED ? MARK_CROSSED : MARK_BAD);
    if (walk->in.finding != NULL)
        walk->in.finding(walk->in.finding_ctx, finding);
}

static void report_sum(struct walk *walk, uint64_t page_id, const struct page_seal *seal)
{
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_CHECKSUM, page_id);
    finding_expect(&finding, "sum %08" PRIx32, seal->computed);
    finding_found(&finding, "sum %08" PRIx32, seal->stored);
    walk_report(walk, &finding);
}

static void report_id(struct walk *walk, uint64_t page_id, const struct page_seal *seal,
                      const char *what)
{
    static const char *const remarks[] = {
        [SEAL_ID] = "the rest is sound",
        [SEAL_MOVED] = "a sound page in the wrong place, not followed",
        [SEAL_FOREIGN] = "and a wrong sum, not followed",
    };
    struct pf_finding finding = walk_finding_at(walk, PF_FINDING_TREE, page_id);
    finding_expect(&finding, "%s with its own id, %" PRIu64, what, page_id);
    finding_found(&finding, "id %" PRIu64 ", %s", seal->own_id, remarks[seal->seal]);
    walk_report(walk, &finding);
}

bool walk_accept_seal(struct walk *walk, uint64_t page_id, const struct page_seal *seal,
                      const char *what)
{
    if (seal->seal == SEAL_SUM)
        report_sum(walk, page_id, seal);
    else if (seal->seal != SEAL_OK)
        report_id(walk, page_id, seal, what);
    return seal->seal != SEAL_MOVED && seal->seal != SEAL_FOREIGN;
}
