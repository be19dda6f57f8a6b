/* follow.h: `events` followed to its end, and what it says about every page. */
#ifndef TEST_STRESS_FOLLOW_H
#define TEST_STRESS_FOLLOW_H

#include "stress.h"

struct follower {
    struct stress *s;
    int fd;            /* `events` */
    uint64_t position; /* in it */
    uint64_t sequence; /* of the last line */
    uint64_t lines;
    char rest[256]; /* of a line that is not whole yet */
    size_t rest_length;
    uint8_t *allocated; /* a byte a page, as the log says */
    struct {
        uint64_t allocs, frees; /* pages */
    } logged[STRESS_CLIENTS_MAX];
};

void follower_begin(struct follower *f, struct stress *s);
/* Read all that is there; false when there was nothing. Fails the test when a number is
 * missing, something was lost, or a page is taken that is not free, or freed that is. */
bool follower_read(struct follower *f);
void follower_end(struct follower *f);

#endif
