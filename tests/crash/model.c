#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "arena.h"

enum { WHY = 256 };

/* ---- the pool ---- */

struct model_pool {
    struct pool_page {
        struct pool_page *next;
        uint8_t bytes[MODEL_PAGE];
    } * used, *spare;
};

struct model_pool *model_pool_new(void)
{
    return must_calloc(1, sizeof(struct model_pool));
}

uint8_t *model_pool_page(struct model_pool *pool)
{
    struct pool_page *page = pool->spare;

    if (page != NULL)
        pool->spare = page->next;
    else
        page = must_realloc(NULL, sizeof(*page));
    page->next = pool->used;
    pool->used = page;
    return page->bytes;
}

void model_pool_reset(struct model_pool *pool)
{
    while (pool->used != NULL) {
        struct pool_page *page = pool->used;

        pool->used = page->next;
        page->next = pool->spare;
        pool->spare = page;
    }
}

void model_pool_delete(struct model_pool *pool)
{
    if (pool == NULL)
        return;
    model_pool_reset(pool);
    while (pool->spare != NULL) {
        struct pool_page *page = pool->spare;

        pool->spare = page->next;
        free(page);
    }
    free(pool);
}

/* ---- the model ---- */

static uint64_t page_hash(const struct model_page *page, uint64_t page_id)
{
    const uint64_t words[3] = {page_id, page->hash, page->unknown};

    if (page->hash == 0 && page->unknown == 0)
        return 0;
    return XXH3_64bits(words, sizeof(words));
}

static void put_page(struct model *m, uint64_t page_id, struct model_page page)
{
    m->pages_hash ^= page_hash(&m->pages[page_id], page_id);
    m->pages_hash ^= page_hash(&page, page_id);
    m->pages[page_id] = page;
}

static void make_room(struct model *m, uint64_t total_pages)
{
    if (total_pages > m->page_room) {
        const size_t room = (size_t)total_pages + 64;

        m->pages = must_realloc(m->pages, room * sizeof(*m->pages));
        memset(m->pages + m->page_room, 0, (room - m->page_room) * sizeof(*m->pages));
        m->page_room = room;
    }
}

static void push(struct model *m, uint64_t page_id)
{
    if (m->depth == m->stack_room) {
        m->stack_room = m->stack_room * 2 + 64;
        m->stack = must_realloc(m->stack, m->stack_room * sizeof(*m->stack));
    }
    m->stack[m->depth++] = page_id;
}

void model_clear(struct model *m)
{
    free(m->stack);
    free(m->pages);
    memset(m, 0, sizeof(*m));
}

void model_start(struct model *m, uint64_t total_pages)
{
    if (m->page_room > 0)
        memset(m->pages, 0, m->page_room * sizeof(*m->pages));
    m->total_pages = total_pages < 2 ? 2 : total_pages;
    m->depth = 0;
    m->pages_hash = 0;
    make_room(m, m->total_pages);
}

void model_copy(struct model *to, const struct model *from)
{
    if (from->depth > to->stack_room) {
        to->stack_room = from->depth + 64;
        to->stack = must_realloc(to->stack, to->stack_room * sizeof(*to->stack));
    }
    if (from->depth > 0)
        memcpy(to->stack, from->stack, from->depth * sizeof(*to->stack));
    to->depth = from->depth;
    make_room(to, from->total_pages);
    memcpy(to->pages, from->pages, (size_t)from->total_pages * sizeof(*to->pages));
    if (to->page_room > from->total_pages)
        memset(to->pages + from->total_pages, 0,
               (to->page_room - (size_t)from->total_pages) * sizeof(*to->pages));
    to->total_pages = from->total_pages;
    to->pages_hash = from->pages_hash;
}

void model_set_page(struct model *m, uint64_t page_id, const uint8_t *bytes)
{
    put_page(m, page_id,
             (struct model_page){.bytes = bytes, .hash = XXH3_64bits(bytes, MODEL_PAGE)});
}

static size_t place_of(const struct model *m, uint64_t page_id)
{
    size_t at = m->depth;

    while (at > 0 && m->stack[at - 1] != page_id)
        at--;
    return at; /* 0 = not on the stack, else 1 + index */
}

bool model_is_free(const struct model *m, uint64_t page_id)
{
    return place_of(m, page_id) != 0;
}

uint8_t *model_free_map(const struct model *m)
{
    uint8_t *map = must_calloc((size_t)m->total_pages, 1);

    for (size_t i = 0; i < m->depth; i++)
        map[m->stack[i]] = 1;
    return map;
}

uint64_t model_alloc(struct model *m)
{
    if (m->depth > 0)
        return m->stack[--m->depth];
    make_room(m, m->total_pages + 1);
    return m->total_pages++;
}

void model_free(struct model *m, uint64_t page_id)
{
    push(m, page_id);
}

void model_take(struct model *m, uint64_t page_id)
{
    const size_t at = place_of(m, page_id) - 1;

    memmove(m->stack + at, m->stack + at + 1, (m->depth - at - 1) * sizeof(*m->stack));
    m->depth--;
}

