#include "trace.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "shared_file.h"

enum { FIRST = 64 };

static _Atomic uint64_t *shared_offset(const struct trace *trace)
{
    return (_Atomic uint64_t *)(void *)trace->bytes;
}

bool trace_open_memory(struct trace *trace, size_t size)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        return false;
    *trace = (struct trace){.bytes = map, .size = size};
    atomic_store(shared_offset(trace), FIRST);
    return true;
}

bool trace_open(struct trace *trace, const char *path, size_t size)
{
    trace->size = size;
    trace->bytes = size > 0 ? shared_file_make(path, size)
                            : shared_file_open(path, FIRST, &trace->size);
    if (trace->bytes != NULL && size > 0)
        atomic_store(shared_offset(trace), FIRST);
    return trace->bytes != NULL;
}

void trace_close(struct trace *trace)
{
    if (trace->bytes != NULL)
        munmap(trace->bytes, trace->size);
    *trace = (struct trace){0};
}

static size_t padded(size_t length)
{
    return (length + 7) / 8 * 8;
}

void trace_put(struct trace *trace, enum trace_type type, uint64_t a, uint64_t b,
               const void *payload, size_t length)
{
    const size_t size = sizeof(struct trace_record) + padded(length);
    const uint64_t at = atomic_fetch_add(shared_offset(trace), size);
    struct trace_record record = {.length = (uint32_t)length, .a = a, .b = b};

    if (at + size > trace->size)
        return; /* trace_next() sees the end and says so */
    if (length > 0)
        memcpy(trace->bytes + at + sizeof(record), payload, length);
    record.type = type;
    memcpy(trace->bytes + at, &record, sizeof(record));
}

uint64_t trace_begin(void)
{
    return FIRST;
}

uint64_t trace_end(const struct trace *trace)
{
    return atomic_load(shared_offset(trace));
}

const struct trace_record *trace_next(const struct trace *trace, uint64_t *position)
{
    const uint64_t end = trace_end(trace) < trace->size ? trace_end(trace) : trace->size;
    const struct trace_record *record;

    if (*position + sizeof(*record) > end)
        return NULL;
    record = (const struct trace_record *)(const void *)(trace->bytes + *position);
    if (record->type == TRACE_NOTHING ||
        *position + sizeof(*record) + padded(record->length) > end)
        return NULL;
    *position += sizeof(*record) + padded(record->length);
    return record;
}
