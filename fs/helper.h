/* helper.h: a process beside the daemon that keeps the two rights which the daemon gives
 * up (sandbox.h): to unmount, and to look at the open files of other processes.
 *
 * It is made before anything of the database is read, has none of the daemon's files,
 * does nothing unless it is told to, and ends with the daemon. */
#ifndef PAGEFS_HELPER_H
#define PAGEFS_HELPER_H

#include <stdbool.h>
#include <stddef.h>

struct helper;

/* For this mountpoint (resolved). Before any thread is started. NULL: cannot. */
struct helper *helper_start(const char *mountpoint);
/* Lazily, as libfuse does it: mount(8)'s way for root, else through fusermount3. False:
 * it could not, or is not there any more. */
bool helper_unmount(struct helper *helper);
/* A pf_name_holder_fn; `ctx` is the helper. */
void helper_name_holder(void *ctx, int fd, char *out, size_t size);
/* End it. NULL is fine. */
void helper_stop(struct helper *helper);

#endif
