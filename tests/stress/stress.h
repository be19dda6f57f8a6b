/* stress.h: processes that use one mount at the same time, and what they share.
 *
 * The owner table proves exclusivity: a client enters itself right after it was given a
 * page, and takes itself out right before it gives the page back, so that a page given to
 * two is seen at once. Counts are kept as intervals: what has ended before a look and
 * what has begun after it are bounds for what the look may show. Clients report
 * violations; assertions belong to the test. */
#ifndef TEST_STRESS_H
#define TEST_STRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness.h"

enum {
    STRESS_CLIENTS_MAX = 64,
    STRESS_PAGES_MAX = 1 << 17,
    STRESS_HOARD = 48, /* pages that a client has at most */
    STRESS_BATCH = 8,
    STRESS_FIRST_PAGES = 64, /* of the database; they stay allocated, and nobody's */
};

/* In pages. */
struct interval {
    atomic_uint_least64_t begun, ended;
};

struct stress {
    char point[128];
    unsigned clients, operations;       /* each */
    atomic_int owner[STRESS_PAGES_MAX]; /* 0 = nobody, else the client's number + 1 */
    struct interval allocs, frees, pins, unpins;
    atomic_uint finished;
    atomic_uint_least64_t followed; /* bytes of `events` that were read */
    atomic_int violations;
    char first[160]; /* of them: source line and errno; whole when all have ended */
    atomic_uint looks, listings, late_stats;
    struct {
        pid_t pid;
        uint64_t allocs, frees; /* pages */
    } told[STRESS_CLIENTS_MAX];
};

/* Note a violation unless the condition holds. */
#define must(s, condition)                                                               \
    ((condition) ? (void)0 : stress_violation((s), __FILE__, __LINE__))
void stress_violation(struct stress *s, const char *file, int line);

/* One client, from start to end; in a process of its own. */
void stress_client(struct stress *s, unsigned number);
/* Look at `stats` until the clients have finished. */
void stress_watch(struct stress *s);

#endif
