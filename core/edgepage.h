/* edgepage.h: edge pages of all releases, and the .v3edgemeta side file. Pure.
 *
 * For core only. Untrusted bytes, as in graphpage.h. The unit of edges is the
 * cluster: all neighbours of one node in one direction. A cluster may be cut
 * into pieces (a chain, or an overrun of its page), so it is scanned piece by
 * piece, in constant memory. FORMAT.md section 6. */
#ifndef PF_EDGEPAGE_H
#define PF_EDGEPAGE_H

#include "pf.h"

enum {
    EDGE_OUT = 0,
    EDGE_IN = 1,
    PACKED_MAX_SLOTS = 255,
    CHAIN_MAX_PAYLOAD = 4080,
    EDGEMETA_SIZE = 24,
};

enum edge_form { EDGE_CLUSTER, EDGE_PACKED, EDGE_CHAIN };

/* By the magic; anything without one is taken for a cluster. */
enum edge_form edge_form_of(const uint8_t *page);
/* The key under which the edge tree knows a cluster. */
uint64_t edge_key(uint64_t source, unsigned direction);

struct packed_slot {
    uint64_t key;
    const uint8_t *payload;
    size_t length;
};

/* False: more slots than the page can hold. */
bool packed_decode(const uint8_t *page, unsigned *out_slot_count);
/* Slot i of slot_count. False: its direction or its payload's place is impossible. */
bool packed_slot_get(const uint8_t *page, unsigned slot_count, unsigned i,
                     struct packed_slot *out_slot);

struct chain_page {
    const uint8_t *payload;
    size_t length;
    uint64_t next; /* page id, 0 = last */
};

/* False: no chain page, or a payload longer than one. */
bool chain_decode(const uint8_t *page, struct chain_page *out_chain);

typedef void (*neighbour_fn)(void *ctx, uint64_t node_id);

struct cluster_scan { /* set up by cluster_scan_init(); the first fields are results */
    unsigned version; /* 0 until known */
    bool has_key;     /* source and direction were read: versions 2 and 3 */
    uint64_t source;
    unsigned direction;
    uint32_t count;
    const char *problem; /* after SCAN_BAD: what is wrong, static storage */

    neighbour_fn neighbour; /* or NULL */
    void *neighbour_ctx;
    unsigned stage;
    uint8_t field[19]; /* the head, or an edge's head, being gathered */
    size_t field_held;
    bool compressed;
    uint32_t id_bytes_left, ids_seen, edges_seen;
    uint64_t id, varint;
    unsigned varint_shift;
    size_t skip;
};

enum scan { SCAN_MORE, SCAN_DONE, SCAN_BAD };

/* neighbour: called with each neighbour's id, or NULL. */
void cluster_scan_init(struct cluster_scan *scan, neighbour_fn neighbour, void *ctx);
/* Go on with the next piece. SCAN_MORE: the cluster is longer. Bytes behind its end are
 * ignored. Once DONE or BAD it must not be called again. */
enum scan cluster_scan_feed(struct cluster_scan *scan, const uint8_t *bytes,
                            size_t length);

/* False: not a valid side file, so it says nothing. */
bool edgemeta_decode(const uint8_t *bytes, size_t length, uint64_t *out_root);

#endif
