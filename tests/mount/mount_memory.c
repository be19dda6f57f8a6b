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

static int read_all(struct mnt *m, const char *name, bool *out_any)
{
    char path[512], bytes[65536];
    ssize_t n = 0;

    snprintf(path, sizeof(path), "%s/%s", m->point, name);
    const int fd = open(path, O_RDONLY);
    if (fd < 0)
        return errno;
    *out_any = false;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        *out_any = true;
    const int error = n < 0 ? errno : 0;
    close(fd);
    return error;
}

static int list(struct mnt *m, const char *name)
{
    char path[512];
    struct dirent *entry;

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

static int snapshot(struct mnt *m, bool make)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/snapshots/s", m->point);
    if ((make ? mkdir(path, 0755) : rmdir(path)) == 0)
        return 0;
    return !make && errno == ENOENT ? 0 : errno; /* it was not made */
}

static const struct operation {
    const char *kind, *path, *text;
} operations[] = {
    {"read", "alloc", NULL},
    {"write", "free", "5-9 20\n"},
    {"write", "pages/30/state", "free"},
    {"read", "pages/30/state", NULL},
    {"write", "pages/30/state", "allocated"},
    {"write", "pin", "40-45"},
    {"list", "pinned", NULL},
    {"write", "unpin", "40-45"},
    {"write", "pages/31/data", "some bytes"},
    {"read", "pages/31/data", NULL},
    {"read", "pages/31/type", NULL},
    {"read", "stats", NULL},
    {"read", "status", NULL},
    {"read", "header", NULL},
    {"read", "stats.json", NULL},
    {"read", "README", NULL},
    {"read", "freelist", NULL},
    {"read", "pages.tsv", NULL},
    {"read", "pages.jsonl", NULL},
    {"read", "pages/31/checksum", NULL},
    {"read", "pages/31/used_by", NULL},
    {"read", "runs.histogram", NULL},
    {"read", "map", NULL},
    {"read", "map.svg", NULL},
    {"read", "runs", NULL},
    {"read", "events", NULL},
    {"list", "pages", NULL},
    {"list", "pages/7", NULL},
    {"mkdir", "", NULL},
    {"list", "snapshots/s", NULL},
    {"read", "snapshots/s/stats", NULL},
    {"read", "snapshots/s/diff", NULL},
    {"rmdir", "", NULL},
    {"write", "check/action", "check"},
    {"read", "check/findings", NULL},
    {"read", "check/count", NULL},
    {"write", "check/action", "check"},
    {"list", "leaked", NULL},
    {"write", "limits/max_pages", "max"},
    {"write", "ctl", "sync"},
    {"write", "ctl", "checkpoint"},
    {"write", "ctl", "rebuild-freelist"},
    {"write", "free", "598-599"},
    {"write", "ctl", "shrink"},
    {"write", "alloc", "3\n"},
    {"write", "alloc", "3 contiguous\n"},
};

static int operate(struct mnt *m, const struct operation *op)
{
    bool any;

    switch (op->kind[0]) {
    case 'r':
        return strcmp(op->kind, "rmdir") == 0 ? snapshot(m, false)
                                              : read_all(m, op->path, &any);
    case 'w':
        return m_write(m, op->path, op->text);
    case 'l':
        return list(m, op->path);
    default:
        return snapshot(m, true);
    }
}

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
    const int error = operate(f->m, op);
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
