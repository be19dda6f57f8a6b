#include "mount.h"

#include "fuse_api.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "checks.h"
#include "committer.h"
#include "daemon.h"
#include "helper.h"
#include "message.h"
#include "notify.h"
#include "opening.h"
#include "paths.h"
#include "sandbox.h"
#include "session.h"
#include "signals.h"
#include "walks.h"
#include "worker.h"

enum {
    MAX_WRITE_BYTES = 1 << 20,
    WALK_POLL_MS = 10,
};

struct mount {
    const struct options *options;
    struct fsctx ctx;
    char *database, *mountpoint; /* resolved */
    struct daemon daemon;
    bool mounted;
    bool ready; /* the mount answers */
    struct signals *signals;
    struct helper *helper; /* NULL: nothing is given up */
};

/* ---- the store ---- */

static int open_store(struct mount *m)
{
    const struct pf_options options = {
        .read_only = m->options->read_only,
        .scratch = m->options->scratch,
        .require_rw = m->options->require_rw,
        .no_sync = m->options->no_sync,
        .max_pages = m->options->max_pages,
        .name_holder = m->helper != NULL ? helper_name_holder : NULL,
        .name_holder_ctx = m->helper,
    };

    return opening_open(m->options->database, m->database, &options, &m->ctx.store);
}

/* -o create */
static int create_database(const struct options *options)
{
    if (!options->create)
        return 0;
    const pf_err err = opening_create(options->database, options->create_pages);
    return err == PF_OK || err == PF_E_EXISTS ? 0 : EXIT_SYSTEM;
}

/* A word that is no file may be meant as a command. */
static int resolve_database(struct mount *m)
{
    const char *const word = m->options->database;

    if (*word == '\0' || strpbrk(word, "./") != NULL || access(word, F_OK) == 0 ||
        errno != ENOENT || paths_only_journal(word))
        return paths_resolve_database(word, &m->database);
    message(word, "neither a file nor a command: pagefs -h lists the commands");
    return EXIT_SYSTEM;
}

/* While the paths are still what the user meant. */
static int resolve(struct mount *m)
{
    int status = paths_resolve_mountpoint(m->options->mountpoint, &m->mountpoint);

    if (status == 0)
        status = create_database(m->options);
    if (status == 0)
        status = resolve_database(m);
    if (status == 0 && m->daemon.report_fd != -1 && chdir("/") != 0) {
        message("/", "%s", strerror(errno));
        status = EXIT_SYSTEM;
    }
    return status;
}

/* ---- the session ---- */

static void notify_ready(const struct pf_info *info)
{
    char state[128];

    snprintf(state, sizeof(state), "READY=1\nMAINPID=%d\nSTATUS=%s%s\n", (int)getpid(),
             info->mode == PF_MODE_RO       ? "mounted read-only"
             : info->mode == PF_MODE_MEMORY ? "mounted, in memory only"
                                            : "mounted read-write",
             info->reason[0] != '\0' ? ", see status" : "");
    notify_send(state);
}

/* The kernel has greeted us. From now on the parent's work is done. */
static void mount_ready(void *arg)
{
    struct mount *const m = arg;
    struct pf_info info;

    pf_info_get(m->ctx.store, &info);
    if (info.mode == PF_MODE_RO && !m->options->read_only)
        message(m->options->database, "mounted read-only: %s", info.reason);
    m->ready = true;
    notify_ready(&info);
    daemon_report(&m->daemon);
}

/* What pages show as time of last change as long as nothing has. */
static struct timespec database_time(const struct mount *m)
{
    struct timespec time = {0};
    struct stat stat_buffer;

    if (stat(m->database, &stat_buffer) == 0)
        time = stat_buffer.st_mtim;
    return time;
}

static int new_context(struct mount *m, struct timespec database_mtime)
{
    struct fsctx *const ctx = &m->ctx;

    ctx->source = m->database;
    ctx->uid = m->options->uid;
    ctx->gid = m->options->gid;
    ctx->umask = m->options->umask;
    ctx->hide_actions = m->options->hide_actions;
    ctx->max_write = MAX_WRITE_BYTES;
    ctx->ready = mount_ready;
    ctx->ready_arg = m;
    ctx->max_pages = m->options->max_pages;
    if (fsctx_init(ctx, database_mtime) == PF_OK)
        return 0;
    message(NULL, "out of memory");
    return EXIT_SYSTEM;
}

static int mount_session(struct mount *m)
{
    if (signals_wait_ms(0)) {
        message(m->options->database, "ended by a signal before it was mounted");
        return EXIT_SYSTEM;
    }
    const int status = session_mount(&m->ctx, m->options, m->mountpoint);
    m->mounted = status == 0;
    return status;
}

struct first_walk {
    struct walks_wait wait;
    atomic_bool ended;
    pf_err err; /* set before */
};

static void first_walk_ended(struct fsctx *ctx, struct walks_wait *wait, pf_err err)
{
    struct first_walk *const walk = (struct first_walk *)wait;

    (void)ctx;
    walk->err = err;
    atomic_store(&walk->ended, true);
}

