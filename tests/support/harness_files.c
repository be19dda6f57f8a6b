/* harness_files.c: system calls on the files below the mountpoint of harness.h. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int m_open(struct mnt *m, const char *path, int flags)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s", m->point, path);
    const int fd = open(full, flags | O_CLOEXEC, 0644);
    return fd >= 0 ? fd : -errno;
}

int mnt_open_errno(struct mnt *m, const char *path, int flags)
{
    const int fd = m_open(m, path, flags);

    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

const char *m_read(struct mnt *m, const char *path)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s", m->point, path);
    if (access(full, F_OK) != 0)
        fail_msg("%s: %s", full, strerror(errno));
    free(m->out);
    m->out = scratch_slurp(full, &m->out_length);
    return m->out;
}

int m_write_bytes(struct mnt *m, const char *path, const void *bytes, size_t length)
{
    const int fd = m_open(m, path, O_WRONLY);
    int result = 0;

    if (fd < 0)
        return -fd;
    const ssize_t n = write(fd, bytes, length);
    if (n < 0)
        result = errno;
    else if ((size_t)n != length)
        fail_msg("%s: %zd of %zu bytes written", path, n, length);
    if (close(fd) != 0)
        fail_msg("close of %s: %s (errors belong to write)", path, strerror(errno));
    return result;
}

int m_write(struct mnt *m, const char *path, const char *text)
{
    return m_write_bytes(m, path, text, strlen(text));
}

void mnt_assert_errno(int expected, int got, const char *path, const char *what,
                      const char *file, int line)
{
    if (got == expected)
        return;
    print_error("%s, \"%.200s\": %s, expected %s\n", path, what, strerror(got),
                strerror(expected));
    _fail(file, line);
}

uint64_t m_number(struct mnt *m, const char *path, const char *key)
{
    const size_t length = strlen(key);
    const char *line = m_read(m, path);

    while (line != NULL && (strncmp(line, key, length) != 0 || line[length] != ' ')) {
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    if (line == NULL)
        fail_msg("%s has no %s:\n%s", path, key, m->out);
    return strtoull(line + length, NULL, 10);
}

void m_wait_for_check(struct mnt *m)
{
    for (int i = 0; i < 6000; i++) {
        if (strcmp(m_read(m, "check/action"), "idle\n") == 0)
            return;
        poll(NULL, 0, 5);
    }
    fail_msg("the check did not end within half a minute");
}

void mnt_assert_state(struct mnt *m, uint64_t id, const char *word, const char *file,
                      int line)
{
    char path[64];
    char expected[32];

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/state", id);
    snprintf(expected, sizeof(expected), "%s\n", word);
    if (strcmp(m_read(m, path), expected) == 0)
        return;
    print_error("page %" PRIu64 " is %s, expected %s\n", id, m->out, word);
    _fail(file, line);
}
