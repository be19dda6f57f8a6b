/* worker.h: one of many threads on one store, and what they share.
 *
 * The owner table proves exclusivity: a worker enters itself right after it was given a
 * page, and takes itself out right before it gives the page back. Workers count what went
 * wrong; assertions belong to the main thread. */
#ifndef TEST_WORKER_H
#define TEST_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "scratch.h"

enum { WORKER_HOARD = 64, WORKER_BATCH = 8, WORKER_PAGES_MAX = 1 << 16, WORKER_ACTS = 5 };

/* Pages of operations that have begun, and of those that have ended well. Whoever counts
 * in between must find a number in between. */
struct interval {
    atomic_uint_least64_t begun, ended;
};

struct shared {
    pf_store *store;
    atomic_int owner[WORKER_PAGES_MAX]; /* 0 = nobody, else the worker's number + 1 */
    struct interval allocs, frees, pins, unpins;
    atomic_int finished;
    atomic_int violations;
    char first[160]; /* of them; whole when all have ended */
    atomic_uint_least64_t looks;
    unsigned operations; /* a worker */
    bool durable;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    int number;
    uint64_t rng;
    uint64_t held[WORKER_HOARD];
    size_t held_count;
};

/* All operations of a struct worker; for pthread_create(). */
void *worker_work(void *argument);

/* ---- for its parts ---- */

/* Note a violation unless the condition holds. */
#define must(s, condition)                                                               \
    ((condition) ? (void)0 : worker_violation((s), __FILE__, __LINE__))
void worker_violation(struct shared *s, const char *file, int line);
void worker_begin(struct interval *interval, uint64_t pages);
void worker_end(struct interval *interval, uint64_t pages);
bool worker_holds(const struct worker *w, uint64_t id);
/* One of the pages held; there must be one. */
uint64_t worker_page(struct worker *w);
/* Use a page held, or look around; `which` is less than WORKER_ACTS. */
void worker_act(struct worker *w, uint64_t which);
/* What takes long: a snapshot, a clone, a walk of everything, care. */
void worker_act_seldom(struct worker *w);

#endif
