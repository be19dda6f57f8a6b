/* fsctx.h: what one mount consists of. The userdata of the FUSE session.
 *
 * Set up before the session loop starts and constant from then on; what the pointers
 * lead to locks itself. */
#ifndef PAGEFS_FSCTX_H
#define PAGEFS_FSCTX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "../core/pf.h"

struct actors;
struct attr_cache;
struct cached_pages;
struct checks;
struct committer;
struct events;
struct fuse_session;
struct handles;
struct last_error;
struct snapshots;
struct transitions;
struct walks;
struct worker;

struct fsctx {
    pf_store *store;
    const char *source; /* absolute path of the database */
    struct fuse_session *session;
    struct committer *committer; /* executes changes and answers when durable */
    struct worker *worker;       /* walks the free list, and all pages */
    struct worker *reader;       /* reads pages from the disk */
    struct worker *walker;       /* walks the graph */
    struct worker *checker;      /* checks the file */
    struct checks *checks;
    struct walks *walks;             /* and who waits for that */
    struct transitions *transitions; /* when pages last changed */
    struct last_error *last_error;
    struct events *events;
    struct snapshots *snapshots;
    struct cached_pages *cached_pages; /* page data the kernel may cache */
    struct attr_cache *attr_cache;     /* and attributes */
    struct handles *handles;           /* open files */
    struct actors *actors;             /* who opens them; for the session loop */
    uid_t uid;
    gid_t gid;
    mode_t umask;
    bool hide_actions;
    size_t max_write; /* bytes; the largest write the kernel sends in one piece */
    _Atomic uint64_t max_pages; /* what the store was told, 0 = no limit; changes */

    /* Called once, from the session loop, when the kernel has greeted us: the mount
     * answers from now on. */
    void (*ready)(void *ready_arg);
    void *ready_arg;
};

/* Make the parts that are neither store, session nor thread. database_mtime: what pages
 * that have not changed since the mount show. PF_E_NO_MEMORY; clear it in any case. */
PF_CHECK pf_err fsctx_init(struct fsctx *ctx, struct timespec database_mtime);
void fsctx_clear(struct fsctx *ctx);

#endif
