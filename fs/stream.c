#include "stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "committer.h"
#include "last_error.h"
#include "report.h"
#include "transitions.h"
#include "worker.h"

enum { LINE_MAX_BYTES = DECIMAL_MAX + 1 };

/* The ids of one allocation. */
struct segment {
    struct segment *next;
    bool contiguous; /* ids[0], ids[0] + 1, ... and the array has one element */
    uint64_t count;
    uint64_t *ids; /* in the same memory */
};

/* A read that is being served, or waits for an allocation under way. */
struct reader {
    struct reader *next;
    fuse_req_t req;
    size_t size;
    char *bytes;
    size_t length;
    pf_err err;
};

/* An allocation on its way through worker and committer. */
struct allocation {
    struct change change; /* first: the change is the whole */
    struct job job;
    struct stream *stream;
    fuse_req_t writer; /* NULL: a read started it */
    size_t written;
    bool contiguous;
    struct segment *segment;
    char words[COMMAND_WORDS_SIZE];
};

/* What the first read needs comes with the stream: memory that one thread takes and
 * another gives back costs 1,000 instructions. */
struct first_read {
    bool taken;
    struct reader reader;
    struct allocation allocation;
    struct segment segment;
    uint64_t id;
};

struct stream {
    struct node node;
    struct actor actor;
    pthread_mutex_t lock; /* guards what follows */
    bool started;         /* a read or a write has allocated */
    unsigned under_way;   /* allocations */
    struct segment *first, **last_next;
    uint64_t index;            /* of the next id in the first segment */
    uint64_t unread;           /* ids not yet begun, over all segments */
    char line[LINE_MAX_BYTES]; /* the id that is being read */
    size_t line_length, line_given;
    struct reader *waiting, **waiting_next;
    struct first_read first_read;
};

struct stream *stream_new(struct node node, const struct actor *actor)
{
    struct stream *const s = malloc(sizeof(*s));

    if (s == NULL)
        return NULL;
    *s = (struct stream){.node = node, .actor = *actor};
    s->last_next = &s->first;
    s->waiting_next = &s->waiting;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void segment_free(struct stream *s, struct segment *segment)
{
    if (segment != &s->first_read.segment)
        free(segment);
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    pthread_mutex_lock(&stream->lock); /* see handle_free() */
    pthread_mutex_unlock(&stream->lock);
    pthread_mutex_destroy(&stream->lock);
    for (struct segment *segment = stream->first, *next; segment != NULL;
         segment = next) {
        next = segment->next;
        segment_free(stream, segment);
    }
    free(stream);
}

/* ---- taking text out ---- */

static bool has_text_locked(const struct stream *s)
{
    return s->line_given < s->line_length || s->unread > 0;
}

/* Make the next id the current line. */
static void next_line_locked(struct stream *s)
{
    struct segment *const segment = s->first;
    const uint64_t id =
        segment->contiguous ? segment->ids[0] + s->index : segment->ids[s->index];

    s->line_length = decimal_format(id, s->line);
    s->line[s->line_length++] = '\n';
    s->line_given = 0;
    s->unread--;
    if (++s->index == segment->count) {
        s->index = 0;
        s->first = segment->next;
        if (s->first == NULL)
            s->last_next = &s->first;
        segment_free(s, segment);
    }
}

static void serve_locked(struct stream *s, struct reader *reader)
{
    size_t room = reader->size;

    /* as much as is there: a 1 MiB read of one id must not cost 1 MiB */
    if (s->unread < room / LINE_MAX_BYTES)
        room = (size_t)(s->unread + 1) * LINE_MAX_BYTES;
    reader->bytes = malloc(room);
    if (reader->bytes == NULL) {
        reader->err = PF_E_NO_MEMORY;
        return;
    }
    while (reader->length < room && has_text_locked(s)) {
        if (s->line_given == s->line_length)
            next_line_locked(s);
        size_t part = s->line_length - s->line_given;
        if (part > room - reader->length)
            part = room - reader->length;
        memcpy(reader->bytes + reader->length, s->line + s->line_given, part);
        reader->length += part;
        s->line_given += part;
    }
}

/* Without the lock: the reply may end the open file, and with it the stream. */
static void reader_reply(const struct stream *s, struct reader *reader)
{
    const struct reader r = *reader;

    if (reader != &s->first_read.reader)
        free(reader);
    if (r.err != PF_OK)
        call_reply_err(r.req, r.err);
    else
        fuse_reply_buf(r.req, r.bytes, r.length);
    free(r.bytes);
}

/* ---- an allocation's way ---- */

/* A run of ids that count up, or down, by one; of contiguous ones only the first is kept.
 */
struct run {
    uint64_t first, last, length;
};

static struct run run_at(const struct segment *segment, uint64_t at)
{
    const uint64_t *const ids = segment->ids + at;
    const uint64_t left = segment->count - at;
    uint64_t length = 1;

