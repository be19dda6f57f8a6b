#include "dev.h"

#include <errno.h>

pf_err dev_err(int errno_value)
{
    switch (errno_value) {
    case 0:
        return PF_OK;
    case ENOSPC:
        return PF_E_NO_SPACE;
    case EDQUOT:
        return PF_E_QUOTA;
    case EFBIG:
        return PF_E_FILE_LIMIT;
    case ENOMEM:
        return PF_E_NO_MEMORY;
    case ENOENT:
    case ENOTDIR:
        return PF_E_NOT_FOUND;
    case EEXIST:
        return PF_E_EXISTS;
    case EACCES:
    case EPERM:
        return PF_E_ACCESS;
    case EROFS:
        return PF_E_NEEDS_WRITE;
    default:
        return PF_E_IO;
    }
}

pf_err dev_read(struct pf_file *file, uint64_t offset, void *bytes, size_t length,
                size_t *out_got)
{
    uint8_t *to = bytes;
    size_t got = 0;
    while (got < length) {
        const ssize_t n = file->ops->pread(file, to + got, length - got, offset + got);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n == -ENOMEM ? PF_E_NO_MEMORY : PF_E_IO;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *out_got = got;
    return PF_OK;
}

pf_err dev_write(struct pf_file *file, uint64_t offset, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    size_t done = 0;
    while (done < length) {
        const ssize_t n =
            file->ops->pwrite(file, from + done, length - done, offset + done);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return dev_err((int)-n);
        if (n == 0)
            return PF_E_IO;
        done += (size_t)n;
    }
    return PF_OK;
}

pf_err dev_truncate(struct pf_file *file, uint64_t size)
{
    int rc;
    do {
        rc = file->ops->truncate(file, size);
    } while (rc == -EINTR);
    return dev_err(-rc);
}

/* Not repeated on EINTR: what a broken-off sync did is unknown, so it counts as failed.
 */
pf_err dev_sync(struct pf_file *file)
{
    return file->ops->sync(file) == 0 ? PF_OK : PF_E_IO;
}

pf_err dev_size(struct pf_file *file, uint64_t *out_size)
{
    return file->ops->size(file, out_size) == 0 ? PF_OK : PF_E_IO;
}

pf_err dev_reserve(struct pf_file *file, uint64_t offset, uint64_t length, bool *out_done)
{
    int rc;
    do {
        rc = file->ops->reserve(file, offset, length);
    } while (rc == -EINTR);
    if (rc == -EOPNOTSUPP || rc == -ENOSYS) {
        *out_done = false;
        return PF_OK;
    }
    if (rc == 0)
        *out_done = true;
    return dev_err(-rc);
}

pf_err dev_room(struct pf_file *file, uint64_t *out_bytes)
{
    *out_bytes = UINT64_MAX;
    return file->ops->room == NULL ? PF_OK : dev_err(-file->ops->room(file, out_bytes));
}

void dev_close(struct pf_file *file)
{
    if (file != NULL)
        file->ops->close(file);
}
