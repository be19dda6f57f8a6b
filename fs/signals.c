#include "signals.h"

#include "fuse_api.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { KICK_INTERVAL_NS = 20 * 1000 * 1000 };

struct signals {
    struct fuse_session *session;
    pthread_t loop, thread;
    atomic_bool stopping;
};

static sigset_t ending_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

static void interrupt_only(int signal_number)
{
    (void)signal_number;
}

void signals_prepare(void)
{
    const sigset_t ending = ending_signals();
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = interrupt_only; /* without SA_RESTART */
    sigaction(SIGUSR2, &action, NULL);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
}

bool signals_wait_ms(unsigned milliseconds)
{
    const sigset_t ending = ending_signals();
    const struct timespec interval = {milliseconds / 1000,
                                      (long)(milliseconds % 1000) * 1000000};

    return sigtimedwait(&ending, NULL, &interval) != -1;
}

int signals_open(void)
{
    const sigset_t ending = ending_signals();

    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    return signalfd(-1, &ending, SFD_CLOEXEC);
}

void signals_take(int fd)
{
    struct signalfd_siginfo info;

    (void)!read(fd, &info, sizeof(info));
}

static void *signals_main(void *arg)
{
    struct signals *const s = arg;
    const sigset_t ending = ending_signals();
    const struct timespec interval = {0, KICK_INTERVAL_NS};
    int signal_number;

    while (sigwait(&ending, &signal_number) != 0) {
    }
    if (!atomic_load(&s->stopping))
        fuse_session_exit(s->session);
    while (!atomic_load(&s->stopping)) {
        pthread_kill(s->loop, SIGUSR2);
        sigtimedwait(&ending, NULL, &interval); /* signals_stop() ends it early */
    }
    return NULL;
}

struct signals *signals_start(struct fuse_session *session)
{
    struct signals *const s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->session = session;
    s->loop = pthread_self();
    atomic_init(&s->stopping, false);
    if (pthread_create(&s->thread, NULL, signals_main, s) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

void signals_stop(struct signals *signals)
{
    if (signals == NULL)
        return;
    atomic_store(&signals->stopping, true);
    pthread_kill(signals->thread, SIGHUP); /* any that it waits for */
    pthread_join(signals->thread, NULL);
    free(signals);
}
