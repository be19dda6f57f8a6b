/* options.h: the command line of a mount, and the exit statuses. */
#ifndef PAGEFS_OPTIONS_H
#define PAGEFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum exit_status {
    EXIT_MOUNTED = 0,
    EXIT_USAGE = 1,
    EXIT_SYSTEM = 2,
    EXIT_REFUSED = 32,
};

struct options {
    const char *database, *mountpoint; /* point into argv */
    bool foreground;
    bool debug;
    bool read_only, require_rw;
    bool scratch;          /* everything works, in memory only */
    bool create;           /* make the database if there is none */
    uint64_t create_pages; /* 0 or >= 2 */
    uint64_t max_pages;    /* 0 = no limit */
    bool no_sync;
    bool walk; /* walk the graph before the mount answers */
    bool hide_actions;
    bool allow_other;
    uid_t uid;
    gid_t gid;
    mode_t umask;
};

/* -1: go on. Otherwise everything was said (help, version, a mistake), and this is the
 * exit status. Cuts the -o lists of argv into words. */
int options_parse(int argc, char **argv, struct options *out_options);

/* PAGES of `create`: a decimal number, 0 or >= 2. */
bool options_pages(const char *text, uint64_t *out_pages);

#endif
