/* cli.h: the subcommands that need no mount. argv[0] is the subcommand's name. */
#ifndef PAGEFS_CLI_H
#define PAGEFS_CLI_H

int cli_create(int argc, char **argv);
int cli_stat(int argc, char **argv);

#endif
