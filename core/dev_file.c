/* dev_file.c: struct pf_file on a file descriptor. */
#include "dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct fd_file {
    struct pf_file file;
    int fd;
};

static int fd_of(struct pf_file *file)
{
    return ((struct fd_file *)file)->fd;
}

static ssize_t fd_pread(struct pf_file *file, void *bytes, size_t length, uint64_t offset)
{
    const ssize_t n = pread(fd_of(file), bytes, length, (off_t)offset);
    return n < 0 ? -errno : n;
}

static ssize_t fd_pwrite(struct pf_file *file, const void *bytes, size_t length,
                         uint64_t offset)
{
    const ssize_t n = pwrite(fd_of(file), bytes, length, (off_t)offset);
    return n < 0 ? -errno : n;
}

static int fd_truncate(struct pf_file *file, uint64_t size)
{
    return ftruncate(fd_of(file), (off_t)size) == 0 ? 0 : -errno;
}

bool dev_file_over_limit(uint64_t end)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           end > limit.rlim_cur;
}

static int fd_reserve(struct pf_file *file, uint64_t offset, uint64_t length)
{
    /* fallocate() that keeps the size does not ask for it; the write that relies on this
     * will */
    if (dev_file_over_limit(offset + length))
        return -EFBIG;
    return fallocate(fd_of(file), FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) == 0
               ? 0
               : -errno;
}

static int fd_room(struct pf_file *file, uint64_t *out_bytes)
{
    struct statvfs st;
    if (fstatvfs(fd_of(file), &st) != 0)
        return -errno;
    const uint64_t blocks = geteuid() == 0 ? st.f_bfree : st.f_bavail;
    *out_bytes = blocks > UINT64_MAX / st.f_frsize ? UINT64_MAX : blocks * st.f_frsize;
    return 0;
}

static int fd_sync(struct pf_file *file)
{
    return fdatasync(fd_of(file)) == 0 ? 0 : -errno;
}

/* Not fstat(): whoever asks for the times makes the next write take new ones, on kernels
 * with multigrain timestamps those of the journal as well, and where fdatasync writes the
 * inode for that (ext4 without a journal) a commit takes half as long again. */
static int fd_size(struct pf_file *file, uint64_t *out_size)
{
    const off_t end = lseek(fd_of(file), 0, SEEK_END);
    if (end < 0)
        return -errno;
    *out_size = (uint64_t)end;
    return 0;
}

static bool fd_is_dense(struct pf_file *file)
{
    struct stat st;
    if (fstat(fd_of(file), &st) != 0)
        return false;
    const off_t hole = lseek(fd_of(file), 0, SEEK_HOLE);
    return hole == st.st_size;
}

static void fd_close(struct pf_file *file)
{
    (void)close(fd_of(file));
    free(file);
}

/* A commit reads what the last one wrote: with relatime that would change the inode each
 * time, 2.4 us after a sync. Only the owner may ask for this; others do without. */
static void forget_access_time(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NOATIME);
}

static const struct pf_file_ops fd_ops = {
    .pread = fd_pread,
    .pwrite = fd_pwrite,
    .truncate = fd_truncate,
    .reserve = fd_reserve,
    .room = fd_room,
    .sync = fd_sync,
    .size = fd_size,
    .is_dense = fd_is_dense,
    .close = fd_close,
};

pf_err dev_file_new(int fd, struct pf_file **out_file)
{
    struct fd_file *f = malloc(sizeof *f);
    if (f == NULL)
        return PF_E_NO_MEMORY;
    forget_access_time(fd);
    *f = (struct fd_file){.file = {.ops = &fd_ops}, .fd = fd};
    *out_file = &f->file;
    return PF_OK;
}
