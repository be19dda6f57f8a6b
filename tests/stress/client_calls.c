/* client_calls.c: the system calls of a client. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int client_put(struct client *c, const char *path, const char *text)
{
    const int fd = openat(c->root, path, O_WRONLY | O_CLOEXEC);
    const size_t length = strlen(text);
    int error = 0;

    if (fd < 0)
        return errno;
    const ssize_t n = write(fd, text, length);
    if (n != (ssize_t)length)
        error = n < 0 ? errno : EIO;
    close(fd);
    return error;
}

int client_read(struct client *c, int fd)
{
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, c->text + length, CLIENT_TEXT - 1 - length)) > 0)
        length += (size_t)n;
    c->text[length] = '\0';
    return n < 0 ? errno : 0;
}

int client_get(struct client *c, const char *path)
{
    const int fd = openat(c->root, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    const int error = client_read(c, fd);
    close(fd);
    return error;
}

const char *client_path(uint64_t id, const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/%s", id, name);
    return path;
}

const char *client_decimal(uint64_t id)
{
    static char text[24];

    snprintf(text, sizeof(text), "%" PRIu64 "\n", id);
    return text;
}
