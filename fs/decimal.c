#include "decimal.h"

#include <string.h>

size_t decimal_format(uint64_t value, char out_digits[DECIMAL_MAX])
{
    char digits[DECIMAL_MAX];
    char *first = digits + DECIMAL_MAX;

    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    const size_t length = (size_t)(digits + DECIMAL_MAX - first);
    memcpy(out_digits, first, length);
    return length;
}

pf_err decimal_parse(const char *digits, size_t length, uint64_t *out_value)
{
    uint64_t value = 0;
    bool overflow = false;

    if (length == 0 || (length > 1 && digits[0] == '0'))
        return PF_E_INVALID;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return PF_E_INVALID;
        const uint64_t digit = (uint64_t)(digits[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            overflow = true; /* go on: a letter further on makes it invalid, not large */
        value = value * 10 + digit;
    }
    if (overflow)
        return PF_E_RANGE;
    *out_value = value;
    return PF_OK;
}
