#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "options.h"

bool daemon_fill_stdio(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd)
            return false;
    }
    return true;
}

/* The child ended without a report: it has said why, unless a signal ended it. */
static int status_of_dead(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) == -1) {
        if (errno != EINTR)
            return EXIT_SYSTEM;
    }
    if (WIFSIGNALED(status)) {
        message(NULL, "the daemon was ended by signal %d before it had mounted",
                WTERMSIG(status));
        return EXIT_SYSTEM;
    }
    return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_SYSTEM;
}

static int wait_for_report(int fd, pid_t child)
{
    char report;
    ssize_t got;

    do
        got = read(fd, &report, 1);
    while (got == -1 && errno == EINTR);
    close(fd);
    return got == 1 ? EXIT_MOUNTED : status_of_dead(child);
}

int daemon_fork(int *out_report_fd)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        message(NULL, "cannot make a pipe: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    const pid_t child = fork();
    if (child == -1) {
        message(NULL, "cannot fork: %s", strerror(errno));
        close(fds[0]);
        close(fds[1]);
        return EXIT_SYSTEM;
    }
    if (child != 0) {
        close(fds[1]);
        return wait_for_report(fds[0], child);
    }
    close(fds[0]);
    setsid();
    *out_report_fd = fds[1];
    return -1;
}

void daemon_report(int report_fd)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; null != -1 && fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    while (write(report_fd, "", 1) == -1 && errno == EINTR) {
    }
    close(report_fd);
}
