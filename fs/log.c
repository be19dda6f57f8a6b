#include "log.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>

/* syslog puts the same in front. */
static const char ident[] = "pagefs";
static const char ident_prefix[] = "pagefs: ";

/* One line, since the stream is buffered by lines; very long ones come in parts. */
static ssize_t write_line(void *cookie, const char *bytes, size_t length)
{
    const size_t prefix = sizeof(ident_prefix) - 1;
    const char *line = bytes;
    size_t left = length;

    (void)cookie;
    if (left >= prefix && memcmp(line, ident_prefix, prefix) == 0) {
        line += prefix;
        left -= prefix;
    }
    if (left > 0 && line[left - 1] == '\n')
        left--;
    syslog(LOG_ERR, "%.*s", (int)left, line);
    return (ssize_t)length;
}

void log_to_syslog(void)
{
    const cookie_io_functions_t functions = {.write = write_line};
    FILE *const log = fopencookie(NULL, "w", functions);

    if (log == NULL)
        return;
    (void)setvbuf(log, NULL, _IOLBF, 0);
    /* the socket now: later we may have no more right to open one */
    openlog(ident, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    stderr = log; /* of glibc: libfuse writes there too, and assert() */
}
