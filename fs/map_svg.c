/* map_svg.c: `map.svg`: a picture of the file.
 *
 * A cell is a page, or in large files many of them. Cells of the same look share one
 * path element, and neighbours one rectangle of it, with the grid drawn on top; so the
 * picture stays below 300 KB. The colours go from dark (in use) to light (free), also
 * when printed in grey; pins and trunks are marked by shape as well. */
#include "render.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_cells.h"

enum {
    CELL = 8, /* pixels */
    MARGIN = 24,
    LABEL = 88, /* page ids left of the grid */
    HEAD = 104,
    FOOT = 64,
    MIN_WIDTH = 640,
    TITLE_MAX = 60,
};

/* What a cell looks like; the shades come first. */
enum look {
    LOOK_SHADE,
    LOOK_RESERVED = LOOK_SHADE + MAP_SHADES + 1,
    LOOK_TRUNK,
    LOOK_PINNED,
    LOOK_INDEX, /* from here on as in enum pagelook */
    LOOK_LEAKED = LOOK_INDEX + PAGELOOK_LEAKED - PAGELOOK_INDEX,
    LOOK_COUNT = LOOK_INDEX + PAGELOOK_COUNT - PAGELOOK_INDEX
};

static const char style[] =
    "<style>text{font:12px sans-serif;fill:#333}.t{font-size:20px;font-weight:bold}"
    ".i{font:10px monospace;fill:#777;text-anchor:end}"
    ".k0{fill:#2b5c8a}.k1{fill:#4a77a0}.k2{fill:#668fb3}.k3{fill:#82a6c4}"
    ".k4{fill:#9dbbd3}.k5{fill:#b6cde0}.k6{fill:#cedeea}.k7{fill:#e0ebf3}"
    ".k8{fill:#f1f4f6}.k9{fill:#1c1c1c}.k10{fill:#8fbc8f}.k11{fill:#c23b22}"
    ".k12{fill:#14213d}.k13{fill:#2b6cb0}.k14{fill:#4fb3a5}.k15{fill:#b794d6}"
    ".k16{fill:#ff8c00}.k17{fill:#d6278a}.k18{fill:#e60000}.b{fill:#000}"
    ".m{fill:#fff}.d{fill:#33663a}.g{stroke:#fff;stroke-width:1;fill:none}</style>\n";

__attribute__((format(printf, 2, 3))) static void put(struct text *out,
                                                      const char *format, ...)
{
    char part[512];
    va_list args;

    va_start(args, format);
    const int length = vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    if (length > 0)
        text_add(out, part,
                 (size_t)length < sizeof(part) ? (size_t)length : sizeof(part) - 1);
}

/* The last part of a path, fit for XML and ASCII. */
static void put_name(struct text *out, const char *path)
{
    const char *const slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    for (size_t i = 0; name[i] != '\0' && i < TITLE_MAX; i++) {
        if (name[i] == '&')
            text_str(out, "&amp;");
        else if (name[i] == '<')
            text_str(out, "&lt;");
        else if (name[i] < ' ' || name[i] > '~')
            text_str(out, "?");
        else
            text_add(out, &name[i], 1);
    }
}

/* A cell of many pages looks like most of them once the graph is known, and shows how
 * many are free before. */
static enum look look_of(const struct map_cells *map, unsigned index)
{
    const enum pagelook look = map_cell_look(map, index);

    if (map->pages_a_cell == 1) {
        if (look == PAGELOOK_RESERVED)
            return LOOK_RESERVED;
        if (look == PAGELOOK_TRUNK)
            return LOOK_TRUNK;
        if (map->cells[index].pinned && look < PAGELOOK_CROSSED)
            return LOOK_PINNED;
    }
    if (map->walked && look >= PAGELOOK_INDEX)
        return LOOK_INDEX + (look - PAGELOOK_INDEX);
    return LOOK_SHADE + map_cell_shade(map, index);
}

/* ---- the grid ---- */

/* The end of the cells in one row, from `index` on, that look the same. */
static unsigned same_look_end(const struct map_cells *map, unsigned index, enum look look)
{
    const unsigned row_end = (index / map->columns + 1) * map->columns;
    unsigned end = index + 1;

    while (end < row_end && end < map->count && look_of(map, end) == look)
        end++;
    return end;
}