    if (segment->contiguous)
        return (struct run){ids[0], ids[0] + (left - 1), left};
    if (left > 1 && ids[1] == ids[0] + 1) {
        while (length < left && ids[length] == ids[0] + length)
            length++;
    } else {
        while (length < left && ids[length] == ids[0] - length)
            length++;
    }
    return (struct run){ids[0], ids[length - 1], length};
}

static void note_transitions(struct fsctx *ctx, const struct segment *segment)
{
    struct run run;

    for (uint64_t i = 0; i < segment->count; i += run.length) {
        run = run_at(segment, i);
        transitions_note(ctx->transitions, run.first < run.last ? run.first : run.last,
                         run.length);
    }
}

static pf_err allocation_execute(struct fsctx *ctx, struct change *change)
{
    struct allocation *const a = (struct allocation *)change;
    struct segment *const segment = a->segment;
    const pf_err err =
        a->contiguous
            ? pf_pages_alloc_contiguous(ctx->store, segment->count, segment->ids,
                                        &change->lsn)
            : pf_pages_alloc(ctx->store, segment->count, segment->ids, &change->lsn);

    if (err != PF_OK)
        return err;
    change->must_wait = true;
    note_transitions(ctx, segment);
    return PF_OK;
}

/* One event a run of ids. */
static void report_success(struct fsctx *ctx, const struct stream *s,
                           const struct segment *segment)
{
    struct run run;

    last_error_note(ctx->last_error, s->node, "", REPORT_NO_ID, PF_OK);
    for (uint64_t i = 0; i < segment->count; i += run.length) {
        run = run_at(segment, i);
        report_pages(ctx, "alloc", run.first, run.last, &s->actor);
    }
}

static void report_failure(struct fsctx *ctx, const struct stream *s, const char *words,
                           pf_err err)
{
    const struct report report = {s->node, "alloc", words, REPORT_NO_ID, &s->actor, err};

    report_end(ctx, &report, NULL, 0);
}

static void segment_append_locked(struct stream *s, struct segment *segment)
{
    segment->next = NULL;
    *s->last_next = segment;
    s->last_next = &segment->next;
    s->unread += segment->count;
}

/* The readers that need not wait any longer, served. */
static struct reader *take_served_locked(struct stream *s, pf_err err)
{
    struct reader *served = NULL;
    struct reader **last_next = &served;

    while (s->waiting != NULL && (has_text_locked(s) || s->under_way == 0)) {
        struct reader *const reader = s->waiting;
        s->waiting = reader->next;
        if (has_text_locked(s) || err == PF_OK)
            serve_locked(s, reader);
        else
            reader->err = err; /* what it waited for failed */
        reader->next = NULL;
        *last_next = reader;
        last_next = &reader->next;
    }
    if (s->waiting == NULL)
        s->waiting_next = &s->waiting;
    return served;
}

/* Its segment is the stream's by now, or was freed. */
static void allocation_free(struct allocation *a)
{
    if (a != &a->stream->first_read.allocation)
        free(a);
}

static void allocation_finish(struct fsctx *ctx, struct change *change, pf_err err)
{
    struct allocation *const a = (struct allocation *)change;
    struct stream *const s = a->stream;
    struct fuse_req *const writer = a->writer;
    const size_t written = a->written;

    if (err == PF_OK)
        report_success(ctx, s, a->segment);
    else
        report_failure(ctx, s, a->words, err);
    pthread_mutex_lock(&s->lock);
    s->under_way--;
    if (err == PF_OK)
        segment_append_locked(s, a->segment);
    else
        segment_free(s, a->segment);
    if (err == PF_OK)
        s->started = true;
    else if (writer == NULL)
        s->started = false; /* the next read may try again */
    struct reader *served = take_served_locked(s, err);
    pthread_mutex_unlock(&s->lock);

    allocation_free(a);
    if (writer != NULL && err == PF_OK)
        fuse_reply_write(writer, written);
    else if (writer != NULL)
        call_reply_err(writer, err);
    while (served != NULL) {
        struct reader *const next = served->next;
        reader_reply(s, served);
        served = next;
    }
}

static void allocation_listed(struct fsctx *ctx, struct job *job)
{
    struct allocation *const a =
        (struct allocation *)((char *)job - offsetof(struct allocation, job));

    committer_submit(ctx->committer, &a->change);
}

static void allocation_init(struct allocation *a, struct stream *s,
                            struct segment *segment)
{
    *a = (struct allocation){
        .change = {.execute = allocation_execute, .finish = allocation_finish},
        .job.run = allocation_listed,
        .stream = s,
        .contiguous = segment->contiguous,
        .segment = segment,
    };
}

/* NULL: out of memory. */
static struct allocation *allocation_new(struct stream *s, uint64_t count,
                                         bool contiguous)
{
    struct allocation *const a = malloc(sizeof(*a));
    const size_t id_count = contiguous ? 1 : (size_t)count; /* <= COMMAND_ALLOC_MAX */
    struct segment *const segment =
        malloc(sizeof(*segment) + id_count * sizeof(uint64_t));

    if (a == NULL || segment == NULL) {
        free(segment);
        free(a);
        return NULL;
    }
    *segment = (struct segment){
        .contiguous = contiguous, .count = count, .ids = (uint64_t *)(segment + 1)};
    allocation_init(a, s, segment);
    return a;
}

/* ---- requests ---- */

static struct allocation *first_allocation(struct stream *s)
{
    struct first_read *const first = &s->first_read;

