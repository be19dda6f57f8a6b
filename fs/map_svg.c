/* map_svg.c: `map.svg`: a picture of the file.
 *
 * A cell is a page, or in large files many of them. Cells of the same look share one
 * path element, and neighbours one rectangle of it, with the grid drawn on top; so the
 * picture stays below 300 KB. The colours go from dark (in use) to light (free), also
 * when printed in grey; what is rare, or too similar there, has a mark of its own shape,
 * which is a pattern that fills cells as a colour does. */
#include "render.h"

#include <assert.h>
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
    LOOK_CROSSED = LOOK_INDEX + PAGELOOK_CROSSED - PAGELOOK_INDEX,
    LOOK_BAD = LOOK_INDEX + PAGELOOK_BAD - PAGELOOK_INDEX,
    LOOK_COUNT = LOOK_INDEX + PAGELOOK_COUNT - PAGELOOK_INDEX
};

static const char style[] =
    "<style>text{font:12px sans-serif;fill:#333}.t{font-size:20px;font-weight:bold}"
    ".i{font:10px monospace;fill:#777;text-anchor:end}"
    ".k0{fill:#2b5c8a}.k1{fill:#4a77a0}.k2{fill:#668fb3}.k3{fill:#82a6c4}"
    ".k4{fill:#9dbbd3}.k5{fill:#b6cde0}.k6{fill:#cedeea}.k7{fill:#e0ebf3}"
    ".k8{fill:#f1f4f6}.k9{fill:#000000}.k10{fill:#8fbc8f}.k11{fill:#c23b22}"
    ".k12{fill:#2a3a66}.k13{fill:#3d7dc0}.k14{fill:#5cbfae}.k15{fill:#dccbee}"
    ".k16{fill:#ff8c00}.k17{fill:#d6278a}.k18{fill:#e60000}.b{fill:#000}"
    ".m{fill:#fff}.d{fill:#234d2a}.g{stroke:#fff;stroke-width:1;fill:none}</style>\n";

enum mark {
    MARK_TRUNK,
    MARK_PINNED,
    MARK_LEAKED,
    MARK_CROSSED,
    MARK_BAD,
    MARK_COUNT,
    MARK_GUEST = MARK_COUNT, /* added where the cell does not look like its mark */
    MARK_KINDS = 2 * MARK_COUNT
};

/* In a cell of 8 pixels, the first of which are the grid's. */
static const struct {
    const char *shape;
    const char *class; /* on its own look */
    enum look look;    /* which is its colour on others */
} marks[MARK_COUNT] = {
    [MARK_TRUNK] = {"M2 2h5v1h-5zm0 2h5v1h-5zm0 2h5v1h-5z", "d", LOOK_TRUNK}, /* a list */
    [MARK_PINNED] = {"M3 3h3v3h-3z", "m", LOOK_PINNED},
    [MARK_LEAKED] = {"M2 4h5v1h-5z", "b", LOOK_LEAKED},
    [MARK_CROSSED] = {"M2 2h1l4 4v1h-1l-4-4zm5 0v1l-4 4h-1v-1l4-4z", "m", LOOK_CROSSED},
    [MARK_BAD] = {"M4 2h1v3h-1zm0 4h1v1h-1z", "m", LOOK_BAD}, /* ! */
};

__attribute__((format(printf, 2, 3))) static void put(struct text *out,
                                                      const char *format, ...)
{
    char part[512];
    va_list args;

    va_start(args, format);
    const int length = vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    assert(length > 0 && (size_t)length < sizeof(part)); /* numbers, and words of ours */
    text_add(out, part, (size_t)length);
}

/* The last part of a path, fit for XML and ASCII. */
static void put_name(struct text *out, const char *path)
{
    const char *const slash = strrchr(path, '/');

    assert(slash != NULL); /* it is resolved */
    const char *const name = slash + 1;
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
static unsigned look_of(const struct map_cells *map, unsigned index)
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
        return (unsigned)LOOK_INDEX + (look - PAGELOOK_INDEX);
    return LOOK_SHADE + map_cell_shade(map, index);
}

