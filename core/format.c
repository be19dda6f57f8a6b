#include "format.h"

#include <string.h>

#include "bytes.h"
#include "xxh.h"

static const uint8_t magic_v3[8] = {'S', 'Q', 'L', 'T', 'G', 'F', 0, 3};
static const uint8_t magic_v2[8] = {'S', 'Q', 'L', 'T', 'G', 'F', 0, 0};

enum {
    FLAGS_BASE = 3,
    FLAG_BTREE_INDEX = 4,
    FLAGS_FRESH = 7,
    VERSION = 4,
    MAX_HEIGHT = 4
};

static pf_err header_judge(const struct pf_header *h)
{
    if (h->version != VERSION)
        return PF_E_VERSION;
    if ((h->flags & FLAGS_BASE) != FLAGS_BASE)
        return PF_E_FLAGS;
    if ((h->flags & FLAG_BTREE_INDEX) == 0)
        return PF_E_FLAGS_INDEX;
    if (h->outgoing_cluster_offset > 0 && h->outgoing_cluster_offset < PF_HEADER_SIZE)
        return PF_E_OUTGOING;
    if (h->incoming_cluster_offset > 0 &&
        h->incoming_cluster_offset < h->outgoing_cluster_offset)
        return PF_E_INCOMING;
    if (h->free_space_offset > 0 && h->free_space_offset < h->incoming_cluster_offset)
        return PF_E_FREE_SPACE;
    if (h->page_size != 4096 && h->page_size != 8192 && h->page_size != 16384)
        return PF_E_PAGE_SIZE;
    if (h->btree_height > MAX_HEIGHT)
        return PF_E_HEIGHT;
    return PF_OK;
}

pf_err header_decode(const uint8_t *bytes, size_t length, struct pf_header *out_header)
{
    if (length < PF_HEADER_SIZE)
        return PF_E_SHORT_HEADER;
    if (memcmp(bytes, magic_v2, sizeof magic_v2) == 0)
        return PF_E_V2;
    if (memcmp(bytes, magic_v3, sizeof magic_v3) != 0)
        return PF_E_MAGIC;

    struct pf_header h = {
        .version = get_be32(bytes + HDR_VERSION),
        .flags = get_be32(bytes + HDR_FLAGS),
        .node_count = get_be64(bytes + HDR_NODE_COUNT),
        .edge_count = get_be64(bytes + HDR_EDGE_COUNT),
        .schema_version = get_be32(bytes + HDR_SCHEMA_VERSION),
        .reserved = get_be32(bytes + HDR_RESERVED),
        .node_data_offset = get_be64(bytes + HDR_NODE_DATA),
        .edge_data_offset = get_be64(bytes + HDR_EDGE_DATA),
        .outgoing_cluster_offset = get_be64(bytes + HDR_OUTGOING),
        .incoming_cluster_offset = get_be64(bytes + HDR_INCOMING),
        .free_space_offset = get_be64(bytes + HDR_FREE_SPACE),
        .root_index_page = get_be64(bytes + HDR_ROOT_INDEX),
        .free_page_list_head = get_be64(bytes + HDR_FREE_HEAD),
        .total_pages = get_be64(bytes + HDR_TOTAL_PAGES),
        .page_size = get_be32(bytes + HDR_PAGE_SIZE),
        .btree_height = get_be32(bytes + HDR_BTREE_HEIGHT),
    };
    memcpy(h.magic, bytes, sizeof h.magic);

    const pf_err err = header_judge(&h);
    if (err == PF_OK)
        *out_header = h;
    return err;
}

void header_encode(const struct pf_header *h, uint8_t out_bytes[PF_HEADER_SIZE])
{
    memcpy(out_bytes + HDR_MAGIC, h->magic, sizeof h->magic);
    put_be32(out_bytes + HDR_VERSION, h->version);
    put_be32(out_bytes + HDR_FLAGS, h->flags);
    put_be64(out_bytes + HDR_NODE_COUNT, h->node_count);
    put_be64(out_bytes + HDR_EDGE_COUNT, h->edge_count);
    put_be32(out_bytes + HDR_SCHEMA_VERSION, h->schema_version);
    put_be32(out_bytes + HDR_RESERVED, h->reserved);
    put_be64(out_bytes + HDR_NODE_DATA, h->node_data_offset);
    put_be64(out_bytes + HDR_EDGE_DATA, h->edge_data_offset);
    put_be64(out_bytes + HDR_OUTGOING, h->outgoing_cluster_offset);
    put_be64(out_bytes + HDR_INCOMING, h->incoming_cluster_offset);
    put_be64(out_bytes + HDR_FREE_SPACE, h->free_space_offset);
    put_be64(out_bytes + HDR_ROOT_INDEX, h->root_index_page);
    put_be64(out_bytes + HDR_FREE_HEAD, h->free_page_list_head);
    put_be64(out_bytes + HDR_TOTAL_PAGES, h->total_pages);
    put_be32(out_bytes + HDR_PAGE_SIZE, h->page_size);
    put_be32(out_bytes + HDR_BTREE_HEIGHT, h->btree_height);
}

void header_init(struct pf_header *header)
{
    *header = (struct pf_header){.version = VERSION,
                                 .flags = FLAGS_FRESH,
                                 .schema_version = 1,
                                 .page_size = PF_PAGE_SIZE};
    memcpy(header->magic, magic_v3, sizeof magic_v3);
}

uint64_t effective_total(uint64_t total_pages)
{
    return total_pages < PF_FIRST_PAGE ? PF_FIRST_PAGE : total_pages;
}

uint64_t page_offset(uint64_t page_id)
{
    return page_id == 0 ? 0 : PF_HEADER_SIZE + (page_id - 1) * PF_PAGE_SIZE;
}

uint64_t nominal_size(uint64_t total_pages)
{
    return page_offset(total_pages);
}

size_t page_length(uint64_t page_id)
{
    return page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE;
}

pf_err pf_page_offset(uint64_t page_id, uint64_t *out_offset)
{
    if (page_id > PF_MAX_PAGE_ID)
        return PF_E_RANGE;
    *out_offset = page_offset(page_id);
    return PF_OK;
}

uint64_t pf_file_pages(uint64_t file_bytes)
{
    if (file_bytes <= PF_HEADER_SIZE)
        return 1;
    return 2 + (file_bytes - PF_HEADER_SIZE - 1) / PF_PAGE_SIZE;
}

uint64_t pf_checksum(const void *bytes, size_t length)
{
    return XXH3_64bits(bytes, length);
}

bool pf_validate_checksum(const void *bytes, size_t length, uint64_t stored)
{
    return pf_checksum(bytes, length) == stored;
}

uint32_t pf_xor_sum(const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint64_t sum = 0x5A5A5A5A5A5A5A5A;
    for (size_t i = 0; i < length; i++)
        sum ^= p[i] ^ (uint64_t)i;
    return (uint32_t)sum;
}
