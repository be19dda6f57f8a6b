/* journal.c: the redo journal while a database is open. Recovery is in
 * replay.c, the order of journal and database in commit.c.
 *
 * Invariants (numbered as in the design of the journal; 1 and 6 are commit.c's,
 * 3 and 4 also replay.c's)
 *  J0  before a record is written the space it needs exists: the file was filled
 *      with zeros and synced up to `capacity`; a record never reaches behind it.
 *  J2  a record is durable when it and all before it were written and a sync
 *      returned 0. It carries LSN, salt, the last LSN known durable, the
 *      database's size, its sum.
 *  J3  the first record of a generation that touches a sector has the sum of its
 *      old content; the first record of a generation has sector 0.
 *  J5  the journal restarts, with a new salt, only when the database sync that
 *      followed the application of its last record returned 0. The new header is
 *      synced before the first new record is written: a record of the old
 *      generation must not be overwritten while the old header can come back. */
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t round_up(uint64_t size)
{
    return (size + SECTOR - 1) / SECTOR * SECTOR;
}

static pf_err new_salt(uint64_t *out_salt)
{
    uint64_t salt = 0;
    while (salt == 0)
        if (getrandom(&salt, sizeof salt, 0) != sizeof salt && errno != EINTR)
            return PF_E_IO;
    *out_salt = salt;
    return PF_OK;
}

/* Blocks that exist and were written once are overwritten at half the price of
 * others. */
static pf_err fill_with_zeros(struct pf_file *file, uint64_t from, uint64_t to)
{
    enum { PIECE = 64 * 1024 };
    uint8_t *zeros = calloc(1, PIECE);
    pf_err err = zeros == NULL ? PF_E_NO_MEMORY : PF_OK;
    while (err == PF_OK && from < to) {
        const size_t n = to - from < PIECE ? (size_t)(to - from) : PIECE;
        err = dev_write(file, from, zeros, n);
        from += n;
    }
    free(zeros);
    return err;
}

static pf_err write_header(struct journal *j, struct pf_file *file, uint64_t db_size)
{
    uint8_t sector[SECTOR];
    const struct journal_header header = {
        .salt = j->salt, .first_lsn = j->next_lsn, .db_size = db_size};
    journal_header_encode(&header, sector);
    return dev_write(file, 0, sector, sizeof sector);
}

pf_err journal_create(struct journal *j, uint64_t size, uint64_t db_size)
{
    struct pf_file *file = NULL;
    size = round_up(size);
    pf_err err = dev_err(-j->place->ops->create(j->place, &file));
    if (err != PF_OK)
        return err;
    j->next_lsn = 1;
    err = new_salt(&j->salt);
    if (err == PF_OK)
        err = fill_with_zeros(file, SECTOR, size);
    if (err == PF_OK)
        err = write_header(j, file, db_size);
    if (err == PF_OK)
        err = dev_sync(file);
    if (err == PF_OK && j->place->ops->sync(j->place) != 0)
        err = PF_E_IO;
    if (err != PF_OK) {
        (void)j->place->ops->remove(j->place);
        dev_close(file);
        return err;
    }
    j->file = file;
    j->capacity = size;
    j->used = JOURNAL_START;
    j->durable_lsn = j->next_lsn - 1;
    j->records = 0;
    return PF_OK;
}

pf_err journal_grow(struct journal *j, uint64_t size, uint64_t *out_capacity)
{
    size = round_up(size);
    pf_err err = fill_with_zeros(j->file, j->capacity, size);
    if (err == PF_OK)
        err = dev_sync(j->file);
    if (err == PF_OK)
        *out_capacity = size;
    return err;
}

/* Which sectors need the sum of their old content (J3), as the record will say.
 */
static pf_err mark_touched(struct journal *j, const struct journal_sector *from,
                           struct record_sector *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool added;
        const pf_err err = pageset_add(&j->touched, from[i].number, &added);
        if (err != PF_OK)
            return err;
        to[i] = (struct record_sector){.number = from[i].number,
                                       .has_base = added,
                                       .base_sum = added ? sector_sum(from[i].base) : 0,
                                       .content = from[i].content};
    }
    return PF_OK;
}

/* For the list of a record's sectors, and behind it for the record. What a record of an
 * allocation or two needs is kept. NULL: out of memory. */
static struct record_sector *take_memory(struct journal *j, size_t sector_count)
{
    enum { KEPT_SECTORS = 16 };
    const size_t count = sector_count > KEPT_SECTORS ? sector_count : KEPT_SECTORS;
    const size_t bytes =
        count * sizeof(struct record_sector) + (size_t)record_length(count);
    if (sector_count > KEPT_SECTORS)
        return malloc(bytes);
    if (j->memory == NULL)
        j->memory = malloc(bytes);
    return j->memory;
}

static void give_memory_back(const struct journal *j, void *memory)
{
    if (memory != j->memory)
        free(memory);
}

