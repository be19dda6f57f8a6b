/* check.h: everything that can be wrong with a database file, found in one go.
 *
 * For core only. Compares the header, the file's length, the graph (walk.h) and
 * the free list with each other. It changes nothing and takes no lock. Findings
 * are delivered as they are met; runs of pages with the same finding are one.
 * FORMAT.md section 8. */
#ifndef PF_CHECK_H
#define PF_CHECK_H

#include "pageset.h"
#include "walk.h"

struct check_input {
    page_read_fn read;
    void *read_ctx;
    struct pf_header header;
    uint64_t file_bytes;
    const uint8_t *edgemeta; /* the bytes of .v3edgemeta, NULL when there is none */
    size_t edgemeta_length;
    /* The free pages, when the caller knows them; NULL: the free list is read, and
     * judged, here. Not changed, but looked up without const: nobody else may use it
     * meanwhile. */
    struct pageset *free;
    pf_finding_fn finding; /* or NULL */
    void *finding_ctx;
    struct pf_progress *progress; /* or NULL */
    const atomic_bool *cancel;    /* or NULL */
};

struct check_summary {
    uint64_t total_pages; /* of the header, at least 2 */
    uint64_t file_pages;  /* pages that begin inside the file, 0 and 1 included */
    uint64_t in_use;      /* reachable, and pages 0 and 1 */
    uint64_t free_pages;
    uint64_t leaked; /* below total_pages or the file's end, neither in use nor free */
    uint64_t right_total; /* a total_pages with which the file loses nothing */
    uint64_t findings[PF_FINDING_CLASS_COUNT]; /* by class */
    uint64_t finding_count;
    bool walked;       /* false: page_size is not 4096, the graph was not looked at */
    bool complete;     /* false: cancelled; what is counted is right as far as it goes */
    bool graph_intact; /* no tree, checksum, dangling or cross-linked finding: only then
                          is a leaked page surely without use */
    bool free_list_intact;
    struct walk_totals graph;
};

/* Check everything. out_walk (or NULL): the walk, owned by the caller, for walk_use() and
 * walk_path(); NULL when nothing was walked.
 * PF_E_NO_MEMORY, PF_E_STALE: the out-parameters are untouched. */
PF_CHECK pf_err check_run(const struct check_input *input,
                          struct check_summary *out_summary, struct walk **out_walk);

/* Read the free list from its head, report what is wrong with it, and collect its pages
 * into an empty set: all of them when *out_intact. Bounded by the pages that are there.
 * PF_E_NO_MEMORY, PF_E_STALE, and PF_E_CANCELLED. check_free.c. */
PF_CHECK pf_err check_free_list(const struct check_input *input, uint64_t file_pages,
                                struct pageset *free_pages, bool *out_intact);

#endif
