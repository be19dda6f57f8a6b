/* columns.h: columns of fixed width. Pure. */
#ifndef PAGEFS_COLUMNS_H
#define PAGEFS_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "../core/pf.h"

enum {
    COLUMN_STATE = 9, /* allocated */
    COLUMN_ID_MAX = 20,
};

/* Of page ids: 10, as in `map`, which is enough for 36 TB, or 20. The narrow one is left
 * well before 10^10, so that no file outgrows it while it is mounted, and the size that
 * getattr told stays right. */
size_t column_id_width(uint64_t total_pages);

/* Right-aligned in `width` bytes (cut when longer); return where the next one goes. */
char *column_number(char *at, size_t width, uint64_t value);
char *column_word(char *at, size_t width, const char *word);

/* free, allocated, pinned */
const char *state_name(pf_state state);

#endif
