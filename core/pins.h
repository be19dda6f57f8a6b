/* pins.h: pin and hold counts of pages. For core only; not thread-safe.
 *
 * In memory only: pins belong to the open store, not to the file. */
#ifndef PF_PINS_H
#define PF_PINS_H

#include "idmap.h"
#include "pageset.h"

struct pins {           /* all zero = empty */
    struct idmap count; /* page id -> pins << 32 | holds; pins include the holds */
    struct pageset pages;
};

void pins_clear(struct pins *pins);
uint32_t pins_of(const struct pins *pins, uint64_t page_id);
uint32_t pins_holds_of(const struct pins *pins, uint64_t page_id);
/* PF_E_TOO_MANY_PINS, PF_E_NO_MEMORY. */
PF_CHECK pf_err pins_add(struct pins *pins, uint64_t page_id, bool hold);
/* Drop one pin. PF_E_NOT_PINNED, and PF_E_HELD when only holds are left. Until
 * pins_settle() a page without pins keeps its place, so that pins_add() of it cannot fail
 * for want of memory. */
PF_CHECK pf_err pins_drop(struct pins *pins, uint64_t page_id);
/* Forget the page if it has no pins any more. */
void pins_settle(struct pins *pins, uint64_t page_id);
/* Drop all pins but the holds; PF_E_NOT_PINNED when there was none, PF_E_HELD when holds
 * are all there is. */
PF_CHECK pf_err pins_drop_all(struct pins *pins, uint64_t page_id, uint32_t *out_dropped);
/* End one hold; the page must be held. */
void pins_unhold(struct pins *pins, uint64_t page_id);

#endif
