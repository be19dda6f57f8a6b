#include "faults.h"

#include "shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 256,
    DEADLINE_MS = 60 * 1000,
    POLL_MS = 2,
};

struct client {
    pid_t pid;
    atomic_bool opened, answered, ended; /* answered: by an id or an error */
    int error;
    char text[32];
};

/* ---- fixture ---- */

int faults_setup(void **state)
{
    struct faulty *const f = calloc(1, sizeof(*f));
    char path[256];
    void *mnt = NULL;

    if (f == NULL || mnt_setup(&mnt) != 0)
        return -1;
    f->m = mnt;
    scratch_path(&f->m->t, "faults", path);
    f->control = shared_file_make(path, sizeof(*f->control));
    f->clients = mmap(NULL, CLIENTS_MAX * sizeof(*f->clients), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->control == NULL || f->clients == MAP_FAILED ||
        setenv(FAULT_ENVIRONMENT, path, 1) != 0)
        return -1;
    f->control->owner = (int)getpid();
    *state = f;
    return 0;
}

int faults_teardown(void **state)
{
    struct faulty *const f = *state;
    void *mnt = f->m;

    faults_heal(f);
    for (unsigned i = 0; i < f->client_count; i++)
        if (f->clients[i].pid > 0)
            kill(f->clients[i].pid, SIGKILL);
    const int result = mnt_teardown(&mnt);
    munmap(f->control, sizeof(*f->control));
    munmap(f->clients, CLIENTS_MAX * sizeof(*f->clients));
    free(f);
    return result;
}

void faults_wait(struct faulty *f, bool (*condition)(struct faulty *f), const char *what)
{
    for (int waited = 0; !condition(f); waited += POLL_MS) {
        if (waited >= DEADLINE_MS)
            fail_msg("waited a minute for %s", what);
        poll(NULL, 0, POLL_MS);
    }
}

/* ---- the mount ---- */

void faults_start(struct faulty *f, const char *options)
{
    snprintf(f->control->db, sizeof(f->control->db), "%s", f->m->t.db);
    mnt_start_foreground(f->m, options, getenv("PF_TEST_FAULTLIB"));
    if (atomic_load(&f->control->working) != 1) {
        print_message("the calls of this build do not pass a preloaded library\n");
        skip();
    }
}

uint64_t faults_pages(struct faulty *f, uint64_t total_pages)
{
    v3_make_pages(f->m->t.db, total_pages);
    faults_start(f, NULL);
    const uint64_t page_id = strtoull(m_read(f->m, "alloc"), NULL, 10);
    faults_checkpoint(f);
    return page_id;
}

void faults_checkpoint(struct faulty *f)
{
    assert_write(0, f->m, "ctl", "checkpoint\n");
}

const char *faults_said(struct faulty *f)
{
    return mnt_said(f->m);
}

unsigned faults_lines_said(struct faulty *f)
{
    unsigned lines = 0;

    for (const char *at = faults_said(f); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

void faults_stop(struct faulty *f, int exit_status)
{
    mnt_unmount(f->m);
    const int status = mnt_wait(f->m);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_status)
        fail_msg("the daemon ended with wait status %#x, not exit status %d; it "
                 "said: %s",
                 (unsigned)status, exit_status, faults_said(f));
}

/* ---- the disk ---- */

static struct fault_point *point_of(const struct faulty *f, enum fault_file file,
                                    enum fault_call call)
{
    return &f->control->points[file][call];
}

void faults_fail(struct faulty *f, enum fault_file file, enum fault_call call,
                 unsigned skip, unsigned count, int error)
{
    struct fault_point *const point = point_of(f, file, call);

    atomic_store(&point->fail_from, 0);
    atomic_store(&point->error, error);
    atomic_store(&point->fail_count, count);
    atomic_store(&point->fail_from, atomic_load(&point->entered) + 1 + skip);
}

void faults_heal(struct faulty *f)
{
    atomic_store(&f->control->held_byte, 0);
    for (int file = 0; file < FAULT_FILES; file++) {
        for (int call = 0; call < FAULT_CALLS; call++) {
            struct fault_point *const point = &f->control->points[file][call];
            atomic_store(&point->fail_from, 0);
            atomic_store(&point->delay_ms, 0);
            atomic_store(&point->hold, false);
        }
    }
}

void faults_hold(struct faulty *f, enum fault_file file, enum fault_call call)
{
    atomic_store(&point_of(f, file, call)->hold, true);
}

void faults_release(struct faulty *f, enum fault_file file, enum fault_call call)
{
    atomic_store(&point_of(f, file, call)->hold, false);
}

void faults_hold_reads(struct faulty *f, uint64_t offset)
{
    atomic_store(&f->control->reads_held, 0);
    atomic_store(&f->control->held_byte, offset);
}

static bool read_is_held(struct faulty *f)
{
    return atomic_load(&f->control->reads_held) > 0;
}

void faults_wait_read_held(struct faulty *f)
{
    faults_wait(f, read_is_held, "a read of the database");
}

unsigned faults_entered(const struct faulty *f, enum fault_file file,
                        enum fault_call call)
{
    return atomic_load(&point_of(f, file, call)->entered);
}

unsigned faults_left(const struct faulty *f, enum fault_file file, enum fault_call call)
{
    return atomic_load(&point_of(f, file, call)->left);
}

void faults_wait_entered(struct faulty *f, enum fault_file file, enum fault_call call,
                         unsigned count)
{
    for (int waited = 0; faults_entered(f, file, call) < count; waited += POLL_MS) {
        if (waited >= DEADLINE_MS)
            fail_msg("file %d, call %d: %u calls after a minute, waiting for %u", file,
                     call, faults_entered(f, file, call), count);
        poll(NULL, 0, POLL_MS);
    }
}

unsigned faults_syncs_entered(const struct faulty *f)
{
    unsigned sum = 0;

    for (int file = 0; file < FAULT_FILES; file++)
        sum += faults_entered(f, file, FAULT_SYNC);
    return sum;
}

unsigned faults_syncs_left(const struct faulty *f)
{
    unsigned sum = 0;

    for (int file = 0; file < FAULT_FILES; file++)
        sum += faults_left(f, file, FAULT_SYNC);
    return sum;
}

unsigned faults_now(const struct faulty *f)
{
    return atomic_load(&f->control->event_count);
}

unsigned faults_since(const struct faulty *f, unsigned moment, int file, int call)
{
    const unsigned end = faults_now(f);
    unsigned count = 0;

    if (end > FAULT_EVENTS)
        fail_msg("the log of %d events is full", FAULT_EVENTS);
    for (unsigned i = moment; i < end; i++) {
        const struct fault_event *const event = &f->control->events[i];
        count += !event->left && (file == -1 || event->file == file) &&
                 (call == -1 || event->call == call);
    }
    return count;
}

/* ---- clients ---- */

/* In the child; only system calls. */
static void be_client(struct client *c, const char *path)
{
    size_t length = 0;
    ssize_t n = -1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    c->error = fd < 0 ? errno : 0;
    atomic_store(&c->opened, fd >= 0);
    while (fd >= 0 && length < sizeof(c->text) - 1 &&
           (n = read(fd, c->text + length, sizeof(c->text) - 1 - length)) > 0) {
        length += (size_t)n;
        atomic_store(&c->answered, true);
    }
    if (fd >= 0 && n < 0 && length == 0)
        c->error = errno;
    atomic_store(&c->answered, true);
    atomic_store(&c->ended, true);
    _exit(0);
}

void clients_start(struct faulty *f, unsigned count)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/alloc", f->m->point);
    assert_true(f->client_count + count <= CLIENTS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct client *const c = &f->clients[f->client_count];
        memset(c, 0, sizeof(*c));
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            be_client(c, path);
        c->pid = pid;
        f->client_count++;
    }
}

