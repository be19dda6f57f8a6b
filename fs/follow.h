/* follow.h: long work at a terminal: how far it is, and how to end it.
 *
 * A thread takes the signals: SIGINT, SIGTERM and SIGHUP set `cancel`, and a second one
 * ends the process; SIGUSR1 prints the progress on stderr. Where stderr is a terminal it
 * is shown there all the time, in a line that goes away. */
#ifndef PAGEFS_FOLLOW_H
#define PAGEFS_FOLLOW_H

#include "../core/pf.h"

struct follow;

/* Before any other thread is started. NULL: out of memory or threads. */
struct follow *follow_start(void);
/* NULL is fine. */
void follow_stop(struct follow *follow);

/* What is being done from now on, counted from 0; a static string. NULL: nothing that
 * takes long, and the line is gone. */
void follow_phase(struct follow *follow, const char *what);
/* What a walk needs to be followed; the rest of the watch is the caller's. */
struct pf_watch follow_watch(struct follow *follow);

/* Around output that may go to the same terminal. */
void follow_pause(struct follow *follow);
void follow_resume(struct follow *follow);

#endif
