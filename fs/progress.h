/* progress.h: long work at a terminal: how far it is, and how to end it.
 *
 * A thread takes the signals: SIGINT, SIGTERM and SIGHUP set `cancel`, and a second one
 * ends the process; SIGUSR1 prints the progress on stderr. Where stderr is a terminal it
 * is shown there all the time, in a line that goes away. */
#ifndef PAGEFS_PROGRESS_H
#define PAGEFS_PROGRESS_H

#include "../core/pf.h"

struct progress;

/* Before any other thread is started. NULL: out of memory or threads. */
struct progress *progress_start(void);
/* NULL is fine. */
void progress_stop(struct progress *progress);

/* What is being done from now on, counted from 0; a static string. NULL: nothing that
 * takes long, and the line is gone. */
void progress_phase(struct progress *progress, const char *what);
/* What shows and ends a walk; the rest of the watch is the caller's. */
struct pf_watch progress_watch(struct progress *progress);

/* Around output that may go to the same terminal. */
void progress_pause(struct progress *progress);
void progress_resume(struct progress *progress);

#endif
