#include "checksum.h"

pf_err checksum_get(pf_store *store, uint64_t page_id, struct checksum *out_sum)
{
    uint8_t page[PF_PAGE_SIZE];
    struct checksum sum = {0};
    const pf_err err = pf_page_read(store, page_id, page);

    if (err != PF_OK)
        return err;
    sum.xxh3 = pf_checksum(page, page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE);
    sum.carried = pf_trunk_sums(page_id, page, &sum.stored, &sum.computed);
    *out_sum = sum;
    return PF_OK;
}

const char *checksum_status(const struct checksum *sum)
{
    if (!sum->carried)
        return "none";
    return sum->stored == sum->computed ? "ok" : "mismatch";
}
