/* claims.h: what the clients of a mount know, and whether a file agrees with it.
 *
 * From the requests and answers of a trace. At any moment of it:
 *   a page whose allocation was answered, and whose freeing was not requested, is
 * allocated; a page whose freeing was answered, and that was not given to anyone since,
 * is free; a page that a request in flight is about may be as before or as after, and
 * only such a page; pages of one request change together; data is the last answered or
 * the one in flight, whole; every other page is as it was in the beginning. */
#ifndef TEST_CLAIMS_H
#define TEST_CLAIMS_H

#include "oracle.h"
#include "trace.h"

enum { CLAIM_FREE = 1, CLAIM_ALLOCATED = 2, CLAIM_ABSENT = 4 };

struct claims;

/* The file as it was before the first request. */
struct claims *claims_new(uint64_t total_pages, const uint64_t *free_ids,
                          size_t free_count);
void claims_delete(struct claims *claims);
/* Take in all requests and answers of a trace. */
void claims_load(struct claims *claims, const struct trace *trace);
/* Look at the moment `position` of the trace. */
void claims_at(struct claims *claims, uint64_t position);
/* Does the file agree with what the clients know at that moment? */
bool claims_fit(struct claims *claims, const struct oracle *oracle,
                const struct oracle_source *source, char *why, size_t why_size);
uint64_t claims_answers(const struct claims *claims);
/* The bytes of a data write. */
void claims_data(uint8_t bytes[4096], uint64_t page_id, uint64_t version);

#endif
