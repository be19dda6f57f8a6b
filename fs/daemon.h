/* daemon.h: going into the background, with the parent waiting for the mount. */
#ifndef PAGEFS_DAEMON_H
#define PAGEFS_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

/* Open descriptors 0 to 2 if they are closed: otherwise the database gets one of them,
 * and detaching would replace it by /dev/null. False: cannot. */
bool daemon_fill_stdio(void);

struct daemon {
    int report_fd; /* -1: in the foreground, or reported */
    /* Descriptors of whoever started us: a lock that a shell holds, a pipe that somebody
     * reads to its end. An operand may name one (/dev/fd/N): they stay open until the
     * report. */
    int *inherited;
    size_t inherited_count;
};

/* Fork. In the child: returns -1, and what daemon_report() takes. In the parent: waits
 * until the child reports or ends, and returns the exit status; SIGINT, SIGTERM and
 * SIGHUP are handed on to the child. */
int daemon_fork(struct daemon *daemon);

/* In the child: mounted. Let go of terminal, stdio and what was inherited, and let the
 * parent exit 0. In the foreground: nothing. */
void daemon_report(struct daemon *daemon);
/* The parent is told, if nothing was reported, by that. */
void daemon_end(struct daemon *daemon);

#endif
