/* handle.h: one open file (fi->fh). */
#ifndef PAGEFS_HANDLE_H
#define PAGEFS_HANDLE_H

#include <pthread.h>

#include "node.h"

struct stream;

struct handle {
    struct node node;
    const struct node_row *row;
    uint64_t total_pages;  /* at open: fixes the line width of bulk files */
    bool readable;         /* open for reading */
    bool cached;           /* counted in cached_pages */
    struct stream *stream; /* alloc only */
    pthread_mutex_t lock;  /* guards what follows */
    bool rendered;
    struct text snapshot;          /* small files: what reads are served from */
    char carry[COMMAND_TOKEN_MAX]; /* a token that may be cut, waiting for its rest */
    size_t carry_length;
};

/* NULL: out of memory. */
struct handle *handle_new(struct node node, uint64_t total_pages);
/* Nothing may be under way on it. NULL is fine. */
void handle_free(struct handle *handle);

/* Copy the waiting token into `buffer` (COMMAND_TOKEN_MAX bytes); returns its length. */
size_t handle_carry_get(struct handle *handle, char *buffer);
void handle_carry_set(struct handle *handle, const char *token, size_t length);

#endif
