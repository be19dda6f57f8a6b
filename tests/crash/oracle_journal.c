/* oracle_journal.c: replay by the book, FORMAT.md section 5, with no thought of speed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "oracle.h"

enum { BLOCK = 512, RECORD_HEADER = 64, ENTRY = 16 };

static const uint64_t has_base = (uint64_t)1 << 63;

static uint64_t be(const uint8_t *bytes, unsigned length)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

__attribute__((format(printf, 2, 3))) static void refuse(struct oracle_replay *replay,
                                                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(replay->why, sizeof(replay->why), format, args);
    va_end(args);
    replay->verdict = ORACLE_REFUSE;
}

void oracle_replay_clear(struct oracle_replay *replay)
{
    free(replay->sectors);
    memset(replay, 0, sizeof(*replay));
}

static const uint8_t *entry_at(const uint8_t *record, uint64_t i)
{
    return record + RECORD_HEADER + ENTRY * i;
}

static const uint8_t *content_at(const uint8_t *record, uint64_t i)
{
    return record + RECORD_HEADER + ENTRY * be(record + 4, 4) + BLOCK * i;
}

static uint64_t number_at(const uint8_t *record, uint64_t i)
{
    return be(entry_at(record, i), 8) & ~has_base;
}

static bool sectors_ascend(const uint8_t *record)
{
    for (uint64_t i = 0; i < be(record + 4, 4); i++)
        if (number_at(record, i) > INT64_MAX / BLOCK ||
            (i > 0 && number_at(record, i) <= number_at(record, i - 1)))
            return false;
    return true;
}

/* The length of what may be a record of this salt at `at`; 0 = it is none. */
static size_t candidate_at(const uint8_t *journal, size_t length, size_t at,
                           uint64_t salt)
{
    const uint8_t *record = journal + at;

    if (length - at < BLOCK || be(record, 4) != 0x50465243 || be(record + 8, 8) != salt ||
        be(record + 56, 8) != 0)
        return 0;
    const uint64_t n = be(record + 4, 4);
    const uint64_t size = be(record + 40, 8);
    const uint64_t need = RECORD_HEADER + n * (ENTRY + BLOCK);
    if (n == 0 || be(record + 32, 8) < 112 || be(record + 32, 8) > INT64_MAX)
        return 0;
    return size > length - at || size % BLOCK != 0 || size < need || size - need >= BLOCK
               ? 0
               : (size_t)size;
}

/* The length of the valid record of this salt at `at`; 0 = there is none. */
static size_t record_at(const uint8_t *journal, size_t length, size_t at, uint64_t salt)
{
    const uint8_t *record = journal + at;
    const size_t size = candidate_at(journal, length, at, salt);

    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size);
    if (copy == NULL)
        abort();
    memcpy(copy, record, size);
    memset(copy + 48, 0, 8);
    const uint64_t sum = XXH3_64bits_withSeed(copy, size, salt);
    free(copy);
    return sum == be(record + 48, 8) && sectors_ascend(record) ? size : 0;
}

static void take_sectors(struct oracle_replay *replay, const uint8_t *record)
{
    for (uint64_t i = 0; i < be(record + 4, 4); i++) {
        const uint64_t number = number_at(record, i);
        size_t at = 0;

        while (at < replay->sector_count && replay->sectors[at].number != number)
            at++;
        if (at == replay->sector_room) {
            replay->sector_room = replay->sector_room * 2 + 64;
            replay->sectors =
                realloc(replay->sectors, replay->sector_room * sizeof(*replay->sectors));
            if (replay->sectors == NULL)
                abort();
        }
        replay->sectors[at] = (struct oracle_sector){number, content_at(record, i)};
        replay->sector_count += at == replay->sector_count;
    }
}

/* The sizes that the journal names: the header's, then those of the records. */
static uint64_t named_size(const uint8_t *journal, const size_t *records, size_t i)
{
    return i == 0 ? be(journal + 24, 8) : be(journal + records[i - 1] + 32, 8);
}

/* Does a sector hold `content`, or the part of it that lies before one of the sizes that
 * the journal names, and zeros? (The write was kept and the growth lost.) */
static bool holds(const struct oracle_replay *replay, const uint8_t *journal,
                  const size_t *records, const uint8_t *now, const uint8_t *content,
                  uint64_t number)
{
    static const uint8_t zeros[BLOCK];

    if (memcmp(now, content, BLOCK) == 0)
        return true;
    for (size_t i = 0; i <= replay->record_count; i++) {
        const uint64_t size = named_size(journal, records, i);

        if (size <= number * BLOCK || size >= number * BLOCK + BLOCK)
            continue;
        const size_t inside = (size_t)(size - number * BLOCK);
        if (memcmp(now, content, inside) == 0 &&
            memcmp(now + inside, zeros, BLOCK - inside) == 0)
            return true;
    }
    return false;
}

