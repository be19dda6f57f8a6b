/* replay.h: what a journal that was left behind says. For open.c only. */
#ifndef PF_REPLAY_H
#define PF_REPLAY_H

#include "dev.h"
#include "record.h"

struct replay_sector {
    struct record_sector sector; /* content points into a record */
    size_t order;                /* of the record */
};

struct replay { /* all zero = nothing to replay */
    struct journal_header header;
    uint64_t records;
    uint64_t last_lsn;
    uint64_t final_size; /* of the database after all records */
    uint8_t **record_bytes;
    uint64_t *sizes;     /* that the database had, or may have had: one a record, then */
    uint64_t size_count; /* each once, ascending */
    struct replay_sector *sectors; /* by number, then by order */
    size_t sector_count;
    size_t record_room, sector_room;
};

/* Read the journal, and judge whether it belongs to this database as it is now.
 * PF_E_JOURNAL: refused, `reason` (PF_REASON_SIZE bytes) says why;
 * PF_E_JOURNAL_READ: it cannot be read. On PF_OK with records == 0 there is
 * nothing to do. */
PF_CHECK pf_err replay_read(struct replay *replay, struct pf_file *journal,
                            struct pf_file *db, char *reason);
/* Write the final image. Repeating it gives the same bytes. */
PF_CHECK pf_err replay_apply(const struct replay *replay, struct pf_file *db);
void replay_clear(struct replay *replay);

#endif
