/* signals.h: SIGINT, SIGTERM and SIGHUP end the session, whatever it is doing.
 *
 * No handler touches any state: a thread waits for the signals. To get the session loop
 * out of a read of /dev/fuse it is sent SIGUSR2, whose handler does nothing, until it
 * is out: a signal sent just before the read would otherwise be lost. */
#ifndef PAGEFS_SIGNALS_H
#define PAGEFS_SIGNALS_H

struct fuse_session;
struct signals;

/* Before any thread is started: they inherit what is blocked. Also ignores SIGPIPE,
 * SIGXFSZ (a write then fails with EFBIG) and SIGUSR1. */
void signals_prepare(void);

/* Call from the thread that will run the loop. NULL: out of memory or threads. */
struct signals *signals_start(struct fuse_session *session);
/* The loop has ended. NULL is fine. */
void signals_stop(struct signals *signals);

#endif
