/* Corrupt free lists: found, never followed, never written to. */
#include "scratch.h"
#include "v3file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the list of v3_make_listed(). */
struct damage {
    const char *what;
    uint64_t trunk;
    size_t at;
    int width; /* 4 or 8; 1 = xor a byte */
    uint64_t value;
    bool sum_again; /* the sum is right for the damaged bytes */
};

static const struct damage damages[] = {
    {"newest: magic", 12, V3_TRUNK_MAGIC, 1, 1, false},
    {"newest: magic version", 12, 7, 1, 2, true},
    {"newest: own id", 12, V3_TRUNK_SELF, 8, 13, true},
    {"newest: next out of range", 12, V3_TRUNK_NEXT, 8, 60, true},
    {"newest: next is reserved", 12, V3_TRUNK_NEXT, 8, 1, true},
    {"newest: next is itself", 12, V3_TRUNK_NEXT, 8, 12, true},
    {"newest: next is no trunk", 12, V3_TRUNK_NEXT, 8, 33, true},
    {"newest: next is missing", 12, V3_TRUNK_NEXT, 8, 0, true},
    {"newest: block number equal to the older", 12, V3_TRUNK_BLOCK, 8, 3, true},
    {"newest: block number below the older", 12, V3_TRUNK_BLOCK, 8, 2, true},
    {"newest: total too small", 12, V3_TRUNK_TOTAL, 8, 6, true},
    {"newest: total too large", 12, V3_TRUNK_TOTAL, 8, 8, true},
    {"newest: total over total_pages", 12, V3_TRUNK_TOTAL, 8, 61, true},
    {"newest: total huge", 12, V3_TRUNK_TOTAL, 8, UINT64_MAX, true},
    {"newest: total 0", 12, V3_TRUNK_TOTAL, 8, 0, true},
    {"newest: count 506", 12, V3_TRUNK_COUNT, 4, 506, false},
    {"newest: count huge", 12, V3_TRUNK_COUNT, 4, 0xFFFFFFFF, false},
    {"newest: zero field", 12, V3_TRUNK_ZERO, 4, 1, true},
    {"newest: sum", 12, V3_TRUNK_SUM, 1, 1, false},
    {"newest: leaf bit", 12, V3_TRUNK_LEAVES + 7, 1, 1, false},
    {"newest: leaf out of range", 12, V3_TRUNK_LEAVES, 8, 60, true},
    {"newest: leaf huge", 12, V3_TRUNK_LEAVES, 8, UINT64_MAX, true},
    {"newest: leaf is page 0", 12, V3_TRUNK_LEAVES, 8, 0, true},
    {"newest: leaf is page 1", 12, V3_TRUNK_LEAVES, 8, 1, true},
    {"newest: leaf is its own trunk", 12, V3_TRUNK_LEAVES, 8, 12, true},
    {"newest: leaf listed twice in it", 12, V3_TRUNK_LEAVES, 8, 50, true},
    {"newest: leaf of the older block", 12, V3_TRUNK_LEAVES, 8, 20, true},
    {"newest: leaf is the older trunk", 12, V3_TRUNK_LEAVES, 8, 11, true},
    {"older: magic", 11, V3_TRUNK_MAGIC, 1, 1, false},
    {"older: own id", 11, V3_TRUNK_SELF, 8, 10, true},
    {"older: next makes a cycle", 11, V3_TRUNK_NEXT, 8, 12, true},
    {"older: next is itself", 11, V3_TRUNK_NEXT, 8, 11, true},
    {"older: next out of range", 11, V3_TRUNK_NEXT, 8, UINT64_MAX, true},
    {"older: block number above the newest", 11, V3_TRUNK_BLOCK, 8, 10, true},
    {"older: count 2^32-1", 11, V3_TRUNK_COUNT, 4, 0xFFFFFFFF, false},
    {"older: sum", 11, V3_TRUNK_SUM + 3, 1, 0x80, false},
    {"older: leaf out of range", 11, V3_TRUNK_LEAVES + 8, 8, 60, true},
    {"older: leaf listed twice", 11, V3_TRUNK_LEAVES + 8, 8, 5, true},
};
enum { DAMAGES = sizeof(damages) / sizeof(damages[0]) };

static void apply(const char *path, const struct damage *d)
{
    const uint64_t offset = v3_offset(d->trunk);
    uint8_t page[V3_PAGE];

    v3_peek(path, offset, page, sizeof(page));
    if (d->width == 8)
        v3_put64(page + d->at, d->value);
    else if (d->width == 4)
        v3_put32(page + d->at, (uint32_t)d->value);
    else
        page[d->at] = (uint8_t)(page[d->at] ^ d->value);
    if (d->sum_again) {
        const uint64_t self = v3_get64(page + V3_TRUNK_SELF);

        v3_trunk_sum(page);     /* seeded with what the page says */
        if (self != d->trunk) { /* and once with where it is */
            v3_put64(page + V3_TRUNK_SELF, d->trunk);
            v3_trunk_sum(page);
            v3_put64(page + V3_TRUNK_SELF, self);
        }
    }
    v3_poke(path, offset, page, sizeof(page));
}