/* Is what the database has in this sector its base, which the first record that touches
 * it has to name, or some record's content? */
static bool sector_fits(const struct oracle_replay *replay,
                        const struct oracle_source *database, const uint8_t *journal,
                        const size_t *records, uint64_t number)
{
    const uint64_t end = database->size > replay->size ? database->size : replay->size;
    uint8_t now[BLOCK] = {0};
    bool first = true;

    if (number * BLOCK < database->size)
        database->read(database->context, number * BLOCK, now, BLOCK);
    for (size_t r = 0; r < replay->record_count; r++) {
        const uint8_t *record = journal + records[r];

        for (uint64_t i = 0; i < be(record + 4, 4); i++) {
            const uint8_t *entry = entry_at(record, i);

            if (number_at(record, i) != number)
                continue;
            if (first && (be(entry, 8) & has_base) == 0)
                return false;
            if (number * BLOCK >= end ||
                (first && be(entry + 8, 8) == XXH3_64bits(now, BLOCK)) ||
                holds(replay, journal, records, now, content_at(record, i), number))
                return true;
            first = false;
        }
    }
    return false;
}

static void check_database(struct oracle_replay *replay,
                           const struct oracle_source *database, const uint8_t *journal,
                           const size_t *records)
{
    bool size_fits = false, has_header = false;

    for (size_t i = 0; i < replay->sector_count; i++)
        has_header |= replay->sectors[i].number == 0;
    if (!has_header)
        refuse(replay, "the journal lacks the database's header");
    for (size_t i = 0; i <= replay->record_count; i++)
        size_fits |= database->size == named_size(journal, records, i);
    if (!size_fits)
        refuse(replay, "the database's size %" PRIu64 " is not the journal's",
               database->size);
    for (size_t i = 0; i < replay->sector_count && replay->verdict != ORACLE_REFUSE; i++)
        if (!sector_fits(replay, database, journal, records, replay->sectors[i].number))
            refuse(replay, "sector %" PRIu64 " of the database is not the journal's",
                   replay->sectors[i].number);
}

static void check_rest(struct oracle_replay *replay, const uint8_t *journal,
                       size_t length, size_t from, uint64_t stopped_at, uint64_t salt)
{
    size_t together = 0;

    for (size_t at = from; at + BLOCK <= length; at += BLOCK) {
        const size_t size = candidate_at(journal, length, at, salt);

        if (size == 0 || be(journal + at + 24, 8) < stopped_at)
            continue;
        together += size;
        if (together > length)
            refuse(replay, "records within records");
        else if (record_at(journal, length, at, salt) != 0)
            refuse(replay, "LSN %" PRIu64 " was durable and is unreadable", stopped_at);
    }
}

static bool zero_fields_are_zero(const uint8_t *header)
{
    for (size_t i = 32; i < BLOCK; i = i == 47 ? 56 : i + 1)
        if (header[i] != 0)
            return false;
    return true;
}

void oracle_replay(struct oracle_replay *replay, const struct oracle_source *database,
                   const uint8_t *journal, size_t length)
{
    size_t records[4096];
    size_t at = BLOCK;
    size_t size;

    replay->sector_count = 0;
    replay->record_count = 0;
    replay->verdict = ORACLE_NOTHING;
    replay->size = database->size;
    if (length < BLOCK || be(journal, 8) == 0)
        return;
    if (memcmp(journal, "PFJRNL\0\1", 8) != 0 || !zero_fields_are_zero(journal) ||
        be(journal + 48, 8) != XXH3_64bits(journal, 48) || be(journal + 16, 8) == 0 ||
        be(journal + 16, 8) > (uint64_t)1 << 62) {
        refuse(replay, "the journal's header is not valid");
        return;
    }
    const uint64_t salt = be(journal + 8, 8);
    uint64_t lsn = be(journal + 16, 8);
    while (at < length && (size = record_at(journal, length, at, salt)) != 0 &&
           be(journal + at + 16, 8) == lsn && replay->record_count < 4096) {
        records[replay->record_count++] = at;
        take_sectors(replay, journal + at);
        replay->size = be(journal + at + 32, 8);
        replay->last_lsn = lsn++;
        at += size;
    }
    if (replay->record_count > 0)
        replay->verdict = ORACLE_REPLAY;
    check_rest(replay, journal, length, at, lsn, salt);
    if (replay->verdict == ORACLE_REPLAY)
        check_database(replay, database, journal, records);
}
