#include "window.h"

#include <stdlib.h>
#include <string.h>

enum { MISSES_TO_MOVE = 4 };

struct window {
    window_fetch_fn fetch;
    void *fetch_ctx;
    uint64_t end_id;
    uint64_t first_id; /* of the window */
    unsigned count;    /* pages in it; 0 = nothing yet */
    uint64_t last_miss;
    unsigned misses; /* since the window was last of use */
    uint8_t bytes[WINDOW_PAGES * PF_PAGE_SIZE];
};

pf_err window_new(window_fetch_fn fetch, void *fetch_ctx, uint64_t end_id,
                  struct window **out_window)
{
    struct window *window = malloc(sizeof *window);
    if (window == NULL)
        return PF_E_NO_MEMORY;
    window->fetch = fetch;
    window->fetch_ctx = fetch_ctx;
    window->end_id = end_id;
    window->first_id = window->last_miss = 0;
    window->count = window->misses = 0;
    *out_window = window;
    return PF_OK;
}

void window_free(struct window *window)
{
    free(window);
}

/* Does this page continue the way up: a little behind the window, or behind pages that
 * were not in it either? Single looks elsewhere alternate with use of the window. */
static bool is_onward(const struct window *window, uint64_t page_id)
{
    const uint64_t behind = window->first_id + window->count;
    if (page_id >= behind && page_id - behind < WINDOW_PAGES)
        return true;
    return window->misses >= MISSES_TO_MOVE && page_id > window->last_miss &&
           page_id - window->last_miss < WINDOW_PAGES / 8;
}

/* A window that cannot be read whole is not read at all: the page alone may be readable.
 */
static bool move_to(struct window *window, uint64_t page_id)
{
    const uint64_t left = window->end_id - page_id;
    const unsigned count = left < WINDOW_PAGES ? (unsigned)left : WINDOW_PAGES;
    window->count = 0;
    if (window->fetch(window->fetch_ctx, page_id, count, window->bytes) != PF_OK)
        return false;
    window->first_id = page_id;
    window->count = count;
    return true;
}

pf_err window_read(void *ctx, uint64_t page_id, uint8_t *page)
{
    struct window *window = ctx;
    bool inside =
        page_id >= window->first_id && page_id - window->first_id < window->count;
    if (!inside && page_id < window->end_id && is_onward(window, page_id))
        inside = move_to(window, page_id);
    if (!inside) {
        window->last_miss = page_id;
        window->misses++;
        return window->fetch(window->fetch_ctx, page_id, 1, page);
    }
    window->misses = 0;
    memcpy(page, window->bytes + (page_id - window->first_id) * PF_PAGE_SIZE,
           PF_PAGE_SIZE);
    return PF_OK;
}
