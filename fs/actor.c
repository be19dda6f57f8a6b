#include "actor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KNOWN = 32 };

struct actors {
    struct {
        pid_t pid; /* 0: none */
        int fd; /* of its comm; reads fail once it has ended, whoever has its pid then */
    } known[KNOWN];
};

struct actors *actors_new(void)
{
    return calloc(1, sizeof(struct actors));
}

void actors_free(struct actors *actors)
{
    for (size_t i = 0; actors != NULL && i < KNOWN; i++)
        if (actors->known[i].pid != 0)
            close(actors->known[i].fd);
    free(actors);
}

/* A name may hold anything; a column of a text may not. */
static void make_word(char comm[ACTOR_COMM_SIZE], size_t length)
{
    if (comm[length - 1] == '\n')
        length--;
    comm[length] = '\0';
    for (char *c = comm; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            *c = '_';
    }
}

/* The bytes of its comm; 0 or less: not known. */
static ssize_t read_comm(struct actors *actors, pid_t pid, char comm[ACTOR_COMM_SIZE])
{
    const size_t slot = (size_t)pid % KNOWN;
    const pid_t known = actors->known[slot].pid;
    ssize_t length = 0;
    char path[32];

    if (known == pid)
        length = pread(actors->known[slot].fd, comm, ACTOR_COMM_SIZE - 1, 0);
    if (length > 0)
        return length;
    if (known != 0)
        close(actors->known[slot].fd);
    actors->known[slot].pid = 0;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    actors->known[slot].pid = pid;
    actors->known[slot].fd = fd;
    return pread(fd, comm, ACTOR_COMM_SIZE - 1, 0);
}

struct actor actor_of(struct actors *actors, pid_t pid)
{
    const struct actor unknown = {pid, "?"};
    struct actor actor = {.pid = pid};

    if (pid <= 0)
        return unknown;
    const ssize_t length = read_comm(actors, pid, actor.comm);
    if (length > 0)
        make_word(actor.comm, (size_t)length);
    return actor.comm[0] != '\0' ? actor : unknown;
}
