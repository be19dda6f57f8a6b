#include "pins.h"

#include <assert.h>

static uint64_t packed(uint32_t all, uint32_t holds)
{
    return (uint64_t)all << 32 | holds;
}

static void set_counts(struct pins *pins, uint64_t page_id, uint32_t all, uint32_t holds)
{
    *idmap_get(&pins->count, page_id) = packed(all, holds);
    pins_settle(pins, page_id);
}

void pins_settle(struct pins *pins, uint64_t page_id)
{
    const uint64_t *count = idmap_get(&pins->count, page_id);
    if (count != NULL && *count == 0) {
        (void)idmap_remove(&pins->count, page_id);
        (void)pageset_remove(&pins->pages, page_id);
    }
}

void pins_clear(struct pins *pins)
{
    idmap_clear(&pins->count);
    pageset_clear(&pins->pages);
}

uint32_t pins_of(const struct pins *pins, uint64_t page_id)
{
    const uint64_t *count = idmap_get(&pins->count, page_id);
    return count == NULL ? 0 : (uint32_t)(*count >> 32);
}

uint32_t pins_holds_of(const struct pins *pins, uint64_t page_id)
{
    const uint64_t *count = idmap_get(&pins->count, page_id);
    return count == NULL ? 0 : (uint32_t)*count;
}

static pf_err add_first(struct pins *pins, uint64_t page_id, bool hold)
{
    bool added;
    pf_err err = idmap_reserve(&pins->count, 1);
    if (err == PF_OK)
        err = pageset_add(&pins->pages, page_id, &added);
    if (err == PF_OK)
        idmap_put(&pins->count, page_id, packed(1, hold));
    return err;
}

pf_err pins_add(struct pins *pins, uint64_t page_id, bool hold)
{
    uint64_t *count = idmap_get(&pins->count, page_id);
    if (count == NULL)
        return add_first(pins, page_id, hold);
    const uint32_t all = (uint32_t)(*count >> 32), holds = (uint32_t)*count;
    if (all == UINT32_MAX)
        return PF_E_TOO_MANY_PINS;
    *count = packed(all + 1, holds + hold);
    return PF_OK;
}

pf_err pins_drop(struct pins *pins, uint64_t page_id)
{
    uint64_t *count = idmap_get(&pins->count, page_id);
    if (count == NULL || *count == 0)
        return PF_E_NOT_PINNED;
    const uint32_t all = (uint32_t)(*count >> 32), holds = (uint32_t)*count;
    if (all == holds)
        return PF_E_HELD;
    *count = packed(all - 1, holds);
    return PF_OK;
}

pf_err pins_drop_all(struct pins *pins, uint64_t page_id, uint32_t *out_dropped)
{
    const uint32_t all = pins_of(pins, page_id);
    const uint32_t holds = pins_holds_of(pins, page_id);
    if (all == 0)
        return PF_E_NOT_PINNED;
    if (all == holds)
        return PF_E_HELD;
    set_counts(pins, page_id, holds, holds);
    *out_dropped = all - holds;
    return PF_OK;
}

void pins_unhold(struct pins *pins, uint64_t page_id)
{
    const uint32_t holds = pins_holds_of(pins, page_id);
    assert(holds > 0);
    set_counts(pins, page_id, pins_of(pins, page_id) - 1, holds - 1);
}
