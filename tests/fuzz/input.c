#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "bytes.h"
#include "format.h"

void input_fail(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

uint8_t in_u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

uint16_t in_u16(struct input *in)
{
    const unsigned high = in_u8(in);

    return (uint16_t)(high << 8 | in_u8(in));
}

uint64_t in_u64(struct input *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | in_u8(in);
    return value;
}

uint64_t in_number(struct input *in)
{
    const uint8_t kind = in_u8(in);

    if (kind < 180)
        return kind;
    if (kind < 244) /* 2^k - 1, + 0, + 1, ... by the next byte */
        return ((uint64_t)1 << (kind - 180)) + in_u8(in) - 8;
    return in_u64(in);
}

struct input in_bytes(struct input *in, size_t length)
{
    const struct input bytes = {in->at, length < in->left ? length : in->left};

    in->at += bytes.left;
    in->left -= bytes.left;
    return bytes;
}

/* A part with its length (u16) before it. */
static struct input in_part(struct input *in)
{
    const uint16_t length = in_u16(in);

    return in_bytes(in, length);
}

/* ---- files ---- */

static void patch(struct image *image, struct input *part)
{
    const unsigned page = in_u8(part) % (IMAGE_MAX_PAGES + 1);
    const unsigned place = in_u8(part) * 16U;
    const struct input bytes = in_bytes(part, in_u8(part));
    const uint64_t at = page == 0 ? place % PF_HEADER_SIZE : page_offset(page) + place;

    if (bytes.left > 0 && at + bytes.left <= IMAGE_ROOM)
        memcpy(image->bytes + at, bytes.at, bytes.left);
}

/* Where the bytes look like a trunk, the sum that a trunk of this page has. */
static void mend_trunk(uint8_t *page, uint64_t page_id)
{
    enum { COUNT = 40, SUM = 48, LEAVES = 56, MOST = 505 };

    if (memcmp(page, "PFTRUNK\1", 8) != 0 || get_be32(page + COUNT) > MOST)
        return;
    memset(page + SUM, 0, 8);
    const size_t used = LEAVES + 8 * (size_t)get_be32(page + COUNT);
    put_be64(page + SUM, XXH3_64bits_withSeed(page, used, page_id));
}

/* A few bytes more or less than the pages take; or holes up to a far end. */
static uint64_t with_tail(uint64_t size, uint8_t tail)
{
    static const int steps[] = {0,    1,    -1,    512,  -512,   4095, -4095, 4096,
                                4097, 8192, -4096, -112, -20000, 100,  -3000, 3000};

    if (tail >= 240)
        return nominal_size((uint64_t)1 << (2 * (tail - 240) + 18));
    const int64_t sized = (int64_t)size + steps[tail / 15];
    return sized < 0 ? 0 : (uint64_t)sized;
}

void image_make(struct image *image, struct input *in)
{
    struct input part = in_part(in);
    const uint8_t pages = (uint8_t)(2 + in_u8(&part) % (IMAGE_MAX_PAGES - 1));
    const uint8_t tail = in_u8(&part);
    struct pf_header header;

    static uint8_t
        room[IMAGE_ROOM]; /* one image at a time: making one is most of the work */

    memset(room, 0, sizeof(room));
    image->bytes = room;
    image->size = with_tail(nominal_size(pages), tail);
    header_init(&header);
    header.total_pages = pages;
    header_encode(&header, image->bytes);
    while (part.left > 0)
        patch(image, &part);
    for (uint64_t id = 2; tail % 2 != 0 && id <= IMAGE_MAX_PAGES; id++)
        mend_trunk(image->bytes + page_offset(id), id);
    if (image->size < IMAGE_ROOM)
        memset(image->bytes + image->size, 0, IMAGE_ROOM - (size_t)image->size);
}
