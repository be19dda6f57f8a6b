#include "progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 250,
    QUIET_MS = 500, /* what takes less is not worth a line */
    LINE_SIZE = 160,
};

struct progress {
    struct pf_progress walk;
    atomic_bool cancel, stopping;
    bool on_terminal;
    bool shares_terminal; /* stdout is there too */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what is below, and stderr */
    const char *what;     /* NULL: idle */
    double began;         /* seconds */
    bool shown;           /* there is a line to take away */
};

static sigset_t taken_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the line ---- */

static void put_left(char *out, size_t size, double seconds)
{
    if (seconds < 120)
        snprintf(out, size, ", %.0f s left", seconds);
    else
        snprintf(out, size, ", %.0f min left", seconds / 60);
}

static void put_line_locked(const struct progress *f, char out[LINE_SIZE])
{
    const uint64_t done = atomic_load(&f->walk.done);
    const uint64_t total = atomic_load(&f->walk.total);
    const double seconds = now_seconds() - f->began;
    const double bytes = (double)atomic_load(&f->walk.pages_read) * (double)PF_PAGE_SIZE;
    char left[40] = "";

    if (total == 0) {
        snprintf(out, LINE_SIZE, "%s: beginning", f->what);
        return;
    }
    if (done > 0)
        put_left(left, sizeof(left), seconds * (double)(total - done) / (double)done);
    snprintf(out, LINE_SIZE, "%s: %.0f%%, %" PRIu64 " of %" PRIu64 " pages, %.0f MB/s%s",
             f->what, 100.0 * (double)done / (double)total, done, total,
             bytes / seconds / 1e6, left);
}

static void erase_locked(struct progress *f)
{
    if (f->shown)
        (void)fputs("\r\033[K", stderr);
    f->shown = false;
}

static void draw(struct progress *f)
{
    struct winsize window = {.ws_col = 80};
    char line[LINE_SIZE];

    pthread_mutex_lock(&f->lock);
    if (f->what != NULL && now_seconds() - f->began >= (double)QUIET_MS / 1000) {
        (void)ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
        put_line_locked(f, line);
        (void)fprintf(stderr, "\r\033[K%.*s", window.ws_col > 1 ? window.ws_col - 1 : 79,
                      line);
        f->shown = true;
    }
    pthread_mutex_unlock(&f->lock);
}

/* Asked for by SIGUSR1: it stays. */
static void print(struct progress *f)
{
    char line[LINE_SIZE];

    pthread_mutex_lock(&f->lock);
    if (f->what != NULL) {
        erase_locked(f);
        put_line_locked(f, line);
        (void)fprintf(stderr, "pagefs: %s\n", line);
    }
    pthread_mutex_unlock(&f->lock);
}

/* ---- the thread ---- */

static void end(struct progress *f, int signal_number)
{
    sigset_t one;

    if (!atomic_exchange(&f->cancel, true))
        return;
    pthread_mutex_lock(&f->lock);
    erase_locked(f);
    pthread_mutex_unlock(&f->lock);
    signal(signal_number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(signal_number);
}

static void *progress_main(void *arg)
{
    const struct timespec tick = {0, TICK_MS * 1000000L};
    const sigset_t set = taken_signals();
    struct progress *const f = arg;

    while (!atomic_load(&f->stopping)) {
        const int signal_number = sigtimedwait(&set, NULL, &tick);
        if (atomic_load(&f->stopping))
            break;
        if (signal_number == SIGUSR1)
            print(f);
        else if (signal_number > 0)
            end(f, signal_number);
        else if (f->on_terminal)
            draw(f);
    }
    return NULL;
}

struct progress *progress_start(void)
{
    const char *const term = getenv("TERM");
    const sigset_t set = taken_signals();
    struct progress *const f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->on_terminal =
        isatty(STDERR_FILENO) != 0 && (term == NULL || strcmp(term, "dumb") != 0);
    f->shares_terminal = f->on_terminal && isatty(STDOUT_FILENO) != 0;
    pthread_mutex_init(&f->lock, NULL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&f->thread, NULL, progress_main, f) == 0)
        return f;
    pthread_mutex_destroy(&f->lock);
    free(f);
    return NULL;
}

void progress_stop(struct progress *progress)
{
    atomic_store(&progress->stopping, true);
    pthread_kill(progress->thread, SIGUSR1); /* any that it waits for */
    pthread_join(progress->thread, NULL);
    progress_phase(progress, NULL);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

void progress_phase(struct progress *progress, const char *what)
{
    pthread_mutex_lock(&progress->lock);
    erase_locked(progress);
    atomic_store(&progress->walk.done, 0);
    atomic_store(&progress->walk.total, 0);
    atomic_store(&progress->walk.pages_read, 0);
    progress->what = what;
    progress->began = now_seconds();
    pthread_mutex_unlock(&progress->lock);
}

struct pf_watch progress_watch(struct progress *progress)
{
    return (struct pf_watch){.progress = &progress->walk, .cancel = &progress->cancel};
}

/* Elsewhere the lock stays free: output may wait long for its reader, signals not. */
void progress_pause(struct progress *progress)
{
    if (!progress->shares_terminal)
        return;
    pthread_mutex_lock(&progress->lock);
    erase_locked(progress);
}

void progress_resume(struct progress *progress)
{
    if (progress->shares_terminal)
        pthread_mutex_unlock(&progress->lock);
}
