/* A database of anything beside a journal of anything that has the right sums. The
 * oracle, which knows the book and not the code, says what must become of the two:
 * refused and untouched, or replayed to exactly these bytes; twice gives the same, also
 * when the first time was cut anywhere.
 *
 * Input: the database (input.h), then flags u8, then what the journal is made of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "ramdisk.h"
#include "record.h"
#include "replay.h"
#include "store.h"

enum { JOURNAL_ROOM = 96 * 1024, MOST_SECTORS = 12, MOST_RECORDS = 24 };

struct maker {
    uint8_t *bytes; /* JOURNAL_ROOM of them */
    size_t length;
    uint64_t salt, lsn, size;
    uint64_t records[MOST_RECORDS]; /* where they are */
    size_t record_count;
    uint8_t *now; /* IMAGE_ROOM: the database after the records so far */
    const struct image *image;
};

static const uint8_t *sector_of(const uint8_t *bytes, uint64_t number)
{
    static const uint8_t zeros[SECTOR];

    return number < IMAGE_ROOM / SECTOR ? bytes + number * SECTOR : zeros;
}

/* ---- making the journal ---- */

/* A size that is likely to be right: the database's, or so many pages. */
static uint64_t take_size(struct maker *m, struct input *in)
{
    const uint8_t kind = in_u8(in);

    if (kind < 64)
        return m->size;
    if (kind < 128)
        return nominal_size(2 + kind % IMAGE_MAX_PAGES);
    if (kind < 192)
        return m->image->size + kind - 160;
    return in_number(in);
}

static void make_header(struct maker *m, struct input *in)
{
    struct journal_header header;
    uint8_t sector[SECTOR];

    m->salt = 0x5A17000000000000u + in_u8(in);
    m->lsn = 1 + in_number(in);
    m->size = m->image->size;
    m->size = take_size(m, in);
    header = (struct journal_header){m->salt, m->lsn, m->size};
    journal_header_encode(&header, sector);
    memcpy(m->bytes, sector, SECTOR);
    m->length = JOURNAL_START;
}

static void make_content(struct maker *m, struct input *in, uint64_t number,
                         uint8_t content[SECTOR])
{
    const uint8_t kind = in_u8(in);

    memcpy(content, sector_of(m->now, number), SECTOR);
    if (kind < 64) {
        content[in_u16(in) % SECTOR] ^= in_u8(in);
    } else if (kind < 160) {
        const size_t at = in_u16(in) % SECTOR;
        const struct input bytes = in_bytes(in, kind - 63U);
        if (at + bytes.left <= SECTOR && bytes.left > 0)
            memcpy(content + at, bytes.at, bytes.left);
    } else if (kind < 224) {
        memset(content, kind, SECTOR);
    }
}

static void make_sector(struct maker *m, struct input *in, uint64_t number,
                        struct record_sector *out, uint8_t content[SECTOR])
{
    const uint8_t base = in_u8(in);

    make_content(m, in, number, content);
    *out = (struct record_sector){
        .number = number, .has_base = base < 192, .content = content};
    out->base_sum = sector_sum(sector_of(m->image->bytes, number));
    if (base >= 160)
        out->base_sum = in_number(in);
}

/* Which sectors it has grows by steps, mostly from the header on. */
static uint32_t make_sectors(struct maker *m, struct input *in,
                             struct record_sector sectors[MOST_SECTORS],
                             uint8_t contents[MOST_SECTORS][SECTOR])
{
    const uint32_t count = 1 + in_u8(in) % MOST_SECTORS;
    uint64_t number = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t step = in_u8(in);

        number += i == 0 ? step / 4 : step % 64;
        if (step == 255)
            number = in_number(in);
        make_sector(m, in, number, &sectors[i], contents[i]);
    }
    return count;
}

static void remember(struct maker *m, const struct record_sector *sectors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (sectors[i].number < IMAGE_ROOM / SECTOR)
            memcpy(m->now + sectors[i].number * SECTOR, sectors[i].content, SECTOR);
}

