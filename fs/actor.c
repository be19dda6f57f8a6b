#include "actor.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A name may hold anything; a column of a text may not. */
static void make_word(char *comm, size_t length)
{
    while (length > 0 && comm[length - 1] == '\n')
        length--;
    comm[length] = '\0';
    for (char *c = comm; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            *c = '_';
    }
}

struct actor actor_of(pid_t pid)
{
    struct actor actor = {pid, "?"};
    char comm[ACTOR_COMM_SIZE + 1] = "";
    char path[32];

    if (pid <= 0)
        return actor;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return actor;
    const ssize_t length = read(fd, comm, ACTOR_COMM_SIZE);
    close(fd);
    if (length > 0) {
        make_word(comm, (size_t)length);
        snprintf(actor.comm, sizeof(actor.comm), "%.15s", comm[0] != '\0' ? comm : "?");
    }
    return actor;
}
