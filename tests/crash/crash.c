#include "crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next_random(struct crash *crash)
{
    crash->rng ^= crash->rng >> 12;
    crash->rng ^= crash->rng << 25;
    crash->rng ^= crash->rng >> 27;
    return crash->rng * 0x2545F4914F6CDD1DU;
}

static uint64_t below(struct crash *crash, uint64_t bound)
{
    return (next_random(crash) >> 11) % bound;
}

void crash_init(struct crash *crash)
{
    memset(crash, 0, sizeof(*crash));
    crash->cut_sectors = arena_new();
}

void crash_clear(struct crash *crash)
{
    arena_delete(crash->cut_sectors);
    free(crash->choices);
    free(crash->contents);
    free(crash->weights);
    memset(crash, 0, sizeof(*crash));
}

/* ---- what can be chosen ---- */

static int chosen_entry(const struct crash *crash)
{
    const struct faultdisk *disk = crash->disk;

    return crash->entry_option == 0 ? disk->durable_entry
                                    : disk->entry_changes[crash->entry_option - 1];
}

static uint64_t size_option(const struct fd_inode *inode, uint32_t option)
{
    return option == 0 ? inode->durable_size : inode->resizes[option - 1].size;
}

static uint32_t size_options(const struct fd_inode *inode)
{
    return (uint32_t)inode->resize_count + 1;
}

static uint32_t sector_options(const struct fd_inode *inode, const struct fd_dim *dim)
{
    uint32_t options = 1;

    for (uint32_t v = dim->first; v != UINT32_MAX; v = inode->versions[v].next)
        options++;
    return options;
}

/* Where a content of this age ends, given that the first `size` resizes happened. */
static uint64_t end_of(const struct fd_inode *inode, int64_t order, uint32_t size)
{
    uint64_t end = size_option(inode, size);

    for (uint32_t i = 0; i < size; i++)
        if ((int64_t)inode->resizes[i].order > order && inode->resizes[i].size < end)
            end = inode->resizes[i].size;
    return end;
}

static const struct sector *cut_at(struct crash *crash, const struct sector *content,
                                   uint32_t number, uint64_t end)
{
    const uint64_t start = (uint64_t)number * DISK_SECTOR;
    uint8_t bytes[DISK_SECTOR] = {0};

    if (content == NULL || end >= start + DISK_SECTOR)
        return content;
    if (end <= start)
        return NULL;
    memcpy(bytes, content->bytes, (size_t)(end - start));
    return sector_make(crash->cut_sectors, bytes);
}

static void add_content(struct crash *crash, const struct fd_inode *inode,
                        uint32_t number, const struct sector *content, int64_t order)
{
    for (uint32_t size = 0; size < size_options(inode); size++) {
        const struct sector *cut =
            cut_at(crash, content, number, end_of(inode, order, size));

        if (crash->table_count == crash->table_room) {
            crash->table_room = crash->table_room * 2 + 256;
            crash->contents = must_realloc(
                crash->contents, crash->table_room * sizeof(crash->contents[0]));
            crash->weights =
                must_realloc(crash->weights, crash->table_room * sizeof(*crash->weights));
        }
        crash->contents[crash->table_count] = cut;
        crash->weights[crash->table_count] = sector_weight(cut, inode->stream, number);
        crash->table_count++;
    }
}

static struct crash_choice *add_choice(struct crash *crash, const struct fd_inode *inode,
                                       uint32_t dim, uint32_t options)
{
    if (crash->count == crash->room) {
        crash->room = crash->room * 2 + 64;
        crash->choices =
            must_realloc(crash->choices, crash->room * sizeof(*crash->choices));
    }
    crash->choices[crash->count] = (struct crash_choice){
        .inode = inode, .dim = dim, .options = options, .table = crash->table_count};
    return &crash->choices[crash->count++];
}

static void add_sectors(struct crash *crash, const struct fd_inode *inode)
{
    crash->certain ^= inode->hash;
    for (uint32_t i = 0; i < inode->dim_count; i++) {
        const struct fd_dim *dim = &inode->dims[i];

        crash->certain ^=
            sector_weight(inode->now[dim->sector], inode->stream, dim->sector);
        add_choice(crash, inode, i, sector_options(inode, dim));
        add_content(crash, inode, dim->sector, dim->durable, -1);
        for (uint32_t v = dim->first; v != UINT32_MAX; v = inode->versions[v].next)
            add_content(crash, inode, dim->sector, inode->versions[v].content,
                        inode->versions[v].order);
    }
}

static void begin_entry(struct crash *crash)
{
    const int entry = chosen_entry(crash);
    const struct fd_inode *db = &crash->disk->db;
    uint64_t total = 1;

    crash->count = crash->table_count = 0;
    crash->certain = 0;
    crash->made = 0;
    crash->fresh = true;
    add_sectors(crash, db);
    if (entry != FD_NONE)
        add_sectors(crash, crash->disk->journals[entry]);
    add_choice(crash, db, UINT32_MAX, size_options(db));
    if (entry != FD_NONE) {
        const struct fd_inode *journal = crash->disk->journals[entry];

        add_choice(crash, journal, UINT32_MAX, size_options(journal));
    }
    for (size_t i = 0; i < crash->count && total <= crash->limit; i++)
        total *= crash->choices[i].options;
    crash->all = total <= crash->limit;
}

