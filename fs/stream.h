/* stream.h: an open `alloc`: reading it is allocating.
 *
 * Each open file has its own stream of ids. The first read of a fresh one allocates one
 * page, whatever its size; a write allocates as many as it says. Reads then give the
 * ids, one a line, in pieces of any size, and EOF when all were given. A read that finds
 * an allocation under way waits for it, and never starts a second one. */
#ifndef PAGEFS_STREAM_H
#define PAGEFS_STREAM_H

#include "fuse_api.h"

#include "actor.h"
#include "node.h"

struct stream;

/* actor: for events. NULL: out of memory. */
struct stream *stream_new(struct node node, const struct actor *actor);
/* Nothing may be under way on it. NULL is fine. */
void stream_free(struct stream *stream);

/* Both reply exactly once, now or from the committer. */
void stream_read(fuse_req_t req, struct fsctx *ctx, struct stream *stream, size_t size);
/* The command is copied; `written` is what to reply. */
void stream_write(fuse_req_t req, struct fsctx *ctx, struct stream *stream,
                  const struct command *command, size_t written);

#endif
