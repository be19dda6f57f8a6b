#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "opening.h"
#include "options.h"

int cli_flush(void)
{
    (void)fflush(stdout); /* an error of it is one of the stream */
    if (ferror(stdout) == 0)
        return 0;
    message("stdout", "cannot write: %s", strerror(errno));
    return EXIT_SYSTEM;
}

static int bad_option(const struct cli_command *command, const char *word)
{
    message(word, "unknown option: see pagefs %s --help", command->name);
    return EXIT_USAGE;
}

int cli_parse(const struct cli_command *command, int argc, char **argv,
              struct cli_line *out_line)
{
    enum { FIRST_FLAG = 256 }; /* no letter */
    struct option options[CLI_MAX_FLAGS + 2] = {{"help", no_argument, NULL, 'h'}};
    struct cli_line line = {0};
    int letter;

    for (int i = 0; i < CLI_MAX_FLAGS && command->flags[i] != NULL; i++)
        options[1 + i] =
            (struct option){command->flags[i], no_argument, NULL, FIRST_FLAG + i};

    opterr = 0; /* our own words */
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (letter == 'h') {
            (void)fputs(command->help, stdout);
            return cli_flush();
        }
        if (letter < FIRST_FLAG)
            return bad_option(command, argv[optind - 1]);
        line.flags[letter - FIRST_FLAG] = true;
    }
    line.operands = argv + optind;
    line.operand_count = argc - optind;
    if (line.operand_count < command->min_operands ||
        line.operand_count > command->max_operands) {
        message(command->name, "%s", command->expected);
        return EXIT_USAGE;
    }
    *out_line = line;
    return -1;
}

pf_err cli_put(struct text *text, pf_err err)
{
    if (err == PF_OK && text->failed)
        err = PF_E_NO_MEMORY;
    if (err == PF_OK)
        (void)fwrite(text->bytes, 1, text->length, stdout);
    text_free(text);
    return err;
}

int cli_look(const struct cli_command *command, int argc, char **argv,
             pf_err (*print)(const struct fsctx *ctx, const struct cli_line *line))
{
    struct cli_line line;
    struct fsctx ctx = {0};
    char *path = NULL;
    int status = cli_parse(command, argc, argv, &line);

    if (status != -1)
        return status;
    status = opening_look(line.operands[0], &path, &ctx.store);
    if (status == 0) {
        ctx.source = path;
        const pf_err err = print(&ctx, &line);
        if (err != PF_OK)
            message(line.operands[0], "cannot be read: %s", pf_err_text(err));
        status = err == PF_OK ? cli_flush() : EXIT_SYSTEM;
        (void)pf_close(ctx.store); /* nothing was written */
    }
    free(path);
    return status;
}
