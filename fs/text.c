#include "text.h"

#include <stdlib.h>
#include <string.h>

#include "decimal.h"

enum { TEXT_FIRST_CAPACITY = 256 };

/* Room for `more` bytes, which are in memory, and one: so there is some for none, too. */
static bool text_reserve(struct text *text, size_t more)
{
    size_t capacity = text->capacity != 0 ? text->capacity : TEXT_FIRST_CAPACITY;

    if (text->failed)
        return false;
    if (more < text->capacity - text->length)
        return true;
    while (capacity - text->length <= more)
        capacity *= 2;
    char *const bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, length))
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

void text_str(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_u64(struct text *text, uint64_t value)
{
    char digits[DECIMAL_MAX];

    text_add(text, digits, decimal_format(value, digits));
}

void text_hex(struct text *text, uint64_t value, unsigned digits)
{
    while (digits-- > 0)
        text_add(text, &"0123456789abcdef"[(value >> (4 * digits)) & 15], 1);
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}
