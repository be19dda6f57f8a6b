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
/* Empty it, but keep a little memory for the next batch. */
void sectors_reset(struct sectors *sectors);
/* Begin with sector 0, which is kept also if it does not change: put its first `length`
 * bytes to `bytes`; `base` is what the database has there. */
PF_CHECK pf_err sectors_begin(struct sectors *sectors, const uint8_t base[SECTOR],
                              const uint8_t *bytes, size_t length);
/* Put bytes offset .. offset + length - 1 of the database to `bytes`. Offsets
 * ascend from call to call. What the sectors hold otherwise is read from `db`;
 * behind its end there are zeros. Sectors that would not change are left out. */
PF_CHECK pf_err sectors_put(struct sectors *sectors, struct pf_file *db, uint64_t offset,
                            const uint8_t *bytes, size_t length);
/* Forget sector 0 if it would not change. */
void sectors_drop_first(struct sectors *sectors);

#endif
