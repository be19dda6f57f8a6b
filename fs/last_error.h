/* last_error.h: in words, what the last failing command of this mount was, and why.
 *
 * Locks itself. */
#ifndef PAGEFS_LAST_ERROR_H
#define PAGEFS_LAST_ERROR_H

#include "node.h"

struct last_error;

struct last_error *last_error_new(void); /* NULL: out of memory */
void last_error_free(struct last_error *last);

/* Note how a command written to (or, for alloc, read from) `node` ended.
 *
 * words    what of the command to quote, may be empty
 * bad_id   the page that was refused, quoted instead; LAST_ERROR_NO_ID = none */
#define LAST_ERROR_NO_ID UINT64_MAX
void last_error_note(struct last_error *last, struct node node, const char *words,
                     uint64_t bad_id, pf_err err);
void last_error_render(struct last_error *last, struct text *out);

#endif
