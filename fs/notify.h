/* notify.h: telling a service manager how the mount is doing: sd_notify(3). */
#ifndef PAGEFS_NOTIFY_H
#define PAGEFS_NOTIFY_H

/* `state`: lines like READY=1. Does nothing where $NOTIFY_SOCKET names no socket that
 * listens; waits at most a few seconds for one that is slow. */
void notify_send(const char *state);

#endif
