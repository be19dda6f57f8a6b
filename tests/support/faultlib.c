/* faultlib.c: LD_PRELOAD library that stands between a daemon and its disk: see
 * faultlib.h. Calls on other files than the database, its journal and their
 * directory pass untouched, and without a control file all do. */
#include "faultlib.h"
#include "shared_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Large offsets have calls of their own where the compiler redirects to them:
 * these are the names the program under test has, too. */
#if defined(__USE_FILE_OFFSET64)
#define CALL_PREAD "pread64"
#define CALL_PWRITE "pwrite64"
#define CALL_FTRUNCATE "ftruncate64"
#define CALL_FALLOCATE "fallocate64"
#else
#define CALL_PREAD "pread"
#define CALL_PWRITE "pwrite"
#define CALL_FTRUNCATE "ftruncate"
#define CALL_FALLOCATE "fallocate"
#endif

typedef ssize_t pread_function(int fd, void *bytes, size_t length, off_t offset);
typedef ssize_t pwrite_function(int fd, const void *bytes, size_t length, off_t offset);
typedef int sync_function(int fd);
typedef int fallocate_function(int fd, int mode, off_t offset, off_t length);
typedef int ftruncate_function(int fd, off_t length);

/* A preloaded library has no caller to hand it a context. */
static struct fault_control *control;
static pread_function *next_pread;
static pwrite_function *next_pwrite;
static sync_function *next_fdatasync, *next_fsync;
static fallocate_function *next_fallocate;
static ftruncate_function *next_ftruncate;

/* The real calls; a function pointer cannot be had from dlsym() without this
 * detour. */
#define FIND_NEXT(variable, name)                                                        \
    do {                                                                                 \
        void *const found = dlsym(RTLD_NEXT, (name));                                    \
        memcpy(&(variable), &found, sizeof(found));                                      \
    } while (0)

static bool calls_come_here(void)
{
    pwrite_function *const ours = pwrite;
    void *const seen = dlsym(RTLD_DEFAULT, CALL_PWRITE);

    return memcmp(&ours, &seen, sizeof(seen)) == 0;
}

__attribute__((constructor)) static void start(void)
{
    size_t size = 0;

    FIND_NEXT(next_pread, CALL_PREAD);
    FIND_NEXT(next_pwrite, CALL_PWRITE);
    FIND_NEXT(next_fdatasync, "fdatasync");
    FIND_NEXT(next_fsync, "fsync");
    FIND_NEXT(next_fallocate, CALL_FALLOCATE);
    FIND_NEXT(next_ftruncate, CALL_FTRUNCATE);
    control = shared_file_open(getenv(FAULT_ENVIRONMENT), sizeof(*control), &size);
    if (control == NULL)
        return;
    atomic_store(&control->working, calls_come_here() ? 1 : -1);
}

/* Which file is it? By its name at this moment. */
static enum fault_file file_of(int fd)
{
    char link[40];
    char path[sizeof(control->db) + 32];
    const size_t length = strlen(control->db);

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return FAULT_NO_FILE;
    path[n] = '\0';
    char *const deleted = strstr(path, " (deleted)");
    if (deleted != NULL)
        *deleted = '\0';
    if (strncmp(path, control->db, length) == 0) {
        if (path[length] == '\0')
            return FAULT_DB;
        return strcmp(path + length, "-journal") == 0 ? FAULT_JOURNAL : FAULT_NO_FILE;
    }
    const size_t n_directory = strlen(path);
    if (strncmp(path, control->db, n_directory) == 0 &&
        strchr(control->db + n_directory + 1, '/') == NULL)
        return FAULT_DIRECTORY;
    return FAULT_NO_FILE;
}

static void record(enum fault_file file, enum fault_call call, bool left, int error)
{
    if (call == FAULT_READ) /* far too many, and nothing changes */
        return;
    const unsigned at = atomic_fetch_add(&control->event_count, 1);
    if (at < FAULT_EVENTS)
        control->events[at] =
            (struct fault_event){(signed char)file, (signed char)call, left, error};
}

static void sleep_ms(unsigned milliseconds)
{
    struct timespec left = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static bool owner_lives(void)
{
    return kill(control->owner, 0) == 0 || errno != ESRCH;
}

/* Hold, delay. The errno with which the call is to fail, or 0. */
static int enter(enum fault_file file, enum fault_call call)
{
    struct fault_point *const point = &control->points[file][call];
    const unsigned number = atomic_fetch_add(&point->entered, 1) + 1;

    record(file, call, false, 0);
    while (atomic_load(&point->hold) && owner_lives())
        sleep_ms(1);
    sleep_ms(atomic_load(&point->delay_ms));
    const unsigned from = atomic_load(&point->fail_from);
    if (from == 0 || number < from || number - from >= atomic_load(&point->fail_count))
        return 0;
    return atomic_load(&point->error);
}

static void leave(enum fault_file file, enum fault_call call, int error)
{
    record(file, call, true, error);
    atomic_fetch_add(&control->points[file][call].left, 1);
}

/* `real` is only evaluated when the call is not to fail. */
#define INTERPOSE(type, fd, call, real)                                                  \
    do {                                                                                 \
        const enum fault_file file = control != NULL ? file_of(fd) : FAULT_NO_FILE;      \
        if (file == FAULT_NO_FILE)                                                       \
            return (real);                                                               \
        const int error = enter(file, (call));                                           \
        const type result = error != 0 ? (type)-1 : (real);                              \
        const int number = error != 0 ? error : errno;                                   \
        leave(file, (call), result == -1 ? number : 0);                                  \
        errno = number;                                                                  \
        return result;                                                                   \
    } while (0)

static bool is_held(unsigned long byte, off_t offset, size_t length)
{
    return byte != 0 && byte >= (unsigned long)offset &&
           byte - (unsigned long)offset < length;
}

static void wait_while_held(int fd, off_t offset, size_t length)
{
    if (control == NULL || !is_held(atomic_load(&control->held_byte), offset, length) ||
        file_of(fd) != FAULT_DB)
        return;
    atomic_fetch_add(&control->reads_held, 1);
    while (is_held(atomic_load(&control->held_byte), offset, length) && owner_lives())
        sleep_ms(1);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    wait_while_held(fd, offset, length);
    INTERPOSE(ssize_t, fd, FAULT_READ, next_pread(fd, bytes, length, offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    INTERPOSE(ssize_t, fd, FAULT_WRITE, next_pwrite(fd, bytes, length, offset));
}

int fdatasync(int fd)
{
    INTERPOSE(int, fd, FAULT_SYNC, next_fdatasync(fd));
}

int fsync(int fd)
{
    INTERPOSE(int, fd, FAULT_SYNC, next_fsync(fd));
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    INTERPOSE(int, fd, FAULT_RESERVE, next_fallocate(fd, mode, offset, length));
}

int ftruncate(int fd, off_t length)
{
    INTERPOSE(int, fd, FAULT_TRUNCATE, next_ftruncate(fd, length));
}
