/* sandbox.h: give up, once mounted, every right that serving does not need.
 *
 * Whoever makes the daemon do something by the bytes of a hostile database can then reach
 * little more than that database. Three layers, each used where the kernel has it:
 *  - capabilities (as root): all but those to write a file of another user;
 *  - Landlock: of the file system, only the directory of the database, for reading and
 *    writing files, and /proc and /dev/null;
 *  - seccomp: no new programs or processes, no network, no mounting, no tracing.
 * What needs more is done by the helper (helper.h). */
#ifndef PAGEFS_SANDBOX_H
#define PAGEFS_SANDBOX_H

#include <stdbool.h>

struct sandbox {
    const char *database; /* resolved path */
    bool writes;          /* it is mounted read-write */
};

/* From the thread that starts all others, before it does. What cannot be given up is
 * kept. */
void sandbox_enter(const struct sandbox *sandbox);
/* PAGEFS_SANDBOX=none in the environment: for debuggers, and builds that write files of
 * their own at exit. */
bool sandbox_wanted(void);

#endif