void crash_begin(struct crash *crash, const struct faultdisk *disk, uint64_t limit,
                 uint64_t seed)
{
    crash->disk = disk;
    crash->limit = limit;
    crash->rng = seed * 0x9E3779B97F4A7C15U + 0x1234567;
    if (crash->rng == 0)
        crash->rng = 1;
    crash->entry_option = 0;
    arena_reset(crash->cut_sectors);
    begin_entry(crash);
}

/* ---- combinations ---- */

static void choose_all(struct crash *crash, const struct fd_inode *inode, bool newest)
{
    for (size_t i = 0; i < crash->count; i++)
        if (inode == NULL || crash->choices[i].inode == inode)
            crash->choices[i].chosen = newest ? crash->choices[i].options - 1 : 0;
}

/* Of one file, what was written before `order` and no more. */
static void choose_prefix(struct crash *crash, const struct fd_inode *inode,
                          uint32_t order)
{
    for (size_t i = 0; i < crash->count; i++) {
        struct crash_choice *c = &crash->choices[i];

        if (c->inode != inode)
            continue;
        c->chosen = 0;
        if (c->dim == UINT32_MAX) {
            while (c->chosen < inode->resize_count &&
                   inode->resizes[c->chosen].order < order)
                c->chosen++;
            continue;
        }
        for (uint32_t v = inode->dims[c->dim].first;
             v != UINT32_MAX && inode->versions[v].order < order;
             v = inode->versions[v].next)
            c->chosen++;
    }
}

/* The number of telling combinations, or (make) the `index`-th of them. */
static uint64_t telling(struct crash *crash, uint64_t index, bool make)
{
    const int entry = chosen_entry(crash);
    const struct fd_inode *db = &crash->disk->db;
    const struct fd_inode *journal =
        entry == FD_NONE ? NULL : crash->disk->journals[entry];
    const uint64_t singles = 4 + 2 * (uint64_t)crash->count;
    const uint64_t db_prefixes = singles + 2 * (uint64_t)db->order;

    if (!make)
        return db_prefixes + (journal == NULL ? 0 : 2 * (uint64_t)journal->order);
    if (index < 4) {
        choose_all(crash, NULL, index == 1);
        if (index >= 2)
            choose_all(crash, index == 2 ? db : journal, true);
    } else if (index < singles) {
        struct crash_choice *c = &crash->choices[(index - 4) / 2];

        choose_all(crash, NULL, index % 2 == 0);
        c->chosen = index % 2 == 0 ? 0 : c->options - 1;
    } else if (index < db_prefixes) {
        choose_all(crash, NULL, index % 2 == 0);
        choose_prefix(crash, db, (uint32_t)((index - singles) / 2));
    } else {
        choose_all(crash, NULL, index % 2 == 0);
        choose_prefix(crash, journal, (uint32_t)((index - db_prefixes) / 2));
    }
    return 0;
}

static void choose_randomly(struct crash *crash)
{
    static const unsigned newest_of_16[] = {2, 8, 14};
    const unsigned newest = newest_of_16[below(crash, 3)];

    for (size_t i = 0; i < crash->count; i++) {
        struct crash_choice *c = &crash->choices[i];

        c->chosen = below(crash, 16) < newest ? c->options - 1
                                              : (uint32_t)below(crash, c->options);
    }
}

/* Count up; false after the last combination. */
static bool count_up(struct crash *crash)
{
    for (size_t i = 0; i < crash->count; i++) {
        if (++crash->choices[i].chosen < crash->choices[i].options)
            return true;
        crash->choices[i].chosen = 0;
    }
    return false;
}

static bool step_sampled(struct crash *crash)
{
    const uint64_t tellings = telling(crash, 0, false);

    if (crash->made == crash->limit)
        return false;
    if (tellings <= crash->limit / 2 && crash->made < tellings)
        telling(crash, crash->made, true);
    else if (tellings > crash->limit / 2 && crash->made < 2)
        telling(crash, crash->made, true);
    else if (tellings > crash->limit / 2 && crash->made % 2 == 0)
        telling(crash, below(crash, tellings), true);
    else
        choose_randomly(crash);
    crash->made++;
    return true;
}

static bool step(struct crash *crash)
{
    if (!crash->all)
        return step_sampled(crash);
    if (!crash->fresh)
        return count_up(crash);
    crash->fresh = false;
    choose_all(crash, NULL, false);
    return true;
}

static const struct crash_choice *size_choice(const struct crash *crash,
                                              const struct fd_inode *inode)
{
    const struct crash_choice *c = &crash->choices[crash->count - 1];

    return c->inode == inode ? c : c - 1;
}

static const struct sector *chosen_sector(const struct crash *crash,
                                          const struct crash_choice *c,
                                          uint64_t *out_weight)
{
    const uint32_t size = size_choice(crash, c->inode)->chosen;
    const size_t at = c->table + (size_t)c->chosen * size_options(c->inode) + size;

    *out_weight = crash->weights[at];
    return crash->contents[at];
}