static void make_record(struct maker *m, struct input *in)
{
    struct record_sector sectors[MOST_SECTORS];
    uint8_t contents[MOST_SECTORS][SECTOR];
    const uint8_t odd = in_u8(in);
    const uint32_t count = make_sectors(m, in, sectors, contents);
    struct record_head head = {.salt = m->salt, .lsn = m->lsn};

    m->size = take_size(m, in);
    head.db_size = m->size;
    head.durable_lsn = m->lsn - 1;
    if (odd >= 224)
        head.lsn = m->lsn + in_u8(in) - 4;
    else if (odd >= 192)
        head.durable_lsn = m->lsn + in_u8(in) - 8;
    else if (odd >= 184)
        head.salt ^= in_u8(in);
    if (record_length(count) > JOURNAL_ROOM - m->length ||
        m->record_count == MOST_RECORDS)
        return;
    record_encode(&head, sectors, count, m->bytes + m->length);
    m->records[m->record_count++] = m->length;
    m->length += (size_t)head.length;
    m->lsn++;
    remember(m, sectors, count);
}

static void make_rubbish(struct maker *m, struct input *in)
{
    const size_t sectors = 1 + in_u8(in) % 8U;
    const struct input bytes = in_bytes(in, in_u8(in));

    if (sectors * SECTOR > JOURNAL_ROOM - m->length)
        return;
    if (bytes.left > 0)
        memcpy(m->bytes + m->length, bytes.at, bytes.left);
    m->length += sectors * SECTOR;
}

/* Bytes that change after the sums were made. */
static void damage(struct maker *m, struct input *in)
{
    const size_t at = (size_t)in_u16(in) * 2 % m->length;

    m->bytes[at] ^= in_u8(in);
}

static void make_journal(struct maker *m, struct input *in)
{
    make_header(m, in);
    while (in->left > 0) {
        const uint8_t what = in_u8(in);

        if (what < 160)
            make_record(m, in);
        else if (what < 192)
            make_rubbish(m, in);
        else if (what < 224)
            damage(m, in);
        else
            m->length -= in_u8(in) % 16 * 32U < m->length ? in_u8(in) % 16 * 32U : 0;
        if (m->length < SECTOR)
            m->length = SECTOR;
    }
}

/* ---- what must become of them ---- */

struct expected {
    struct oracle_replay replay;
    uint8_t *bytes; /* IMAGE_ROOM */
};

static void expect_bytes(struct expected *e, const struct image *image)
{
    const uint64_t room = e->replay.size < IMAGE_ROOM ? e->replay.size : IMAGE_ROOM;

    memcpy(e->bytes, image->bytes, IMAGE_ROOM);
    for (size_t i = 0; i < e->replay.sector_count; i++)
        if (e->replay.sectors[i].number < IMAGE_ROOM / SECTOR)
            memcpy(e->bytes + e->replay.sectors[i].number * SECTOR,
                   e->replay.sectors[i].content, SECTOR);
    memset(e->bytes + room, 0, IMAGE_ROOM - (size_t)room);
}

static void require_expected(struct ram *db, const struct expected *e)
{
    const uint64_t size = ram_size(db);
    const size_t length = size < IMAGE_ROOM ? (size_t)size : IMAGE_ROOM;
    static uint8_t bytes[IMAGE_ROOM];

    require(size == e->replay.size);
    ram_read(db, 0, bytes, length);
    require(memcmp(bytes, e->bytes, length) == 0);
}

static pf_err read_only(struct ramdisk *disk, struct replay *replay, bool say)
{
    char reason[PF_REASON_SIZE] = "";
    struct pf_file *const journal = ramdisk_file(&disk->journal);
    struct pf_file *const db = ramdisk_file(&disk->db);
    const pf_err err = replay_read(replay, journal, db, reason);

    require(err != PF_E_JOURNAL || reason[0] != '\0');
    if (say && err != PF_OK)
        (void)fprintf(stderr, "%s\n", reason);
    dev_close(journal);
    dev_close(db);
    return err;
}

static pf_err apply(struct ramdisk *disk)
{
    struct replay replay = {0};
    struct pf_file *const db = ramdisk_file(&disk->db);
    pf_err err = read_only(disk, &replay, true);

    require(err == PF_OK);
    err = replay_apply(&replay, db);
    replay_clear(&replay);
    dev_close(db);
    return err;
}

