/* batch.h: the changes that one commit will bring to the database. For core only.
 *
 * A change to a page is an image of its first bytes: a whole page that was
 * written, the used bytes of a trunk, or the eight zero bytes that end a trunk
 * that was popped. Beside the images: the header and the file's size. */
#ifndef PF_BATCH_H
#define PF_BATCH_H

#include "idmap.h"

struct batch_image {
    size_t length; /* valid bytes; 0 = prepared, never written */
    size_t room;
    uint8_t bytes[];
};

struct batch {           /* all zero = no changes */
    struct idmap images; /* page id -> struct batch_image */
    uint64_t last_lsn;   /* of the youngest change inside; 0 = empty */
};

void batch_clear(struct batch *batch);
/* After this, a batch_write() of up to `length` bytes to this page cannot fail.
 * PF_E_NO_MEMORY. */
PF_CHECK pf_err batch_prepare(struct batch *batch, uint64_t page_id, size_t length);
/* Bytes 0 .. length - 1 of the page become `bytes`. Prepared before. */
void batch_write(struct batch *batch, uint64_t page_id, const uint8_t *bytes,
                 size_t length);
/* The page's image; NULL when the batch does not change the page. */
const struct batch_image *batch_get(const struct batch *batch, uint64_t page_id);
/* Put what the batch knows of the page over `page`. */
void batch_overlay(const struct batch *batch, uint64_t page_id, uint8_t *page);
/* The ids of all changed pages in ascending order, malloc'ed. PF_E_NO_MEMORY. */
PF_CHECK pf_err batch_pages(const struct batch *batch, uint64_t **out_ids,
                            size_t *out_count);

#endif
