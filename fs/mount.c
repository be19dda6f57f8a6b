#include "mount.h"

#include "fuse_api.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cached_pages.h"
#include "committer.h"
#include "daemon.h"
#include "last_error.h"
#include "message.h"
#include "ops.h"
#include "paths.h"
#include "signals.h"
#include "transitions.h"
#include "worker.h"

enum {
    MAX_WRITE_BYTES = 1 << 20,
    LOCK_RETRY_MS =
        2000, /* a daemon whose mount is gone needs so long to close, at most */
    LOCK_POLL_MS = 10,
};

struct mount {
    const struct options *options;
    struct fsctx ctx;
    char *database, *mountpoint; /* resolved */
    int report_fd;               /* -1 in the foreground */
    bool mounted;
    struct signals *signals;
};

/* ---- the store ---- */

/* Opening is refused as damaged, foreign or busy, or it failed. */
static int open_status(pf_err err)
{
    switch (err) {
    case PF_E_NOT_FOUND:
    case PF_E_ACCESS:
    case PF_E_IO:
    case PF_E_NO_MEMORY:
        return EXIT_SYSTEM;
    default:
        return EXIT_REFUSED;
    }
}

/* Right after an unmount the daemon may still be closing: it holds the lock, but its
 * mount is gone. A database that *is* mounted is refused at once. */
static pf_err open_unlocked(struct mount *m, const struct pf_options *options,
                            char *out_reason)
{
    const struct timespec poll = {0, LOCK_POLL_MS * 1000000L};
    pf_err err = pf_open(m->database, options, &m->ctx.store, out_reason);

    for (int waited = 0;
         err == PF_E_LOCKED && waited < LOCK_RETRY_MS && !paths_is_mounted(m->database);
         waited += LOCK_POLL_MS) {
        nanosleep(&poll, NULL);
        err = pf_open(m->database, options, &m->ctx.store, out_reason);
    }
    return err;
}

static int open_store(struct mount *m)
{
    const struct pf_options options = {
        .read_only = m->options->read_only,
        .require_rw = m->options->require_rw,
        .no_sync = m->options->no_sync,
        .max_pages = m->options->max_pages,
    };
    char reason[PF_REASON_SIZE] = "";
    const pf_err err = open_unlocked(m, &options, reason);

    if (err == PF_OK)
        return 0;
    message(m->options->database, "%s", reason[0] != '\0' ? reason : pf_err_text(err));
    return open_status(err);
}

/* -o create */
static int create_database(const struct options *options)
{
    if (!options->create)
        return 0;
    const pf_err err = pf_create(options->database, options->create_pages);
    if (err == PF_OK || err == PF_E_EXISTS)
        return 0;
    message(options->database, "cannot be made: %s", pf_err_text(err));
    return EXIT_SYSTEM;
}

/* While the paths are still what the user meant. */
static int resolve(struct mount *m)
{
    int status = create_database(m->options);

    if (status == 0)
        status = paths_resolve_database(m->options->database, &m->database);
    if (status == 0)
        status = paths_resolve_mountpoint(m->options->mountpoint, &m->mountpoint);
    if (status == 0 && m->report_fd != -1 && chdir("/") != 0) {
        message("/", "%s", strerror(errno));
        status = EXIT_SYSTEM;
    }
    return status;
}

/* ---- the session ---- */

/* The kernel has greeted us. From now on the parent's work is done. */
static void mount_ready(void *arg)
{
    struct mount *const m = arg;
    struct pf_info info;

    pf_info_get(m->ctx.store, &info);
    if (info.mode == PF_MODE_RO && !m->options->read_only)
        message(m->options->database, "mounted read-only: %s", info.reason);
    if (m->report_fd != -1)
        daemon_report(m->report_fd);
    m->report_fd = -1;
}

/* What libfuse has to say. */
__attribute__((format(printf, 2, 0))) static void
log_line(enum fuse_log_level level, const char *format, va_list args)
{
    if (level <= FUSE_LOG_WARNING)
        (void)fputs("pagefs: ", stderr);
    (void)vfprintf(stderr, format, args);
}

/* `fsname=PATH` for -o: a comma or backslash in the path is not the list's. NULL: out of
 * memory. */
