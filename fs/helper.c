#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/pf.h"

enum { ANSWER_SIZE = 128, PATIENCE_MS = 10000, FEW_FILES = 1024 };

struct helper {
    pid_t pid;
    int socket; /* each message is one request or one answer */
};

static const char unnamed[] = "a process that could not be named";

/* What a message asks for. With NAME comes a descriptor of the file. */
enum request { UNMOUNT = 'u', NAME = 'n' };

/* ---- messages ---- */

union rights {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header; /* the first and only one */
};

/* fd: to send along, or -1. */
static bool send_request(int socket, char request, int fd)
{
    union rights rights = {0};
    struct iovec bytes = {&request, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

    if (fd != -1) {
        message.msg_control = rights.bytes;
        message.msg_controllen = sizeof(rights.bytes);
        rights.header.cmsg_level = SOL_SOCKET;
        rights.header.cmsg_type = SCM_RIGHTS;
        rights.header.cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
    }
    ssize_t n;
    while ((n = sendmsg(socket, &message, MSG_NOSIGNAL)) == -1 && errno == EINTR) {
    }
    return n == 1;
}

/* 0: the daemon has ended. */
static char receive_request(int socket, int *out_fd)
{
    char request = 0;
    union rights rights = {0};
    struct iovec bytes = {&request, 1};
    struct msghdr message = {
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = rights.bytes,
        .msg_controllen = sizeof(rights.bytes),
    };
    ssize_t n;

    while ((n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR) {
    }
    const struct cmsghdr *const header = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    *out_fd = -1;
    if (header != NULL) /* rights: nothing else comes unless it is asked for */
        memcpy(out_fd, CMSG_DATA(header), sizeof(*out_fd));
    if (n != 1)
        request = 0;
    return request;
}

/* ---- the helper ---- */

static bool run_fusermount(const char *mountpoint)
{
    int status = -1;
    const pid_t child = fork();

    if (child == 0) {
        execlp("fusermount3", "fusermount3", "--unmount", "--quiet", "--lazy", "--",
               mountpoint, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(child, &status, 0); /* no signal has a handler here */
    return status == 0;
}

/* False: the daemon would wait for ever. */
static bool answer(int socket, const char *text)
{
    ssize_t n;

    while ((n = send(socket, text, strlen(text), MSG_NOSIGNAL)) == -1 && errno == EINTR) {
    }
    return n != -1;
}

static void serve_daemon(int socket, const char *mountpoint, pid_t daemon)
{
    char text[ANSWER_SIZE];
    char request;
    bool answered = true;
    int fd;

    while (answered && (request = receive_request(socket, &fd)) != 0) {
        snprintf(text, sizeof(text), "%s", unnamed); /* or "not unmounted" */
        if (request == UNMOUNT &&
            (umount2(mountpoint, MNT_DETACH) == 0 || run_fusermount(mountpoint)))
            snprintf(text, sizeof(text), "+");
        if (fd != -1) { /* NAME */
            pf_name_holder(fd, daemon, text, sizeof(text));
            close(fd);
        }
        answered = answer(socket, text);
    }
}

/* Older kernels have no close_range(). The daemon has opened few files so far. */
static void close_all(int first, int last)
{
    if (close_range((unsigned)first, (unsigned)last, 0) == 0)
        return;
    for (int fd = first; fd <= last && fd < FEW_FILES; fd++)
        close(fd);
}

/* Only what it needs: what is sent to the whole group or service is for the daemon. */
static void detach(int socket)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_IGN);
    prctl(PR_SET_NAME, "pagefs-helper");
    for (int fd = 0; null != -1 && fd <= 2; fd++)
        dup2(null, fd);
    close_all(3, socket - 1);
    close_all(socket + 1, INT_MAX);
    if (chdir("/") != 0)
        _exit(1);
}

/* ---- the daemon's side ---- */

struct helper *helper_start(const char *mountpoint)
{
    struct helper *const helper = calloc(1, sizeof(*helper));
    const pid_t daemon = getpid();
    int ends[2];

    if (helper == NULL)
        return NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        free(helper);
        return NULL;
    }
    helper->pid = fork();
    if (helper->pid == 0) {
        detach(ends[1]);
        serve_daemon(ends[1], mountpoint, daemon);
        _exit(0);
    }
    close(ends[1]);
    helper->socket = ends[0];
    if (helper->pid != -1)
        return helper;
    close(ends[0]);
    free(helper);
    return NULL;
}

/* False: there is no answer. */
static bool ask(struct helper *helper, enum request request, int fd, char *out,
                size_t size)
{
    struct pollfd answered = {.fd = helper->socket, .events = POLLIN};
    ssize_t n = -1;

    if (!send_request(helper->socket, (char)request, fd))
        return false;
    /* fusermount3 takes as long as it takes; to look through /proc must not */
    while (poll(&answered, 1, request == NAME ? PATIENCE_MS : -1) == -1 &&
           errno == EINTR) {
    }
    if (answered.revents != 0)
        n = recv(helper->socket, out, size - 1, MSG_DONTWAIT);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool helper_unmount(struct helper *helper)
{
    char text[ANSWER_SIZE];

    return ask(helper, UNMOUNT, -1, text, sizeof(text)) && text[0] == '+';
}

void helper_name_holder(void *ctx, int fd, char *out, size_t size)
{
    char text[ANSWER_SIZE];

    const bool named = ask(ctx, NAME, fd, text, sizeof(text));
    snprintf(out, size, "%s", named ? text : unnamed);
}

void helper_stop(struct helper *helper)
{
    if (helper == NULL)
        return;
    close(helper->socket);
    while (waitpid(helper->pid, NULL, 0) == -1 && errno == EINTR) {
    }
    free(helper);
}
