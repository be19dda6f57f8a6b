#include "message.h"

#include <stdarg.h>
#include <stdio.h>

void message(const char *subject, const char *format, ...)
{
    va_list args;

    flockfile(stderr); /* one line stays one line */
    (void)fputs("pagefs: ", stderr);
    if (subject != NULL)
        (void)fprintf(stderr, "%s: ", subject);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    funlockfile(stderr);
}
