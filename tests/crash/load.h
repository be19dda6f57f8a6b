/* load.h: clients of a mount that allocate, free and write, and note in a trace what they
 * asked for and what they were told. */
#ifndef TEST_LOAD_H
#define TEST_LOAD_H

#include "trace.h"

enum { LOAD_CLIENTS = 8, LOAD_MOST_PAGES = 40 };

struct load {
    const char *point; /* the mountpoint */
    struct trace *trace;
    uint64_t requests; /* for each client; UINT64_MAX = until the mount is gone */
    uint64_t seed;
    bool checkpoints; /* some clients ask for checkpoints now and then */

    /* set by the clients */
    _Atomic uint64_t next_number;
    _Atomic uint64_t errors; /* answers that were errors */
    _Atomic int first_error; /* errno */
};

struct load_client;

/* Start all clients; wait for them. */
struct load_client *load_start(struct load *load);
void load_join(struct load_client *clients);

#endif
