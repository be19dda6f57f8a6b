/* findings.h: what a check has found, as the text of check/findings.
 *
 * Kept in a temporary file without a name, so that memory stays bounded however much is
 * wrong; from a limit on, lines are only counted. Grows while a check runs. Locks itself.
 */
#ifndef PAGEFS_FINDINGS_H
#define PAGEFS_FINDINGS_H

#include "../core/pf.h"

struct findings;

struct findings *findings_new(void); /* NULL: out of memory */
void findings_free(struct findings *findings);

/* Forget all. PF_E_IO: there is no place for the text. */
PF_CHECK pf_err findings_restart(struct findings *findings);
void findings_add(struct findings *findings, const struct pf_finding *finding);
/* A line, without LF, that is no finding. */
void findings_note(struct findings *findings, const char *line);
/* Say how many lines there was no room for. */
void findings_end(struct findings *findings);

uint64_t findings_count(struct findings *findings);
uint64_t findings_size(struct findings *findings); /* bytes of the text */
/* At most `size` bytes of the text; fewer only at its end. */
PF_CHECK pf_err findings_read(struct findings *findings, uint64_t offset, char *buffer,
                              size_t size, size_t *out_length);

#endif