static void put_look(struct text *out, const struct map_cells *map, enum look look)
{
    bool open = false;

    for (unsigned i = 0; i < map->count; i++) {
        if (look_of(map, i) != look)
            continue;
        const unsigned end = same_look_end(map, i, look);
        const unsigned width = (end - i) * CELL;
        if (!open)
            put(out, "<path class=\"k%u\" d=\"", (unsigned)look);
        open = true;
        put(out, "M%u %uh%uv%dh-%uz", i % map->columns * CELL, i / map->columns * CELL,
            width, CELL, width);
        i = end - 1;
    }
    if (open)
        text_str(out, "\"/>\n");
}

static bool is_trunk(const struct map_cells *map, const struct map_cell *cell)
{
    return map->pages_a_cell == 1 && cell->pages[PAGELOOK_TRUNK] > 0;
}

static bool is_pinned(const struct map_cells *map, const struct map_cell *cell)
{
    (void)map;
    return cell->pinned;
}

static bool is_wrong(const struct map_cells *map, const struct map_cell *cell)
{
    (void)map;
    return cell->pages[PAGELOOK_CROSSED] + cell->pages[PAGELOOK_BAD] > 0;
}

static bool is_leaked(const struct map_cells *map, const struct map_cell *cell)
{
    return cell->pages[PAGELOOK_LEAKED] > 0 && !is_wrong(map, cell) && !cell->pinned;
}

/* Little squares in the middle: what colour alone may not tell, and what is rare in a
 * cell of many pages. */
static void put_marks(struct text *out, const struct map_cells *map, const char *class,
                      bool (*wanted)(const struct map_cells *map,
                                     const struct map_cell *cell))
{
    bool open = false;

    for (unsigned i = 0; i < map->count; i++) {
        if (!wanted(map, &map->cells[i]))
            continue;
        if (!open)
            put(out, "<path class=\"%s\" d=\"", class);
        open = true;
        put(out, "M%u %uh3v3h-3z", i % map->columns * CELL + 3,
            i / map->columns * CELL + 2);
    }
    if (open)
        text_str(out, "\"/>\n");
}

static unsigned row_count(const struct map_cells *map)
{
    return (map->count - 1) / map->columns + 1;
}

static void put_grid(struct text *out, const struct map_cells *map)
{
    const unsigned width = map->columns * CELL;
    const unsigned height = row_count(map) * CELL;
    const bool many = map->pages_a_cell > 1; /* a mark then has a colour of its own */

    put(out, "<g transform=\"translate(%d %d)\">\n", LABEL, HEAD);
    for (unsigned look = 0; look < LOOK_COUNT; look++)
        put_look(out, map, look);
    put_marks(out, map, "d", is_trunk);
    put_marks(out, map, many ? "k11" : "m", is_pinned);
    put_marks(out, map, many ? "k16" : "b", is_leaked);
    put_marks(out, map, many ? "k18" : "m", is_wrong);
    text_str(out, "<path class=\"g\" d=\"");
    for (unsigned x = 0; x <= width; x += CELL)
        put(out, "M%u.5 0v%u", x, height);
    for (unsigned y = 0; y <= height; y += CELL)
        put(out, "M0 %u.5h%u", y, width);
    text_str(out, "\"/>\n");
    for (unsigned row = 0; row < row_count(map); row += 4)
        put(out, "<text class=\"i\" x=\"-8\" y=\"%u\">%llu</text>\n", row * CELL + 8,
            (unsigned long long)row * map->columns * map->pages_a_cell);
    text_str(out, "</g>\n");
}

/* ---- around it ---- */

