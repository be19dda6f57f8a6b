/* cli_create.c: pagefs create DB [PAGES] */
#include "cli.h"

#include "../core/pf.h"
#include "message.h"
#include "options.h"

int cli_create(int argc, char **argv)
{
    uint64_t pages = 0;

    if (argc < 2 || argc > 3) {
        message("create",
                "expected a file and a number of pages: pagefs create DB [PAGES]");
        return EXIT_USAGE;
    }
    if (argc == 3 && !options_pages(argv[2], &pages)) {
        message(argv[2], "not a number of pages: 0, or 2 and more");
        return EXIT_USAGE;
    }
    const pf_err err = pf_create(argv[1], pages);
    if (err == PF_OK)
        return 0;
    if (err == PF_E_EXISTS)
        message(argv[1], "the file exists: remove it first, or mount it");
    else
        message(argv[1], "cannot be made: %s", pf_err_text(err));
    return EXIT_SYSTEM;
}
