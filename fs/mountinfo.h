/* mountinfo.h: lines of /proc/self/mountinfo (proc(5)). */
#ifndef PAGEFS_MOUNTINFO_H
#define PAGEFS_MOUNTINFO_H

#include <stdbool.h>

/* As far as we look: "ID PARENT DEV ROOT POINT ... - TYPE SOURCE ...". */
struct mountinfo {
    char *point, *type, *source;
};

/* In place: *out points into the line. False when the line is not as expected. */
bool mountinfo_parse(char *line, struct mountinfo *out);

#endif
