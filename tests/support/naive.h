/* naive.h: what a mount should do, too simple to be wrong: an array of pages and a stack
 * of those that are free. Operations return the errno that the mount should give, and
 * change nothing unless it is 0. */
#ifndef TEST_NAIVE_H
#define TEST_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAIVE_PAGES = 4096 };

struct naive_page {
    bool free;
    uint32_t pins, holds; /* pins without the holds */
    bool tag_known;       /* false: the free list may have written there */
    uint64_t tag;         /* some bytes of the page's data */
};

struct naive {
    struct naive_page pages[NAIVE_PAGES];
    uint64_t total;
    uint64_t stack[NAIVE_PAGES]; /* the last one is handed out next */
    size_t depth;
    uint64_t max_pages; /* 0 = no limit */
    /* since the mount */
    uint64_t allocations, deallocations, pins, unpins;
};

struct naive_range {
    uint64_t first, last;
};

void naive_init(struct naive *n, uint64_t total);
/* What a mount forgets. */
void naive_remount(struct naive *n);
uint64_t naive_allocated(const struct naive *n);
uint64_t naive_pinned(const struct naive *n);
/* 'H' 'R' 'P' '#' '.': as `map` has it, where a trunk is '.' too. */
char naive_letter(const struct naive *n, uint64_t id);

int naive_alloc(struct naive *n, uint64_t count, uint64_t *out_ids);
int naive_alloc_contiguous(struct naive *n, uint64_t count, uint64_t *out_first);
int naive_free(struct naive *n, const struct naive_range *ranges, size_t count);
int naive_pin(struct naive *n, const struct naive_range *ranges, size_t count);
int naive_unpin(struct naive *n, const struct naive_range *ranges, size_t count);
int naive_unpin_all(struct naive *n, uint64_t id);
int naive_hold(struct naive *n, uint64_t id);
void naive_unhold(struct naive *n, uint64_t id);
/* `free`, `free!`, `allocated` or `pinned` written to its state. */
int naive_state(struct naive *n, uint64_t id, const char *word);
int naive_write(struct naive *n, uint64_t id, uint64_t tag);
void naive_shrink(struct naive *n);
/* The last pages, at most so many, that may be freed; none: first > last. A shrink cuts
 * off what is free at the end, which chance alone hardly ever leaves there. */
struct naive_range naive_tail(const struct naive *n, uint64_t most);
void naive_rebuild(struct naive *n);

#endif
