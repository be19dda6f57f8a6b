/* calllib.c: LD_PRELOAD library, see calllib.h. */
#include "calllib.h"
#include "caller.h"
#include "shared_file.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A preloaded library has no caller to hand it a context. */
static struct call_control *control;

/* Large offsets have calls of their own where the compiler redirects to them. */
#if defined(__USE_FILE_OFFSET64)
#define LARGE(name) name "64"
#else
#define LARGE(name) name
#endif

#define NEXT(variable, name)                                                             \
    do {                                                                                 \
        void *const found = dlsym(RTLD_NEXT, (name));                                    \
        memcpy(&(variable), &found, sizeof(found));                                      \
    } while (0)

__attribute__((constructor)) static void start(void)
{
    size_t size = 0;
    struct call_control *const shared =
        shared_file_open(getenv(CALLS_ENVIRONMENT), sizeof(*shared), &size);

    if (shared == NULL)
        return;
    caller_find_program();
    control = shared;
    atomic_store(&control->count.working, 1);
}

/* error 0: that of the test */
static bool fails_with(const void *caller, const char *name, int error)
{
    if (control == NULL || !caller_is_program(caller))
        return false;
    const unsigned long number = atomic_fetch_add(&control->count.calls, 1) + 1;
    if (number != atomic_load(&control->count.fail_at))
        return false;
    strncpy(control->name, name, sizeof(control->name) - 1);
    atomic_fetch_add(&control->count.failures, 1);
    errno = error != 0 ? error : atomic_load(&control->error);
    return true;
}

#define FAILS(name) fails_with(__builtin_return_address(0), name, 0)
#define FAILS_MEMORY(name) fails_with(__builtin_return_address(0), name, ENOMEM)

