/* trace_preload.c: a library for LD_PRELOAD that records what a daemon does to its
 * database and its journal. PF_TRACE names the trace, PF_TRACE_DB the database. Files are
 * known by their inode, the journal by the end of the name that it is opened under. */
#undef _FILE_OFFSET_BITS /* both names of a call are defined here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace.h"

enum { OTHER = -1, DATABASE = 0, JOURNAL = 1, DIRECTORY = 2 };

static struct {
    struct trace trace;
    dev_t device;
    ino_t database, directory;
    ino_t journal; /* the youngest; 0 = none was opened */
} traced;

/* The next definition of a function behind this library. */
#define REAL(name) ((__typeof__(name) *)(uintptr_t)dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PF_TRACE");
    const char *database = getenv("PF_TRACE_DB");
    char directory[4096];
    struct stat st;

    if (path == NULL || database == NULL || stat(database, &st) != 0)
        return;
    traced.device = st.st_dev;
    traced.database = st.st_ino;
    snprintf(directory, sizeof(directory), "%s", database);
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    if (stat(directory, &st) != 0)
        return;
    traced.directory = st.st_ino;
    (void)trace_open(&traced.trace, path, 0);
}

static int stream_of(int fd)
{
    struct stat st;
    const int saved = errno;
    int stream = OTHER;

    if (traced.trace.bytes != NULL && fstat(fd, &st) == 0 && st.st_dev == traced.device) {
        if (st.st_ino == traced.database)
            stream = DATABASE;
        else if (st.st_ino == traced.directory)
            stream = DIRECTORY;
        else if (traced.journal != 0 && st.st_ino == traced.journal)
            stream = JOURNAL;
    }
    errno = saved;
    return stream;
}

static void put(enum trace_type type, int stream, uint64_t b, const void *bytes,
                size_t length)
{
    trace_put(&traced.trace, type, (uint64_t)stream, b, bytes, length);
}

/* What a write did that did not do all. */
static void check(int stream, int fine)
{
    if (stream != OTHER && !fine)
        put(TRACE_PROBLEM, stream, 0, "a call failed or was short", 27);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    const int stream = stream_of(fd);

    if (stream != OTHER)
        put(TRACE_WRITE, stream, (uint64_t)offset, bytes, length);
    const ssize_t n = REAL(pwrite)(fd, bytes, length, offset);
    check(stream, n == (ssize_t)length);
    return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    return pwrite(fd, bytes, length, (off_t)offset);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    const int stream = stream_of(fd);

    if (stream == DATABASE || stream == JOURNAL)
        put(TRACE_PROBLEM, stream, 0, "write() instead of pwrite()", 28);
    return REAL(write)(fd, bytes, length);
}

int ftruncate(int fd, off_t size)
{
    const int stream = stream_of(fd);

    if (stream != OTHER)
        put(TRACE_TRUNCATE, stream, (uint64_t)size, NULL, 0);
    const int status = REAL(ftruncate)(fd, size);
    check(stream, status == 0);
    return status;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, (off_t)size);
}

static int sync_with(int (*real)(int), int fd)
{
    const int stream = stream_of(fd);

    if (stream != OTHER)
        put(TRACE_SYNC_BEGIN, stream, 0, NULL, 0);
    const int status = real(fd);
    if (stream != OTHER)
        put(TRACE_SYNC_END, stream, (uint64_t)(status != 0), NULL, 0);
    return status;
}

int fdatasync(int fd)
{
    return sync_with(REAL(fdatasync), fd);
}

int fsync(int fd)
{
    return sync_with(REAL(fsync), fd);
}

static int is_journal_name(const char *path)
{
    const size_t length = strlen(path);

    return length > 8 && strcmp(path + length - 8, "-journal") == 0;
}

static void note_journal(int fd, int flags)
{
    struct stat st;
    const int saved = errno;

    if (traced.trace.bytes != NULL && fd >= 0 && fstat(fd, &st) == 0 &&
        st.st_dev == traced.device) {
        traced.journal = st.st_ino;
        if ((flags & O_CREAT) != 0)
            put(TRACE_CREATE, JOURNAL, 0, NULL, 0);
    }
    errno = saved;
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;

    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    const int fd = REAL(openat)(directory, path, flags, mode);
    if (is_journal_name(path))
        note_journal(fd, flags);
    return fd;
}

int openat64(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;

    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return openat(directory, path, flags, mode);
}

int unlinkat(int directory, const char *path, int flags)
{
    if (traced.trace.bytes != NULL && is_journal_name(path))
        put(TRACE_REMOVE, JOURNAL, 0, NULL, 0);
    return REAL(unlinkat)(directory, path, flags);
}
