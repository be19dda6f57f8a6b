/* window.h: pages read one by one, fetched many at a time. For core only; not
 * thread-safe.
 *
 * For a reader who goes upwards, mostly, and looks back at single pages now and
 * then: while he goes upwards a whole window is fetched, a look elsewhere
 * fetches one page and leaves the window alone. A page in the window may be
 * older than the file. */
#ifndef PF_WINDOW_H
#define PF_WINDOW_H

#include "pf.h"

enum { WINDOW_PAGES = 32 }; /* 128 KiB stay in the second-level cache */

/* Copy `count` pages from first_id on into `bytes`; missing bytes of the file's last page
 * are zeros. Only pages below the window's end_id are asked for. */
typedef pf_err (*window_fetch_fn)(void *ctx, uint64_t first_id, unsigned count,
                                  uint8_t *bytes);

struct window; /* opaque; window_new() makes it, window_free() ends it */

/* end_id: the first page that is not in the file. PF_E_NO_MEMORY. */
PF_CHECK pf_err window_new(window_fetch_fn fetch, void *fetch_ctx, uint64_t end_id,
                           struct window **out_window);
/* NULL is fine. */
void window_free(struct window *window);
/* A page_read_fn whose ctx is the window. Errors are those of fetch, for the page asked
 * for only. */
PF_CHECK pf_err window_read(void *window, uint64_t page_id, uint8_t *page);

#endif
