/* mount.h: one mount from start to end. */
#ifndef PAGEFS_MOUNT_H
#define PAGEFS_MOUNT_H

#include "options.h"

/* Mount, serve until unmounted or told to end, clean up. Returns the exit status; in the
 * parent of a daemon that of the start. */
int mount_run(const struct options *options);

#endif
