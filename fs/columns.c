#include "columns.h"

#include <string.h>

#include "decimal.h"

#define WIDE_FROM_PAGES UINT64_C(9000000000)

size_t column_id_width(uint64_t total_pages)
{
    return total_pages > WIDE_FROM_PAGES ? COLUMN_ID_MAX : 10;
}

static char *put(char *at, size_t width, const char *text, size_t length)
{
    if (length > width)
        length = width;
    memset(at, ' ', width - length);
    memcpy(at + width - length, text, length);
    return at + width;
}

char *column_number(char *at, size_t width, uint64_t value)
{
    char digits[DECIMAL_MAX];
    const size_t length = decimal_format(value, digits);

    return put(at, width, digits, length);
}

char *column_word(char *at, size_t width, const char *word)
{
    return put(at, width, word, strlen(word));
}

const char *state_name(pf_state state)
{
    static const char *const names[] = {
        [PF_STATE_FREE] = "free",
        [PF_STATE_ALLOCATED] = "allocated",
        [PF_STATE_PINNED] = "pinned",
    };

    return names[state];
}
