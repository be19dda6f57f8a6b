/* The daemon runs out of memory once, at any of its allocations, or any of its calls to
 * the system fails once, while a client works: the answer is that error or the operation
 * succeeds all the same, the daemon goes on, and what was acknowledged is in the file. */
#include "calllib.h"
#include "harness.h"
#include "memlib.h"
#include "shared_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 600 };

struct fixture {
    struct mnt *m;
    struct call_control *calls;
    struct memory_control *control; /* in it */
    const char *library;
    int error; /* what a client may get because a call failed */
    unsigned points, refused, restarts;
};

/* ---- what a client does: 0 or an errno ---- */

typedef int client_function(struct mnt *m, const char *path, const char *text);

static int read_to_end(int fd)
{
    char bytes[65536];
    ssize_t n;

    do
        n = read(fd, bytes, sizeof(bytes));
    while (n > 0);
    return n < 0 ? errno : 0;
}

static int read_all(struct mnt *m, const char *path, const char *text)
{
    const int fd = m_open(m, path, O_RDONLY);

    (void)text;
    if (fd < 0)
        return -fd;
    const int error = read_to_end(fd);
    close(fd);
    return error;
}

static int list(struct mnt *m, const char *name, const char *text)
{
    char path[512];
    struct dirent *entry;

    (void)text;
    snprintf(path, sizeof(path), "%s/%s", m->point, name);
    DIR *const dir = opendir(path);
    if (dir == NULL)
        return errno;
    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry != NULL);
    const int error = errno;
    closedir(dir);
    return error;
}

static int make(struct mnt *m, const char *name, const char *text)
{
    char path[512];

    (void)text;
    snprintf(path, sizeof(path), "%s/%s", m->point, name);
    return mkdir(path, 0755) == 0 ? 0 : errno;
}

static int drop(struct mnt *m, const char *name, const char *text)
{
    char path[512];

    (void)text;
    snprintf(path, sizeof(path), "%s/%s", m->point, name);
    return rmdir(path) == 0 || errno == ENOENT /* it was not made */ ? 0 : errno;
}

static int allocate(struct mnt *m, const char *path, const char *text)
{
    const int fd = m_open(m, path, O_RDWR);

    if (fd < 0)
        return -fd;
    int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    if (error == 0)
        error = read_to_end(fd);
    close(fd);
    return error;
}

/* A read that finds no room, and once more when there is some. */
static int allocate_again(struct mnt *m, const char *path, const char *text)
{
    const int fd = m_open(m, path, O_RDONLY);
    int error = fd < 0 ? -fd : m_write(m, "limits/max_pages", text);

    if (error == 0)
        error = read_to_end(fd);
    if (error == ENOSPC)
        error = m_write(m, "limits/max_pages", "max");
    if (error == 0)
        error = read_to_end(fd);
    if (fd >= 0)
        close(fd);
    (void)m_write(m, "limits/max_pages", "max"); /* that above may have failed */
    return error;
}

