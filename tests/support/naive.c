#include "naive.h"

#include <errno.h>
#include <string.h>

void naive_init(struct naive *n, uint64_t total)
{
    memset(n, 0, sizeof(*n));
    n->total = total;
    for (uint64_t id = 0; id < NAIVE_PAGES; id++)
        n->pages[id].tag_known = true;
}

void naive_remount(struct naive *n)
{
    for (uint64_t id = 0; id < n->total; id++)
        n->pages[id].pins = n->pages[id].holds = 0;
    n->max_pages = 0;
    n->allocations = n->deallocations = n->pins = n->unpins = 0;
}

uint64_t naive_allocated(const struct naive *n)
{
    return n->total - n->depth;
}

static bool is_pinned(const struct naive *n, uint64_t id)
{
    return n->pages[id].pins + n->pages[id].holds > 0;
}

uint64_t naive_pinned(const struct naive *n)
{
    uint64_t count = 0;

    for (uint64_t id = 0; id < n->total; id++)
        count += is_pinned(n, id);
    return count;
}

char naive_letter(const struct naive *n, uint64_t id)
{
    if (id < 2)
        return id == 0 ? 'H' : 'R';
    return n->pages[id].free ? '.' : is_pinned(n, id) ? 'P' : '#';
}

static int exists(const struct naive *n, uint64_t id)
{
    return id < 2 ? EPERM : id >= n->total ? ENOENT : 0;
}

static int all_exist(const struct naive *n, const struct naive_range *ranges,
                     size_t count)
{
    int error = 0;

    for (size_t i = 0; i < count && error == 0; i++) {
        error = exists(n, ranges[i].first);
        if (error == 0)
            error = exists(n, ranges[i].last);
    }
    return error;
}

/* ---- allocate ---- */

static void grow(struct naive *n)
{
    n->pages[n->total] = (struct naive_page){.tag_known = true}; /* zeros */
    n->total++;
}

static int may_grow(const struct naive *n, uint64_t count)
{
    return count > 0 && n->max_pages != 0 && n->total + count > n->max_pages ? ENOSPC : 0;
}

int naive_alloc(struct naive *n, uint64_t count, uint64_t *out_ids)
{
    const int error = may_grow(n, count > n->depth ? count - n->depth : 0);

    for (uint64_t i = 0; i < count && error == 0; i++) {
        out_ids[i] = n->depth > 0 ? n->stack[--n->depth] : n->total;
        if (out_ids[i] == n->total)
            grow(n);
        n->pages[out_ids[i]].free = false;
        n->allocations++;
    }
    return error;
}

static void take(struct naive *n, uint64_t id)
{
    size_t at = 0;

    while (n->stack[at] != id)
        at++;
    memmove(n->stack + at, n->stack + at + 1, (n->depth - at - 1) * sizeof(n->stack[0]));
    n->depth--;
    n->pages[id].free = false;
}

/* The lowest run that is long enough, else the one at the end, which grows. */
int naive_alloc_contiguous(struct naive *n, uint64_t count, uint64_t *out_first)
{
    uint64_t run = 0;
    uint64_t first = 0;

    for (uint64_t id = 2; id < n->total && first == 0; id++) {
        run = n->pages[id].free ? run + 1 : 0;
        if (run == count)
            first = id + 1 - count;
    }
    if (first == 0)
        first = n->total - run;
    if (may_grow(n, first + count > n->total ? first + count - n->total : 0) != 0)
        return ENOSPC;
    for (uint64_t id = first; id < first + count; id++) {
        if (id == n->total)
            grow(n);
        else
            take(n, id);
    }
    n->allocations += count;
    *out_first = first;
    return 0;
}

/* ---- free ---- */

static int free_error(const struct naive *n, uint64_t id)
{
    if (n->pages[id].free)
        return EALREADY;
    return is_pinned(n, id) ? EBUSY : 0;
}

