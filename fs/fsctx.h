/* fsctx.h: what one mount consists of. The userdata of the FUSE session.
 *
 * Set up before the session loop starts and constant from then on; what the pointers
 * lead to locks itself. */
#ifndef PAGEFS_FSCTX_H
#define PAGEFS_FSCTX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../core/pf.h"

struct fuse_session;
struct committer;
struct worker;
struct transitions;
struct last_error;
struct cached_pages;

struct fsctx {
    pf_store *store;
    const char *source; /* absolute path of the database */
    struct fuse_session *session;
    struct committer *committer;     /* executes changes and answers when durable */
    struct worker *worker;           /* waits for the free list in the loop's stead */
    struct transitions *transitions; /* when pages last changed */
    struct last_error *last_error;
    struct cached_pages *cached_pages; /* page data the kernel may cache */
    uid_t uid;
    gid_t gid;
    mode_t umask;
    bool hide_actions;
    size_t max_write; /* bytes; the largest write the kernel sends in one piece */

    /* Called once, from the session loop, when the kernel has greeted us: the mount
     * answers from now on. */
    void (*ready)(void *ready_arg);
    void *ready_arg;
};

#endif
