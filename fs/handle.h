/* handle.h: one open file (fi->fh). */
#ifndef PAGEFS_HANDLE_H
#define PAGEFS_HANDLE_H

#include <pthread.h>

#include "actor.h"
#include "events.h"
#include "node.h"

struct stream;

/* All that are open. The kernel sends no release for those that are open when it lets go
 * of the mount; they end with this. */
struct handles;

struct handle {
    struct handle *next, *previous; /* guarded by the list's lock */
    struct node node;
    const struct node_row *row;
    uint64_t total_pages;  /* at open: fixes the line width of bulk files */
    bool readable;         /* open for reading */
    bool cached;           /* counted in cached_pages */
    struct actor actor;    /* who opened it; only of files that can change something */
    struct stream *stream; /* alloc only */
    bool held;             /* hold only: the pin is taken */
    pthread_mutex_t lock;  /* guards what follows */
    bool rendered;
    struct text snapshot;          /* small files: what reads are served from */
    struct bulk_cursor bulk;       /* bulk files: where the last read ended */
    struct events_cursor events;   /* likewise */
    char carry[COMMAND_TOKEN_MAX]; /* a token that may be cut, waiting for its rest */
    size_t carry_length;
};

/* NULL: out of memory. */
struct handles *handles_new(void);
/* Frees those on it too: the session has ended. NULL is fine. */
void handles_free(struct handles *handles);

/* actor: who opens it, if that matters. NULL: out of memory. */
struct handle *handle_new(struct handles *handles, struct node node, uint64_t total_pages,
                          const struct actor *actor);
/* Nothing may be under way on it. */
void handle_free(struct handles *handles, struct handle *handle);

/* Copy the waiting token into `buffer` (COMMAND_TOKEN_MAX bytes); returns its length. */
size_t handle_carry_get(struct handle *handle, char *buffer);
void handle_carry_set(struct handle *handle, const char *token, size_t length);

#endif
