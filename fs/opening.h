/* opening.h: open a database, or say why not. */
#ifndef PAGEFS_OPENING_H
#define PAGEFS_OPENING_H

#include "../core/pf.h"

/* Make a database of `pages` pages. PF_OK, PF_E_EXISTS without a message, or another
 * error after one. */
PF_CHECK pf_err opening_create(const char *path, uint64_t pages);

/* Right after an unmount the daemon may still be closing: all of these wait for it, but
 * no longer than until an ending signal comes in (signals_prepare()). A database that is
 * mounted is refused at once. */

/* 0, or an exit status after a message about `shown`, which is how the user calls the
 * database; `path` is resolved. */
int opening_open(const char *shown, const char *path, const struct pf_options *options,
                 pf_store **out_store);

/* For looking only, as a subcommand does: nothing changes, and the path is resolved here;
 * *out_path is freed by the caller, on failure too. */
int opening_look(const char *shown, char **out_path, pf_store **out_store);

/* pf_repair(). */
PF_CHECK pf_err opening_repair(const char *path, const struct pf_repair_options *options,
                               const struct pf_watch *watch, pf_repair_fn say,
                               void *say_ctx, struct pf_repair_result *out_result,
                               char *out_reason);

#endif
