#include "fixedrandom.h"

#include <stddef.h>
#include <sys/random.h>

static _Thread_local uint64_t current = 1;

void fixed_random_set(uint64_t state)
{
    current = state;
}

uint64_t fixed_random_get(void)
{
    return current;
}

ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    uint8_t *to = bytes;

    (void)flags;
    for (size_t i = 0; i < length; i++) {
        uint64_t x = current += 0x9E3779B97F4A7C15U;

        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
        x = (x ^ x >> 27) * 0x94D049BB133111EBU;
        to[i] = (uint8_t)(x >> 56);
    }
    return (ssize_t)length;
}
