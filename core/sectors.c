#include "sectors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sectors_clear(struct sectors *s)
{
    free(s->list);
    *s = (struct sectors){0};
}

static pf_err make_room(struct sectors *s, size_t more)
{
    if (s->count + more <= s->room)
        return PF_OK;
    const size_t room = (s->count + more) * 2;
    struct journal_sector *list = realloc(s->list, room * sizeof *list);
    if (list == NULL)
        return PF_E_NO_MEMORY;
    s->list = list;
    s->room = room;
    return PF_OK;
}

/* Add sectors first .. last as the database has them. */
static pf_err add_from_db(struct sectors *s, struct pf_file *db, uint64_t first,
                          uint64_t last)
{
    enum { MOST = PF_PAGE_SIZE / SECTOR + 1 };
    uint8_t bytes[MOST * SECTOR];
    const size_t count = (size_t)(last - first) + 1;
    size_t got = 0;
    assert(count <= MOST);
    memset(bytes, 0, count * SECTOR);
    pf_err err = make_room(s, count);
    if (err == PF_OK)
        err = dev_read(db, first * SECTOR, bytes, count * SECTOR, &got);
    for (size_t i = 0; i < count && err == PF_OK; i++) {
        struct journal_sector *sector = &s->list[s->count++];
        sector->number = first + i;
        memcpy(sector->base, bytes + i * SECTOR, SECTOR);
        memcpy(sector->content, bytes + i * SECTOR, SECTOR);
    }
    return err;
}

pf_err sectors_put(struct sectors *s, struct pf_file *db, uint64_t offset,
                   const uint8_t *bytes, size_t length)
{
    uint64_t first = offset / SECTOR;
    const uint64_t last = (offset + length - 1) / SECTOR;
    /* neighbouring pages share a sector */
    const bool shared = s->count > 0 && s->list[s->count - 1].number == first;
    pf_err err = PF_OK;
    if (shared)
        first++;
    if (first <= last)
        err = add_from_db(s, db, first, last);
    if (err != PF_OK)
        return err;
    size_t at = s->count - (size_t)(last - offset / SECTOR) - 1;
    for (size_t done = 0; done < length; at++) {
        const size_t within = (size_t)((offset + done) % SECTOR);
        const size_t n =
            length - done < SECTOR - within ? length - done : SECTOR - within;
        memcpy(s->list[at].content + within, bytes + done, n);
        done += n;
    }
    return PF_OK;
}

void sectors_drop_unchanged(struct sectors *s, bool keep_first)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct journal_sector *sector = &s->list[i];
        if ((i == 0 && keep_first) ||
            memcmp(sector->base, sector->content, SECTOR) != 0) {
            if (kept != i)
                s->list[kept] = *sector;
            kept++;
        }
    }
    s->count = kept;
}
