/* decimal.h: decimal numbers as text, the only number format of the mounted tree.
 *
 * Pure. No sign, no leading zero, no locale. */
#ifndef PAGEFS_DECIMAL_H
#define PAGEFS_DECIMAL_H

#include "../core/pf.h"

enum { DECIMAL_MAX = 20 }; /* digits of 2^64 - 1 */

/* Write `value` without a terminator; returns the number of digits. */
size_t decimal_format(uint64_t value, char out_digits[DECIMAL_MAX]);

/* Read exactly `length` digits. PF_E_INVALID: something else than a canonical decimal
 * number; PF_E_RANGE: over 64 bits. */
PF_CHECK pf_err decimal_parse(const char *digits, size_t length, uint64_t *out_value);

#endif
