/* record.h: the bytes of the journal: its header and its records. Pure: no I/O,
 * no state. FORMAT.md section 5. */
#ifndef PF_RECORD_H
#define PF_RECORD_H

#include "pf.h"

enum {
    SECTOR = 512,           /* writes of this size and alignment are taken to be atomic */
    JOURNAL_START = SECTOR, /* of the first record */
    RECORD_HEAD = 64,
    RECORD_ENTRY = 16,
};

/* A generation begins with an LSN of 1 up to this, so that counting never comes to 0. */
#define JOURNAL_MAX_LSN ((uint64_t)1 << 62)

struct journal_header {
    uint64_t salt, first_lsn, db_size;
};

struct record_head {
    uint32_t sector_count;
    uint64_t salt, lsn, durable_lsn, db_size, length;
};

struct record_sector {
    uint64_t number;
    bool has_base;
    uint64_t base_sum;      /* sum of the content before this generation, if has_base */
    const uint8_t *content; /* SECTOR bytes */
};

void journal_header_encode(const struct journal_header *header,
                           uint8_t out_sector[SECTOR]);
/* *out_empty: there is nothing to replay. PF_E_JOURNAL. */
PF_CHECK pf_err journal_header_decode(const uint8_t sector[SECTOR],
                                      struct journal_header *out_header, bool *out_empty);

/* Bytes of a record of this many sectors, padding included. */
uint64_t record_length(uint64_t sector_count);
/* Write a whole record; head->length and sector_count are computed. */
void record_encode(struct record_head *head, const struct record_sector *sectors,
                   uint32_t sector_count, uint8_t *out_bytes);
/* Read the head only; false when these RECORD_HEAD bytes cannot begin a record
 * that fits in `room` bytes. Nothing is verified. */
bool record_head_decode(const uint8_t *bytes, uint64_t room,
                        struct record_head *out_head);
/* Does the whole record verify, entries ascending? `bytes` is as before when it
 * returns. */
bool record_is_valid(const struct record_head *head, uint8_t *bytes);
/* The i-th sector of a valid record; content points into `bytes`. */
struct record_sector record_sector_at(const struct record_head *head,
                                      const uint8_t *bytes, uint32_t i);
uint64_t sector_sum(const uint8_t *content);

#endif
