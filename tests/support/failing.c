/* failing.c: what core calls instead of libc. The names failing_* are given to core's
 * objects by tests/support/failing-core. */
#include "failing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct failing failing;

void failing_start(enum failing_kind kind, uint64_t at, bool forever, int error)
{
    failing =
        (struct failing){.kind = kind, .at = at, .forever = forever, .error = error};
}

void failing_stop(void)
{
    failing.kind = FAILING_NOTHING;
}

static bool fails(enum failing_kind kind, const char *name)
{
    if (kind == FAILING_SYSTEM && failing.before != NULL)
        failing.before(failing.before_context, name);
    if (failing.kind != kind)
        return false;
    const uint64_t index = failing.calls++;
    if (index != failing.at && !(failing.forever && index > failing.at))
        return false;
    failing.faults++;
    failing.name = name;
    errno = kind == FAILING_MEMORY ? ENOMEM : failing.error;
    return true;
}

/* A short transfer is no failure of other calls. */
static bool system_fails(const char *name)
{
    return fails(FAILING_SYSTEM, name) && failing.error != FAILING_SHORT;
}

/* ---- memory ---- */

void *failing_malloc(size_t size);
void *failing_calloc(size_t count, size_t size);
void *failing_realloc(void *old, size_t size);
char *failing_strdup(const char *text);

void *failing_malloc(size_t size)
{
    return fails(FAILING_MEMORY, "malloc") ? NULL : malloc(size);
}

void *failing_calloc(size_t count, size_t size)
{
    return fails(FAILING_MEMORY, "calloc") ? NULL : calloc(count, size);
}

void *failing_realloc(void *old, size_t size)
{
    return fails(FAILING_MEMORY, "realloc") ? NULL : realloc(old, size);
}

char *failing_strdup(const char *text)
{
    return fails(FAILING_MEMORY, "strdup") ? NULL : strdup(text);
}

/* ---- transfers ---- */

ssize_t failing_pread(int fd, void *bytes, size_t length, off_t offset);
ssize_t failing_pwrite(int fd, const void *bytes, size_t length, off_t offset);

static size_t half_of(size_t length)
{
    return length > 1 ? length / 2 : length;
}

ssize_t failing_pread(int fd, void *bytes, size_t length, off_t offset)
{
    if (!fails(FAILING_SYSTEM, "pread"))
        return pread(fd, bytes, length, offset);
    return failing.error == FAILING_SHORT ? pread(fd, bytes, half_of(length), offset)
                                          : -1;
}

ssize_t failing_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    if (!fails(FAILING_SYSTEM, "pwrite"))
        return pwrite(fd, bytes, length, offset);
    return failing.error == FAILING_SHORT ? pwrite(fd, bytes, half_of(length), offset)
                                          : -1;
}

/* ---- everything else: it fails, and has done nothing ---- */

#define CALL(type, bad, name, parameters, arguments)                                     \
    type failing_##name parameters;                                                      \
    type failing_##name parameters                                                       \
    {                                                                                    \
        return system_fails(#name) ? (bad) : name arguments;                             \
    }

CALL(int, -1, ftruncate, (int fd, off_t size), (fd, size))
CALL(int, -1, fallocate, (int fd, int mode, off_t offset, off_t length),
     (fd, mode, offset, length))
CALL(int, -1, fstat, (int fd, struct stat *out), (fd, out))
CALL(int, -1, fstatat, (int fd, const char *path, struct stat *out, int flags),
     (fd, path, out, flags))
CALL(int, -1, fstatvfs, (int fd, struct statvfs *out), (fd, out))
CALL(int, -1, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
CALL(int, -1, renameat2,
     (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags))
CALL(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
CALL(int, -1, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
CALL(int, -1, faccessat, (int fd, const char *path, int mode, int flags),
     (fd, path, mode, flags))
CALL(int, -1, flock, (int fd, int operation), (fd, operation))
CALL(off_t, -1, lseek, (int fd, off_t offset, int whence), (fd, offset, whence))
CALL(ssize_t, -1, getrandom, (void *bytes, size_t length, unsigned flags),
     (bytes, length, flags))
CALL(char *, NULL, realpath, (const char *path, char *out), (path, out))
CALL(DIR *, NULL, opendir, (const char *path), (path))
CALL(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
CALL(ssize_t, -1, readlink, (const char *path, char *out, size_t size), (path, out, size))
CALL(ssize_t, -1, readlinkat, (int fd, const char *path, char *out, size_t size),
     (fd, path, out, size))

int failing_fsync(int fd);
int failing_fdatasync(int fd);
int failing_getrlimit(int resource, struct rlimit *out);
int failing_open(const char *path, int flags, ...);
int failing_openat(int fd, const char *path, int flags, ...);
int failing_fcntl(int fd, int command, ...);

/* Nobody cuts the power here: a sync costs nothing. */
int failing_fsync(int fd)
{
    (void)fd;
    return system_fails("fsync") ? -1 : 0;
}

int failing_fdatasync(int fd)
{
    (void)fd;
    return system_fails("fdatasync") ? -1 : 0;
}

int failing_getrlimit(int resource, struct rlimit *out)
{
    return system_fails("getrlimit") ? -1
                                     : getrlimit((enum __rlimit_resource)resource, out);
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
}

int failing_open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    const mode_t mode = mode_of(flags, args);
    va_end(args);
    return system_fails("open") ? -1 : open(path, flags, mode);
}

int failing_openat(int fd, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    const mode_t mode = mode_of(flags, args);
    va_end(args);
    return system_fails("openat") ? -1 : openat(fd, path, flags, mode);
}

/* The argument is an int or a pointer; either fits, and is passed on. */
int failing_fcntl(int fd, int command, ...)
{
    va_list args;

    va_start(args, command);
    void *const argument = va_arg(args, void *);
    va_end(args);
    return system_fails("fcntl") ? -1 : fcntl(fd, command, argument);
}
