/* failing.h: a core whose calls to libc fail when the test says so.
 *
 * A program that links failing_core (tests/meson.build) instead of core has core's very
 * objects, but their malloc() and their system calls come here; those of the test itself
 * do not. Only one thread may use core then. */
#ifndef TEST_FAILING_H
#define TEST_FAILING_H

#include <stdbool.h>
#include <stdint.h>

enum failing_kind {
    FAILING_NOTHING,
    FAILING_MEMORY, /* malloc, calloc, realloc, strdup */
    FAILING_SYSTEM, /* open, pread, fsync ... */
};

enum { FAILING_SHORT = 0 };

struct failing {
    enum failing_kind kind;
    uint64_t at;      /* the call that fails, 0 = the first */
    bool forever;     /* and all later ones */
    int error;        /* of system calls: an errno, or FAILING_SHORT: transfers stop
                         half-way and other calls succeed */
    uint64_t calls;   /* of this kind so far */
    uint64_t faults;  /* that failed */
    const char *name; /* the last one that did */
    /* NULL, or asked before each system call, whatever fails */
    void (*before)(void *context, const char *name);
    void *before_context;
};

extern struct failing failing;

/* Fail from now on, calls counted from 0. */
void failing_start(enum failing_kind kind, uint64_t at, bool forever, int error);
/* Nothing fails any more; the counts stay. */
void failing_stop(void);

#endif
