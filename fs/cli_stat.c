/* cli_stat.c: pagefs stat DB: the texts of `status` and `stats` without a mount. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "opening.h"
#include "options.h"
#include "render.h"

static const struct cli_command command = {
    .name = "stat",
    .help =
        "usage: pagefs stat DB\n"
        "\n"
        "Prints what `status` and `stats` of a read-only mount would say, as lines of\n"
        "`key value`, and changes nothing. While the database is mounted read-write,\n"
        "read these files in the mount instead.\n",
    .expected = "expected a file: pagefs stat DB",
    .min_operands = 1,
    .max_operands = 1,
};

static int print(const struct fsctx *ctx)
{
    struct text text = {0};
    pf_err err = render_status(ctx, 0, &text);

    if (err == PF_OK)
        err = render_stats(ctx, 0, &text);
    if (err == PF_OK && text.failed)
        err = PF_E_NO_MEMORY;
    if (err == PF_OK)
        (void)fwrite(text.bytes, 1, text.length, stdout);
    else
        message(ctx->source, "cannot be read: %s", pf_err_text(err));
    text_free(&text);
    return err == PF_OK ? cli_flush() : EXIT_SYSTEM;
}

int cli_stat(int argc, char **argv)
{
    struct cli_line line;
    struct fsctx ctx = {0};
    char *path = NULL;
    int status = cli_parse(&command, argc, argv, &line);

    if (status != -1)
        return status;
    status = opening_look(line.operands[0], &path, &ctx.store);
    if (status == 0) {
        ctx.source = path;
        status = print(&ctx);
        if (pf_close(ctx.store) != PF_OK)
            status = EXIT_SYSTEM;
    }
    free(path);
    return status;
}
