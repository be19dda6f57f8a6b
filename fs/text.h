/* text.h: text that grows, for rendering files.
 *
 * Zero-initialise to start. Running out of memory is remembered in `failed` instead of
 * being returned, so that a renderer reads as the text it makes; look at it once, at
 * the end. text_free() in any case. */
#ifndef PAGEFS_TEXT_H
#define PAGEFS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes; /* not terminated */
    size_t length, capacity;
    bool failed;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_str(struct text *text, const char *string);
void text_u64(struct text *text, uint64_t value);
/* `digits` lower-case hex digits, leading zeros included. */
void text_hex(struct text *text, uint64_t value, unsigned digits);
void text_free(struct text *text);

#endif
