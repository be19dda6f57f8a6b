/* sectors.h: turn the changes of a batch into whole sectors of the database.
 * For commit.c. */
#ifndef PF_SECTORS_H
#define PF_SECTORS_H

#include "batch.h"
#include "dev.h"
#include "journal.h"

struct sectors {                 /* all zero = empty */
    struct journal_sector *list; /* ascending */
    size_t count, room;
};

void sectors_clear(struct sectors *sectors);
/* Put bytes offset .. offset + length - 1 of the database to `bytes`. Offsets
 * ascend from call to call. What the sectors hold otherwise is read from `db`;
 * behind its end there are zeros. */
PF_CHECK pf_err sectors_put(struct sectors *sectors, struct pf_file *db, uint64_t offset,
                            const uint8_t *bytes, size_t length);
/* Forget sectors that would not change, but for the first one if keep_first. */
void sectors_drop_unchanged(struct sectors *sectors, bool keep_first);

#endif
