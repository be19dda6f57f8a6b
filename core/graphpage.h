/* graphpage.h: index pages and node pages of the graph. Pure: no I/O, no state.
 *
 * For core only. Pages come from an untrusted file: nothing here reads outside
 * the PF_PAGE_SIZE bytes it is given, whatever they hold. A decoded page points
 * into those bytes and lives as long as they do. FORMAT.md section 6. */
#ifndef PF_GRAPHPAGE_H
#define PF_GRAPHPAGE_H

#include "pf.h"

enum {
    INDEX_MAX_KEYS = 252,
    INDEX_MAX_DEPTH = 10, /* pages from root to leaf, both counted */
    NODE_MAX_INLINE = 64, /* longer data lives in a blob */
};

/* How a page's own id and sum agree with the id under which it was found. */
enum seal {
    SEAL_OK,
    SEAL_SUM,     /* the id is right, the sum is not */
    SEAL_ID,      /* the sum is right once the id is: only the id is damaged */
    SEAL_MOVED,   /* a sound page, but of another id */
    SEAL_FOREIGN, /* neither: not such a page at all */
};

struct page_seal {
    enum seal seal;
    uint64_t own_id; /* as stored */
    uint32_t stored, computed;
};

struct index_page {
    bool leaf, root;
    unsigned count; /* keys */
    const uint8_t *bytes;
};

/* False: the type, root mark or count cannot be an index page's. */
bool index_decode(const uint8_t *page, struct index_page *out_index);
void index_seal(const struct index_page *index, uint64_t page_id, struct page_seal *out);
/* Key i < count. */
uint64_t index_key(const struct index_page *index, unsigned i);
/* A leaf's page for key i < count. */
uint64_t index_value(const struct index_page *index, unsigned i);
/* The first i >= from whose value is this page; count when there is none. */
unsigned index_find_value(const struct index_page *index, unsigned from,
                          uint64_t page_id);
/* Do a leaf's values ascend, equal neighbours included? */
bool index_values_ascend(const struct index_page *index);
/* The first value of such a leaf that is not less; count when there is none. */
unsigned index_first_value(const struct index_page *index, uint64_t value);
/* An internal page's child i <= count: it holds the keys from key i - 1 on, below key i.
 */
uint64_t index_child(const struct index_page *index, unsigned i);
/* A leaf's right neighbour, 0 = none. */
uint64_t index_next_leaf(const struct index_page *index);
/* The sum does not cover the zero bytes, so they are judged apart. */
bool index_padding_is_zero(const struct index_page *index);
bool index_keys_ascend(const struct index_page *index);

struct node_page {
    uint64_t next_page; /* no known release sets it */
    unsigned node_count;
    unsigned used_bytes; /* of records, from NODE_RECORDS on */
    uint64_t base_id;    /* an i64: two's complement */
    const uint8_t *bytes;
};

struct node_record {
    uint64_t id;
    bool deleted;
    bool external;
    unsigned data_length;
    const uint8_t *data;  /* NULL when external */
    uint64_t blob_offset; /* in the file; 0 when not external */
};

struct node_cursor { /* all zero = before the first record */
    unsigned index, at;
};

enum step { STEP_ITEM, STEP_END, STEP_BAD };

/* False: the records would not fit the page. */
bool node_decode(const uint8_t *page, struct node_page *out_node);
void node_seal(const struct node_page *node, uint64_t page_id, struct page_seal *out);
/* The next record. STEP_BAD: what is at the cursor is no record; do not go on. */
enum step node_record_next(const struct node_page *node, struct node_cursor *cursor,
                           struct node_record *out_record);

/* One LEB128 number of at most 64 bits from bytes[*at] .. bytes[end - 1]. */
bool varint_get(const uint8_t *bytes, size_t end, size_t *at, uint64_t *out_value);

#endif