static void compute_hash(struct crash *crash)
{
    uint64_t hash = crash->certain;
    uint64_t weight;

    for (size_t i = 0; i < crash->count; i++) {
        const struct crash_choice *c = &crash->choices[i];

        if (c->dim == UINT32_MAX)
            weight = number_weight(size_option(c->inode, c->chosen), c->inode->stream);
        else
            (void)chosen_sector(crash, c, &weight);
        hash ^= weight;
    }
    crash->hash = hash;
}

bool crash_next(struct crash *crash)
{
    while (!step(crash)) {
        if (crash->entry_option == crash->disk->entry_change_count)
            return false;
        crash->entry_option++;
        begin_entry(crash);
    }
    compute_hash(crash);
    return true;
}

/* ---- the disk ---- */

static void build_file(const struct crash *crash, const struct fd_inode *inode,
                       struct fd_image *image)
{
    const unsigned stream = inode->stream;
    const uint64_t size = size_option(inode, size_choice(crash, inode)->chosen);
    const size_t count = (size_t)((size + DISK_SECTOR - 1) / DISK_SECTOR);
    uint64_t weight;

    if (count > image->room[stream]) {
        image->room[stream] = count + count / 2;
        image->sectors[stream] =
            must_realloc(image->sectors[stream],
                         image->room[stream] * sizeof(image->sectors[stream][0]));
    }
    if (count > 0)
        memcpy(image->sectors[stream], inode->now, count * sizeof(inode->now[0]));
    image->count[stream] = count;
    image->size[stream] = size;
    image->content_hash[stream] = inode->hash;
    for (size_t i = 0; i < crash->count; i++) {
        const struct crash_choice *c = &crash->choices[i];

        if (c->inode != inode || c->dim == UINT32_MAX)
            continue;
        const uint32_t number = inode->dims[c->dim].sector;
        const struct sector *content = chosen_sector(crash, c, &weight);
        image->content_hash[stream] ^=
            weight ^ sector_weight(inode->now[number], stream, number);
        if (number < count)
            image->sectors[stream][number] = content;
    }
}

void crash_build(const struct crash *crash, struct fd_image *image)
{
    const int entry = chosen_entry(crash);

    fd_image_reset(image);
    build_file(crash, &crash->disk->db, image);
    image->has_journal = entry != FD_NONE;
    if (image->has_journal)
        build_file(crash, crash->disk->journals[entry], image);
    image->hash = fd_image_hash(image);
}

void crash_keep(const struct crash *crash, struct arena *arena, struct fd_image *image)
{
    crash_build(crash, image);
    for (size_t i = 0; i < crash->count; i++) {
        const struct crash_choice *c = &crash->choices[i];
        const unsigned stream = c->inode->stream;

        if (c->dim == UINT32_MAX || c->inode->dims[c->dim].sector >= image->count[stream])
            continue;
        const struct sector **sector =
            &image->sectors[stream][c->inode->dims[c->dim].sector];
        *sector = sector_make(arena, sector_bytes(*sector));
    }
}

/* " db 0:1 16-24:0": in this file, sector 0 kept its version 1, 16 to 24 as they were
 * synced; the youngest version is written as *. */
static size_t describe_file(const struct crash *crash, const struct fd_inode *inode,
                            char *out, size_t size)
{
    const struct crash_choice *end = crash->choices + crash->count;
    size_t used =
        (size_t)snprintf(out, size, " %s", inode->stream == 0 ? "db" : "journal");

    for (const struct crash_choice *c = crash->choices, *last; c < end; c = last + 1) {
        last = c;
        if (c->inode != inode || c->dim == UINT32_MAX || used >= size)
            continue;
        while (last + 1 < end && last[1].inode == inode && last[1].dim != UINT32_MAX &&
               last[1].chosen == c->chosen && last[1].options == c->options &&
               inode->dims[last[1].dim].sector == inode->dims[last->dim].sector + 1)
            last++;
        used +=
            (size_t)snprintf(out + used, size - used, " %u", inode->dims[c->dim].sector);
        if (last > c && used < size)
            used += (size_t)snprintf(out + used, size - used, "-%u",
                                     inode->dims[last->dim].sector);
        if (used < size)
            used +=
                (size_t)snprintf(out + used, size - used,
                                 c->chosen + 1 == c->options ? ":*" : ":%u", c->chosen);
    }
    if (used < size)
        used += (size_t)snprintf(out + used, size - used, " size %" PRIu64 ";",
                                 size_option(inode, size_choice(crash, inode)->chosen));
    return used;
}

void crash_describe(const struct crash *crash, char *out, size_t size)
{
    const int entry = chosen_entry(crash);
    const size_t used = describe_file(crash, &crash->disk->db, out, size);

    if (used >= size)
        return;
    if (entry == FD_NONE)
        snprintf(out + used, size - used, " no journal");
    else
        (void)describe_file(crash, crash->disk->journals[entry], out + used, size - used);
}
