/* mount_options.h: the words after -o: one table for parsing and for the help text. */
#ifndef PAGEFS_MOUNT_OPTIONS_H
#define PAGEFS_MOUNT_OPTIONS_H

#include <stdio.h>

#include "options.h"

/* `list` is what follows -o: NAME[=VALUE],... It is cut into words. False: a mistake, and
 * stderr says which. */
bool mount_options_parse(char *list, struct options *options);
/* Do they go together? Says what does not. */
bool mount_options_check(const struct options *options);
/* A line for each; ferror(file) tells when that failed. */
void mount_options_help(FILE *file);

#endif
