#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "claims.h"
#include "scratch.h"

struct load_client {
    struct load *load;
    pthread_t thread;
    uint64_t rng;
    uint64_t held[LOAD_MOST_PAGES];
    size_t held_count;
    bool gone; /* the mount does not answer any more */
};

static uint64_t below(struct load_client *c, uint64_t bound)
{
    return rng_below(&c->rng, bound);
}

static uint64_t issue(struct load_client *c, const struct trace_request *request)
{
    const uint64_t number = atomic_fetch_add(&c->load->next_number, 1);

    trace_put(c->load->trace, TRACE_ISSUE, number, 0, request, sizeof(*request));
    return number;
}

static void answer(struct load_client *c, uint64_t number, int error, const uint64_t *ids,
                   size_t count)
{
    int none = 0;

    trace_put(c->load->trace, TRACE_ACK, number, (uint64_t)error, ids,
              count * sizeof(ids[0]));
    if (error == 0)
        return;
    atomic_fetch_add(&c->load->errors, 1);
    atomic_compare_exchange_strong(&c->load->first_error, &none, error);
    c->gone = true;
}

static int open_at(const struct load_client *c, const char *path, int flags)
{
    char full[256];

    snprintf(full, sizeof(full), "%s/%s", c->load->point, path);
    return open(full, flags | O_CLOEXEC);
}

/* One write; 0 or an errno. */
static int write_once(const struct load_client *c, const char *path, const void *bytes,
                      size_t length)
{
    const int fd = open_at(c, path, O_WRONLY);
    int error = 0;

    if (fd < 0)
        return errno;
    const ssize_t n = write(fd, bytes, length);
    if (n < 0)
        error = errno;
    else if ((size_t)n != length)
        error = EPROTO;
    close(fd);
    return error;
}

/* Ids from `alloc`; 0 or an errno. */
static int read_ids(int fd, uint64_t *ids, size_t count)
{
    char text[256];
    size_t used = 0;
    ssize_t n;
    char *at = text;

    while (used < sizeof(text) - 1 &&
           (n = read(fd, text + used, sizeof(text) - 1 - used)) != 0) {
        if (n < 0)
            return errno;
        used += (size_t)n;
    }
    text[used] = '\0';
    for (size_t i = 0; i < count; i++) {
        ids[i] = strtoull(at, &at, 10);
        if (*at++ != '\n')
            return EPROTO;
    }
    return 0;
}

static void do_alloc(struct load_client *c, size_t count)
{
    const struct trace_request request = {.kind = TRACE_ALLOC, .count = count};
    uint64_t ids[4] = {0};
    char text[8];
    int error = 0;
    const uint64_t number = issue(c, &request);
    const int fd = open_at(c, "alloc", count == 1 ? O_RDONLY : O_RDWR);

    if (fd < 0)
        error = errno;
    if (error == 0 && count > 1) {
        const int length = snprintf(text, sizeof(text), "%zu", count);

        error = write(fd, text, (size_t)length) == length ? 0 : errno;
    }
    if (error == 0)
        error = read_ids(fd, ids, count);
    answer(c, number, error, ids, error == 0 ? count : 0);
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < count && error == 0; i++)
        c->held[c->held_count++] = ids[i];
}

static void do_free(struct load_client *c, size_t count)
{
    struct trace_request request = {.kind = TRACE_FREE, .count = count};
    char text[128];
    size_t length = 0;
    int error;

    for (size_t i = 0; i < count; i++) {
        const size_t at = below(c, c->held_count);

        request.ids[i] = c->held[at];
        c->held[at] = c->held[--c->held_count];
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%" PRIu64 "%s",
                                   request.ids[i], i + 1 < count ? " " : "\n");
    }
    const uint64_t number = issue(c, &request);
    if (count == 1) {
        snprintf(text, sizeof(text), "pages/%" PRIu64 "/state", request.ids[0]);
        error = write_once(c, text, "free", 4);
    } else {
        error = write_once(c, "free", text, length);
    }
    answer(c, number, error, NULL, 0);
}

static void do_data(struct load_client *c)
{
    struct trace_request request = {
        .kind = TRACE_DATA, .count = 1, .ids = {c->held[below(c, c->held_count)]}};
    uint8_t bytes[4096];
    char path[64];

    request.version = rng_next(&c->rng) | 1;
    claims_data(bytes, request.ids[0], request.version);
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/data", request.ids[0]);
    const uint64_t number = issue(c, &request);
    answer(c, number, write_once(c, path, bytes, sizeof(bytes)), NULL, 0);
}

static void do_checkpoint(struct load_client *c)
{
    const struct trace_request request = {.kind = TRACE_OTHER};
    const uint64_t number = issue(c, &request);

    answer(c, number, write_once(c, "ctl", "checkpoint", 10), NULL, 0);
}

static void *client(void *argument)
{
    struct load_client *c = argument;

    for (uint64_t i = 0; i < c->load->requests && !c->gone; i++) {
        const uint64_t dice = below(c, 100);

        if (c->load->checkpoints && below(c, 300) == 0)
            do_checkpoint(c);
        else if (c->held_count + 3 > LOAD_MOST_PAGES || (dice < 30 && c->held_count > 0))
            do_free(c, c->held_count >= 3 && dice % 3 == 0 ? 3 : 1);
        else if (dice < 55 && c->held_count > 0)
            do_data(c);
        else
            do_alloc(c, dice > 90 ? 3 : 1);
    }
    return NULL;
}

struct load_client *load_start(struct load *load)
{
    struct load_client *clients = must_calloc(LOAD_CLIENTS, sizeof(*clients));

    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        clients[i].load = load;
        clients[i].rng = (load->seed * LOAD_CLIENTS + i + 1) * 0x9E3779B97F4A7C15U;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client, &clients[i]),
                         0);
    }
    return clients;
}

void load_join(struct load_client *clients)
{
    for (size_t i = 0; i < LOAD_CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    free(clients);
}
