/* graph.h: database files in memory with a graph in them: the samples, changed by hand.
 *
 * Sums are computed here with a plain loop over the published rule, not with core's code.
 */
#ifndef TEST_GRAPH_H
#define TEST_GRAPH_H

#include "check.h"
#include "scratch.h"
#include "v3file.h"

enum { FINDINGS_KEPT = 512 };

struct image {
    uint8_t *bytes;
    uint64_t size;
    uint8_t meta[64];
    size_t meta_length; /* 0 = no .v3edgemeta */

    uint64_t reads;     /* calls so far */
    uint64_t fail_page; /* reading it gives PF_E_IO; 0 = none */
    uint64_t cancel_at; /* the call that sets `cancel`; 0 = none */
    atomic_bool cancel;
    uint64_t *trace; /* ids in the order they were read, or NULL */
    size_t trace_room;
};

struct findings {
    struct pf_finding kept[FINDINGS_KEPT];
    size_t count; /* of all, also of those not kept */
};

/* Load a sample, side file included. */
void image_load(struct image *image, const char *name);
void image_free(struct image *image);
/* Add zero pages at the end, and count them in total_pages. Returns the first. */
uint64_t image_append(struct image *image, uint64_t page_count);
/* The bytes of a page that lies wholly inside. */
uint8_t *image_page(struct image *image, uint64_t page_id);
void image_put16(uint8_t *at, unsigned value);
void image_set_field(struct image *image, unsigned offset, uint64_t value);
uint64_t image_field(const struct image *image, unsigned offset);
/* Set the sum of an index or node page after a change. */
void image_sum_index(uint8_t *page);
void image_sum_node(uint8_t *page);
/* Write a whole index page, sum included. values: a leaf's `count` pages, or an internal
 * page's count + 1 children. */
void image_put_index(struct image *image, uint64_t page_id, bool leaf, unsigned count,
                     const uint64_t *keys, const uint64_t *values, uint64_t next_leaf);
/* Leaf entry i. */
void image_set_value(struct image *image, uint64_t leaf_id, unsigned i, uint64_t page_id);

/* page_read_fn and pf_finding_fn. */
pf_err image_read(void *image, uint64_t page_id, uint8_t *page);
void findings_add(void *findings, const struct pf_finding *finding);

/* Run a check; findings and out_walk may be NULL. */
struct check_summary image_check(struct image *image, struct findings *findings,
                                 struct walk **out_walk);
/* Run a walk over the roots of the header and the side file. */
struct walk *image_walk(struct image *image, struct findings *findings);
/* The finding of this class about this page; fails the test when there is none. */
const struct pf_finding *findings_get(const struct findings *findings,
                                      pf_finding_class class, uint64_t page_id);
/* Print what was found; for a test about to fail. */
void findings_print(const struct findings *findings);

/* What a walk found a page to be, and the path to it. */
void assert_use(struct walk *walk, uint64_t page_id, const char *expected);
void assert_path(struct walk *walk, uint64_t page_id, const char *expected);

struct neighbours {
    uint64_t ids[2048];
    size_t count;
};
/* For cluster_scan_init(); ctx is a struct neighbours. */
void neighbours_add(void *ctx, uint64_t node_id);

#endif
