#include "events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decimal.h"

enum {
    RING_BYTES = 1 << 20,
    LINE_MAX_BYTES = 192, /* five numbers of 20 digits, three words of 16 */
};

struct events {
    pthread_mutex_t lock; /* guards what follows */
    uint64_t sequence;    /* of the last event */
    uint64_t end;         /* bytes ever logged */
    uint64_t oldest;      /* where the oldest whole line starts */
    char ring[RING_BYTES];
};

struct events *events_new(void)
{
    struct events *const events = calloc(1, sizeof(*events));

    if (events != NULL)
        pthread_mutex_init(&events->lock, NULL);
    return events;
}

void events_free(struct events *events)
{
    if (events == NULL)
        return;
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* ---- writing ---- */

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t length;
};

static void put_word(struct line *line, const char *word)
{
    const size_t length = strlen(word);

    memcpy(line->bytes + line->length, word, length);
    line->length += length;
}

static void put_number(struct line *line, uint64_t number)
{
    line->length += decimal_format(number, line->bytes + line->length);
}

static void put_pages(struct line *line, const struct event *event)
{
    if (event->first == EVENT_NO_PAGE) {
        put_word(line, "-");
        return;
    }
    put_number(line, event->first);
    if (event->last != event->first) {
        put_word(line, "-");
        put_number(line, event->last);
    }
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void make_line(struct line *line, uint64_t sequence, const struct event *event)
{
    const char *const error = event->error != 0 ? strerrorname_np(event->error) : "ok";

    line->length = 0;
    put_number(line, sequence);
    put_word(line, " ");
    put_number(line, now_us());
    put_word(line, " ");
    put_word(line, event->op);
    put_word(line, " ");
    put_pages(line, event);
    put_word(line, " ");
    if (event->actor->pid > 0)
        put_number(line, (uint64_t)event->actor->pid);
    else
        put_word(line, "?");
    put_word(line, " ");
    put_word(line, event->actor->comm);
    put_word(line, " ");
    put_word(line, error);
    put_word(line, "\n");
}

/* Whole lines go. */
static void make_room_locked(struct events *events, size_t length)
{
    while (events->end + length - events->oldest > RING_BYTES) {
        while (events->ring[events->oldest % RING_BYTES] != '\n')
            events->oldest++;
        events->oldest++;
    }
}

void events_log(struct events *events, const struct event *event)
{
    struct line line;

    pthread_mutex_lock(&events->lock);
    make_line(&line, ++events->sequence, event);
    make_room_locked(events, line.length);
    const size_t at = events->end % RING_BYTES;
    const size_t before_wrap =
        line.length < RING_BYTES - at ? line.length : RING_BYTES - at;
    memcpy(events->ring + at, line.bytes, before_wrap);
    memcpy(events->ring, line.bytes + before_wrap, line.length - before_wrap);
    events->end += line.length;
    pthread_mutex_unlock(&events->lock);
}

/* ---- reading ---- */

uint64_t events_size(struct events *events)
{
    pthread_mutex_lock(&events->lock);
    const uint64_t size = events->end;
    pthread_mutex_unlock(&events->lock);
    return size;
}

/* Go on at the oldest line kept, and say how much is missing. */
static void skip_lost_locked(const struct events *events, struct events_cursor *cursor)
{
    const uint64_t lost = events->oldest - cursor->position;
    const int length = snprintf(cursor->notice, sizeof(cursor->notice), "%slost %llu\n",
                                cursor->mid_line ? "\n" : "", (unsigned long long)lost);

    cursor->notice_length = (size_t)length;
    cursor->position = events->oldest;
}

static size_t give_notice(struct events_cursor *cursor, char *buffer, size_t size)
{
    const size_t length = cursor->notice_length < size ? cursor->notice_length : size;

    memcpy(buffer, cursor->notice, length);
    cursor->notice_length -= length;
    memmove(cursor->notice, cursor->notice + length, cursor->notice_length);
    return length;
}

size_t events_read(struct events *events, struct events_cursor *cursor, uint64_t offset,
                   char *buffer, size_t size)
{
    size_t length;

    if (offset != cursor->offset)
        *cursor = (struct events_cursor){.offset = offset, .position = offset};
    pthread_mutex_lock(&events->lock);
    if (cursor->notice_length == 0 && cursor->position < events->oldest)
        skip_lost_locked(events, cursor);
    length = give_notice(cursor, buffer, size);
    while (length < size && cursor->position < events->end)
        buffer[length++] = events->ring[cursor->position++ % RING_BYTES];
    pthread_mutex_unlock(&events->lock);
    if (length > 0)
        cursor->mid_line = buffer[length - 1] != '\n';
    cursor->offset += length;
    return length;
}