    first->segment = (struct segment){.count = 1, .ids = &first->id};
    allocation_init(&first->allocation, s, &first->segment);
    return &first->allocation;
}

/* Queue the reader, and the allocation it starts if it is the first. */
static pf_err reader_wait_locked(struct stream *s, fuse_req_t req, size_t size,
                                 struct allocation **out_start)
{
    const bool starts = s->under_way == 0;
    const bool first = starts && !s->first_read.taken;
    struct reader *const reader = first ? &s->first_read.reader : malloc(sizeof(*reader));
    struct allocation *start = NULL;

    if (reader == NULL)
        return PF_E_NO_MEMORY;
    if (starts)
        start = first ? first_allocation(s) : allocation_new(s, 1, false);
    if (starts && start == NULL) {
        free(reader);
        return PF_E_NO_MEMORY;
    }
    if (starts) {
        s->started = true;
        s->under_way++;
    }
    s->first_read.taken = s->first_read.taken || first;
    *reader = (struct reader){.req = req, .size = size};
    *s->waiting_next = reader;
    s->waiting_next = &reader->next;
    *out_start = start;
    return PF_OK;
}

void stream_read(fuse_req_t req, struct fsctx *ctx, struct stream *stream, size_t size)
{
    struct reader now = {.req = req, .size = size};
    struct allocation *start = NULL;

    pthread_mutex_lock(&stream->lock);
    const bool text = has_text_locked(stream);
    const bool wait = !text && (stream->under_way > 0 || !stream->started);
    if (text)
        serve_locked(stream, &now);
    else if (wait)
        now.err = reader_wait_locked(stream, req, size, &start);
    pthread_mutex_unlock(&stream->lock);

    if (start != NULL)
        committer_submit(ctx->committer, &start->change);
    if (now.err != PF_OK)
        call_reply_err(req, now.err);
    else if (!wait)
        fuse_reply_buf(req, now.bytes, now.length); /* EOF when there is none */
    free(now.bytes);
}

void stream_write(fuse_req_t req, struct fsctx *ctx, struct stream *stream,
                  const struct command *command, size_t written)
{
    const bool contiguous = command->verb == COMMAND_ALLOC_CONTIGUOUS;
    struct allocation *const a = allocation_new(stream, command->number, contiguous);

    if (a == NULL) {
        call_reply_err(req, PF_E_NO_MEMORY);
        return;
    }
    a->writer = req;
    a->written = written;
    memcpy(a->words, command->words, sizeof(a->words));
    pthread_mutex_lock(&stream->lock);
    const bool full = stream->unread > COMMAND_ALLOC_MAX - command->number;
    if (!full)
        stream->under_way++;
    pthread_mutex_unlock(&stream->lock);
    if (full) { /* whoever never reads must not fill our memory with ids */
        report_failure(ctx, stream, a->words, PF_E_RANGE);
        free(a->segment);
        free(a);
        call_reply_err(req, PF_E_RANGE);
    } else if (contiguous && !pf_freelist_loaded(ctx->store)) {
        worker_submit(ctx->worker, &a->job); /* looks for a run of free pages */
    } else {
        committer_submit(ctx->committer, &a->change);
    }
}
