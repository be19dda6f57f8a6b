#include "decimal.h"

#include <string.h>

/* Two digits a division: files of numbers are made of little else, 5 ns a number less. */
static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

size_t decimal_format(uint64_t value, char out_digits[DECIMAL_MAX])
{
    char digits[DECIMAL_MAX]; /* from its end */
    size_t at = DECIMAL_MAX;

    for (; value >= 100; value /= 100)
        memcpy(digits + (at -= 2), pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(digits + (at -= 2), pairs + value * 2, 2);
    else
        digits[--at] = (char)('0' + value);
    memcpy(out_digits, digits + at, DECIMAL_MAX - at);
    return DECIMAL_MAX - at;
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