/* `library`: its name there. */
#define CALL_AS(type, bad, fails, name, library, parameters, arguments)                  \
    type name parameters                                                                 \
    {                                                                                    \
        type(*next) parameters = NULL;                                                   \
                                                                                         \
        if (fails(#name))                                                                \
            return bad;                                                                  \
        NEXT(next, library);                                                             \
        return next arguments;                                                           \
    }
#define CALL(name, parameters, arguments)                                                \
    CALL_AS(int, -1, FAILS, name, #name, parameters, arguments)
#define TRANSFER(name, library, parameters, arguments)                                   \
    CALL_AS(ssize_t, -1, FAILS, name, library, parameters, arguments)

/* ---- processes and threads ---- */

CALL_AS(pid_t, -1, FAILS, fork, "fork", (void), ())
CALL_AS(pid_t, -1, FAILS, waitpid, "waitpid", (pid_t pid, int *status, int options),
        (pid, status, options))
CALL(chdir, (const char *path), (path))
CALL(poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
CALL(signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(close_range, (unsigned first, unsigned last, int flags), (first, last, flags))

/* These give their error back. */
CALL_AS(int, EAGAIN, FAILS, pthread_create, "pthread_create",
        (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *),
         void *argument),
        (thread, attributes, run, argument))
CALL_AS(int, EINVAL, FAILS, sigwait, "sigwait", (const sigset_t *set, int *out_signal),
        (set, out_signal))

/* ---- descriptors ---- */

CALL(pipe2, (int fds[2], int flags), (fds, flags))
CALL(socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
CALL(dup2, (int from, int to), (from, to))
CALL(memfd_create, (const char *name, unsigned flags), (name, flags))
CALL(umount2, (const char *point, int flags), (point, flags))
CALL(ftruncate, (int fd, off_t size), (fd, size))
TRANSFER(read, "read", (int fd, void *bytes, size_t size), (fd, bytes, size))
TRANSFER(write, "write", (int fd, const void *bytes, size_t size), (fd, bytes, size))
TRANSFER(pread, LARGE("pread"), (int fd, void *bytes, size_t size, off_t offset),
         (fd, bytes, size, offset))
TRANSFER(pwrite, LARGE("pwrite"), (int fd, const void *bytes, size_t size, off_t offset),
         (fd, bytes, size, offset))
TRANSFER(send, "send", (int fd, const void *bytes, size_t size, int flags),
         (fd, bytes, size, flags))
TRANSFER(recv, "recv", (int fd, void *bytes, size_t size, int flags),
         (fd, bytes, size, flags))
TRANSFER(sendmsg, "sendmsg", (int fd, const struct msghdr *message, int flags),
         (fd, message, flags))
TRANSFER(recvmsg, "recvmsg", (int fd, struct msghdr *message, int flags),
         (fd, message, flags))

/* F_GETFD fails only when it is closed. */
int fcntl(int fd, int command, ...)
{
    int (*next)(int, int, ...) = NULL;
    va_list list;

    va_start(list, command);
    void *const argument = va_arg(list, void *);
    va_end(list);
    if (command != F_GETFD && FAILS("fcntl"))
        return -1;
    NEXT(next, LARGE("fcntl"));
    return next(fd, command, argument);
}

/* ---- files ---- */

CALL(stat, (const char *path, struct stat *out), (path, out))
CALL_AS(char *, NULL, FAILS, realpath, "realpath", (const char *path, char *out),
        (path, out))
CALL_AS(DIR *, NULL, FAILS, opendir, "opendir", (const char *path), (path))
CALL_AS(FILE *, NULL, FAILS, fopen, LARGE("fopen"), (const char *path, const char *mode),
        (path, mode))
TRANSFER(readlink, "readlink", (const char *path, char *out, size_t size),
         (path, out, size))

int open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...) = NULL;
    va_list list;

    va_start(list, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (FAILS("open"))
        return -1;
    NEXT(next, LARGE("open"));
    return next(path, flags, mode);
}

int prctl(int option, ...)
{
    int (*next)(int, ...) = NULL;
    unsigned long a[4];
    va_list list;

    va_start(list, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(list, unsigned long);
    va_end(list);
    if (FAILS("prctl"))
        return -1;
    NEXT(next, "prctl");
    return next(option, a[0], a[1], a[2], a[3]);
}

/* ---- what has no function of its own ---- */

/* The bits of newer versions are unknown to it. */
static bool landlock_knows(const struct landlock_ruleset_attr *attributes, int version)
{
    const uint64_t first = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    const uint64_t newer = (1ULL << (12 + version)) - 1; /* one bit each, up to 3 */

    return (attributes->handled_access_fs & ~(first | newer)) == 0;
}

long syscall(long number, ...)
{
    long (*next)(long, ...) = NULL;
    long a[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (FAILS("syscall"))
        return -1;
    const int version = control != NULL ? atomic_load(&control->landlock_version) : 0;
    if (number == SYS_landlock_create_ruleset && version != 0) {
        const struct landlock_ruleset_attr *attributes = NULL;
        memcpy(&attributes, &a[0], sizeof(attributes));
        if (attributes == NULL)
            return version;
        if (!landlock_knows(attributes, version)) {
            strncpy(control->name, "landlock", sizeof(control->name) - 1);
            errno = EINVAL;
            return -1;
        }
    }
    NEXT(next, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- memory that libc takes ---- */

CALL_AS(char *, NULL, FAILS_MEMORY, strdup, "strdup", (const char *text), (text))
CALL_AS(int, -1, FAILS_MEMORY, vasprintf, "vasprintf",
        (char **out, const char *format, va_list list), (out, format, list))
CALL_AS(FILE *, NULL, FAILS_MEMORY, fopencookie, "fopencookie",
        (void *context, const char *mode, cookie_io_functions_t functions),
        (context, mode, functions))

int asprintf(char **out, const char *format, ...)
{
    int (*next)(char **, const char *, va_list) = NULL;
    va_list list;

    if (FAILS_MEMORY("asprintf"))
        return -1;
    NEXT(next, "vasprintf");
    va_start(list, format);
    const int length = next(out, format, list);
    va_end(list);
    return length;
}

/* ---- libfuse ---- */

struct fuse_args;
struct fuse_session;
int fuse_opt_add_arg(struct fuse_args *arguments, const char *argument);
struct fuse_session *fuse_session_new(struct fuse_args *arguments, const void *operations,
                                      size_t size, void *context);
int fuse_session_mount(struct fuse_session *session, const char *point);
int fuse_session_loop(struct fuse_session *session);

CALL(fuse_opt_add_arg, (struct fuse_args * arguments, const char *argument),
     (arguments, argument))
CALL_AS(struct fuse_session *, NULL, FAILS_MEMORY, fuse_session_new, "fuse_session_new",
        (struct fuse_args * arguments, const void *operations, size_t size,
         void *context),
        (arguments, operations, size, context))
CALL(fuse_session_mount, (struct fuse_session * session, const char *point),
     (session, point))
CALL_AS(int, -errno, FAILS, fuse_session_loop, "fuse_session_loop",
        (struct fuse_session * session), (session))
