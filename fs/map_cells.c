#include "map_cells.h"

#include <string.h>

/* Small files get fewer columns, so that they look like a page of text as well. */
static unsigned columns_for(uint64_t total_pages)
{
    unsigned columns = 32;

    while (columns < MAP_COLUMNS && total_pages > (uint64_t)columns * columns)
        columns *= 2;
    return columns;
}

static uint64_t end_of_cell(const struct map_cells *map, uint64_t index)
{
    const uint64_t first = index * map->pages_a_cell;
    const uint64_t left = map->total_pages - first;

    return left > map->pages_a_cell ? first + map->pages_a_cell : map->total_pages;
}

/* The end (at most `end`) of pages from `first` on that look alike: pages of which the
 * graph has one are looked at one by one; the others, of which a file may claim to have
 * any number, are not. */
static uint64_t end_of_alike(pf_store *store, const struct map_cells *map, uint64_t first,
                             uint64_t end, const struct pf_page *page)
{
    uint64_t alike = end_of_cell(map, first / map->pages_a_cell);
    uint64_t used;

    if (alike > end)
        alike = end;
    if (first < PF_FIRST_PAGE)
        return first + 1;
    if (page->state == PF_STATE_FREE || !map->walked ||
        !pf_used_next(store, first, &used) || used >= alike)
        return alike;
    return used > first ? used : first + 1;
}

/* Pages first .. end - 1 are as `page` says. */
static void add_pages(pf_store *store, struct map_cells *map, uint64_t first,
                      uint64_t end, const struct pf_page *page)
{
    while (first < end) {
        struct map_cell *const cell = &map->cells[first / map->pages_a_cell];
        const uint64_t part = end_of_alike(store, map, first, end, page);

        cell->pages[pagelook_of(store, first, page)] += part - first;
        if (page->state == PF_STATE_FREE)
            cell->free_pages += part - first;
        cell->pinned |= page->state == PF_STATE_PINNED;
        first = part;
    }
}

pf_err map_cells_get(pf_store *store, struct map_cells *out)
{
    struct pf_page page;
    uint64_t end = 0;

    memset(out, 0, sizeof(*out));
    out->total_pages = pf_total_pages(store);
    out->pages_a_cell = (out->total_pages - 1) / MAP_CELLS + 1;
    out->count = (unsigned)((out->total_pages - 1) / out->pages_a_cell + 1);
    out->columns = columns_for(out->total_pages);
    out->walked = pf_graph_known(store);
    for (uint64_t page_id = 0; page_id < out->total_pages; page_id = end) {
        const pf_err err = pf_page_run(store, page_id, &page, &end);
        if (err == PF_E_NO_PAGE)
            break; /* the file has just shrunk */
        if (err != PF_OK)
            return err;
        add_pages(store, out, page_id, end < out->total_pages ? end : out->total_pages,
                  &page);
    }
    return PF_OK;
}

unsigned map_cell_shade(const struct map_cells *map, unsigned index)
{
    const uint64_t pages = end_of_cell(map, index) - index * map->pages_a_cell;
    const uint64_t free_pages = map->cells[index].free_pages;

    if (free_pages == 0)
        return 0;
    if (free_pages >= pages)
        return MAP_SHADES;
    /* pages / MAP_SHADES first: no product can overflow */
    const uint64_t step = pages / MAP_SHADES + 1;
    const uint64_t shade = free_pages / step; /* below MAP_SHADES: not all are free */
    return shade == 0 ? 1 : (unsigned)shade;
}

enum pagelook map_cell_look(const struct map_cells *map, unsigned index)
{
    const struct map_cell *const cell = &map->cells[index];
    enum pagelook most = PAGELOOK_FREE;
    uint64_t most_pages = cell->free_pages;

    if (map->pages_a_cell == 1 && cell->pages[PAGELOOK_TRUNK] > 0)
        return PAGELOOK_TRUNK;
    for (enum pagelook look = PAGELOOK_RESERVED; look < PAGELOOK_COUNT; look++) {
        if (cell->pages[look] > most_pages) {
            most = look;
            most_pages = cell->pages[look];
        }
    }
    return most;
}
