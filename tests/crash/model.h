/* model.h: what an allocator must know, too simple to be wrong: a stack of free pages,
 * and what each page holds.
 *
 * A crash leaves one of a few models: the last acknowledged one or one of those that the
 * operations in flight lead to. Nothing in between is excused. */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle.h"

enum { MODEL_PAGE = 4096 };

struct model_page {
    const uint8_t *bytes; /* NULL = zeros; owned by a model_pool */
    uint64_t hash;        /* of the bytes */
    uint32_t unknown;     /* so many first bytes are not predictable: it was a trunk */
};

struct model {
    uint64_t total_pages;
    uint64_t *stack; /* free pages, the last one is handed out next */
    size_t depth, stack_room;
    struct model_page *pages;
    size_t page_room;
    uint64_t pages_hash; /* of all pages */
};

/* Page contents that models point to; freed at once. */
struct model_pool;
struct model_pool *model_pool_new(void);
void model_pool_reset(struct model_pool *pool);
void model_pool_delete(struct model_pool *pool);
uint8_t *model_pool_page(struct model_pool *pool);

void model_clear(struct model *m);
void model_copy(struct model *to, const struct model *from);
/* `total_pages` pages, all allocated, all zeros. */
void model_start(struct model *m, uint64_t total_pages);
void model_set_page(struct model *m, uint64_t page_id, const uint8_t *bytes);

bool model_is_free(const struct model *m, uint64_t page_id);
/* The same for all pages: a byte each, to be freed. */
uint8_t *model_free_map(const struct model *m);
/* The page an allocation returns now. */
uint64_t model_alloc(struct model *m);
void model_free(struct model *m, uint64_t page_id);
void model_take(struct model *m, uint64_t page_id);
/* `count` consecutive pages, as pf_pages_alloc_contiguous() promises. */
uint64_t model_contiguous(struct model *m, uint64_t count);
/* The trailing free pages are given back. */
void model_shrink(struct model *m);
/* The lowest page will be handed out first. */
void model_rebuild(struct model *m);
void model_write(struct model *m, struct model_pool *pool, uint64_t page_id,
                 size_t offset, const uint8_t *bytes, size_t length);
/* The disk shows these trunks: their used bytes are pagefs's, also after they left. */
void model_note_trunks(struct model *m, const struct oracle *oracle);
/* Nothing is known any more of the first bytes of this page. */
void model_forget_page(struct model *m, uint64_t page_id, uint32_t unknown);
/* Equal for equal models. */
uint64_t model_hash(const struct model *m);

/* Does the disk hold this model? The database is `source`, `oracle` what was read from
 * it; `untouched` (a byte a page of `start`, may be NULL) says which pages are the very
 * bytes that `start` has. Else false, and `why` (256 bytes) says what is different. */
bool model_fits(const struct model *m, const struct oracle *oracle,
                const struct oracle_source *source, const struct model *start,
                const uint8_t *untouched, char *why);

#endif