/* -o walk. A signal ends it. */
static int walk_graph(struct mount *m)
{
    struct first_walk walk = {.wait.ready = first_walk_ended};
    bool signalled = false;

    if (!m->options->walk || !pf_has_graph(m->ctx.store))
        return 0;
    m->ctx.walker = worker_start(&m->ctx, false);
    if (m->ctx.walker == NULL) {
        message(NULL, "cannot start threads");
        return EXIT_SYSTEM;
    }
    walks_wait_for(&m->ctx, &walk.wait);
    while (!atomic_load(&walk.ended) && !signalled)
        signalled = signals_wait_ms(WALK_POLL_MS);
    if (signalled) {
        walks_cancel(m->ctx.walks);
        worker_stop(m->ctx.walker);
        m->ctx.walker = NULL;
        message(m->options->database, "ended by a signal before it was mounted");
        return EXIT_SYSTEM;
    }
    worker_stop(m->ctx.walker); /* it has our rights: the next one has fewer */
    m->ctx.walker = NULL;
    if (walk.err == PF_OK)
        return 0;
    message(m->options->database, "cannot be walked: %s", pf_err_text(walk.err));
    return EXIT_SYSTEM;
}

static int start_threads(struct mount *m)
{
    m->ctx.committer = committer_start(&m->ctx);
    m->ctx.worker = worker_start(&m->ctx, true);
    m->ctx.reader = worker_start(&m->ctx, false);
    m->ctx.walker = worker_start(&m->ctx, false);
    m->ctx.checker = worker_start(&m->ctx, false);
    m->signals = signals_start(m->ctx.session);
    if (m->ctx.committer != NULL && m->ctx.worker != NULL && m->ctx.reader != NULL &&
        m->ctx.walker != NULL && m->ctx.checker != NULL && m->signals != NULL)
        return 0;
    message(NULL, "cannot start threads");
    return EXIT_SYSTEM;
}

/* ---- start and end ---- */

/* Nothing that the database says has been looked at yet. */
static void start_helper(struct mount *m)
{
    if (sandbox_wanted())
        m->helper = helper_start(m->mountpoint);
}

static void give_up_rights(const struct mount *m)
{
    struct pf_info info;

    pf_info_get(m->ctx.store, &info);
    const struct sandbox sandbox = {
        .database = m->database,
        .writes = info.mode == PF_MODE_RW,
    };
    if (m->helper != NULL)
        sandbox_enter(&sandbox);
}

static int start(struct mount *m)
{
    int status = resolve(m);
    const struct timespec database_mtime =
        status == 0 ? database_time(m) : (struct timespec){0};

    if (status == 0)
        start_helper(m);
    if (status == 0)
        status = open_store(m);
    if (status == 0)
        status = paths_check_mountpoint(m->mountpoint, m->database);
    if (status == 0)
        status = new_context(m, database_mtime);
    if (status == 0)
        status = walk_graph(m);
    if (status == 0)
        status = mount_session(m);
    if (status == 0)
        give_up_rights(m);
    if (status == 0)
        status = start_threads(m);
    return status;
}

/* The workers hand over to the committer, so they go first. The store is closed before
 * the unmount, so that whoever sees the mount gone finds the database closed. */
static int stop(struct mount *m)
{
    struct pf_info info = {0};
    int status = 0;

    if (m->ready)
        notify_send("STOPPING=1\nSTATUS=unmounting\n");
    signals_stop(m->signals);
    walks_cancel(m->ctx.walks);
    checks_cancel(m->ctx.checks);
    worker_stop(m->ctx.worker);
    worker_stop(m->ctx.reader);
    worker_stop(m->ctx.walker);
    worker_stop(m->ctx.checker);
    committer_stop(m->ctx.committer);
    if (m->ctx.store != NULL) {
        pf_info_get(m->ctx.store, &info);
        const pf_err err = pf_close(m->ctx.store);
        if (err != PF_OK && !info.failed) /* otherwise the committer has said it */
            message(m->database, "the last changes may not have been saved: %s",
                    pf_err_text(err));
        if (err != PF_OK || info.failed)
            status = EXIT_SYSTEM;
    }
    if (m->mounted)
        session_unmount(&m->ctx, m->helper);
    if (m->ctx.session != NULL)
        fuse_session_destroy(m->ctx.session);
    helper_stop(m->helper);
    fsctx_clear(&m->ctx);
    free(m->database);
    free(m->mountpoint);
    return status;
}

/* Ends with the mount, or by a signal, which it reports as EINTR. */
static int loop(struct mount *m)
{
    const int result = fuse_session_loop(m->ctx.session);

    if (result < 0 && result != -EINTR)
        message(m->mountpoint, "the FUSE session failed: %s", strerror(-result));
    else if (!m->ready)
        message(m->options->mountpoint,
                "ended by a signal or an unmount before the mount answered");
    else
        return 0;
    return EXIT_SYSTEM;
}

static int serve(const struct options *options, struct daemon daemon)
{
    struct mount m = {.options = options, .daemon = daemon};

    signals_prepare();
    int status = start(&m);
    if (status == 0)
        status = loop(&m);
    const int stop_status = stop(&m);
    daemon_end(&m.daemon);
    return status != 0 ? status : stop_status;
}

int mount_run(const struct options *options)
{
    struct daemon daemon = {.report_fd = -1};

    if (!options->foreground) {
        const int status = daemon_fork(&daemon);
        if (status != -1)
            return status;
    }
    return serve(options, daemon);
}
