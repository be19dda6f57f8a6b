/* memlib.h: what a test and the daemon under memlib.so share: a file that both have
 * mapped. memlib.so is preloaded and lets single allocations of the program itself fail;
 * those of its libraries it does not touch. */
#ifndef TEST_MEMLIB_H
#define TEST_MEMLIB_H

#include <stdatomic.h>

/* Path of the control file, in the environment of the daemon. */
#define MEMORY_ENVIRONMENT "PF_TEST_MEMORY"

struct memory_control {
    atomic_int working;    /* set by the library */
    atomic_ulong calls;    /* allocations of the program so far */
    atomic_ulong fail_at;  /* the number of the one that fails, from 1; 0 = none */
    atomic_ulong failures; /* how many failed */
};

#endif
