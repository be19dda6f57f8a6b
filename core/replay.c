/* replay.c: recovery.
 *
 * Invariants (numbered as those of journal.c)
 *  R2  records count from the first to the last one before the first that does not
 *      verify; a later one that proves that more was durable makes the journal a damaged
 *      one.
 *  R3  a journal is replayed only into its own database: each touched sector holds its
 *      base content or one that a record gives it, the size is one the journal names.
 *  R4  the image is complete in memory before a byte is written; the size only ever takes
 *      values that the journal names, so recovery that is cut can be repeated. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far behind the last record a later one is looked for: more than any
 * journal of ours has, and little enough to read. */
enum { SCAN_MAX = 256 * 1024 * 1024 };

static pf_err refuse(char *reason, const char *why)
{
    snprintf(reason, PF_REASON_SIZE, "the journal is refused: %s", why);
    return PF_E_JOURNAL;
}

static pf_err read_exactly(struct pf_file *file, uint64_t offset, void *bytes,
                           size_t length)
{
    size_t got = 0;
    const pf_err err = dev_read(file, offset, bytes, length, &got);
    if (err == PF_E_NO_MEMORY)
        return err;
    return err != PF_OK || got != length ? PF_E_JOURNAL_READ : PF_OK;
}

/* ---- reading records ---- */

static pf_err make_room(struct replay *r, size_t more_sectors)
{
    if (r->records == r->record_room) {
        const size_t room = r->record_room == 0 ? 16 : r->record_room * 2;
        uint8_t **bytes = realloc(r->record_bytes, room * sizeof *bytes);
        if (bytes != NULL)
            r->record_bytes = bytes;
        uint64_t *sizes = realloc(r->sizes, room * sizeof *sizes);
        if (sizes != NULL)
            r->sizes = sizes;
        if (bytes == NULL || sizes == NULL)
            return PF_E_NO_MEMORY;
        r->record_room = room;
    }
    if (r->sector_count + more_sectors > r->sector_room) {
        const size_t room = (r->sector_count + more_sectors) * 2;
        struct replay_sector *sectors = realloc(r->sectors, room * sizeof *sectors);
        if (sectors == NULL)
            return PF_E_NO_MEMORY;
        r->sectors = sectors;
        r->sector_room = room;
    }
    return PF_OK;
}

/* Keep a valid record; owns `bytes` when it succeeds. */
static pf_err keep_record(struct replay *r, const struct record_head *head,
                          uint8_t *bytes)
{
    const pf_err err = make_room(r, head->sector_count);
    if (err != PF_OK)
        return err;
    for (uint32_t i = 0; i < head->sector_count; i++)
        r->sectors[r->sector_count++] = (struct replay_sector){
            .sector = record_sector_at(head, bytes, i), .order = (size_t)r->records};
    r->record_bytes[r->records] = bytes;
    r->sizes[r->records] = head->db_size;
    r->records++;
    r->last_lsn = head->lsn;
    r->final_size = head->db_size;
    return PF_OK;
}

/* May a record of this generation begin at `offset`? */
static pf_err read_head(const struct replay *r, struct pf_file *journal, uint64_t offset,
                        uint64_t size, struct record_head *out_head, bool *out_may)
{
    uint8_t first[RECORD_HEAD];
    *out_may = false;
    if (size - offset < SECTOR)
        return PF_OK;
    const pf_err err = read_exactly(journal, offset, first, sizeof first);
    *out_may = err == PF_OK && record_head_decode(first, size - offset, out_head) &&
               out_head->salt == r->header.salt;
    return err;
}

/* Read what may be the record with this head. *out_bytes NULL: it is none. */
static pf_err read_record(struct pf_file *journal, uint64_t offset,
                          const struct record_head *head, uint8_t **out_bytes)
{
    *out_bytes = NULL;
    uint8_t *bytes = malloc((size_t)head->length);
    if (bytes == NULL)
        return PF_E_NO_MEMORY;
    const pf_err err = read_exactly(journal, offset, bytes, (size_t)head->length);
    if (err != PF_OK || !record_is_valid(head, bytes)) {
        free(bytes);
        return err;
    }
    *out_bytes = bytes;
    return PF_OK;
}