pf_err journal_append(struct journal *j, uint64_t room,
                      const struct journal_sector *sectors, size_t sector_count,
                      uint64_t db_size)
{
    const uint64_t length = record_length(sector_count);
    assert(sector_count <= UINT32_MAX); /* each is in memory, twice */
    if (length > room - j->used)
        return PF_E_NO_SPACE; /* commit.c keeps J0: it restarts before */
    struct record_head head = {.salt = j->salt,
                               .lsn = j->next_lsn,
                               .durable_lsn = j->durable_lsn,
                               .db_size = db_size};
    struct record_sector *list = take_memory(j, sector_count);
    uint8_t *bytes = (uint8_t *)(list + sector_count);
    pf_err err = list == NULL ? PF_E_NO_MEMORY : PF_OK;
    if (err == PF_OK)
        err = mark_touched(j, sectors, list, sector_count);
    if (err == PF_OK) {
        record_encode(&head, list, (uint32_t)sector_count, bytes);
        err = dev_write(j->file, j->used, bytes, (size_t)length);
    }
    if (err == PF_OK) {
        j->used += length;
        j->next_lsn++;
        j->records++;
    }
    give_memory_back(j, list);
    return err;
}

pf_err journal_sync(struct journal *j, bool sync)
{
    if (!sync)
        return PF_OK;
    const pf_err err = dev_sync(j->file);
    if (err == PF_OK)
        j->durable_lsn = j->next_lsn - 1; /* J2 */
    return err;
}

pf_err journal_restart(struct journal *j, uint64_t db_size, bool sync)
{
    pf_err err = new_salt(&j->salt);
    if (err == PF_OK)
        err = write_header(j, j->file, db_size);
    if (err == PF_OK && sync)
        err = dev_sync(j->file); /* J5 */
    if (err != PF_OK)
        return err;
    j->used = JOURNAL_START;
    j->durable_lsn = j->next_lsn - 1;
    j->records = 0;
    pageset_clear(&j->touched);
    return PF_OK;
}

/* J0, where a copy has left out zeros (cp --sparse). Nothing in it is needed any more. */
static pf_err fill_holes(struct journal *j)
{
    if (j->capacity > JOURNAL_FIRST_SIZE)
        j->capacity = JOURNAL_FIRST_SIZE;
    const pf_err err = fill_with_zeros(j->file, JOURNAL_START, j->capacity);
    return err == PF_OK ? dev_sync(j->file) : err;
}

pf_err journal_adopt(struct journal *j, bool half_made, uint64_t next_lsn,
                     uint64_t db_size)
{
    uint64_t size = 0;
    pf_err err = dev_size(j->file, &size);
    size = size < JOURNAL_START ? JOURNAL_START : size / SECTOR * SECTOR;
    if (half_made && size > JOURNAL_FIRST_SIZE)
        size = JOURNAL_FIRST_SIZE; /* a size is quickly claimed, space is not */
    if (err == PF_OK && half_made)
        err = fill_with_zeros(j->file, 0, size); /* J0 */
    if (err != PF_OK)
        return err;
    j->capacity = size;
    j->next_lsn = next_lsn;
    const bool dense = half_made || j->file->ops->is_dense(j->file);
    err = journal_restart(j, db_size, true);
    if (err == PF_OK && !dense)
        err = fill_holes(j);
    return err;
}

/* Who restores a backup over a database that is mounted may copy its journal, too: into
 * our file. PF_E_STALE, PF_E_JOURNAL: then it is not ours to end. */
static pf_err check_ours(const struct journal *j)
{
    uint8_t sector[SECTOR] = {0};
    struct journal_header header = {0};
    size_t got;
    bool empty;
    pf_err err = dev_read(j->file, 0, sector, sizeof sector, &got);
    if (err == PF_OK)
        err = journal_header_decode(sector, &header, &empty);
    if (err == PF_OK && header.salt != j->salt)
        err = PF_E_STALE;
    return err;
}

/* The header goes first and for good: should the name come back after a power
 * cut, there is nothing in it to replay. */
pf_err journal_end(struct journal *j)
{
    static const uint8_t zeros[SECTOR];
    int rc = 0;
    pf_err err = check_ours(j);
    if (err == PF_OK)
        err = dev_write(j->file, 0, zeros, sizeof zeros);
    if (err == PF_OK)
        err = dev_sync(j->file);
    if (err == PF_OK)
        rc = j->place->ops->remove(j->place);
    if (rc != 0)
        err = rc == -ESTALE ? PF_E_STALE : PF_E_IO;
    if (err == PF_OK && j->place->ops->sync(j->place) != 0)
        err = PF_E_IO;
    return err;
}

void journal_close(struct journal *j)
{
    pageset_clear(&j->touched);
    free(j->memory);
    dev_close(j->file);
    place_close(j->place);
    *j = (struct journal){0};
}
