/* A file of anything is opened, for writing or not, and then used. What is read-only
 * stays as it is to the last byte; what is handed out was nobody's; and a file that was
 * written has a free list that is right by the book afterwards.
 *
 * Input: the file (input.h), the length of its first journal u8, the mode u8, then one
 * operation after the other. */
#include <stdlib.h>
#include <string.h>

#include "ramdisk.h"
#include "store.h"

enum { MOST_OPERATIONS = 40, MOST_IDS = 64, MOST_COUNT = 1200 };

struct session {
    struct ramdisk disk;
    pf_store *store;
    uint8_t journal_blocks;
    bool write;
    uint64_t mine[MOST_IDS]; /* handed out here and not given back */
    size_t mine_count;
};

/* ---- what we were given ---- */

static size_t index_of(const struct session *s, uint64_t page_id)
{
    size_t i = 0;

    while (i < s->mine_count && s->mine[i] != page_id)
        i++;
    return i;
}

static void forget(struct session *s, uint64_t page_id)
{
    const size_t i = index_of(s, page_id);

    if (i < s->mine_count)
        s->mine[i] = s->mine[--s->mine_count];
}

static void keep(struct session *s, uint64_t page_id)
{
    require(index_of(s, page_id) == s->mine_count);
    require(page_id >= PF_FIRST_PAGE && page_id < pf_total_pages(s->store));
    if (s->mine_count < MOST_IDS)
        s->mine[s->mine_count++] = page_id;
}

static void require_state(struct session *s, uint64_t page_id, bool is_free)
{
    struct pf_page page;

    if (pf_page_get(s->store, page_id, &page) == PF_OK)
        require((page.state == PF_STATE_FREE) == is_free);
}

/* Mostly a page that exists. */
static uint64_t take_id(struct session *s, struct input *in)
{
    const uint64_t number = in_number(in);

    if (number % 4 == 3 && s->mine_count > 0)
        return s->mine[number / 4 % s->mine_count];
    return number;
}

/* ---- operations ---- */

static void do_alloc(struct session *s, struct input *in)
{
    const uint64_t count = 1 + in_number(in) % MOST_COUNT;
    uint64_t *const ids = malloc(count * sizeof(*ids));

    require(ids != NULL);
    if (pf_pages_alloc(s->store, count, ids, NULL) == PF_OK)
        for (uint64_t i = 0; i < count; i++) {
            keep(s, ids[i]);
            if (i < 4)
                require_state(s, ids[i], false);
        }
    free(ids);
}

static void do_alloc_one(struct session *s)
{
    const uint64_t next = pf_free_list_head(s->store);
    uint64_t id;

    if (pf_page_alloc(s->store, &id, NULL) != PF_OK)
        return;
    require(next == 0 || id == next);
    keep(s, id);
}

static void do_contiguous(struct session *s, struct input *in)
{
    const uint64_t count = 1 + in_number(in) % MOST_COUNT;
    uint64_t first;

    if (pf_pages_alloc_contiguous(s->store, count, &first, NULL) == PF_OK)
        for (uint64_t i = 0; i < count; i++)
            keep(s, first + i);
}

static void do_take(struct session *s, struct input *in)
{
    const uint64_t id = take_id(s, in);

    if (pf_page_take(s->store, id, NULL) == PF_OK)
        keep(s, id);
}

static void do_free(struct session *s, struct input *in)
{
    const uint64_t id = take_id(s, in);

    if (pf_page_free(s->store, id, NULL) != PF_OK)
        return;
    require(pf_free_list_head(s->store) == id);
    require_state(s, id, true);
    forget(s, id);
}

static void do_free_ranges(struct session *s, struct input *in)
{
    const struct pf_range ranges[2] = {{take_id(s, in), 1 + in_number(in)},
                                       {take_id(s, in), 1 + in_u8(in) % 4U}};
    uint64_t bad = 0;

    if (pf_pages_free(s->store, ranges, 1 + ranges[1].count % 2, &bad, NULL) != PF_OK)
        return;
    s->mine_count = 0; /* which of them went is looked up by the pages' states */
}