/* R2: take the record at *offset if it is valid and the next one. */
static pf_err take_record(struct replay *r, struct pf_file *journal, uint64_t size,
                          uint64_t *offset, bool *out_taken)
{
    struct record_head head;
    uint8_t *bytes = NULL;
    bool may = false;
    pf_err err = read_head(r, journal, *offset, size, &head, &may);
    *out_taken = false;
    if (may)
        err = read_record(journal, *offset, &head, &bytes);
    if (err != PF_OK || bytes == NULL)
        return err;
    if (head.lsn == r->last_lsn + 1)
        err = keep_record(r, &head, bytes);
    else
        err = PF_E_JOURNAL;
    *out_taken = err == PF_OK;
    if (*out_taken)
        *offset += head.length;
    else
        free(bytes);
    return err == PF_E_JOURNAL ? PF_OK : err;
}

static pf_err read_records(struct replay *r, struct pf_file *journal, uint64_t size,
                           uint64_t *out_end)
{
    bool taken = true;
    pf_err err = PF_OK;
    *out_end = JOURNAL_START;
    r->last_lsn = r->header.first_lsn - 1;
    while (taken && err == PF_OK)
        err = take_record(r, journal, size, out_end, &taken);
    return err;
}

/* R2: is there a record further on which knows that one we cannot read was
 * durable? What was written in one generation does not overlap, so to sum more than
 * there is means that the journal was made to keep us busy. */
static pf_err find_proof_of_damage(const struct replay *r, struct pf_file *journal,
                                   uint64_t from, uint64_t size, char *reason)
{
    const uint64_t end = size - from > SCAN_MAX ? from + SCAN_MAX : size;
    uint64_t summed = 0;
    for (uint64_t offset = from; offset < end && end - offset >= SECTOR;
         offset += SECTOR) {
        struct record_head head;
        uint8_t *bytes = NULL;
        bool may = false;
        pf_err err = read_head(r, journal, offset, size, &head, &may);
        if (err == PF_OK && (!may || head.durable_lsn <= r->last_lsn))
            continue;
        summed += err == PF_OK ? head.length : 0;
        if (summed > size)
            return refuse(reason, "it has records within records");
        if (err == PF_OK)
            err = read_record(journal, offset, &head, &bytes);
        const bool proof = bytes != NULL;
        free(bytes);
        if (err != PF_OK)
            return err;
        if (proof)
            return refuse(reason, "a record that was durable cannot be read any more");
    }
    return PF_OK;
}

/* ---- does it belong to this database? ---- */

