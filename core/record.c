#include "record.h"

#include <string.h>

#include "bytes.h"
#include "xxh.h"

enum { /* byte offsets in the journal's header; FORMAT.md section 5 */
       JH_MAGIC = 0,
       JH_SALT = 8,
       JH_FIRST_LSN = 16,
       JH_DB_SIZE = 24,
       JH_ZERO = 32,
       JH_SUM = 48,
       JH_ZERO_AGAIN = 56,
};

enum { /* byte offsets in a record */
       REC_MAGIC = 0,
       REC_COUNT = 4,
       REC_SALT = 8,
       REC_LSN = 16,
       REC_DURABLE_LSN = 24,
       REC_DB_SIZE = 32,
       REC_LENGTH = 40,
       REC_SUM = 48,
       REC_ZERO = 56,
};

static const uint8_t journal_magic[8] = {'P', 'F', 'J', 'R', 'N', 'L', 0, 1};
static const uint8_t record_magic[4] = {'P', 'F', 'R', 'C'};
static const uint8_t zeros[SECTOR];

#define HAS_BASE ((uint64_t)1 << 63)

void journal_header_encode(const struct journal_header *header,
                           uint8_t out_sector[SECTOR])
{
    memset(out_sector, 0, SECTOR);
    memcpy(out_sector + JH_MAGIC, journal_magic, sizeof journal_magic);
    put_be64(out_sector + JH_SALT, header->salt);
    put_be64(out_sector + JH_FIRST_LSN, header->first_lsn);
    put_be64(out_sector + JH_DB_SIZE, header->db_size);
    put_be64(out_sector + JH_SUM, XXH3_64bits(out_sector, JH_SUM));
}

pf_err journal_header_decode(const uint8_t sector[SECTOR],
                             struct journal_header *out_header, bool *out_empty)
{
    *out_empty = memcmp(sector + JH_MAGIC, zeros, sizeof journal_magic) == 0;
    if (*out_empty)
        return PF_OK;
    if (memcmp(sector + JH_MAGIC, journal_magic, sizeof journal_magic) != 0 ||
        memcmp(sector + JH_ZERO, zeros, JH_SUM - JH_ZERO) != 0 ||
        memcmp(sector + JH_ZERO_AGAIN, zeros, SECTOR - JH_ZERO_AGAIN) != 0 ||
        get_be64(sector + JH_SUM) != XXH3_64bits(sector, JH_SUM))
        return PF_E_JOURNAL;
    const uint64_t first_lsn = get_be64(sector + JH_FIRST_LSN);
    if (first_lsn == 0 || first_lsn > JOURNAL_MAX_LSN)
        return PF_E_JOURNAL;
    out_header->salt = get_be64(sector + JH_SALT);
    out_header->first_lsn = first_lsn;
    out_header->db_size = get_be64(sector + JH_DB_SIZE);
    return PF_OK;
}

uint64_t record_length(uint64_t sector_count)
{
    const uint64_t bytes = RECORD_HEAD + sector_count * (RECORD_ENTRY + SECTOR);
    return (bytes + SECTOR - 1) / SECTOR * SECTOR;
}

/* The record's sum field must be zero. */
static uint64_t record_sum(const uint8_t *bytes, uint64_t length, uint64_t salt)
{
    return XXH3_64bits_withSeed(bytes, (size_t)length, salt);
}

void record_encode(struct record_head *head, const struct record_sector *sectors,
                   uint32_t sector_count, uint8_t *out_bytes)
{
    head->sector_count = sector_count;
    head->length = record_length(sector_count);
    memset(out_bytes, 0, RECORD_HEAD);
    memcpy(out_bytes + REC_MAGIC, record_magic, sizeof record_magic);
    put_be32(out_bytes + REC_COUNT, sector_count);
    put_be64(out_bytes + REC_SALT, head->salt);
    put_be64(out_bytes + REC_LSN, head->lsn);
    put_be64(out_bytes + REC_DURABLE_LSN, head->durable_lsn);
    put_be64(out_bytes + REC_DB_SIZE, head->db_size);
    put_be64(out_bytes + REC_LENGTH, head->length);

    uint8_t *entry = out_bytes + RECORD_HEAD;
    uint8_t *content = entry + (size_t)sector_count * RECORD_ENTRY;
    for (uint32_t i = 0; i < sector_count; i++) {
        put_be64(entry, sectors[i].number | (sectors[i].has_base ? HAS_BASE : 0));
        put_be64(entry + 8, sectors[i].has_base ? sectors[i].base_sum : 0);
        memcpy(content, sectors[i].content, SECTOR);
        entry += RECORD_ENTRY;
        content += SECTOR;
    }
    memset(content, 0, (size_t)head->length - (size_t)(content - out_bytes));
    put_be64(out_bytes + REC_SUM, record_sum(out_bytes, head->length, head->salt));
}

bool record_head_decode(const uint8_t *bytes, uint64_t room, struct record_head *out_head)
{
    if (memcmp(bytes + REC_MAGIC, record_magic, sizeof record_magic) != 0 ||
        get_be64(bytes + REC_ZERO) != 0)
        return false;
    const struct record_head head = {
        .sector_count = get_be32(bytes + REC_COUNT),
        .salt = get_be64(bytes + REC_SALT),
        .lsn = get_be64(bytes + REC_LSN),
        .durable_lsn = get_be64(bytes + REC_DURABLE_LSN),
        .db_size = get_be64(bytes + REC_DB_SIZE),
        .length = get_be64(bytes + REC_LENGTH),
    };
    if (head.sector_count == 0 || head.length != record_length(head.sector_count) ||
        head.length > room || head.db_size < PF_HEADER_SIZE || head.db_size > INT64_MAX)
        return false;
    *out_head = head;
    return true;
}

struct record_sector record_sector_at(const struct record_head *head,
                                      const uint8_t *bytes, uint32_t i)
{
    const uint8_t *entry = bytes + RECORD_HEAD + (size_t)i * RECORD_ENTRY;
    const uint64_t word = get_be64(entry);
    return (struct record_sector){
        .number = word & ~HAS_BASE,
        .has_base = (word & HAS_BASE) != 0,
        .base_sum = get_be64(entry + 8),
        .content = bytes + RECORD_HEAD + (size_t)head->sector_count * RECORD_ENTRY +
                   (size_t)i * SECTOR,
    };
}

bool record_is_valid(const struct record_head *head, uint8_t *bytes)
{
    const uint64_t stored = get_be64(bytes + REC_SUM);
    put_be64(bytes + REC_SUM, 0);
    const uint64_t computed = record_sum(bytes, head->length, head->salt);
    put_be64(bytes + REC_SUM, stored);
    if (stored != computed)
        return false;
    for (uint32_t i = 0; i < head->sector_count; i++) {
        const uint64_t number = record_sector_at(head, bytes, i).number;
        if (number > INT64_MAX / SECTOR ||
            (i > 0 && number <= record_sector_at(head, bytes, i - 1).number))
            return false;
    }
    return true;
}

uint64_t sector_sum(const uint8_t *content)
{
    return XXH3_64bits(content, SECTOR);
}
