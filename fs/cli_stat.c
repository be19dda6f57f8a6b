/* cli_stat.c: pagefs stat DB: the texts of `status` and `stats` without a mount. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "options.h"
#include "paths.h"
#include "render.h"

static int print(const struct fsctx *ctx)
{
    struct text text = {0};
    pf_err err = render_status(ctx, 0, &text);

    if (err == PF_OK)
        err = render_stats(ctx, 0, &text);
    if (err == PF_OK && text.failed)
        err = PF_E_NO_MEMORY;
    if (err == PF_OK && (fwrite(text.bytes, 1, text.length, stdout) != text.length ||
                         fflush(stdout) != 0))
        err = PF_E_IO;
    text_free(&text);
    if (err != PF_OK)
        message("stat", "cannot print: %s", pf_err_text(err));
    return err == PF_OK ? 0 : EXIT_SYSTEM;
}

int cli_stat(int argc, char **argv)
{
    const struct pf_options options = {.read_only = true};
    char reason[PF_REASON_SIZE] = "";
    struct fsctx ctx = {0};
    char *path = NULL;

    if (argc != 2) {
        message("stat", "expected a file: pagefs stat DB");
        return EXIT_USAGE;
    }
    int status = paths_resolve_database(argv[1], &path);
    if (status != 0)
        return status;
    const pf_err err = pf_open(path, &options, &ctx.store, reason);
    if (err != PF_OK) {
        message(path, "%s", reason[0] != '\0' ? reason : pf_err_text(err));
        status = EXIT_SYSTEM;
    } else {
        ctx.source = path;
        status = print(&ctx);
        if (pf_close(ctx.store) != PF_OK)
            status = EXIT_SYSTEM;
    }
    free(path);
    return status;
}