static int by_number(const void *a, const void *b)
{
    const struct replay_sector *x = a, *y = b;
    if (x->sector.number != y->sector.number)
        return x->sector.number < y->sector.number ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool size_is_named(const struct replay *r, uint64_t db_size)
{
    bool named = db_size == r->header.db_size;
    for (uint64_t i = 0; i < r->size_count && !named; i++)
        named = r->sizes[i] == db_size;
    return named;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Each size once, ascending: few of them end in a given sector, however many there are.
 */
static void sort_sizes(struct replay *r)
{
    qsort(r->sizes, (size_t)r->records, sizeof *r->sizes, by_size);
    r->size_count = 0;
    for (uint64_t i = 0; i < r->records; i++)
        if (r->size_count == 0 || r->sizes[r->size_count - 1] != r->sizes[i])
            r->sizes[r->size_count++] = r->sizes[i];
}

/* Index of the first size above `offset`. */
static uint64_t first_size_above(const struct replay *r, uint64_t offset)
{
    uint64_t low = 0, high = r->size_count;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (r->sizes[middle] > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Is `now` this content, cut off at `end` and filled up with zeros? So it looks when the
 * write was kept, but not the growth of the file before it. */
static bool is_cut_content(const uint8_t *now, const uint8_t *content, uint64_t offset,
                           uint64_t end)
{
    static const uint8_t zeros[SECTOR];
    if (end <= offset || end - offset >= SECTOR)
        return false;
    const size_t inside = (size_t)(end - offset);
    return memcmp(now, content, inside) == 0 &&
           memcmp(now + inside, zeros, SECTOR - inside) == 0;
}

static bool is_version(const struct replay *r, const struct replay_sector *version,
                       const uint8_t *now)
{
    const uint64_t offset = version->sector.number * SECTOR;
    const uint8_t *content = version->sector.content;
    bool known = memcmp(now, content, SECTOR) == 0 ||
                 is_cut_content(now, content, offset, r->header.db_size);
    for (uint64_t i = first_size_above(r, offset);
         i < r->size_count && r->sizes[i] - offset < SECTOR && !known; i++)
        known = is_cut_content(now, content, offset, r->sizes[i]);
    return known;
}

/* One sector: `count` versions of it, oldest first. */
static pf_err check_sector(const struct replay *r, const struct replay_sector *version,
                           size_t count, struct pf_file *db, uint64_t db_size,
                           char *reason)
{
    uint8_t now[SECTOR] = {0};
    size_t got = 0;
    const uint64_t offset = version->sector.number * SECTOR;
    if (!version->sector.has_base)
        return refuse(reason, "a record lacks the sum of what it replaces");
    if (offset >= db_size && offset >= r->final_size)
        return PF_OK; /* cut away by a record that shrinks the file */
    /* not yet grown: zeros, as a second replay will find them if this one is cut */
    if (dev_read(db, offset, now, sizeof now, &got) != PF_OK)
        return PF_E_IO;
    bool known = sector_sum(now) == version->sector.base_sum;
    for (size_t i = 0; i < count && !known; i++)
        known = is_version(r, &version[i], now);
    return known
               ? PF_OK
               : refuse(reason, "the database is not the one it was written for, or was "
                                "changed since");
}

/* R3 */
static pf_err check_database(const struct replay *r, struct pf_file *db, char *reason)
{
    uint64_t db_size;
    pf_err err = dev_size(db, &db_size);
    if (err != PF_OK)
        return err;
    if (!size_is_named(r, db_size))
        return refuse(reason, "the database has a size that it does not name");
    if (r->sectors[0].sector.number != 0)
        return refuse(reason, "it does not have the database's header");
    for (size_t i = 0, next; i < r->sector_count && err == PF_OK; i = next) {
        next = i + 1;
        while (next < r->sector_count &&
               r->sectors[next].sector.number == r->sectors[i].sector.number)
            next++;
        err = check_sector(r, r->sectors + i, next - i, db, db_size, reason);
    }
    return err;
}

pf_err replay_read(struct replay *r, struct pf_file *journal, struct pf_file *db,
                   char *reason)
{
    uint8_t sector[SECTOR];
    uint64_t size = 0, end = 0;
    bool empty = true;
    if (dev_size(journal, &size) != PF_OK)
        return PF_E_JOURNAL_READ;
    if (size < SECTOR)
        return PF_OK; /* it was being made when the power went: nothing used it yet
                       */
    pf_err err = read_exactly(journal, 0, sector, sizeof sector);
    if (err == PF_OK)
        err = journal_header_decode(sector, &r->header, &empty);
    if (err == PF_E_JOURNAL)
        return refuse(reason, "its header is damaged");
    if (err != PF_OK || empty)
        return err;
    err = read_records(r, journal, size, &end);
    if (err == PF_OK)
        err = find_proof_of_damage(r, journal, end, size, reason);
    if (err == PF_OK && r->records > 0) {
        sort_sizes(r);
        qsort(r->sectors, r->sector_count, sizeof *r->sectors, by_number);
        err = check_database(r, db, reason);
    }
    return err;
}

/* ---- applying it ---- */

/* R4: growing comes before the writes, shrinking after them. */
pf_err replay_apply(const struct replay *r, struct pf_file *db)
{
    uint64_t db_size;
    pf_err err = dev_size(db, &db_size);
    if (err == PF_OK && r->final_size > db_size)
        err = dev_truncate(db, r->final_size);
    for (size_t i = 0; i < r->sector_count && err == PF_OK; i++) {
        const struct replay_sector *s = &r->sectors[i];
        const uint64_t offset = s->sector.number * SECTOR;
        const bool last =
            i + 1 == r->sector_count || s[1].sector.number != s->sector.number;
        if (!last || offset >= r->final_size)
            continue;
        /* whole sectors where the file has them: it is cut only afterwards */
        const uint64_t end = db_size > r->final_size ? db_size : r->final_size;
        const uint64_t room = end - offset;
        err = dev_write(db, offset, s->sector.content,
                        room < SECTOR ? (size_t)room : SECTOR);
    }
    if (err == PF_OK && r->final_size < db_size) {
        err = dev_sync(db); /* as apply() in commit.c, and for its reason */
        if (err == PF_OK)
            err = dev_truncate(db, r->final_size);
    }
    return err;
}

void replay_clear(struct replay *r)
{
    for (uint64_t i = 0; i < r->records; i++)
        free(r->record_bytes[i]);
    free(r->record_bytes);
    free(r->sizes);
    free(r->sectors);
    *r = (struct replay){0};
}
