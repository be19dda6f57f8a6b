/* daemon.h: going into the background, with the parent waiting for the mount. */
#ifndef PAGEFS_DAEMON_H
#define PAGEFS_DAEMON_H

#include <stdbool.h>

/* Open descriptors 0 to 2 if they are closed: otherwise the database gets one of them,
 * and detaching would replace it by /dev/null. False: cannot. */
bool daemon_fill_stdio(void);

/* Fork. In the child: returns -1 and a descriptor for daemon_report(). In the parent:
 * waits until the child reports or ends, and returns the exit status; SIGINT, SIGTERM and
 * SIGHUP are handed on to the child. */
int daemon_fork(int *out_report_fd);

/* In the child: mounted. Let go of terminal and stdio, and let the parent exit 0. */
void daemon_report(int report_fd);

#endif
