#include "findings.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "finding_text.h"

enum {
    FILE_BYTES = 256 << 20, /* of text, at most */
    MEMORY_BYTES = 1 << 20, /* where no temporary file can be had */
    LINE_SIZE = FINDING_TEXT_SIZE + 1,
};

struct findings {
    pthread_mutex_t lock; /* guards what follows */
    int fd;               /* -1: none yet */
    uint64_t limit, size;
    uint64_t count, left_out;
};

struct findings *findings_new(void)
{
    struct findings *const f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    /* now: later we may not reach that directory any more */
    f->fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    f->limit = FILE_BYTES;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void findings_free(struct findings *findings)
{
    if (findings->fd != -1)
        close(findings->fd);
    pthread_mutex_destroy(&findings->lock);
    free(findings);
}

static pf_err open_locked(struct findings *f)
{
    if (f->fd != -1)
        return ftruncate(f->fd, 0) == 0 ? PF_OK : PF_E_IO;
    f->limit = MEMORY_BYTES;
    f->fd = memfd_create("findings", MFD_CLOEXEC);
    return f->fd != -1 ? PF_OK : PF_E_IO;
}

pf_err findings_restart(struct findings *findings)
{
    pthread_mutex_lock(&findings->lock);
    const pf_err err = open_locked(findings);
    if (err == PF_OK) {
        findings->size = 0;
        findings->count = 0;
        findings->left_out = 0;
    }
    pthread_mutex_unlock(&findings->lock);
    return err;
}

/* `line` is terminated and has room for an LF in the place of the NUL. Half a line that a
 * full disk took is written over by the next. */
static void put_locked(struct findings *f, char *line)
{
    const size_t length = strlen(line) + 1;
    ssize_t written = -1;

    line[length - 1] = '\n';
    if (f->size + length <= f->limit)
        written = pwrite(f->fd, line, length, (off_t)f->size);
    if (written == (ssize_t)length)
        f->size += length;
    else
        f->left_out++;
}

void findings_add(struct findings *findings, const struct pf_finding *finding)
{
    char line[LINE_SIZE];

    finding_text(finding, line);
    pthread_mutex_lock(&findings->lock);
    findings->count++;
    put_locked(findings, line);
    pthread_mutex_unlock(&findings->lock);
}

void findings_note(struct findings *findings, const char *line)
{
    char copy[LINE_SIZE];

    snprintf(copy, sizeof(copy), "%s", line);
    pthread_mutex_lock(&findings->lock);
    put_locked(findings, copy);
    pthread_mutex_unlock(&findings->lock);
}

void findings_end(struct findings *findings)
{
    char line[64];

    pthread_mutex_lock(&findings->lock);
    if (findings->left_out > 0) {
        snprintf(line, sizeof(line), "no room for %" PRIu64 " more lines",
                 findings->left_out);
        findings->limit += sizeof(line);
        put_locked(findings, line);
        findings->limit -= sizeof(line);
    }
    pthread_mutex_unlock(&findings->lock);
}

uint64_t findings_count(struct findings *findings)
{
    pthread_mutex_lock(&findings->lock);
    const uint64_t count = findings->count;
    pthread_mutex_unlock(&findings->lock);
    return count;
}

uint64_t findings_size(struct findings *findings)
{
    pthread_mutex_lock(&findings->lock);
    const uint64_t size = findings->size;
    pthread_mutex_unlock(&findings->lock);
    return size;
}

pf_err findings_read(struct findings *findings, uint64_t offset, char *buffer,
                     size_t size, size_t *out_length)
{
    ssize_t length = 0;

    pthread_mutex_lock(&findings->lock);
    if (offset < findings->size) {
        const uint64_t left = findings->size - offset;
        length =
            pread(findings->fd, buffer, size < left ? size : (size_t)left, (off_t)offset);
    }
    pthread_mutex_unlock(&findings->lock);
    if (length < 0)
        return PF_E_IO;
    *out_length = (size_t)length;
    return PF_OK;
}