/* Asleep in read(2) of the file, and not on the way there? */
static bool client_is_blocked(const struct client *c)
{
    char path[64];
    char text[64] = "";

    snprintf(path, sizeof(path), "/proc/%d/syscall", (int)c->pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    const ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && text[0] != 'r' /* running */ && strtol(text, NULL, 10) == SYS_read;
}

static bool all_are_blocked(struct faulty *f)
{
    for (unsigned i = 0; i < f->client_count; i++) {
        const struct client *const c = &f->clients[i];
        if (atomic_load(&c->ended))
            continue;
        if (!atomic_load(&c->opened) || !client_is_blocked(c))
            return false;
    }
    return true;
}

void clients_wait_blocked(struct faulty *f)
{
    faults_wait(f, all_are_blocked, "the clients to wait for an answer");
    /* requests reach the daemon in their order: when it answers this one, it has
     * them */
    m_read(f->m, "status");
}

static bool all_have_ended(struct faulty *f)
{
    for (unsigned i = 0; i < f->client_count; i++)
        if (!atomic_load(&f->clients[i].ended))
            return false;
    return true;
}

void clients_wait(struct faulty *f)
{
    faults_wait(f, all_have_ended, "the clients to end");
    for (unsigned i = 0; i < f->client_count; i++) {
        if (f->clients[i].pid > 0)
            waitpid(f->clients[i].pid, NULL, 0);
        f->clients[i].pid = 0;
    }
}

unsigned clients_answered(const struct faulty *f)
{
    unsigned count = 0;

    for (unsigned i = 0; i < f->client_count; i++)
        count += atomic_load(&f->clients[i].answered);
    return count;
}

unsigned clients_with(const struct faulty *f, int error)
{
    unsigned count = 0;

    for (unsigned i = 0; i < f->client_count; i++) {
        const struct client *const c = &f->clients[i];
        count += c->error == error && (error != 0 || client_id(f, i) != 0);
    }
    return count;
}

void clients_assert_all(struct faulty *f, int error)
{
    for (unsigned i = 0; i < f->client_count; i++) {
        const struct client *const c = &f->clients[i];
        if (c->error != error || (error == 0 && client_id(f, i) == 0))
            fail_msg("client %u of %u read \"%s\": %s", i, f->client_count, c->text,
                     strerror(c->error));
    }
}

uint64_t client_id(const struct faulty *f, unsigned i)
{
    return strtoull(f->clients[i].text, NULL, 10);
}

pid_t client_pid(const struct faulty *f, unsigned i)
{
    return f->clients[i].pid;
}

void clients_assert_distinct(struct faulty *f)
{
    for (unsigned i = 0; i < f->client_count; i++)
        for (unsigned k = 0; k < i; k++)
            if (client_id(f, i) != 0 && client_id(f, i) == client_id(f, k))
                fail_msg("clients %u and %u both got page %s", k, i, f->clients[i].text);
}

void clients_forget(struct faulty *f)
{
    f->client_count = 0;
}
