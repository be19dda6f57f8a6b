/* signals.h: SIGINT, SIGTERM and SIGHUP end the session, whatever it is doing.
 *
 * No handler touches any state: a thread waits for the signals. To get the session loop
 * out of a read of /dev/fuse it is sent SIGUSR2, whose handler does nothing, until it
 * is out: a signal sent just before the read would otherwise be lost. */
#ifndef PAGEFS_SIGNALS_H
#define PAGEFS_SIGNALS_H

#include <stdbool.h>

struct fuse_session;
struct signals;

/* Before any thread is started: they inherit what is blocked. Also ignores SIGPIPE,
 * SIGXFSZ (a write then fails with EFBIG) and SIGUSR1. */
void signals_prepare(void);

/* Wait so long, or until one of the ending signals comes in, which is taken: true. */
bool signals_wait_ms(unsigned milliseconds);
/* A descriptor that is readable when an ending signal has come in, which are blocked from
 * now on: for the parent of a daemon. -1: cannot. */
int signals_open(void);
/* Take one from it. */
void signals_take(int fd);

/* Call from the thread that will run the loop. NULL: out of memory or threads. */
struct signals *signals_start(struct fuse_session *session);
/* The loop has ended. NULL is fine. */
void signals_stop(struct signals *signals);

#endif
