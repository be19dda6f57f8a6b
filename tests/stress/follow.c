#include "follow.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void follower_begin(struct follower *f, struct stress *s)
{
    char path[160];

    memset(f, 0, sizeof(*f));
    f->s = s;
    snprintf(path, sizeof(path), "%s/events", s->point);
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    f->allocated = calloc(1, STRESS_PAGES_MAX);
    assert_non_null(f->allocated);
    memset(f->allocated, 1, STRESS_FIRST_PAGES);
}

void follower_end(struct follower *f)
{
    close(f->fd);
    free(f->allocated);
}

struct entry {
    unsigned long long sequence, first, last;
    char op[24], pages[48], comm[24], result[24];
    int pid;
};

/* "31-30" is a range too. */
static void parse(const char *line, struct entry *e)
{
    unsigned long long time;

    if (sscanf(line, "%llu %llu %23s %47s %d %23s %23s", &e->sequence, &time, e->op,
               e->pages, &e->pid, e->comm, e->result) != 7)
        fail_msg("events: \"%s\"", line);
    if (sscanf(e->pages, "%llu-%llu", &e->first, &e->last) == 1)
        e->last = e->first;
}

static unsigned client_of(const struct follower *f, int pid)
{
    for (unsigned i = 0; i < f->s->clients; i++)
        if (f->s->told[i].pid == pid)
            return i;
    fail_msg("events: process %d is none of ours", pid);
    return 0;
}

static void turn(struct follower *f, const struct entry *e, bool allocated)
{
    const uint64_t low = e->first < e->last ? e->first : e->last;
    const uint64_t high = e->first < e->last ? e->last : e->first;
    const unsigned client = client_of(f, e->pid);

    for (uint64_t id = low; id <= high; id++) {
        if (id >= STRESS_PAGES_MAX || f->allocated[id] == allocated)
            fail_msg("event %llu: %s of page %" PRIu64 ", which is that already",
                     e->sequence, e->op, id);
        f->allocated[id] = allocated;
    }
    if (allocated)
        f->logged[client].allocs += high - low + 1;
    else
        f->logged[client].frees += high - low + 1;
}

static void take_line(struct follower *f, const char *line)
{
    struct entry e = {0};

    parse(line, &e);
    if (e.sequence != f->sequence + 1)
        fail_msg("events: %" PRIu64 " is followed by \"%s\"", f->sequence, line);
    f->sequence = e.sequence;
    f->lines++;
    if (strcmp(e.result, "ok") != 0)
        return;
    if (strcmp(e.op, "alloc") == 0 || strcmp(e.op, "take") == 0)
        turn(f, &e, true);
    else if (strcmp(e.op, "free") == 0)
        turn(f, &e, false);
}

static void take_bytes(struct follower *f, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (f->rest_length == sizeof(f->rest) - 1)
            fail_msg("events: a line of more than %zu bytes", f->rest_length);
        if (bytes[i] != '\n') {
            f->rest[f->rest_length++] = bytes[i];
            continue;
        }
        f->rest[f->rest_length] = '\0';
        f->rest_length = 0;
        take_line(f, f->rest);
    }
}

bool follower_read(struct follower *f)
{
    char bytes[65536];
    const ssize_t n = pread(f->fd, bytes, sizeof(bytes), (off_t)f->position);

    assert_true(n >= 0);
    take_bytes(f, bytes, (size_t)n);
    f->position += (uint64_t)n;
    atomic_store(&f->s->followed, f->position);
    return n > 0;
}
