#include "graphpage.h"

#include <string.h>

#include "bytes.h"

enum { /* byte offsets in an index page; FORMAT.md section 6 */
       INDEX_OWN_ID = 0,
       INDEX_IS_LEAF = 8,
       INDEX_IS_ROOT = 9,
       INDEX_COUNT = 10,
       INDEX_SUM = 12,
       INDEX_ZERO = 16,
       INDEX_ENTRIES = 32,
};

enum { /* byte offsets in a node page; FORMAT.md section 6 */
       NODE_OWN_ID = 0,
       NODE_NEXT = 8,
       NODE_COUNT = 16,
       NODE_USED = 18,
       NODE_BASE_ID = 20,
       NODE_SUM = 28,
       NODE_RECORDS = 32,
};

enum { FLAG_DELETED = 1, LENGTH_EXTERNAL = 0x8000, LENGTH_MASK = 0x7FFF };

_Static_assert(INDEX_ENTRIES + 16 * INDEX_MAX_KEYS + 8 <= PF_PAGE_SIZE,
               "a full leaf fits");

/* ---- the sum: of a page some of whose bytes count as zero ---- */

static uint8_t xor_bytes(const uint8_t *bytes, size_t length)
{
    uint64_t wide = 0;
    uint8_t sum = 0;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        wide ^= word;
    }
    for (; i < length; i++)
        sum ^= bytes[i];
    for (; wide != 0; wide >>= 8)
        sum ^= (uint8_t)wide;
    return sum;
}

/* 0 ^ 1 ^ ... ^ (length - 1). */
static uint32_t xor_indices(size_t length)
{
    const uint32_t n = (uint32_t)length;
    switch (n % 4) {
    case 0:
        return 0;
    case 1:
        return n - 1;
    case 2:
        return 1;
    default:
        return n;
    }
}

/* pf_xor_sum() of the first `length` bytes with [zero_from, zero_to) taken as zero: bytes
 * only meet in the low eight bits, and the indices are always the same. */
static uint32_t sum_without(const uint8_t *page, size_t length, size_t zero_from,
                            size_t zero_to)
{
    return 0x5A5A5A5A ^ xor_indices(length) ^ xor_bytes(page, length) ^
           xor_bytes(page + zero_from, zero_to - zero_from);
}

static void seal_judge(uint64_t page_id, struct page_seal *seal)
{
    uint8_t ids[16];
    put_be64(ids, page_id);
    put_be64(ids + 8, seal->own_id);
    const uint32_t with_right_id = seal->computed ^ xor_bytes(ids, sizeof ids);
    if (seal->own_id == page_id)
        seal->seal = seal->stored == seal->computed ? SEAL_OK : SEAL_SUM;
    else if (seal->stored == with_right_id)
        seal->seal = SEAL_ID;
    else
        seal->seal = seal->stored == seal->computed ? SEAL_MOVED : SEAL_FOREIGN;
}

/* ---- index pages ---- */

bool index_decode(const uint8_t *page, struct index_page *out_index)
{
    const unsigned count = get_be16(page + INDEX_COUNT);
    if (page[INDEX_IS_LEAF] > 1 || page[INDEX_IS_ROOT] > 1 || count > INDEX_MAX_KEYS)
        return false;
    *out_index = (struct index_page){.leaf = page[INDEX_IS_LEAF] == 1,
                                     .root = page[INDEX_IS_ROOT] == 1,
                                     .count = count,
                                     .bytes = page};
    return true;
}

/* Leaf and internal pages cover as many bytes: count pairs of u64, and one more. */
void index_seal(const struct index_page *index, uint64_t page_id, struct page_seal *out)
{
    const size_t covered = INDEX_ENTRIES + (size_t)index->count * 16 + 8;
    out->own_id = get_be64(index->bytes + INDEX_OWN_ID);
    out->stored = get_be32(index->bytes + INDEX_SUM);
    out->computed = sum_without(index->bytes, covered, INDEX_SUM, INDEX_ENTRIES);
    seal_judge(page_id, out);
}

uint64_t index_key(const struct index_page *index, unsigned i)
{
    return get_be64(index->bytes + INDEX_ENTRIES + (size_t)i * (index->leaf ? 16 : 8));
}

uint64_t index_value(const struct index_page *index, unsigned i)
{
    return get_be64(index->bytes + INDEX_ENTRIES + (size_t)i * 16 + 8);
}

