/* events.h: the log of what was done and refused, in a ring of fixed size.
 *
 * An offset in the log is never reused: the size of the file is the bytes ever logged.
 * Locks itself. */
#ifndef PAGEFS_EVENTS_H
#define PAGEFS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "actor.h"

struct events;

struct event {
    const char *op; /* one word */
    /* pages first .. last, in the order they were taken: last < first is fine;
     * EVENT_NO_PAGE: none */
#define EVENT_NO_PAGE UINT64_MAX
    uint64_t first, last;
    const struct actor *actor;
    int error; /* an errno, 0 = ok */
};

/* How far an open file was read. Zero-initialise. */
struct events_cursor {
    uint64_t offset;   /* where the next read goes on if it is sequential */
    uint64_t position; /* in the log; ahead of `offset` once something was lost */
    char notice[32];   /* `lost N`, as far as it was not given yet */
    size_t notice_length;
    int mid_line; /* the last byte given was not an LF */
};

struct events *events_new(void); /* NULL: out of memory */
void events_free(struct events *events);

void events_log(struct events *events, const struct event *event);
uint64_t events_size(struct events *events);
/* Bytes from `offset` on as the file shows them; returns how many, 0 at the end. */
size_t events_read(struct events *events, struct events_cursor *cursor, uint64_t offset,
                   char *buffer, size_t size);

#endif
