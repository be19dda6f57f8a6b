/* cli.h: the subcommands that need no mount. argv[0] is the subcommand's name. */
#ifndef PAGEFS_CLI_H
#define PAGEFS_CLI_H

#include <stdbool.h>

#include "fsctx.h"
#include "text.h"

int cli_check(int argc, char **argv);
int cli_create(int argc, char **argv);
int cli_map(int argc, char **argv);
int cli_stat(int argc, char **argv);

/* ---- what they share ---- */

enum { CLI_MAX_FLAGS = 5 };

struct cli_command {
    const char *name;
    const char *help;                 /* the whole text, "usage: ..." first */
    const char *expected;             /* one line: what the operands should be */
    const char *flags[CLI_MAX_FLAGS]; /* its options, without the dashes */
    int min_operands, max_operands;
};

struct cli_line {
    char **operands;
    int operand_count;
    bool flags[CLI_MAX_FLAGS]; /* was it given? in the order of the command's */
};

/* -1: go on. Otherwise everything was said, and this is the exit status. */
int cli_parse(const struct cli_command *command, int argc, char **argv,
              struct cli_line *out_line);
/* All of a command that prints what it sees in a database, its first operand: an exit
 * status. `print` writes to stdout; its error gets a message here. */
int cli_look(const struct cli_command *command, int argc, char **argv,
             pf_err (*print)(const struct fsctx *ctx, const struct cli_line *line));
/* Print the text unless rendering it gave `err` or had no memory; frees it. */
pf_err cli_put(struct text *text, pf_err err);
/* Everything printed has reached stdout: 0 or, after a message, an exit status. */
int cli_flush(void);

#endif
