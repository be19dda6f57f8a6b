/* fixedrandom.h: getrandom() from a seed, so that a test repeats to the last byte and
 * equal histories leave equal disks. Linking fixedrandom.c into a test replaces libc's.
 */
#ifndef TEST_FIXEDRANDOM_H
#define TEST_FIXEDRANDOM_H

#include <stdint.h>

/* Each thread has its own. */
void fixed_random_set(uint64_t state);
uint64_t fixed_random_get(void);

#endif