/* Cut after any number of writes, then again: the same as at once. */
static void apply_cut(struct ramdisk *disk, const struct expected *e, uint8_t cut)
{
    disk->db.fail_at = cut;
    const pf_err err = apply(disk);
    disk->db.fail_at = UINT64_MAX;
    require(err == PF_OK || err == PF_E_IO);
    require(apply(disk) == PF_OK);
    require_expected(&disk->db, e);
    require(apply(disk) == PF_OK);
    require_expected(&disk->db, e);
}

static void judge(struct ramdisk *disk, const struct expected *e)
{
    struct replay replay = {0};
    const pf_err err = read_only(disk, &replay, false);
    const bool refuse = e->replay.verdict == ORACLE_REFUSE;

    if (refuse != (err == PF_E_JOURNAL))
        (void)fprintf(stderr, "%s, and by the book: %s\n", pf_err_name(err),
                      refuse ? e->replay.why : "fine");
    require(refuse == (err == PF_E_JOURNAL));
    require(refuse || (err == PF_OK && replay.records == e->replay.record_count));
    require(e->replay.verdict != ORACLE_REPLAY || replay.final_size == e->replay.size);
    replay_clear(&replay);
}

/* The same through a store. */
static void open_store(struct ramdisk *disk, const struct expected *e, bool write)
{
    char reason[PF_REASON_SIZE] = "";
    const uint64_t db = ram_hash(&disk->db), journal = ram_hash(&disk->journal);
    pf_store *store = NULL;
    const pf_err err = store_open(ramdisk_file(&disk->db), ramdisk_place(disk), write,
                                  false, reason, &store);

    if (write && e->replay.verdict == ORACLE_REFUSE)
        require(err == PF_E_NEEDS_WRITE);
    if (!write || err != PF_OK) {
        require(disk->db.changes == 0 && disk->journal.changes == 0);
        require(ram_hash(&disk->db) == db && ram_hash(&disk->journal) == journal);
    } else {
        require_expected(&disk->db, e);
    }
    if (err == PF_OK && !write && e->replay.verdict == ORACLE_REPLAY) {
        struct pf_stats stats;
        pf_stats_get(store, &stats);
        require(stats.file_bytes == e->replay.size);
    }
    require(err != PF_OK || pf_close(store) == PF_OK);
    if (err == PF_OK && write)
        require(disk->journal.bytes == NULL);
}

static void run(const struct maker *m, const struct expected *e, uint8_t flags)
{
    struct ramdisk disk = {0};

    ram_make(&disk.db, m->image->bytes, IMAGE_ROOM, m->image->size);
    ram_make(&disk.journal, m->bytes, m->length, m->length);
    judge(&disk, e);
    open_store(&disk, e, false);
    if (flags % 2 == 0)
        open_store(&disk, e, true);
    else if (e->replay.verdict == ORACLE_REPLAY)
        apply_cut(&disk, e, flags / 2);
    ramdisk_clear(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t journal[JOURNAL_ROOM], now[IMAGE_ROOM], expected[IMAGE_ROOM];
    struct input in = {data, size};
    struct image image;
    struct maker m = {.image = &image};
    struct expected e = {0};

    image_make(&image, &in);
    const uint8_t flags = in_u8(&in);
    if (image.size > IMAGE_ROOM)
        image.size = IMAGE_ROOM;
    memset(journal, 0, sizeof(journal));
    m.bytes = journal;
    m.now = now;
    e.bytes = expected;
    memcpy(m.now, image.bytes, IMAGE_ROOM);
    make_journal(&m, &in);

    struct ramdisk disk = {0};
    ram_make(&disk.db, image.bytes, IMAGE_ROOM, image.size);
    const struct oracle_source source = ramdisk_source(&disk);
    oracle_replay(&e.replay, &source, m.bytes, m.length);
    ramdisk_clear(&disk);
    expect_bytes(&e, &image);
    run(&m, &e, flags);
    oracle_replay_clear(&e.replay);
    return 0;
}