/* One at most, the worst; MARK_COUNT = none. */
static unsigned worst_of(const struct map_cells *map, unsigned index)
{
    const struct map_cell *const cell = &map->cells[index];

    if (cell->pages[PAGELOOK_CROSSED] > 0)
        return MARK_CROSSED;
    if (cell->pages[PAGELOOK_BAD] > 0)
        return MARK_BAD;
    if (cell->pinned)
        return MARK_PINNED;
    if (cell->pages[PAGELOOK_LEAKED] > 0)
        return MARK_LEAKED;
    if (cell->pages[PAGELOOK_TRUNK] > 0 && map->pages_a_cell == 1)
        return MARK_TRUNK;
    return MARK_COUNT;
}

/* The mark of a cell, MARK_GUEST more where the cell does not look like it, as in one of
 * many pages of which few are so; MARK_KINDS = none. */
static unsigned mark_of(const struct map_cells *map, unsigned index)
{
    const unsigned mark = worst_of(map, index);

    if (mark == MARK_COUNT)
        return MARK_KINDS;
    return look_of(map, index) == marks[mark].look ? mark : mark + MARK_GUEST;
}

/* ---- the grid ---- */

/* What a cell is drawn as: its look, or its mark. */
typedef unsigned kind_function(const struct map_cells *map, unsigned index);

/* The end of the cells in one row, from `index` on, that are drawn the same. */
static unsigned same_kind_end(const struct map_cells *map, unsigned index,
                              kind_function *kind_of, unsigned kind)
{
    const unsigned row_end = (index / map->columns + 1) * map->columns;
    unsigned end = index + 1;

    while (end < row_end && end < map->count && kind_of(map, end) == kind)
        end++;
    return end;
}

/* One path, with this attribute, of which the kind is a part. */
static void put_cells(struct text *out, const struct map_cells *map,
                      kind_function *kind_of, unsigned kind, const char *attribute,
                      const char *attribute_end)
{
    bool open = false;

    for (unsigned i = 0; i < map->count; i++) {
        if (kind_of(map, i) != kind)
            continue;
        const unsigned end = same_kind_end(map, i, kind_of, kind);
        const unsigned width = (end - i) * CELL;
        if (!open)
            put(out, "<path %s%u%s d=\"", attribute, kind, attribute_end);
        open = true;
        put(out, "M%u %uh%uv%dh-%uz", i % map->columns * CELL, i / map->columns * CELL,
            width, CELL, width);
        i = end - 1;
    }
    if (open)
        text_str(out, "\"/>\n");
}

/* As a guest on white, to be seen whatever is around. */
static void put_mark_shape(struct text *out, unsigned kind)
{
    const unsigned mark = kind % MARK_GUEST;

    if (kind == mark)
        put(out, "<path class=\"%s\" d=\"%s\"/>", marks[mark].class, marks[mark].shape);
    else
        put(out, "<path class=\"m\" d=\"M2 2h5v5h-5z\"/><path class=\"k%u\" d=\"%s\"/>",
            (unsigned)marks[mark].look, marks[mark].shape);
}

static void put_patterns(struct text *out)
{
    text_str(out, "<defs>\n");
    for (unsigned mark = 0; mark < MARK_KINDS; mark++) {
        put(out,
            "<pattern id=\"p%u\" width=\"%d\" height=\"%d\" "
            "patternUnits=\"userSpaceOnUse\">",
            mark, CELL, CELL);
        put_mark_shape(out, mark);
        text_str(out, "</pattern>\n");
    }
    text_str(out, "</defs>\n");
}

static unsigned row_count(const struct map_cells *map)
{
    return (map->count - 1) / map->columns + 1;
}

static void put_grid(struct text *out, const struct map_cells *map)
{
    const unsigned width = map->columns * CELL;
    const unsigned height = row_count(map) * CELL;

    put_patterns(out);
    put(out, "<g transform=\"translate(%d %d)\">\n", LABEL, HEAD);
    for (unsigned look = 0; look < LOOK_COUNT; look++)
        put_cells(out, map, look_of, look, "class=\"k", "\"");
    for (unsigned mark = 0; mark < MARK_KINDS; mark++)
        put_cells(out, map, mark_of, mark, "fill=\"url(#p", ")\"");
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
    /* rounded down: 100 % means all of them */
    const unsigned permille =
        (unsigned)(1000.0 * (double)stats.allocated_pages / (double)stats.total_pages);
    put(out, "<text class=\"t\" x=\"%d\" y=\"44\">", MARGIN);
    put_name(out, ctx->source);
    put(out,
        "</text>\n<text x=\"%d\" y=\"66\">%llu pages: %llu allocated (%u.%u%%), %llu "
        "free, "
        "%llu pinned",
        MARGIN, (unsigned long long)stats.total_pages,
        (unsigned long long)stats.allocated_pages, permille / 10, permille % 10,
        (unsigned long long)stats.free_pages, (unsigned long long)stats.pinned_pages);
    if (map->pages_a_cell > 1)
        put(out, "; a cell is %llu pages", (unsigned long long)map->pages_a_cell);
    text_str(out, "</text>\n");
}