static int flush(struct mnt *m, const char *path, const char *text)
{
    const int fd = m_open(m, path, O_RDONLY);

    (void)text;
    if (fd < 0)
        return -fd;
    const int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* As stdio writes: the last number may go on, until the file is closed. */
static int write_cut(struct mnt *m, const char *path, const char *text)
{
    char block[512];

    memset(block, ' ', sizeof(block));
    memcpy(block + sizeof(block) - strlen(text), text, strlen(text));
    const int error = m_write_bytes(m, path, block, sizeof(block));
    (void)read_all(m, "stats", NULL); /* behind the release */
    return error;
}

static const struct operation {
    client_function *act;
    const char *kind, *path, *text;
} operations[] = {
    {read_all, "read", "alloc", NULL},
    {m_write, "write", "free", "5-9 20\n"},
    {m_write, "write", "pages/30/state", "free"},
    {read_all, "read", "pages/30/state", NULL},
    {m_write, "write", "pages/30/state", "allocated"},
    {m_write, "write", "pin", "40-45"},
    {list, "list", "pinned", NULL},
    {m_write, "write", "unpin", "40-45"},
    {m_write, "write", "pages/31/data", "some bytes"},
    {read_all, "read", "pages/31/data", NULL},
    {read_all, "read", "pages/31/type", NULL},
    {read_all, "read", "stats", NULL},
    {read_all, "read", "status", NULL},
    {read_all, "read", "header", NULL},
    {read_all, "read", "stats.json", NULL},
    {read_all, "read", "README", NULL},
    {read_all, "read", "freelist", NULL},
    {read_all, "read", "pages.tsv", NULL},
    {read_all, "read", "pages.jsonl", NULL},
    {read_all, "read", "pages/31/checksum", NULL},
    {read_all, "read", "pages/31/used_by", NULL},
    {read_all, "read", "runs.histogram", NULL},
    {read_all, "read", "map", NULL},
    {read_all, "read", "map.svg", NULL},
    {read_all, "read", "runs", NULL},
    {read_all, "read", "events", NULL},
    {list, "list", "pages", NULL},
    {list, "list", "pages/7", NULL},
    {make, "mkdir", "snapshots/s", NULL},
    {list, "list", "snapshots/s", NULL},
    {read_all, "read", "snapshots/s/stats", NULL},
    {read_all, "read", "snapshots/s/diff", NULL},
    {drop, "rmdir", "snapshots/s", NULL},
    {m_write, "write", "check/action", "check"},
    {read_all, "read", "check/findings", NULL},
    {read_all, "read", "check/count", NULL},
    {m_write, "write", "check/action", "check"},
    {list, "list", "leaked", NULL},
    {m_write, "write", "limits/max_pages", "max"},
    {m_write, "write", "ctl", "sync"},
    {m_write, "write", "ctl", "checkpoint"},
    {m_write, "write", "ctl", "rebuild-freelist"},
    {m_write, "write", "free", "598-599"},
    {m_write, "write", "ctl", "shrink"},
    {allocate, "allocate", "alloc", "3\n"},
    {allocate, "allocate", "alloc", "3 contiguous\n"},
    {allocate_again, "allocate again", "alloc", "2"},
    {flush, "fsync", "stats", NULL},
    {write_cut, "write a cut number", "free", "60 61"},
};

/* ---- the daemon ---- */

static void begin(struct fixture *f)
{
    atomic_store(&f->control->fail_at, 0);
    v3_make_pages(f->m->t.db, PAGES);
    mnt_start_foreground(f->m, NULL, f->library);
    assert_int_equal(atomic_load(&f->control->working), 1);
}

/* Whatever happened, it ends by itself, and the file is whole. */
static void end(struct fixture *f)
{
    size_t count;

    atomic_store(&f->control->fail_at, 0);
    mnt_unmount(f->m);
    const int status = mnt_wait(f->m);
    if (!WIFEXITED(status))
        fail_msg("the daemon ended with wait status %#x: %s", (unsigned)status,
                 mnt_said(f->m));
    scratch_open(&f->m->t, NULL); /* replays what a failed commit left */
    assert_true(pf_writable(f->m->t.store));
    scratch_close(&f->m->t);
    free(v3_free_list(f->m->t.db, &count));
    (void)unlink(f->m->t.db);
}

/* A commit that ran out of memory is final, as every failed commit. */
static bool is_read_only(struct fixture *f)
{
    return strstr(m_read(f->m, "status"), "mode ro") != NULL;
}

/* These answers are about what failed, or about a state that an earlier failure left. */
static bool is_fair(const struct fixture *f, int error)
{
    return error == 0 || error == ENOMEM || error == f->error || error == EALREADY ||
           error == EBUSY || error == EINVAL || error == EROFS;
}

/* The `k`-th allocation from now fails. False: there were fewer. */
static bool fail_one(struct fixture *f, const struct operation *op, unsigned long k)
{
    const unsigned long before = atomic_load(&f->control->failures);

    atomic_store(&f->control->fail_at, atomic_load(&f->control->calls) + k);
    const int error = op->act(f->m, op->path, op->text);
    atomic_store(&f->control->fail_at, 0);
    const bool failed = atomic_load(&f->control->failures) > before;
    if (failed && !is_fair(f, error))
        fail_msg("%s %s, call %lu (%s): %s: %s", op->kind, op->path, k, f->calls->name,
                 strerror(error), m_read(f->m, "last_error"));
    f->points += failed;
    f->refused += failed && error == f->error;
    if (is_read_only(f)) {
        f->restarts++;
        end(f);
        begin(f);
    }
    return failed;
}

/* Each of the next calls, one by one, of each operation. */
static void fail_each(struct mnt *m, const char *library, const char *environment,
                      int error, const char *what)
{
    struct fixture f = {.m = m, .library = library, .error = error};
    char path[256];

    if (built_with_sanitizer() || library == NULL) {
        print_message("this build has allocations of its own\n");
        skip();
    }
    scratch_path(&m->t, "control", path);
    f.calls = shared_file_make(path, sizeof(*f.calls));
    assert_non_null(f.calls);
    f.control = &f.calls->count;
    atomic_store(&f.calls->error, error);
    assert_int_equal(setenv(environment, path, 1), 0);
    begin(&f);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        for (unsigned long k = 1; fail_one(&f, &operations[i], k); k++)
            if (k == scaled(8, 400))
                break;
    end(&f);
    print_message("#= daemon, %s: %u failed one by one, %u answers were that error, %u "
                  "commits final\n",
                  what, f.points, f.refused, f.restarts);
    assert_true(f.points > 20);
    assert_int_equal(unsetenv(environment), 0);
    munmap(f.calls, sizeof(*f.calls));
}

static void one_failed_allocation_is_one_failed_request(void **state)
{
    fail_each(*state, getenv("PF_TEST_MEMLIB"), MEMORY_ENVIRONMENT, ENOMEM,
              "allocations");
}

static void one_failed_call_is_one_failed_request(void **state)
{
    fail_each(*state, getenv("PF_TEST_CALLLIB"), CALLS_ENVIRONMENT, EIO, "system calls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(one_failed_allocation_is_one_failed_request),
        MOUNT_TEST(one_failed_call_is_one_failed_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
