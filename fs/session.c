#include "session.h"

#include "fuse_api.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "helper.h"
#include "message.h"
#include "ops.h"

enum { WORDS_SIZE = 400 };

/* What libfuse has to say. */
__attribute__((format(printf, 2, 0))) static void
log_line(enum fuse_log_level level, const char *format, va_list args)
{
    if (level <= FUSE_LOG_WARNING)
        (void)fputs("pagefs: ", stderr);
    (void)vfprintf(stderr, format, args);
}

/* ---- the words of a mount that fails ----
 *
 * libfuse and fusermount3, a program of its own, both write to stderr. While mounting
 * that is a file in memory, so that all of it becomes one message. No other thread
 * writes. */

struct capture {
    int saved, file; /* -1 when nothing is captured */
};

static struct capture capture_begin(void)
{
    struct capture c = {
        .saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3),
        .file = memfd_create("stderr", MFD_CLOEXEC),
    };

    if (c.saved == -1 || c.file == -1 || dup2(c.file, STDERR_FILENO) == -1) {
        if (c.file != -1)
            close(c.file);
        c.file = -1;
    }
    return c;
}

/* `out`: WORDS_SIZE bytes; "" when nothing was said. */
static void capture_end(struct capture *c, char *out)
{
    ssize_t length = 0;

    if (c->file != -1) {
        dup2(c->saved, STDERR_FILENO);
        length = pread(c->file, out, WORDS_SIZE - 1, 0);
        close(c->file);
    }
    if (c->saved != -1)
        close(c->saved);
    out[length > 0 ? length : 0] = '\0';
}

/* Without the names of those who speak, lines joined, in place. */
static void tidy_words(char *words)
{
    static const char *const speakers[] = {"pagefs: ", "fuse: ", "fusermount3: "};
    char *to = words;
    char *rest = NULL;

    for (char *line = strtok_r(words, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        for (size_t i = 0; i < sizeof(speakers) / sizeof(speakers[0]); i++) {
            if (strncmp(line, speakers[i], strlen(speakers[i])) == 0)
                line += strlen(speakers[i]);
        }
        const size_t length = strlen(line);
        if (to != words) /* in the place of the LF and, mostly, the speaker */
            *to++ = ';';
        if (to != words && to < line)
            *to++ = ' ';
        memmove(to, line, length);
        to += length;
    }
    *to = '\0';
}

static const char *next_step(const char *words)
{
    const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    const int error = fd == -1 ? errno : 0;

    if (fd != -1)
        close(fd);
    if (error == EACCES)
        return "you may not open /dev/fuse; a container needs --device /dev/fuse";
    if (error != 0)
        return "a container needs --device /dev/fuse";
    if (strstr(words, "/etc/mtab") != NULL)
        return "ln -s /proc/mounts /etc/mtab makes it";
    if (strstr(words, "write access") != NULL)
        return "mount on a directory of your own";
    if (strstr(words, "exec") != NULL || strstr(words, "No such file") != NULL)
        return "is the package fuse3 installed?";
    if (strstr(words, "user_allow_other") != NULL)
        return "add that line there, or leave allow_other out";
    if (strstr(words, "ermi") != NULL) /* permitted, Permission */
        return "a container needs --cap-add SYS_ADMIN, other users a directory of theirs";
    return "see mount.fuse3(8)";
}

/* ---- the session ---- */

/* The list for -o: a comma or backslash in the path is not the list's. NULL: out of
 * memory. */
static char *option_list(const struct options *options, const char *database)
{
    char *const escaped = malloc(2 * strlen(database) + 1);
    char *to = escaped;
    char *list = NULL;

    if (escaped == NULL)
        return NULL;
    for (const char *from = database; *from != '\0'; from++) {
        if (*from == ',' || *from == '\\')
            *to++ = '\\';
        *to++ = *from;
    }
    *to = '\0';
    /* Others enter only as far as the mode bits say, never unchecked. */
    if (asprintf(&list, "fsname=%s,subtype=pagefs,nosuid,nodev,noexec%s%s", escaped,
                 options->allow_other ? ",allow_other,default_permissions" : "",
                 options->debug ? ",debug" : "") == -1)
        list = NULL;
    free(escaped);
    return list;
}

static bool new_session(struct fsctx *ctx, const struct options *options)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    char *const list = option_list(options, ctx->source);

    fuse_set_log_func(log_line);
    if (list != NULL && fuse_opt_add_arg(&args, "pagefs") == 0 &&
        fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, list) == 0)
        ctx->session = fuse_session_new(&args, &pagefs_ops, sizeof(pagefs_ops), ctx);
    fuse_opt_free_args(&args);
    free(list);
    return ctx->session != NULL;
}

int session_mount(struct fsctx *ctx, const struct options *options,
                  const char *mountpoint)
{
    char words[WORDS_SIZE];

    if (!new_session(ctx, options)) {
        message(NULL, "cannot set up a FUSE session");
        return EXIT_SYSTEM;
    }
    struct capture capture = capture_begin();
    const int result = fuse_session_mount(ctx->session, mountpoint);
    capture_end(&capture, words);
    if (result == 0)
        return 0;
    tidy_words(words);
    message(mountpoint, "cannot mount: %s%s%s", words, words[0] != '\0' ? ": " : "",
            next_step(words));
    return EXIT_SYSTEM;
}

/* ---- unmounting ---- */

/* Nobody has unmounted it yet. */
static bool is_connected(int device)
{
    struct pollfd state = {.fd = device};

    (void)poll(&state, 1, 0); /* nothing to tell: no event */
    return (state.revents & POLLERR) == 0;
}

/* Let go of the device, so that no request waits for us any more; in its place comes what
 * looks to libfuse like the device of a file system that is unmounted already. */
static bool disconnect(int device)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    close(ends[0]);
    const bool replaced = dup2(ends[1], device) == device;
    close(ends[1]);
    return replaced;
}

void session_unmount(struct fsctx *ctx, struct helper *helper)
{
    const int device = fuse_session_fd(ctx->session);

    if (helper != NULL && is_connected(device) && disconnect(device) &&
        !helper_unmount(helper))
        message(NULL, "cannot unmount: fusermount3 -u does, unless somebody has");
    fuse_session_unmount(ctx->session);
}
