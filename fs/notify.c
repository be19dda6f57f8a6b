#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 5 };

/* A path, or @ and a name of the abstract namespace. 0: neither. */
static socklen_t address_of(const char *name, struct sockaddr_un *out)
{
    const size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || name[1] == '\0' ||
        length >= sizeof(out->sun_path))
        return 0;
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, name, length);
    if (name[0] == '@') {
        out->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }
    return (socklen_t)sizeof(*out);
}

void notify_send(const char *state)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const char *const name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    const socklen_t length = name != NULL ? address_of(name, &address) : 0;

    if (length == 0)
        return;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return;
    /* Nothing depends on the answer: a manager that does not listen is not our fault. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                 (const struct sockaddr *)&address, length);
    close(fd);
}
