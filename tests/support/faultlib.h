/* faultlib.h: what a test and the daemon under faultlib.so share: a control
 * file that both have mapped.
 *
 * For each pair of file and call there is a point, which counts, and can delay,
 * hold or fail the call. Everything is logged in one order, so that a test can
 * tell what came first without a clock. All fields are set by the test unless
 * they say "library". */
#ifndef TEST_FAULTLIB_H
#define TEST_FAULTLIB_H

#include <stdatomic.h>
#include <stdbool.h>

/* Path of the control file, in the environment of the daemon. */
#define FAULT_ENVIRONMENT "PF_TEST_FAULTS"

enum fault_file {
    FAULT_DB,
    FAULT_JOURNAL,
    FAULT_DIRECTORY, /* the one that has them */
    FAULT_FILES,
    FAULT_NO_FILE = -1
};

enum fault_call {
    FAULT_WRITE,    /* pwrite */
    FAULT_SYNC,     /* fdatasync, fsync */
    FAULT_RESERVE,  /* fallocate */
    FAULT_TRUNCATE, /* ftruncate */
    FAULT_READ,     /* pread; not in the log of events */
    FAULT_CALLS
};

struct fault_point {
    atomic_uint entered, left; /* library: calls so far */
    atomic_uint delay_ms;      /* before each call */
    atomic_bool hold;          /* calls wait while this is set */
    atomic_uint fail_from;     /* the number of the first that fails, from 1; 0 = none */
    atomic_uint fail_count;    /* how many in a row */
    atomic_int error;          /* with this errno, and nothing done */
};

enum { FAULT_EVENTS = 1 << 16 };

struct fault_event {
    signed char file, call;
    bool left; /* entered otherwise */
    int error; /* of a call that is left; 0 = it succeeded */
};

struct fault_control {
    char db[256];       /* resolved path of the database */
    int owner;          /* the test: when it is gone, nothing is held */
    atomic_int working; /* library: 1 when the calls do come to it, -1 when not */
    struct fault_point points[FAULT_FILES][FAULT_CALLS];
    /* reads of the database that cover this byte wait while it is set; 0 = none does */
    atomic_ulong held_byte;
    atomic_uint reads_held;  /* library: that have waited or wait */
    atomic_uint event_count; /* may exceed FAULT_EVENTS: the rest is not kept */
    struct fault_event events[FAULT_EVENTS];
};

#endif