static char *mount_options(const struct mount *m)
{
    char *const escaped = malloc(2 * strlen(m->database) + 1);
    char *to = escaped;
    char *list = NULL;

    if (escaped == NULL)
        return NULL;
    for (const char *from = m->database; *from != '\0'; from++) {
        if (*from == ',' || *from == '\\')
            *to++ = '\\';
        *to++ = *from;
    }
    *to = '\0';
    /* Others enter only as far as the mode bits say, never unchecked. */
    if (asprintf(&list, "fsname=%s,subtype=pagefs,nosuid,nodev,noexec%s%s", escaped,
                 m->options->allow_other ? ",allow_other,default_permissions" : "",
                 m->options->debug ? ",debug" : "") == -1)
        list = NULL;
    free(escaped);
    return list;
}

static int new_session(struct mount *m)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    char *const list = mount_options(m);

    fuse_set_log_func(log_line);
    if (list != NULL && fuse_opt_add_arg(&args, "pagefs") == 0 &&
        fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, list) == 0)
        m->ctx.session =
            fuse_session_new(&args, &pagefs_ops, sizeof(pagefs_ops), &m->ctx);
    fuse_opt_free_args(&args);
    free(list);
    if (m->ctx.session == NULL) {
        message(NULL, "cannot set up a FUSE session");
        return EXIT_SYSTEM;
    }
    if (fuse_session_mount(m->ctx.session, m->mountpoint) != 0) {
        message(m->mountpoint, "cannot mount: is /dev/fuse there, and may you use it?");
        return EXIT_SYSTEM;
    }
    m->mounted = true;
    return 0;
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
    ctx->transitions = transitions_new(database_mtime);
    ctx->last_error = last_error_new();
    ctx->cached_pages = cached_pages_new();
    if (ctx->transitions != NULL && ctx->last_error != NULL && ctx->cached_pages != NULL)
        return 0;
    message(NULL, "out of memory");
    return EXIT_SYSTEM;
}

static int start_threads(struct mount *m)
{
    m->ctx.committer = committer_start(&m->ctx);
    m->ctx.worker = worker_start(&m->ctx);
    m->signals = signals_start(m->ctx.session);
    if (m->ctx.committer != NULL && m->ctx.worker != NULL && m->signals != NULL)
        return 0;
    message(NULL, "cannot start threads");
    return EXIT_SYSTEM;
}

/* ---- start and end ---- */

static int start(struct mount *m)
{
    int status = resolve(m);
    const struct timespec database_mtime =
        status == 0 ? database_time(m) : (struct timespec){0};

    if (status == 0)
        status = open_store(m);
    if (status == 0)
        status = paths_check_mountpoint(m->mountpoint, m->database);
    if (status == 0)
        status = new_context(m, database_mtime);
    if (status == 0)
        status = new_session(m);
    if (status == 0)
        status = start_threads(m);
    return status;
}

/* The worker hands over to the committer, so it goes first. The store is closed before
 * the unmount, so that whoever sees the mount gone finds the database closed. */
static int stop(struct mount *m)
{
    struct pf_info info = {0};
    int status = 0;

    signals_stop(m->signals);
    worker_stop(m->ctx.worker);
    committer_stop(m->ctx.committer);
    if (m->ctx.store != NULL) {
        pf_info_get(m->ctx.store, &info);
        const pf_err err = pf_close(m->ctx.store);
        if (err != PF_OK || info.failed) {
            message(m->database, "the last changes may not have been saved: %s",
                    info.failed ? info.reason : pf_err_text(err));
            status = EXIT_SYSTEM;
        }
    }
    if (m->mounted)
        fuse_session_unmount(m->ctx.session);
    if (m->ctx.session != NULL)
        fuse_session_destroy(m->ctx.session);
    cached_pages_free(m->ctx.cached_pages);
    last_error_free(m->ctx.last_error);
    transitions_free(m->ctx.transitions);
    free(m->database);
    free(m->mountpoint);
    return status;
}

/* Ends with the mount, or by a signal, which it reports as EINTR. */
static int loop(struct mount *m)
{
    const int result = fuse_session_loop(m->ctx.session);

    if (result >= 0 || result == -EINTR)
        return 0;
    message(m->mountpoint, "the FUSE session failed: %s", strerror(-result));
    return EXIT_SYSTEM;
}

static int serve(const struct options *options, int report_fd)
{
    struct mount m = {.options = options, .report_fd = report_fd};

    signals_prepare();
    int status = start(&m);
    if (status == 0)
        status = loop(&m);
    const int stop_status = stop(&m);
    if (m.report_fd != -1)
        close(m.report_fd);
    return status != 0 ? status : stop_status;
}

int mount_run(const struct options *options)
{
    int report_fd = -1;

    if (!options->foreground) {
        const int status = daemon_fork(&report_fd);
        if (status != -1)
            return status;
    }
    return serve(options, report_fd);
}
