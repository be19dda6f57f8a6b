/* cli_create.c: pagefs create DB [PAGES] */
#include "cli.h"

#include "message.h"
#include "opening.h"
#include "options.h"

static const struct cli_command command = {
    .name = "create",
    .help =
        "usage: pagefs create DB [PAGES]\n"
        "\n"
        "Makes a new V3 database file of PAGES pages, all of them allocated and zero;\n"
        "without PAGES an empty one. Never replaces a file. `seq 2 99 > free` in its\n"
        "mount gives pages 2 to 99 to the allocator.\n",
    .expected = "expected a file and a number of pages: pagefs create DB [PAGES]",
    .min_operands = 1,
    .max_operands = 2,
};

int cli_create(int argc, char **argv)
{
    struct cli_line line;
    uint64_t pages = 0;
    const int status = cli_parse(&command, argc, argv, &line);

    if (status != -1)
        return status;
    if (line.operand_count == 2 && !options_pages(line.operands[1], &pages)) {
        message(line.operands[1], "not a number of pages: 0, or 2 and more");
        return EXIT_USAGE;
    }
    const pf_err err = opening_create(line.operands[0], pages);
    if (err == PF_E_EXISTS)
        message(line.operands[0], "the file exists: remove it first, or mount it");
    return err == PF_OK ? 0 : EXIT_SYSTEM;
}
