/* create.c: a new, empty database. */
#include "format.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"

/* The new name is durable only when its directory is. */
static pf_err sync_directory_of(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return PF_E_NO_MEMORY;
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pf_err err = fd < 0 || fsync(fd) != 0 ? PF_E_IO : PF_OK;
    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return err;
}

static pf_err write_database(int fd, uint64_t total_pages)
{
    struct pf_header header;
    struct pf_file *file;
    uint8_t bytes[PF_HEADER_SIZE];
    header_init(&header);
    header.total_pages = total_pages;
    header_encode(&header, bytes);
    pf_err err = dev_file_new(fd, &file);
    if (err != PF_OK) {
        (void)close(fd);
        return err;
    }
    err = dev_write(file, 0, bytes, sizeof bytes);
    if (err == PF_OK && total_pages > 0)
        err = dev_truncate(file, nominal_size(total_pages));
    if (err == PF_OK && fsync(fd) != 0)
        err = PF_E_IO;
    dev_close(file);
    return err;
}

pf_err pf_create(const char *path, uint64_t total_pages)
{
    if (total_pages == 1 || total_pages > PF_MAX_PAGE_ID)
        return PF_E_INVALID;
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0)
        return dev_err(errno);
    pf_err err = write_database(fd, total_pages);
    if (err == PF_OK)
        err = sync_directory_of(path);
    if (err != PF_OK)
        (void)unlink(path);
    return err;
}
