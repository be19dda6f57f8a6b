/* journal.h: the redo journal of an open database: append, restart, grow, end.
 * For core only; FORMAT.md section 5 has the bytes, journal.c the invariants.
 */
#ifndef PF_JOURNAL_H
#define PF_JOURNAL_H

#include "batch.h"
#include "pageset.h"
#include "place.h"
#include "record.h"

enum { JOURNAL_FIRST_SIZE = 1024 * 1024 };

/* Everything but `capacity` and `file` belongs to the leader (store.h); those
 * two are changed with `writer` and `lock` held. */
struct journal {
    struct pf_place *place; /* NULL: this store has no journal */
    struct pf_file *file;   /* NULL: not made yet */
    uint64_t capacity;      /* bytes of the file, all written and synced once */
    uint64_t used;          /* offset of the next record */
    uint64_t salt, next_lsn, durable_lsn;
    uint64_t records;       /* in this generation */
    struct pageset touched; /* sectors that this generation has touched */
    void *memory;           /* for small records, once there was one */
};

/* A transaction on its way into the journal: sectors of the database,
 * ascending. */
struct journal_sector {
    uint64_t number;
    uint8_t base[SECTOR]; /* what the database holds */
    uint8_t content[SECTOR];
};

/* Make the file: zero-filled, one empty generation, durable. PF_E_NO_SPACE and
 * the like: nothing changed. */
PF_CHECK pf_err journal_create(struct journal *journal, uint64_t size, uint64_t db_size);
/* Go on with the file that recovery read: a new generation, synced. half_made: it had no
 * header yet, so it may not be filled either. next_lsn: from 1. */
PF_CHECK pf_err journal_adopt(struct journal *journal, bool half_made, uint64_t next_lsn,
                              uint64_t db_size);
/* Zero-fill up to `size`; *out_capacity = what the caller adopts. */
PF_CHECK pf_err journal_grow(struct journal *journal, uint64_t size,
                             uint64_t *out_capacity);
/* Write one record at `used`, ending within the first `room` bytes; it is
 * durable after journal_sync(). */
PF_CHECK pf_err journal_append(struct journal *journal, uint64_t room,
                               const struct journal_sector *sectors, size_t sector_count,
                               uint64_t db_size);
/* sync false: only count it as written. */
PF_CHECK pf_err journal_sync(struct journal *journal, bool sync);
/* Begin a new generation. Everything in the old one is in the database, synced.
 */
PF_CHECK pf_err journal_restart(struct journal *journal, uint64_t db_size, bool sync);
/* Clean end: empty header, synced; name removed, directory synced. PF_E_STALE,
 * PF_E_JOURNAL: another journal has come into its place, and stays as it is. */
PF_CHECK pf_err journal_end(struct journal *journal);
/* Release memory and the file; the file stays. */
void journal_close(struct journal *journal);

#endif
