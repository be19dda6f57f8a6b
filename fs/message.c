#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One line stays one line, and no name in it commands the terminal. */
static void put_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '\n')
            (void)fputs("\\n", stderr);
        else if (c < ' ' || c == 0x7f)
            (void)fprintf(stderr, "\\x%02x", c);
        else
            (void)fputc(c, stderr);
    }
}

void message(const char *subject, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) == -1)
        text = NULL;
    va_end(args);
    flockfile(stderr);
    (void)fputs("pagefs: ", stderr);
    if (subject != NULL) {
        put_plain(subject);
        (void)fputs(": ", stderr);
    }
    put_plain(text != NULL ? text : "out of memory");
    (void)fputc('\n', stderr);
    funlockfile(stderr);
    free(text);
}
