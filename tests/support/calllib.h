/* calllib.h: what a test and a pagefs under calllib.so share: a file that both have
 * mapped. calllib.so is preloaded and lets single calls of the program itself fail, to
 * the system, to libc and to libfuse; those of its libraries it does not touch. A call
 * that fails has done nothing.
 *
 * The counts are those of memlib.h, of all processes of the program together. */
#ifndef TEST_CALLLIB_H
#define TEST_CALLLIB_H

#include "memlib.h"

/* Path of the control file, in the environment. */
#define CALLS_ENVIRONMENT "PF_TEST_CALLS"

struct call_control {
    struct memory_control count;
    atomic_int
        error; /* the errno of a call that fails; ENOMEM where only that makes sense */
    char name[32]; /* the call that failed */
    /* Landlock is that of a kernel which knows this version; 0: that of the kernel */
    atomic_int landlock_version;
};

#endif
