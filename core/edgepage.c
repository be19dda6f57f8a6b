#include "edgepage.h"

#include <string.h>

#include "bytes.h"

enum { /* byte offsets; FORMAT.md section 6 */
       PACKED_COUNT = 4,
       PACKED_SLOTS = 8,
       SLOT_SOURCE = 0,
       SLOT_DIRECTION = 8,
       SLOT_OFFSET = 10,
       SLOT_LENGTH = 12,
       SLOT_SIZE = 16,

       CHAIN_LENGTH = 4,
       CHAIN_NEXT = 8,
       CHAIN_PAYLOAD = 16,

       META_ROOT = 8,
       META_SUM = 20,
};

static const uint8_t packed_magic[4] = {'V', '3', 'E', 'P'};
static const uint8_t chain_magic[4] = {'V', '3', 'E', 'C'};
static const uint8_t meta_magic[8] = {'V', '3', 'E', 'D', 'G', 'E', 0, 0};

_Static_assert(PACKED_SLOTS + SLOT_SIZE * PACKED_MAX_SLOTS <= PF_PAGE_SIZE,
               "all slots fit");
_Static_assert(CHAIN_PAYLOAD + CHAIN_MAX_PAYLOAD == PF_PAGE_SIZE, "a full payload fits");

enum edge_form edge_form_of(const uint8_t *page)
{
    if (memcmp(page, packed_magic, sizeof packed_magic) == 0)
        return EDGE_PACKED;
    return memcmp(page, chain_magic, sizeof chain_magic) == 0 ? EDGE_CHAIN : EDGE_CLUSTER;
}

uint64_t edge_key(uint64_t source, unsigned direction)
{
    const uint64_t zigzag = source << 1 ^ (source >> 63 != 0 ? UINT64_MAX : 0);
    return (uint64_t)direction << 62 | (zigzag & 0x3FFFFFFFFFFFFFFF);
}

bool packed_decode(const uint8_t *page, unsigned *out_slot_count)
{
    const unsigned count = get_be16(page + PACKED_COUNT);
    if (edge_form_of(page) != EDGE_PACKED || count > PACKED_MAX_SLOTS)
        return false;
    *out_slot_count = count;
    return true;
}

bool packed_slot_get(const uint8_t *page, unsigned slot_count, unsigned i,
                     struct packed_slot *out_slot)
{
    const uint8_t *slot = page + PACKED_SLOTS + (size_t)i * SLOT_SIZE;
    const size_t offset = get_be16(slot + SLOT_OFFSET);
    const size_t length = get_be16(slot + SLOT_LENGTH);
    const unsigned direction = slot[SLOT_DIRECTION];
    if (direction > EDGE_IN || offset > PF_PAGE_SIZE || length > PF_PAGE_SIZE - offset ||
        offset < PACKED_SLOTS + (size_t)slot_count * SLOT_SIZE)
        return false;
    *out_slot =
        (struct packed_slot){.key = edge_key(get_be64(slot + SLOT_SOURCE), direction),
                             .payload = page + offset,
                             .length = length};
    return true;
}

bool chain_decode(const uint8_t *page, struct chain_page *out_chain)
{
    const uint32_t length = get_be32(page + CHAIN_LENGTH);
    if (edge_form_of(page) != EDGE_CHAIN || length > CHAIN_MAX_PAYLOAD)
        return false;
    *out_chain = (struct chain_page){.payload = page + CHAIN_PAYLOAD,
                                     .length = length,
                                     .next = get_be64(page + CHAIN_NEXT)};
    return true;
}

bool edgemeta_decode(const uint8_t *bytes, size_t length, uint64_t *out_root)
{
    uint32_t sum = 0;
    if (length != EDGEMETA_SIZE || memcmp(bytes, meta_magic, sizeof meta_magic) != 0)
        return false;
    for (unsigned i = 0; i < META_SUM; i++)
        sum += bytes[i];
    if (sum != get_le32(bytes + META_SUM))
        return false;
    *out_root = get_le64(bytes + META_ROOT);
    return true;
}
