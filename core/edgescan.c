/* The scanner of clusters: edgepage.h. A cluster is a head, in version 3 the packed ids
 * of the neighbours, then one entry an edge; each may be cut anywhere by a page's end. */
#include "edgepage.h"

#include <string.h>

#include "bytes.h"

enum stage { STAGE_VERSION, STAGE_HEAD, STAGE_IDS, STAGE_EDGE, STAGE_DATA, STAGE_END };

enum { /* sizes of heads and edge heads by version, offsets of their fields */
       HEAD_SIZE_V1 = 5,
       HEAD_SIZE_V2 = 14,
       HEAD_SIZE_V3 = 19,
       HEAD_COUNT_V1 = 1,
       HEAD_SOURCE = 1,
       HEAD_DIRECTION = 9,
       HEAD_COUNT = 10,
       HEAD_COMPRESSED = 14,
       HEAD_ID_BYTES = 15,
       EDGE_SIZE_V3 = 4,
       EDGE_SIZE = 12,
       MAX_VARINT = 10,
};

struct piece {
    const uint8_t *bytes;
    size_t length;
};

void cluster_scan_init(struct cluster_scan *scan, neighbour_fn neighbour, void *ctx)
{
    *scan = (struct cluster_scan){.neighbour = neighbour, .neighbour_ctx = ctx};
}

static enum scan bad(struct cluster_scan *s, const char *problem)
{
    s->problem = problem;
    return SCAN_BAD;
}

/* Gather until `size` bytes of the field are there. */
static bool gather(struct cluster_scan *s, struct piece *piece, size_t size)
{
    const size_t missing = size - s->field_held;
    const size_t n = piece->length < missing ? piece->length : missing;
    memcpy(s->field + s->field_held, piece->bytes, n);
    s->field_held += n;
    piece->bytes += n;
    piece->length -= n;
    return s->field_held == size;
}

static void enter(struct cluster_scan *s, enum stage stage)
{
    s->stage = stage;
    s->field_held = 0;
}

static void enter_next_edge(struct cluster_scan *s)
{
    enter(s, s->edges_seen == s->count ? STAGE_END : STAGE_EDGE);
}

static enum scan scan_version(struct cluster_scan *s, struct piece *piece)
{
    if (!gather(s, piece, 1))
        return SCAN_MORE;
    if (s->field[0] < 1 || s->field[0] > 3)
        return bad(s, "a version byte that is not 1, 2 or 3");
    s->version = s->field[0];
    s->stage = STAGE_HEAD; /* the byte stays: it is the head's first */
    return SCAN_DONE;
}

static size_t head_size(unsigned version)
{
    if (version == 1)
        return HEAD_SIZE_V1;
    return version == 2 ? HEAD_SIZE_V2 : HEAD_SIZE_V3;
}

/* Version 3: at least one byte an id, at most ten. A damaged count or length that would
 * make the cluster swallow half the file fails here. */
static enum scan head_ids(struct cluster_scan *s)
{
    const uint64_t id_bytes = get_be32(s->field + HEAD_ID_BYTES);
    if (s->field[HEAD_COMPRESSED] > 1)
        return bad(s, "a compression byte that is not 0 or 1");
    if (id_bytes < s->count || id_bytes > (uint64_t)s->count * MAX_VARINT)
        return bad(s, "a length of the ids that does not fit their count");
    s->compressed = s->field[HEAD_COMPRESSED] == 1;
    s->id_bytes_left = (uint32_t)id_bytes;
    enter(s, STAGE_IDS);
    return SCAN_DONE;
}

static enum scan scan_head(struct cluster_scan *s, struct piece *piece)
{
    if (!gather(s, piece, head_size(s->version)))
        return SCAN_MORE;
    s->count = get_be32(s->field + (s->version == 1 ? HEAD_COUNT_V1 : HEAD_COUNT));
    if (s->version == 1) {
        enter_next_edge(s);
        return SCAN_DONE;
    }
    s->source = get_be64(s->field + HEAD_SOURCE);
    s->direction = s->field[HEAD_DIRECTION];
    s->has_key = true;
    if (s->direction > EDGE_IN)
        return bad(s, "a direction that is not 0 or 1");
    if (s->version == 3)
        return head_ids(s);
    enter_next_edge(s);
    return SCAN_DONE;
}

static void tell(const struct cluster_scan *s, uint64_t node_id)
{
    if (s->neighbour != NULL)
        s->neighbour(s->neighbour_ctx, node_id);
}

/* One byte of the zigzag differences between neighbours. False: too long, or too many. */
static bool take_id_byte(struct cluster_scan *s, uint8_t byte)
{
    if (s->varint_shift > 63 || (s->varint_shift == 63 && byte > 1) ||
        s->ids_seen == s->count)
        return false;
    s->varint |= (uint64_t)(byte & 0x7F) << s->varint_shift;
    s->varint_shift += 7;
    if (byte >= 0x80)
        return true;
    s->id += s->varint >> 1 ^ ((s->varint & 1) != 0 ? UINT64_MAX : 0);
    s->varint = 0;
    s->varint_shift = 0;
    s->ids_seen++;
    tell(s, s->id);
    return true;
}

/* Ids that are not compressed are passed over: no file with such a cluster is known, so
 * their form is not either. */
static enum scan scan_ids(struct cluster_scan *s, struct piece *piece)
{
    while (s->id_bytes_left > 0 && piece->length > 0) {
        if (s->compressed && !take_id_byte(s, piece->bytes[0]))
            return bad(s, "an id too long, or too many");
        piece->bytes++;
        piece->length--;
        s->id_bytes_left--;
    }
    if (s->id_bytes_left > 0)
        return SCAN_MORE;
    if (s->compressed && (s->ids_seen != s->count || s->varint_shift != 0))
        return bad(s, "another number of ids than its count");
    enter_next_edge(s);
    return SCAN_DONE;
}

static enum scan scan_edge(struct cluster_scan *s, struct piece *piece)
{
    const size_t size = s->version == 3 ? EDGE_SIZE_V3 : EDGE_SIZE;
    if (!gather(s, piece, size))
        return SCAN_MORE;
    if (s->version < 3)
        tell(s, get_be64(s->field));
    s->skip = get_be16(s->field + size - 2);
    s->edges_seen++;
    enter(s, STAGE_DATA);
    return SCAN_DONE;
}

static enum scan scan_data(struct cluster_scan *s, struct piece *piece)
{
    const size_t n = piece->length < s->skip ? piece->length : s->skip;
    piece->bytes += n;
    piece->length -= n;
    s->skip -= n;
    if (s->skip > 0)
        return SCAN_MORE;
    enter_next_edge(s);
    return SCAN_DONE;
}

enum scan cluster_scan_feed(struct cluster_scan *scan, const uint8_t *bytes,
                            size_t length)
{
    static enum scan (*const stages[])(struct cluster_scan *, struct piece *) = {
        [STAGE_VERSION] = scan_version, [STAGE_HEAD] = scan_head, [STAGE_IDS] = scan_ids,
        [STAGE_EDGE] = scan_edge,       [STAGE_DATA] = scan_data,
    };
    struct piece piece = {bytes, length};
    while (scan->stage != STAGE_END) {
        const enum scan result = stages[scan->stage](scan, &piece);
        if (result != SCAN_DONE)
            return result;
    }
    return SCAN_DONE;
}
