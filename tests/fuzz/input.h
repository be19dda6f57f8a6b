/* input.h: a fuzzer's bytes, taken apart: small numbers, and files of which only what is
 * interesting is spelt out.
 *
 * Everything is taken from the front; what is missing is zero, so that every input means
 * something. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

/* A property that must hold: said on stderr and abort() otherwise. */
#define require(condition)                                                               \
    ((condition) ? (void)0 : input_fail(__FILE__, __LINE__, #condition))
_Noreturn void input_fail(const char *file, int line, const char *condition);

uint8_t in_u8(struct input *in);
uint16_t in_u16(struct input *in);
uint64_t in_u64(struct input *in);
/* Mostly small; also numbers around powers of two, and any other. */
uint64_t in_number(struct input *in);
/* At most `length` bytes; fewer when the input ends. */
struct input in_bytes(struct input *in, size_t length);

/* A database file. `bytes` has what is not zero, `size` may be far larger. */
enum { IMAGE_MAX_PAGES = 40, IMAGE_ROOM = 112 + IMAGE_MAX_PAGES * 4096 };
struct image {
    uint8_t *bytes; /* IMAGE_ROOM of them, static: there is one image at a time */
    uint64_t size;
};

/* From one part: pages u8, tail u8, then patches until the part ends: page u8, place u8
 * (16 bytes each), length u8, bytes. A fresh header comes first, with as many pages. Odd
 * tail: trunks get the sums they need. */
void image_make(struct image *image, struct input *in);

#endif
