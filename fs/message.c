#include "message.h"

#include <stdarg.h>
#include <stdlib.h>

void message_put(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '\n')
            (void)fputs("\\n", to);
        else if (c < ' ' || c == 0x7f)
            (void)fprintf(to, "\\x%02x", c);
        else
            (void)fputc(c, to);
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
        message_put(stderr, *subject != '\0' ? subject : "\"\"");
        (void)fputs(": ", stderr);
    }
    message_put(stderr, text != NULL ? text : "out of memory");
    (void)fputc('\n', stderr);
    funlockfile(stderr);
    free(text);
}