static void put_head(struct text *out, const struct fsctx *ctx,
                     const struct map_cells *map)
{
    struct pf_stats stats;

    pf_stats_get(ctx->store, &stats);
    const double percent =
        100.0 * (double)stats.allocated_pages / (double)stats.total_pages;
    put(out, "<text class=\"t\" x=\"%d\" y=\"44\">", MARGIN);
    put_name(out, ctx->source);
    put(out,
        "</text>\n<text x=\"%d\" y=\"66\">%llu pages: %llu allocated (%.1f%%), %llu "
        "free, "
        "%llu pinned",
        MARGIN, (unsigned long long)stats.total_pages,
        (unsigned long long)stats.allocated_pages, percent,
        (unsigned long long)stats.free_pages, (unsigned long long)stats.pinned_pages);
    if (map->pages_a_cell > 1)
        put(out, "; a cell is %llu pages", (unsigned long long)map->pages_a_cell);
    text_str(out, "</text>\n");
}

static void put_key(struct text *out, unsigned x, unsigned y, unsigned look,
                    const char *text)
{
    put(out,
        "<rect class=\"k%u\" x=\"%u\" y=\"%u\" width=\"12\" height=\"12\" "
        "stroke=\"#999\" stroke-width=\".5\"/><text x=\"%u\" y=\"%u\">%s</text>\n",
        look, x, y, x + 18, y + 10, text);
}

static void put_mark(struct text *out, unsigned x, unsigned y, const char *class)
{
    put(out, "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"4\" height=\"4\"/>\n", class,
        x + 4, y + 4);
}

/* The second line: what a walk has told. */
static void put_graph_legend(struct text *out, unsigned y)
{
    static const struct {
        const char *name, *mark;
        unsigned width;
    } keys[] = {
        {"tree", NULL, 56}, {"node", NULL, 64},  {"edge", NULL, 64},
        {"blob", NULL, 60}, {"leaked", "b", 76}, {"cross-linked or dangling", "m", 172},
        {"bad", "m", 0},
    };
    unsigned x = LABEL;

    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        put_key(out, x, y, LOOK_INDEX + i, keys[i].name);
        if (keys[i].mark != NULL)
            put_mark(out, x, y, keys[i].mark);
        x += keys[i].width;
    }
}

static void put_legend(struct text *out, const struct map_cells *map, unsigned y)
{
    unsigned x = LABEL;

    if (map->walked)
        put_graph_legend(out, y + 20);
    if (map->pages_a_cell == 1) {
        put_key(out, x, y, LOOK_RESERVED, "reserved");
        put_key(out, x + 96, y, LOOK_SHADE, "allocated");
        put_key(out, x + 192, y, LOOK_PINNED, "pinned");
        put_mark(out, x + 192, y, "m");
        put_key(out, x + 272, y, LOOK_SHADE + MAP_SHADES, "free");
        put_key(out, x + 336, y, LOOK_TRUNK, "free, trunk of the list");
        put_mark(out, x + 336, y, "d");
        return;
    }
    put(out, "<text x=\"%u\" y=\"%u\">allocated</text>\n", x, y + 10);
    x += 60;
    for (unsigned shade = 0; shade <= MAP_SHADES; shade++, x += 16)
        put_key(out, x, y, LOOK_SHADE + shade, "");
    put(out, "<text x=\"%u\" y=\"%u\">free</text>\n", x + 2, y + 10);
    put_key(out, x + 64, y, LOOK_SHADE + MAP_SHADES / 2, "with pinned pages");
    put_mark(out, x + 64, y, "k11");
}

pf_err render_map_svg(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    struct map_cells *const map = malloc(sizeof(*map));

    (void)id;
    if (map == NULL)
        return PF_E_NO_MEMORY;
    const pf_err err = map_cells_get(ctx->store, map);
    if (err == PF_OK) {
        unsigned width = LABEL + map->columns * CELL + MARGIN;
        const unsigned grid_end = HEAD + row_count(map) * CELL;
        if (width < MIN_WIDTH)
            width = MIN_WIDTH;
        put(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" "
            "width=\"%u\" height=\"%u\">\n<title>pages of ",
            width, grid_end + FOOT, width, grid_end + FOOT);
        put_name(out, ctx->source);
        text_str(out, "</title>\n");
        text_str(out, style);
        text_str(out, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        put_head(out, ctx, map);
        put_grid(out, map);
        put_legend(out, map, grid_end + MARGIN);
        text_str(out, "</svg>\n");
    }
    free(map);
    return err;
}