static void do_pins(struct session *s, struct input *in)
{
    const uint64_t id = take_id(s, in);

    switch (in_u8(in) % 5) {
    case 0:
        (void)!pf_page_pin(s->store, id);
        break;
    case 1:
        (void)!pf_page_unpin(s->store, id);
        break;
    case 2:
        if (pf_page_hold(s->store, id) == PF_OK) {
            require(pf_page_free(s->store, id, NULL) != PF_OK);
            pf_page_unhold(s->store, id);
        }
        break;
    case 3:
        (void)!pf_page_unpin_all(s->store, id);
        break;
    default:
        (void)pf_pinned_next(s->store, id, &(uint64_t){0});
        break;
    }
}

static void do_page(struct session *s, struct input *in)
{
    uint8_t page[PF_PAGE_SIZE];
    const uint64_t id = take_id(s, in);
    const size_t offset = in_u16(in) % (PF_PAGE_SIZE + 8U);
    const struct input bytes = in_bytes(in, in_u8(in));

    if (bytes.left > 0 &&
        pf_page_write(s->store, id, offset, bytes.at, bytes.left, NULL) == PF_OK) {
        require(pf_page_read(s->store, id, page) == PF_OK);
        require(memcmp(page + offset, bytes.at, bytes.left) == 0);
    } else {
        (void)!pf_page_read(s->store, id, page);
    }
}

static void do_queries(struct session *s, struct input *in)
{
    const uint64_t id = take_id(s, in);
    struct pf_page_use use;
    struct pf_page page;
    struct pf_info info;
    uint64_t ids[8], end = 0;
    size_t count = 0;

    if (pf_page_run(s->store, id, &page, &end) == PF_OK)
        require(end > id);
    (void)!pf_page_use_get(s->store, id, &use);
    (void)pf_leaked_next(s->store, id, &end);
    (void)pf_bad_next(s->store, id, &end);
    if (pf_freelist_get(s->store, id, 8, ids, &count) == PF_OK)
        for (size_t i = 0; i < count; i++)
            require_state(s, ids[i], true);
    (void)!pf_trailing_free(s->store, &end);
    pf_info_get(s->store, &info);
    require(memchr(info.reason, 0, sizeof(info.reason)) != NULL);
    (void)pf_checkpoint_due(s->store);
}

static void do_copies(struct session *s, struct input *in)
{
    pf_snapshot *snapshot = NULL;
    struct pf_change change;
    pf_store *clone = NULL;
    uint64_t id = 0;
    bool found = false;

    if (pf_clone(s->store, &clone) == PF_OK) {
        require(pf_free_list_head(clone) == pf_free_list_head(s->store));
        require(pf_page_alloc(clone, &id, NULL) != PF_OK || id >= PF_FIRST_PAGE);
        require(pf_close(clone) == PF_OK);
    }
    if (pf_snapshot_take(s->store, &snapshot) != PF_OK)
        return;
    if (in_u8(in) % 2 == 0)
        do_alloc_one(s);
    (void)!pf_snapshot_next(s->store, snapshot, in_number(in), &change, &found);
    pf_snapshot_drop(snapshot);
}

static void do_care(struct session *s, struct input *in)
{
    struct pf_check_summary summary;
    uint64_t pages = 0;

    switch (in_u8(in) % 6) {
    case 0:
        if (pf_shrink(s->store, &pages) == PF_OK && pages > 0)
            s->mine_count = 0; /* none of ours can be gone, but they may come back */
        break;
    case 1:
        (void)!pf_freelist_rebuild(s->store);
        break;
    case 2:
        (void)!pf_checkpoint(s->store);
        break;
    case 3:
        (void)!pf_sync(s->store);
        break;
    case 4:
        if (pf_check(s->store, NULL, &summary) == PF_OK)
            require(summary.complete);
        break;
    default:
        pf_set_max_pages(s->store, in_number(in));
        break;
    }
}

