/* Every decoder of graph pages on one page of anything. The first byte chooses where the
 * page is taken to lie; the rest is the page, zeros behind it. Nothing is printed: a
 * sanitizer speaks up. */
#include "edgepage.h"
#include "graphpage.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"

static volatile uint8_t read_all; /* what is read must not be optimized away */

static void fuzz_index(const uint8_t *page, uint64_t page_id)
{
    struct index_page index;
    struct page_seal seal;
    uint64_t sum = 0;

    if (!index_decode(page, &index))
        return;
    index_seal(&index, page_id, &seal);
    (void)index_padding_is_zero(&index);
    (void)index_keys_ascend(&index);
    for (unsigned i = 0; i < index.count; i++)
        sum += index_key(&index, i) + (index.leaf ? index_value(&index, i) : 0);
    sum += index.leaf ? index_next_leaf(&index) : index_child(&index, index.count);
    require(seal.seal != SEAL_OK || seal.own_id == page_id);
    read_all ^= (uint8_t)sum;
}

static void fuzz_node(const uint8_t *page, uint64_t page_id)
{
    struct node_cursor cursor = {0};
    struct node_record record;
    struct node_page node;
    struct page_seal seal;
    unsigned records = 0;
    uint8_t sum = 0;

    if (!node_decode(page, &node))
        return;
    node_seal(&node, page_id, &seal);
    while (node_record_next(&node, &cursor, &record) == STEP_ITEM) {
        require(cursor.at <= node.used_bytes);
        require(++records <= node.node_count);
        for (unsigned i = 0; record.data != NULL && i < record.data_length; i++)
            sum ^= record.data[i];
    }
    read_all ^= (uint8_t)sum;
}

static void count_neighbour(void *ctx, uint64_t node_id)
{
    uint64_t *count = ctx;

    (void)node_id;
    (*count)++;
}

/* In one piece or in many, a scan comes to the same end. */
static void fuzz_cluster(const uint8_t *bytes, size_t length, size_t piece)
{
    struct cluster_scan whole;
    struct cluster_scan cut;
    uint64_t whole_count = 0;
    uint64_t cut_count = 0;
    enum scan end = SCAN_MORE;

    cluster_scan_init(&whole, count_neighbour, &whole_count);
    cluster_scan_init(&cut, count_neighbour, &cut_count);
    const enum scan expected = cluster_scan_feed(&whole, bytes, length);
    for (size_t at = 0; at < length && end == SCAN_MORE; at += piece)
        end = cluster_scan_feed(&cut, bytes + at,
                                length - at < piece ? length - at : piece);
    require(end == expected || length == 0);
    require(whole_count == cut_count);
    require(whole_count <= whole.count);
}

static void fuzz_edges(const uint8_t *page)
{
    struct packed_slot slot;
    struct chain_page chain;
    unsigned count;

    if (packed_decode(page, &count))
        for (unsigned i = 0; i < count; i++)
            if (packed_slot_get(page, count, i, &slot))
                fuzz_cluster(slot.payload, slot.length, 7);
    if (chain_decode(page, &chain))
        fuzz_cluster(chain.payload, chain.length, 1000);
    fuzz_cluster(page, PF_PAGE_SIZE, 1 + page[PF_PAGE_SIZE - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t root;
    uint64_t page_id;

    if (size == 0)
        return 0;
    page_id = data[0];
    (void)edgemeta_decode(data + 1, size - 1, &root);
    uint8_t *page = calloc(1, PF_PAGE_SIZE); /* on the heap: its end is watched */
    if (page == NULL)
        return 0;
    memcpy(page, data + 1, size - 1 < PF_PAGE_SIZE ? size - 1 : PF_PAGE_SIZE);
    fuzz_index(page, page_id);
    fuzz_node(page, page_id);
    fuzz_edges(page);
    free(page);
    return 0;
}
