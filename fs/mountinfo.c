#include "mountinfo.h"

#include <stddef.h>
#include <string.h>

enum { OCTAL_DIGITS = 3, FIELDS_BEFORE_POINT = 4 };

/* In place: \040 and the like. */
static void unescape(char *field)
{
    char *to = field;

    for (const char *from = field; *from != '\0'; to++) {
        const size_t digits = *from == '\\' ? strspn(from + 1, "01234567") : 0;
        if (digits >= OCTAL_DIGITS) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 1 + OCTAL_DIGITS;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

bool mountinfo_parse(char *line, struct mountinfo *out)
{
    char *separator = strstr(line, " - ");
    char *rest = NULL;

    if (separator == NULL)
        return false;
    out->type = strtok_r(separator + 3, " ", &rest);
    out->source = strtok_r(NULL, " \n", &rest);
    *separator = '\0';
    out->point = strtok_r(line, " ", &rest);
    for (int i = 0; i < FIELDS_BEFORE_POINT; i++)
        out->point = strtok_r(NULL, " ", &rest);
    if (out->source == NULL || out->point == NULL) /* without a type there is no source */
        return false;
    unescape(out->point);
    unescape(out->source);
    return true;
}
