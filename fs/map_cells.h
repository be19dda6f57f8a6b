/* map_cells.h: the file cut into at most MAP_CELLS cells of equally many pages. */
#ifndef PAGEFS_MAP_CELLS_H
#define PAGEFS_MAP_CELLS_H

#include "pagelook.h"

enum {
    MAP_COLUMNS = 128,
    MAP_ROWS = 72, /* at most */
    MAP_CELLS = MAP_COLUMNS * MAP_ROWS,
    MAP_SHADES = 8, /* of a cell of many pages: 0 = all allocated, 8 = all free */
};

struct map_cell {
    uint64_t free_pages; /* trunks included */
    uint64_t pages[PAGELOOK_COUNT];
    bool pinned; /* at least one page */
};

struct map_cells {
    uint64_t total_pages, pages_a_cell;
    unsigned columns, count;
    bool walked; /* what the graph uses is known */
    struct map_cell cells[MAP_CELLS];
};

/* Needs the free list. */
PF_CHECK pf_err map_cells_get(pf_store *store, struct map_cells *out);
/* 0 .. MAP_SHADES; the ends only when all pages are allocated, or free. */
unsigned map_cell_shade(const struct map_cells *map, unsigned index);
/* What most pages of a cell are; free ones count together. */
enum pagelook map_cell_look(const struct map_cells *map, unsigned index);

#endif