/* A cell as in the grid, half as large again, and what it means. */
static void put_key(struct text *out, unsigned x, unsigned y, unsigned look,
                    const char *text)
{
    put(out,
        "<rect class=\"k%u\" x=\"%u\" y=\"%u\" width=\"12\" height=\"12\" "
        "stroke=\"#999\" stroke-width=\".5\"/><text x=\"%u\" y=\"%u\">%s</text>\n",
        look, x, y, x + 18, y + 10, text);
}

/* On the key at that place; the shapes have their middle at 4.5 of 8. */
static void put_key_mark(struct text *out, unsigned x, unsigned y, unsigned mark)
{
    put(out, "<g transform=\"translate(%d %d) scale(1.5)\">", (int)x - 1, (int)y - 1);
    put_mark_shape(out, mark);
    text_str(out, "</g>\n");
}

struct key {
    const char *name;
    unsigned look, mark; /* MARK_COUNT = none */
    unsigned width;      /* how far the next one is */
};

static void put_keys(struct text *out, unsigned y, const struct key *keys, size_t count)
{
    unsigned x = LABEL;

    for (size_t i = 0; i < count; x += keys[i++].width) {
        put_key(out, x, y, keys[i].look, keys[i].name);
        if (keys[i].mark != MARK_COUNT)
            put_key_mark(out, x, y, keys[i].mark);
    }
}

static void put_page_legend(struct text *out, const struct map_cells *map, unsigned y)
{
    static const struct key keys[] = {
        {"allocated", LOOK_SHADE, MARK_COUNT, 96}, /* what for is told after a walk */
        {"reserved", LOOK_RESERVED, MARK_COUNT, 96},
        {"pinned", LOOK_PINNED, MARK_PINNED, 80},
        {"free", LOOK_SHADE + MAP_SHADES, MARK_COUNT, 64},
        {"free, trunk of the list", LOOK_TRUNK, MARK_TRUNK, 0},
    };

    const size_t first = map->walked ? 1 : 0;

    put_keys(out, y, keys + first, sizeof(keys) / sizeof(keys[0]) - first);
}

static void put_shade_legend(struct text *out, unsigned y)
{
    unsigned x = LABEL;

    put(out, "<text x=\"%u\" y=\"%u\">allocated</text>\n", x, y + 10);
    x += 60;
    for (unsigned shade = 0; shade <= MAP_SHADES; shade++, x += 16)
        put_key(out, x, y, LOOK_SHADE + shade, "");
    put(out, "<text x=\"%u\" y=\"%u\">free</text>\n", x + 2, y + 10);
    put_key(out, x + 64, y, LOOK_SHADE + MAP_SHADES / 2, "with pinned pages");
    put_key_mark(out, x + 64, y, MARK_PINNED + MARK_GUEST);
}

/* What a walk has told. */
static void put_graph_legend(struct text *out, unsigned y)
{
    static const struct key keys[] = {
        {"tree", LOOK_INDEX, MARK_COUNT, 56},
        {"node", LOOK_INDEX + 1, MARK_COUNT, 64},
        {"edge", LOOK_INDEX + 2, MARK_COUNT, 64},
        {"blob", LOOK_INDEX + 3, MARK_COUNT, 60},
        {"leaked", LOOK_LEAKED, MARK_LEAKED, 76},
        {"cross-linked or dangling", LOOK_CROSSED, MARK_CROSSED, 172},
        {"bad", LOOK_BAD, MARK_BAD, 0},
    };

    put_keys(out, y, keys, sizeof(keys) / sizeof(keys[0]));
}

static void put_legend(struct text *out, const struct map_cells *map, unsigned y)
{
    if (map->pages_a_cell == 1)
        put_page_legend(out, map, y);
    else
        put_shade_legend(out, y);
    if (map->walked)
        put_graph_legend(out, y + 20);
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
