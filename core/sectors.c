#include "sectors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sectors_clear(struct sectors *s)
{
    free(s->list);
    *s = (struct sectors){0};
}

void sectors_reset(struct sectors *s)
{
    enum { KEPT = 32 };
    s->count = 0;
    if (s->room > KEPT)
        sectors_clear(s);
}

static pf_err make_room(struct sectors *s)
{
    if (s->count < s->room)
        return PF_OK;
    const size_t room = (s->count + 1) * 2;
    struct journal_sector *list = realloc(s->list, room * sizeof *list);
    if (list == NULL)
        return PF_E_NO_MEMORY;
    s->list = list;
    s->room = room;
    return PF_OK;
}

/* Put `length` bytes of sector `number` to `bytes`, from `within` on. Neighbouring pages
 * share a sector: it may be the last one already. `base`: what the database has. */
static pf_err put(struct sectors *s, uint64_t number, const uint8_t *base, size_t within,
                  const uint8_t *bytes, size_t length)
{
    if (s->count == 0 || s->list[s->count - 1].number != number) {
        const pf_err err = make_room(s);
        if (err != PF_OK)
            return err;
        struct journal_sector *added = &s->list[s->count++];
        added->number = number;
        memcpy(added->base, base, SECTOR);
        memcpy(added->content, base, SECTOR);
    }
    memcpy(s->list[s->count - 1].content + within, bytes, length);
    return PF_OK;
}

pf_err sectors_begin(struct sectors *s, const uint8_t base[SECTOR], const uint8_t *bytes,
                     size_t length)
{
    return put(s, 0, base, 0, bytes, length);
}

pf_err sectors_put(struct sectors *s, struct pf_file *db, uint64_t offset,
                   const uint8_t *bytes, size_t length)
{
    enum { MOST = PF_PAGE_SIZE / SECTOR + 1 };
    uint8_t base[MOST * SECTOR];
    const uint64_t first = offset / SECTOR, last = (offset + length - 1) / SECTOR;
    const size_t count = (size_t)(last - first) + 1;
    size_t within = (size_t)(offset % SECTOR), got = 0;
    assert(count <= MOST);
    pf_err err = dev_read(db, first * SECTOR, base, count * SECTOR, &got);
    if (err == PF_OK)
        memset(base + got, 0, count * SECTOR - got);
    for (size_t i = 0; i < count && err == PF_OK; i++) {
        const uint8_t *const old = base + i * SECTOR;
        const size_t n = length < SECTOR - within ? length : SECTOR - within;
        if (memcmp(old + within, bytes, n) != 0)
            err = put(s, first + i, old, within, bytes, n);
        bytes += n;
        length -= n;
        within = 0;
    }
    return err;
}

void sectors_drop_first(struct sectors *s)
{
    const struct journal_sector *const first = s->list;
    if (memcmp(first->base, first->content, SECTOR) == 0)
        memmove(s->list, s->list + 1, --s->count * sizeof *s->list);
}