uint64_t model_contiguous(struct model *m, uint64_t count)
{
    uint8_t *is_free = model_free_map(m);
    uint64_t run = 0, id = 2, first;

    for (; id < m->total_pages && run < count; id++)
        run = is_free[id] ? run + 1 : 0;
    free(is_free);
    first = id - run;
    for (uint64_t i = 0; i < run; i++)
        model_take(m, first + i);
    if (first + count > m->total_pages) {
        make_room(m, first + count);
        m->total_pages = first + count;
    }
    return first;
}

void model_shrink(struct model *m)
{
    while (m->total_pages > 2 && model_is_free(m, m->total_pages - 1)) {
        model_take(m, m->total_pages - 1);
        put_page(m, m->total_pages - 1, (struct model_page){0});
        m->total_pages--;
    }
}

static int descending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x > y ? -1 : x < y;
}

void model_rebuild(struct model *m)
{
    if (m->depth > 0)
        qsort(m->stack, m->depth, sizeof(*m->stack), descending);
}

void model_write(struct model *m, struct model_pool *pool, uint64_t page_id,
                 size_t offset, const uint8_t *bytes, size_t length)
{
    const struct model_page *old = &m->pages[page_id];
    uint8_t *content = model_pool_page(pool);
    struct model_page page = {.bytes = content, .unknown = old->unknown};

    if (old->bytes != NULL)
        memcpy(content, old->bytes, MODEL_PAGE);
    else
        memset(content, 0, MODEL_PAGE);
    memcpy(content + offset, bytes, length);
    if (offset == 0 && length >= page.unknown)
        page.unknown = 0;
    page.hash = XXH3_64bits(content, MODEL_PAGE);
    put_page(m, page_id, page);
}

static uint32_t trunk_used(const struct oracle_trunk *trunk)
{
    return 56 + 8 * trunk->leaf_count;
}

void model_note_trunks(struct model *m, const struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->trunk_count; i++) {
        const uint64_t id = oracle->trunks[i].page_id;

        if (id < m->total_pages &&
            trunk_used(&oracle->trunks[i]) > m->pages[id].unknown) {
            struct model_page page = m->pages[id];

            page.unknown = trunk_used(&oracle->trunks[i]);
            put_page(m, id, page);
        }
    }
}

void model_forget_page(struct model *m, uint64_t page_id, uint32_t unknown)
{
    struct model_page page = m->pages[page_id];

    page.unknown = unknown < MODEL_PAGE ? unknown : MODEL_PAGE;
    put_page(m, page_id, page);
}

uint64_t model_hash(const struct model *m)
{
    const uint64_t words[2] = {m->total_pages, m->pages_hash};

    return XXH3_64bits(words, sizeof(words)) ^
           XXH3_64bits_withSeed(m->stack, m->depth * sizeof(*m->stack), 1);
}

/* ---- comparing ---- */

static bool list_fits(const struct model *m, const struct oracle *oracle, char *why)
{
    if (m->total_pages != oracle->total_pages) {
        snprintf(why, WHY, "%" PRIu64 " pages, expected %" PRIu64, oracle->total_pages,
                 m->total_pages);
        return false;
    }
    if (m->depth != oracle->free_count) {
        snprintf(why, WHY, "%zu free pages, expected %zu", oracle->free_count, m->depth);
        return false;
    }
    for (size_t i = 0; i < m->depth; i++) {
        if (oracle->free_ids[i] != m->stack[m->depth - 1 - i]) {
            snprintf(why, WHY,
                     "free page %zu of the list is %" PRIu64 ", expected %" PRIu64, i,
                     oracle->free_ids[i], m->stack[m->depth - 1 - i]);
            return false;
        }
    }
    return true;
}

static uint32_t unknown_bytes(const struct model *m, const struct oracle *oracle,
                              uint64_t page_id)
{
    uint32_t unknown = m->pages[page_id].unknown;

    for (size_t i = 0; i < oracle->trunk_count; i++)
        if (oracle->trunks[i].page_id == page_id &&
            trunk_used(&oracle->trunks[i]) > unknown)
            unknown = trunk_used(&oracle->trunks[i]);
    return unknown;
}

static bool page_fits(const struct model *m, const struct oracle *oracle,
                      const struct oracle_source *source, uint64_t page_id, char *why)
{
    static const uint8_t zeros[MODEL_PAGE];
    const uint8_t *expected = m->pages[page_id].bytes;
    const uint32_t from = unknown_bytes(m, oracle, page_id);
    uint8_t page[MODEL_PAGE];

    source->read(source->context, oracle_page_offset(page_id), page, MODEL_PAGE);
    if (expected == NULL)
        expected = zeros;
    if (memcmp(page + from, expected + from, MODEL_PAGE - from) == 0)
        return true;
    uint32_t at = from;
    while (page[at] == expected[at])
        at++;
    snprintf(why, WHY, "page %" PRIu64 " differs from byte %u on (%02x, expected %02x)",
             page_id, at, page[at], expected[at]);
    return false;
}

bool model_fits(const struct model *m, const struct oracle *oracle,
                const struct oracle_source *source, const struct model *start,
                const uint8_t *untouched, char *why)
{
    if (!list_fits(m, oracle, why))
        return false;
    for (uint64_t id = 1; id < m->total_pages; id++) {
        if (untouched != NULL && id < start->total_pages && untouched[id] != 0 &&
            m->pages[id].bytes == start->pages[id].bytes)
            continue;
        if (!page_fits(m, oracle, source, id, why))
            return false;
    }
    return true;
}
