/* message.h: what pagefs says on stderr: one line, `pagefs: SUBJECT: TEXT`. */
#ifndef PAGEFS_MESSAGE_H
#define PAGEFS_MESSAGE_H

#include <stdio.h>

/* subject: what it is about, a path or an option, or NULL. */
__attribute__((format(printf, 2, 3))) void message(const char *subject,
                                                   const char *format, ...);

/* Text from elsewhere: one line stays one line, and nothing in it commands the terminal.
 */
void message_put(FILE *to, const char *text);

#endif
