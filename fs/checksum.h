/* checksum.h: the sums of a page, as `checksum` and `pages.jsonl` show them. */
#ifndef PAGEFS_CHECKSUM_H
#define PAGEFS_CHECKSUM_H

#include "../core/pf.h"

struct checksum {
    uint64_t xxh3;             /* of the page's bytes */
    bool carried;              /* the page carries a sum: */
    uint64_t stored, computed; /* what it is and what it should be */
};

/* Reads the page: PF_E_NO_PAGE, PF_E_IO, PF_E_STALE. */
PF_CHECK pf_err checksum_get(pf_store *store, uint64_t page_id, struct checksum *out_sum);
/* ok, mismatch, none */
const char *checksum_status(const struct checksum *sum);

#endif
