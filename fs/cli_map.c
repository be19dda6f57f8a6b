/* cli_map.c: pagefs map [--svg] DB: the files `map` and `map.svg` without a mount. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bulk_files.h"
#include "message.h"
#include "render.h"

enum { PART_BYTES = 1 << 16 };

static const struct cli_command command = {
    .name = "map",
    .help =
        "usage: pagefs map [--svg] DB\n"
        "\n"
        "Prints a character for each page, 64 a line, behind the id of the first, as "
        "the\n"
        "file `map` of a mount does: H header, R reserved, # allocated, . free, T free\n"
        "and a trunk of the free list. In colour on a terminal, unless NO_COLOR is set.\n"
        "\n"
        "  --svg    a picture instead, as `map.svg`: pagefs map --svg DB >map.svg\n"
        "\n"
        "While the database is mounted read-write, read these files in the mount.\n",
    .expected = "expected a file: pagefs map [--svg] DB",
    .flags = {"svg"},
    .min_operands = 1,
    .max_operands = 1,
};

/* ---- colours ---- */

static const struct paint {
    char letter;
    const char *colour; /* of SGR, the control sequence */
    const char *means;
} paints[] = {
    {'H', "2", "header"},
    {'R', "2", "reserved"},
    {'#', "34", "allocated"},
    {'.', "32", "free"},
    {'T', "1;32", "free, trunk of the list"},
};

static const struct paint *paint_of(char letter)
{
    for (size_t i = 0; i < sizeof(paints) / sizeof(paints[0]); i++) {
        if (paints[i].letter == letter)
            return &paints[i];
    }
    return NULL;
}

static bool wants_colour(void)
{
    const char *const no_colour = getenv("NO_COLOR");
    const char *const term = getenv("TERM");

    return isatty(STDOUT_FILENO) != 0 && (no_colour == NULL || *no_colour == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

/* Sequences only where the colour changes. */
static void put_coloured(const char *bytes, size_t length)
{
    const struct paint *now = NULL;

    for (size_t i = 0; i < length; i++) {
        const struct paint *const wanted = paint_of(bytes[i]);
        if (wanted != now)
            (void)printf("\033[0%s%sm", wanted != NULL ? ";" : "",
                         wanted != NULL ? wanted->colour : "");
        now = wanted;
        (void)fputc(bytes[i], stdout);
    }
    if (now != NULL)
        (void)fputs("\033[0m", stdout);
}

static void put_legend(void)
{
    (void)fputc('\n', stdout);
    for (size_t i = 0; i < sizeof(paints) / sizeof(paints[0]); i++) {
        (void)printf("%s\033[0;%sm%c\033[0m %s", i == 0 ? "" : "   ", paints[i].colour,
                     paints[i].letter, paints[i].means);
    }
    (void)fputc('\n', stdout);
}

/* ---- the texts ---- */

/* A broken header can claim any number of pages: as many as the file has are shown. */
static uint64_t pages_to_show(const struct fsctx *ctx)
{
    struct pf_stats stats;

    pf_stats_get(ctx->store, &stats);
    uint64_t pages = pf_file_pages(stats.file_bytes);
    if (pages < PF_FIRST_PAGE)
        pages = PF_FIRST_PAGE;
    if (pages >= stats.total_pages)
        return stats.total_pages;
    message(ctx->source,
            "total_pages is %llu, and the file ends with page %llu: no more "
            "are shown",
            (unsigned long long)stats.total_pages, (unsigned long long)pages - 1);
    return pages;
}

static pf_err print_map(const struct fsctx *ctx)
{
    const struct bulk_source source = {.ctx = ctx,
                                       .total_pages = pf_total_pages(ctx->store)};
    const uint64_t end = bulk_map_bytes(&source, pages_to_show(ctx));
    const bool colour = wants_colour();
    struct bulk_cursor cursor = {0};
    struct bulk_part part;
    uint64_t offset = 0;
    pf_err err;

    do {
        const size_t room =
            end - offset < PART_BYTES ? (size_t)(end - offset) : PART_BYTES;
        err = bulk_read(&bulk_map, &source, &cursor, offset, room, &part);
        if (err != PF_OK)
            return err;
        if (colour)
            put_coloured(part.bytes, part.length);
        else
            (void)fwrite(part.bytes, 1, part.length, stdout);
        offset += part.length;
        free(part.buffer);
    } while (part.length == PART_BYTES && ferror(stdout) == 0);
    if (colour)
        put_legend();
    return PF_OK;
}

static pf_err print_svg(const struct fsctx *ctx)
{
    struct text text = {0};
    const pf_err err = render_map_svg(ctx, 0, &text);

    return cli_put(&text, err);
}

static pf_err print(const struct fsctx *ctx, const struct cli_line *line)
{
    return line->flags[0] ? print_svg(ctx) : print_map(ctx);
}

int cli_map(int argc, char **argv)
{
    return cli_look(&command, argc, argv, print);
}