static void do_one(struct session *s, struct input *in)
{
    switch (in_u8(in) % 10) {
    case 0:
        do_alloc_one(s);
        break;
    case 1:
        do_alloc(s, in);
        break;
    case 2:
        do_contiguous(s, in);
        break;
    case 3:
        do_take(s, in);
        break;
    case 4:
        do_free(s, in);
        break;
    case 5:
        do_free_ranges(s, in);
        break;
    case 6:
        do_pins(s, in);
        break;
    case 7:
        do_page(s, in);
        break;
    case 8:
        do_queries(s, in);
        break;
    default:
        in_u8(in) % 2 == 0 ? do_copies(s, in) : do_care(s, in);
        break;
    }
}

/* ---- open, use, close ---- */

static bool open_it(struct session *s, bool scratch)
{
    char reason[PF_REASON_SIZE] = "";
    const pf_err err = store_open(ramdisk_file(&s->disk.db), ramdisk_place(&s->disk),
                                  s->write, false, reason, &s->store);

    require(err == PF_OK || reason[0] != '\0' || err == PF_E_NO_MEMORY);
    if (err != PF_OK)
        return false;
    if (scratch)
        require(store_make_scratch(s->store) == PF_OK);
    store_set_journal_size(s->store, 4096 + 512U * s->journal_blocks);
    return true;
}

/* Everything adds up; *out_sound when the whole list could be read. */
static void check_counts(struct session *s, bool *out_sound)
{
    struct pf_stats stats;
    uint64_t ids[16];
    size_t count = 1;
    uint64_t seen = 0;

    *out_sound = pf_freelist_load(s->store) == PF_OK;
    pf_stats_get(s->store, &stats);
    require(!*out_sound || stats.allocated_pages + stats.free_pages == stats.total_pages);
    while (*out_sound && count > 0 && seen < 4096) {
        require(pf_freelist_get(s->store, seen, 16, ids, &count) == PF_OK);
        require(seen > 0 || count == 0 || ids[0] == stats.free_list_head);
        seen += count;
    }
    require(!*out_sound || seen >= 4096 || seen == stats.free_pages);
}

/* The whole list in order, as the book has it. */
static void check_file(struct session *s)
{
    const struct oracle_source source = ramdisk_source(&s->disk);
    struct oracle oracle;
    uint64_t head = 0;

    oracle_init(&oracle);
    require(oracle_read(&oracle, &source));
    for (size_t i = 0; i < s->mine_count; i++)
        for (size_t k = 0; k < oracle.free_count; k++)
            require(oracle.free_ids[k] != s->mine[i]);
    require(open_it(s, false));
    head = pf_free_list_head(s->store);
    require(head == (oracle.free_count > 0 ? oracle.free_ids[0] : 0));
    require(pf_close(s->store) == PF_OK);
    oracle_clear(&oracle);
}

static void use(struct session *s, struct input *in, bool scratch)
{
    const uint64_t before = ram_hash(&s->disk.db);
    bool sound = false;

    if (!open_it(s, scratch)) {
        require(s->disk.db.changes == 0 && s->disk.journal.changes == 0);
        return;
    }
    for (int i = 0; in->left > 0 && i < MOST_OPERATIONS; i++)
        do_one(s, in);
    check_counts(s, &sound);
    const bool wrote = s->write && pf_writable(s->store);
    const pf_err err = pf_close(s->store);
    if (!s->write) {
        require(s->disk.db.changes == 0 && s->disk.journal.changes == 0);
        require(ram_hash(&s->disk.db) == before);
    } else if (wrote && sound) {
        require(err == PF_OK && s->disk.journal.bytes == NULL);
        check_file(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct session s = {0};
    struct image image;

    image_make(&image, &in);
    s.journal_blocks = in_u8(&in);
    const uint8_t mode = in_u8(&in);
    s.write = mode % 4 < 2;
    ram_make(&s.disk.db, image.bytes, IMAGE_ROOM, image.size);
    use(&s, &in, mode % 4 == 2);
    ramdisk_clear(&s.disk);
    return 0;
}
