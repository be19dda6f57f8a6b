/* cli_stat.c: pagefs stat DB: the texts of `status` and `stats` without a mount. */
#include "cli.h"

#include <stdio.h>

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

static pf_err print(const struct fsctx *ctx, const struct cli_line *line)
{
    struct text text = {0};
    pf_err err = render_status(ctx, 0, &text);

    (void)line;
    if (err == PF_OK) /* unreachable: of that nothing can fail */
        err = render_stats(ctx, 0, &text);
    return cli_put(&text, err);
}

int cli_stat(int argc, char **argv)
{
    return cli_look(&command, argc, argv, print);
}