unsigned index_find_value(const struct index_page *index, unsigned from, uint64_t page_id)
{
    while (from < index->count && index_value(index, from) != page_id)
        from++;
    return from;
}

bool index_values_ascend(const struct index_page *index)
{
    for (unsigned i = 1; i < index->count; i++)
        if (index_value(index, i - 1) > index_value(index, i))
            return false;
    return true;
}

unsigned index_first_value(const struct index_page *index, uint64_t value)
{
    unsigned low = 0;
    unsigned high = index->count;
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        if (index_value(index, middle) < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t index_child(const struct index_page *index, unsigned i)
{
    return get_be64(index->bytes + INDEX_ENTRIES + ((size_t)index->count + i) * 8);
}

uint64_t index_next_leaf(const struct index_page *index)
{
    return get_be64(index->bytes + INDEX_ENTRIES + (size_t)index->count * 16);
}

bool index_padding_is_zero(const struct index_page *index)
{
    uint8_t any = 0;
    for (unsigned i = INDEX_ZERO; i < INDEX_ENTRIES; i++)
        any |= index->bytes[i];
    return any == 0;
}

bool index_keys_ascend(const struct index_page *index)
{
    for (unsigned i = 1; i < index->count; i++)
        if (index_key(index, i - 1) >= index_key(index, i))
            return false;
    return true;
}

/* ---- node pages ---- */

bool node_decode(const uint8_t *page, struct node_page *out_node)
{
    const unsigned used_bytes = get_be16(page + NODE_USED);
    if (used_bytes > PF_PAGE_SIZE - NODE_RECORDS)
        return false;
    *out_node = (struct node_page){.next_page = get_be64(page + NODE_NEXT),
                                   .node_count = get_be16(page + NODE_COUNT),
                                   .used_bytes = used_bytes,
                                   .base_id = get_be64(page + NODE_BASE_ID),
                                   .bytes = page};
    return true;
}

void node_seal(const struct node_page *node, uint64_t page_id, struct page_seal *out)
{
    out->own_id = get_be64(node->bytes + NODE_OWN_ID);
    out->stored = get_be32(node->bytes + NODE_SUM);
    out->computed = sum_without(node->bytes, NODE_RECORDS + (size_t)node->used_bytes,
                                NODE_SUM, NODE_RECORDS);
    seal_judge(page_id, out);
}

bool varint_get(const uint8_t *bytes, size_t end, size_t *at, uint64_t *out_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        const uint8_t byte = bytes[(*at)++];
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

/* Inline data, or the offset of the blob; `at` is moved behind it. */
static bool record_data(const uint8_t *records, size_t end, size_t *at, uint64_t length,
                        struct node_record *record)
{
    if (length > (LENGTH_EXTERNAL | LENGTH_MASK))
        return false;
    record->external = (length & LENGTH_EXTERNAL) != 0;
    record->data_length = (unsigned)length & LENGTH_MASK;
    if (!record->external && record->data_length > NODE_MAX_INLINE)
        return false;
    const size_t stored = record->external ? 8 : record->data_length;
    if (end - *at < stored)
        return false;
    record->data = record->external ? NULL : records + *at;
    record->blob_offset = record->external ? get_be64(records + *at) : 0;
    *at += stored;
    return true;
}

static bool record_get(const struct node_page *node, size_t *at,
                       struct node_record *record)
{
    enum { KIND_OFF, NAME_OFF, DATA_LEN, OUT_OFF, OUT_CNT, IN_OFF, IN_CNT, FIELDS };
    const uint8_t *records = node->bytes + NODE_RECORDS;
    const size_t end = node->used_bytes;
    uint64_t delta;
    uint64_t field[FIELDS];

    if (!varint_get(records, end, at, &delta) || end - *at < 4)
        return false;
    record->id = node->base_id + delta; /* may wrap; then no tree will know the id */
    record->deleted = (get_be32(records + *at) & FLAG_DELETED) != 0;
    *at += 4;
    for (unsigned i = 0; i < FIELDS; i++)
        if (!varint_get(records, end, at, &field[i]))
            return false;
    return record_data(records, end, at, field[DATA_LEN], record);
}

enum step node_record_next(const struct node_page *node, struct node_cursor *cursor,
                           struct node_record *out_record)
{
    struct node_record record;
    size_t at = cursor->at;
    if (cursor->index == node->node_count)
        return STEP_END;
    if (!record_get(node, &at, &record))
        return STEP_BAD;
    cursor->index++;
    cursor->at = (unsigned)at;
    *out_record = record;
    return STEP_ITEM;
}
