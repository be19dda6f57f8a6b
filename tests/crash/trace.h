/* trace.h: what a daemon did to its files and what its clients were told, in one order.
 *
 * A file that the test maps and that the daemon maps too (trace_preload.c). A record gets
 * its place by adding to a shared offset, so places are in the order of events: a write
 * is recorded before it happens, a sync before and after, a request before it is made, an
 * answer after it was received. */
#ifndef TEST_TRACE_H
#define TEST_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_type {
    TRACE_NOTHING, /* the process died before it filled the record */
    TRACE_WRITE,   /* a: stream (0 database, 1 journal), b: offset; the bytes */
    TRACE_TRUNCATE,
    TRACE_SYNC_BEGIN, /* a: stream, 2 = the directory */
    TRACE_SYNC_END,   /* b: 0 = it succeeded */
    TRACE_CREATE,
    TRACE_REMOVE,
    TRACE_PROBLEM, /* something that a replay would get wrong */
    TRACE_ISSUE,   /* a: number of the request; a struct trace_request */
    TRACE_ACK,     /* a: number of the request, b: errno; page ids */
};

struct trace_record {
    uint32_t type;
    uint32_t length; /* of the payload, which follows; padded to 8 */
    uint64_t a, b;
};

enum trace_kind { TRACE_ALLOC, TRACE_FREE, TRACE_DATA, TRACE_OTHER };
struct trace_request {
    uint64_t kind;
    uint64_t version; /* TRACE_DATA: says which bytes are written */
    uint64_t count;   /* pages */
    uint64_t ids[4];  /* TRACE_FREE, TRACE_DATA */
};

struct trace {
    uint8_t *bytes; /* the mapping; the first 64 bytes hold the shared offset */
    size_t size;
};

/* Make the file of `size` bytes, or map one that is there (size 0). */
bool trace_open(struct trace *trace, const char *path, size_t size);
/* Without a file. */
bool trace_open_memory(struct trace *trace, size_t size);
void trace_close(struct trace *trace);
void trace_put(struct trace *trace, enum trace_type type, uint64_t a, uint64_t b,
               const void *payload, size_t length);
/* The record at *position, which moves on; NULL at the end. */
const struct trace_record *trace_next(const struct trace *trace, uint64_t *position);
uint64_t trace_begin(void);
uint64_t trace_end(const struct trace *trace);

#endif
