#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

int daemon_fork(int *out_report_fd)
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
        *out_report_fd = fds[1];
        return -1;
    }
    close(fds[1]);
    const int result = status != -1 ? status : wait_for_report(fds[0], signals, child);
    if (signals != -1)
        close(signals);
    close(fds[0]);
    return result;
}

void daemon_report(int report_fd)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; null != -1 && fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    log_to_syslog();
    while (write(report_fd, "", 1) == -1 && errno == EINTR) {
    }
    close(report_fd);
}
