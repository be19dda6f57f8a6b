/* finding_text.h: a finding as the one line that people and scripts read. */
#ifndef PAGEFS_FINDING_TEXT_H
#define PAGEFS_FINDING_TEXT_H

#include "../core/pf.h"

enum { FINDING_TEXT_SIZE = 2 * PF_PATH_SIZE + 512 };

/* `page 17: checksum: expected ..., found ...; reached by node root 31 > leaf 17 > node`,
 * `pages 17-20: leaked (4 pages)`; without LF. */
void finding_text(const struct pf_finding *finding, char out[FINDING_TEXT_SIZE]);

#endif
