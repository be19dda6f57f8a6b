#include "daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decimal.h"
#include "log.h"
#include "message.h"
#include "options.h"
#include "signals.h"

bool daemon_fill_stdio(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd)
            return false;
    }
    return true;
}

/* In the child, which has but report_fd of its own. Those that cannot be noted stay. */
static void note_inherited(struct daemon *daemon)
{
    DIR *const dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint64_t fd;
        int *grown;

        if (decimal_parse(entry->d_name, strlen(entry->d_name), &fd) != PF_OK ||
            fd <= 2 || fd == (uint64_t)daemon->report_fd || fd == (uint64_t)dirfd(dir))
            continue;
        grown =
            realloc(daemon->inherited, (daemon->inherited_count + 1) * sizeof(*grown));
        if (grown == NULL)
            break;
        grown[daemon->inherited_count++] = (int)fd;
        daemon->inherited = grown;
    }
    if (dir != NULL)
        closedir(dir);
}

static int cannot(const char *what)
{
    message(NULL, "cannot %s: %s", what, strerror(errno));
    return EXIT_SYSTEM;
}

/* There is no report. As a rule the child has ended and has said why; if it has not
 * ended, nobody could tell the user that it has mounted, and it must not. */
static int status_of_dead(pid_t child)
{
    int status;

    kill(child, SIGTERM);
    while (waitpid(child, &status, 0) == -1) {
        if (errno != EINTR)
            return cannot("wait for the daemon");
    }
    if (WIFSIGNALED(status))
        message(NULL, "the daemon was ended by signal %d before it had mounted",
                WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        message(NULL, "the daemon did not report that it had mounted");
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
                                                         : EXIT_SYSTEM;
}

/* Hands an ending signal on: the child is no longer in our process group, and must not
 * mount behind the back of somebody who thinks that it was stopped. A second one ends the
 * wait. True: go on. */
static bool pass_signal(int signals, pid_t child, bool *passed)
{
    signals_take(signals);
    if (*passed) {
        message(NULL, "process %d has not ended yet: kill -9 ends it", (int)child);
        return false;
    }
    kill(child, SIGTERM);
    *passed = true;
    return true;
}

/* After POLLHUP or POLLIN. */
static int read_report(int report, pid_t child)
{
    char byte;
    ssize_t n;

    while ((n = read(report, &byte, 1)) == -1 && errno == EINTR) {
    }
    return n == 1 ? EXIT_MOUNTED : status_of_dead(child);
}

static int wait_for_report(int report, int signals, pid_t child)
{
    struct pollfd fds[] = {
        {.fd = report, .events = POLLIN}, /* POLLHUP when the child ends */
        {.fd = signals, .events = POLLIN},
    };
    bool passed = false;

    while (fds[0].revents == 0) {
        fds[1].revents = 0; /* an interrupted poll leaves it as it was */
        if (poll(fds, 2, -1) == -1 && errno != EINTR)
            return status_of_dead(child);
        if ((fds[1].revents & POLLIN) != 0 && !pass_signal(signals, child, &passed))
            return EXIT_SYSTEM;
    }
    return read_report(report, child);
}

int daemon_fork(struct daemon *daemon)
{
    int fds[2];
    int signals = -1;
    pid_t child = -1;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return cannot("make a pipe");
    signals = signals_open();
    const int status = signals != -1 && (child = fork()) != -1 ? -1 : cannot("fork");
    if (child == 0) {
        close(signals);
        close(fds[0]);
        setsid();
        daemon->report_fd = fds[1];
        note_inherited(daemon);
        return -1;
    }
    close(fds[1]);
    const int result = status != -1 ? status : wait_for_report(fds[0], signals, child);
    if (signals != -1)
        close(signals);
    close(fds[0]);
    return result;
}

void daemon_report(struct daemon *daemon)
{
    int null;

    if (daemon->report_fd == -1)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null != -1 && fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    for (size_t i = 0; i < daemon->inherited_count; i++)
        close(daemon->inherited[i]);
    log_to_syslog();
    while (write(daemon->report_fd, "", 1) == -1 && errno == EINTR) {
    }
    daemon_end(daemon);
}

void daemon_end(struct daemon *daemon)
{
    if (daemon->report_fd != -1)
        close(daemon->report_fd);
    free(daemon->inherited);
    *daemon = (struct daemon){.report_fd = -1};
}