/* Opening may notice at once or leave it to the walk; after the walk the store is
 * read-only, says why, and no byte has changed. */
static void every_damaged_trunk_is_found_and_nothing_is_written(void **state)
{
    struct scratch *t = *state;
    struct pf_info info;
    uint64_t id = 0;

    for (int i = 0; i < DAMAGES; i++) {
        print_message("# %s\n", damages[i].what);
        snprintf(t->db, sizeof(t->db), "%.90s/%d.v3", t->dir, i);
        v3_make_listed(t->db);
        apply(t->db, &damages[i]);
        const uint64_t before = v3_hash(t->db);
        scratch_open(t, NULL);
        const pf_err err = pf_freelist_load(t->store);
        if (err != PF_E_CORRUPT)
            fail_msg("%s: walked with %s", damages[i].what, pf_err_name(err));
        assert_false(pf_writable(t->store));
        pf_info_get(t->store, &info);
        assert_true(strlen(info.reason) > 0);
        assert_true(pf_page_alloc(t->store, &id, NULL) != PF_OK);
        assert_true(pf_page_free(t->store, 33, NULL) != PF_OK);
        pf_close(t->store);
        t->store = NULL;
        assert_u64(before, v3_hash(t->db));
    }
}

/* A broken newest trunk makes the store read-only from the start; require_rw refuses. */
static void a_damaged_newest_trunk_is_a_reason_at_open(void **state)
{
    const struct pf_options need_rw = {.require_rw = true};
    struct scratch *t = *state;
    pf_store *store = NULL;

    v3_make_listed(t->db);
    apply(t->db, &damages[0]);
    scratch_open(t, NULL);
    assert_false(pf_writable(t->store));
    scratch_close(t);
    assert_pf(PF_E_NEEDS_WRITE, pf_open(t->db, &need_rw, &store, t->reason));
    assert_true(strlen(t->reason) > 0);
}

static void a_head_that_is_no_page_is_corrupt(void **state)
{
    static const uint64_t heads[] = {1, 60, 61, 1ULL << 40, UINT64_MAX};
    struct scratch *t = *state;

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        snprintf(t->db, sizeof(t->db), "%.90s/%zu.v3", t->dir, i);
        v3_make_pages(t->db, 60);
        v3_poke64(t->db, V3_AT_FREE_HEAD, heads[i]);
        const uint64_t before = v3_hash(t->db);
        scratch_open(t, NULL);
        assert_false(pf_writable(t->store));
        pf_close(t->store);
        t->store = NULL;
        assert_u64(before, v3_hash(t->db));
    }
}

/* Pages handed out before the walk found the damage are never handed out twice. */
static void no_page_is_handed_out_twice_from_a_damaged_list(void **state)
{
    struct scratch *t = *state;
    bool seen[128];

    for (int i = 0; i < DAMAGES; i++) {
        uint64_t id = 0;

        memset(seen, 0, sizeof(seen));
        snprintf(t->db, sizeof(t->db), "%.90s/%d.v3", t->dir, i);
        v3_make_listed(t->db);
        apply(t->db, &damages[i]);
        scratch_open(t, NULL);
        while (pf_page_alloc(t->store, &id, NULL) == PF_OK && id < 100) {
            if (seen[id] || id < 2)
                fail_msg("%s: page %d handed out (twice?)", damages[i].what, (int)id);
            seen[id] = true;
        }
        pf_close(t->store);
        t->store = NULL;
    }
}

static void every_bit_flip_of_both_trunks_is_survived(void **state)
{
    const unsigned step = scaled(7, 1);
    struct scratch *t = *state;
    struct pf_page page;

    v3_make_listed(t->db);
    for (unsigned trunk = 11; trunk <= 12; trunk++) {
        const unsigned used = 8 * (V3_TRUNK_LEAVES + (trunk == 11 ? 24 : 16));

        for (unsigned bit = 0; bit < used; bit += step) {
            const uint64_t at = v3_offset(trunk) + bit / 8;
            uint8_t byte;

            v3_peek(t->db, at, &byte, 1);
            const uint8_t flipped = (uint8_t)(byte ^ 1U << (bit % 8));
            v3_poke(t->db, at, &flipped, 1);
            scratch_open(t, NULL);
            if (pf_freelist_load(t->store) != PF_E_CORRUPT)
                fail_msg("trunk %u: bit %u flipped and not found", trunk, bit);
            assert_true(pf_page_get(t->store, 33, &page) != PF_OK ||
                        page.state != PF_STATE_FREE);
            pf_close(t->store);
            t->store = NULL;
            v3_poke(t->db, at, &byte, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(every_damaged_trunk_is_found_and_nothing_is_written),
        SCRATCH_TEST(a_damaged_newest_trunk_is_a_reason_at_open),
        SCRATCH_TEST(a_head_that_is_no_page_is_corrupt),
        SCRATCH_TEST(no_page_is_handed_out_twice_from_a_damaged_list),
        SCRATCH_TEST(every_bit_flip_of_both_trunks_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
