/* floor.h: the least that a durable answer can cost.
 *
 * A thread overwrites 512 bytes of a file that is full and synced, calls fdatasync once
 * for all requests that wait, and answers them. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

struct floor;

/* NULL, and errno: the file cannot be used, or there is no thread. */
struct floor *floor_start(const char *path);
/* Answer this read when something has become durable after it came. */
void floor_wait(struct floor *floor, fuse_req_t req);
/* Answer what waits, and end. */
void floor_stop(struct floor *floor);

#endif