int naive_free(struct naive *n, const struct naive_range *ranges, size_t count)
{
    const size_t depth = n->depth;
    int error = all_exist(n, ranges, count);

    for (size_t i = 0; i < count && error == 0; i++) {
        for (uint64_t id = ranges[i].first; id <= ranges[i].last && error == 0; id++) {
            error = free_error(n, id);
            if (error != 0)
                break;
            n->pages[id].free = true;
            n->stack[n->depth++] = id;
        }
    }
    if (error == 0)
        n->deallocations += n->depth - depth;
    while (error != 0 && n->depth > depth)
        n->pages[n->stack[--n->depth]].free = false;
    return error;
}

/* ---- pins ---- */

static int pin_error(const struct naive *n, uint64_t id, bool unpin)
{
    int error = exists(n, id);

    if (error == 0 && n->pages[id].free)
        error = EINVAL;
    if (error == 0 && unpin && n->pages[id].pins == 0)
        error = n->pages[id].holds > 0 ? EBUSY : EALREADY;
    return error;
}

/* Page by page; what was done before the one that is refused is undone. */
static int pin_all(struct naive *n, const struct naive_range *ranges, size_t count,
                   bool unpin)
{
    static struct naive before;
    uint64_t pages = 0;
    int error = 0;

    before = *n;
    for (size_t i = 0; i < count && error == 0; i++) {
        for (uint64_t id = ranges[i].first; id <= ranges[i].last && error == 0; id++) {
            error = pin_error(n, id, unpin);
            if (error == 0)
                n->pages[id].pins += unpin ? (uint32_t)-1 : 1;
            pages++;
        }
    }
    if (error != 0)
        *n = before;
    else
        *(unpin ? &n->unpins : &n->pins) += pages;
    return error;
}

int naive_pin(struct naive *n, const struct naive_range *ranges, size_t count)
{
    return pin_all(n, ranges, count, false);
}

int naive_unpin(struct naive *n, const struct naive_range *ranges, size_t count)
{
    return pin_all(n, ranges, count, true);
}

int naive_unpin_all(struct naive *n, uint64_t id)
{
    const int error = pin_error(n, id, true);

    if (error == 0) {
        n->unpins += n->pages[id].pins;
        n->pages[id].pins = 0;
    }
    return error;
}

int naive_hold(struct naive *n, uint64_t id)
{
    int error = exists(n, id);

    if (error == 0 && n->pages[id].free)
        error = ENOENT;
    if (error == 0) {
        n->pages[id].holds++;
        n->pins++;
    }
    return error;
}

void naive_unhold(struct naive *n, uint64_t id)
{
    n->pages[id].holds--;
    n->unpins++;
}

/* ---- the rest ---- */

static int to_allocated(struct naive *n, uint64_t id)
{
    if (n->pages[id].free) {
        take(n, id);
        n->allocations++;
        return 0;
    }
    if (n->pages[id].holds > 0)
        return EBUSY;
    return n->pages[id].pins > 0 ? naive_unpin_all(n, id) : EALREADY;
}

int naive_state(struct naive *n, uint64_t id, const char *word)
{
    const struct naive_range range = {id, id};
    const int error = exists(n, id);

    if (error != 0)
        return error;
    if (strncmp(word, "free", 4) == 0)
        return naive_free(n, &range, 1);
    if (strcmp(word, "allocated") == 0)
        return to_allocated(n, id);
    return is_pinned(n, id) ? EALREADY : naive_pin(n, &range, 1);
}

int naive_write(struct naive *n, uint64_t id, uint64_t tag)
{
    const int error = exists(n, id);

    if (error != 0)
        return error;
    if (n->pages[id].free)
        return ENXIO;
    n->pages[id].tag = tag;
    n->pages[id].tag_known = true;
    return 0;
}

void naive_shrink(struct naive *n)
{
    while (n->total > 2 && n->pages[n->total - 1].free) {
        take(n, n->total - 1);
        n->total--;
    }
}

struct naive_range naive_tail(const struct naive *n, uint64_t most)
{
    uint64_t first = n->total;

    while (first > 2 && n->total - first < most && free_error(n, first - 1) == 0)
        first--;
    return (struct naive_range){first, n->total - 1};
}

void naive_rebuild(struct naive *n)
{
    n->depth = 0;
    for (uint64_t id = n->total; id-- > 2;)
        if (n->pages[id].free)
            n->stack[n->depth++] = id;
}
