/* dev.h: the only door to the disk: a table of six calls, and how they are used.
 *
 * For core and its tests. Every byte of the database and of the journal goes
 * through a struct pf_file, so that tests can trace, cut, tear and fail each
 * call. The calls behave like the system calls they are named after, but
 * return -errno; they may be short and may return -EINTR. The dev_ functions
 * continue short transfers and EINTR and speak pf_err. */
#ifndef PF_DEV_H
#define PF_DEV_H

#include <sys/types.h>

#include "pf.h"

struct pf_file;

struct pf_file_ops {
    ssize_t (*pread)(struct pf_file *file, void *bytes, size_t length, uint64_t offset);
    ssize_t (*pwrite)(struct pf_file *file, const void *bytes, size_t length,
                      uint64_t offset);
    int (*truncate)(struct pf_file *file, uint64_t size);
    /* Disk space for a range, size kept; -EOPNOTSUPP where this cannot be asked for. */
    int (*reserve)(struct pf_file *file, uint64_t offset, uint64_t length);
    /* Bytes that the file system has left for us. NULL: as many as we like. */
    int (*room)(struct pf_file *file, uint64_t *out_bytes);
    int (*sync)(struct pf_file *file); /* data and size */
    int (*size)(struct pf_file *file, uint64_t *out_size);
    /* True when no part of the file can be a hole. */
    bool (*is_dense)(struct pf_file *file);
    void (*close)(struct pf_file *file);
};

struct pf_file {
    const struct pf_file_ops *ops;
};

/* The error for a positive errno. */
pf_err dev_err(int errno_value);
/* Read until `length` or the end of the file; *out_got says how much. PF_E_IO. */
PF_CHECK pf_err dev_read(struct pf_file *file, uint64_t offset, void *bytes,
                         size_t length, size_t *out_got);
PF_CHECK pf_err dev_write(struct pf_file *file, uint64_t offset, const void *bytes,
                          size_t length);
PF_CHECK pf_err dev_truncate(struct pf_file *file, uint64_t size);
PF_CHECK pf_err dev_sync(struct pf_file *file);
PF_CHECK pf_err dev_size(struct pf_file *file, uint64_t *out_size);
/* *out_done false: the file system cannot reserve. */
PF_CHECK pf_err dev_reserve(struct pf_file *file, uint64_t offset, uint64_t length,
                            bool *out_done);
PF_CHECK pf_err dev_room(struct pf_file *file, uint64_t *out_bytes);
/* NULL is fine. */
void dev_close(struct pf_file *file);

/* A file that owns `fd`. */
PF_CHECK pf_err dev_file_new(int fd, struct pf_file **out_file);
/* May this process not write so far into a file? (ulimit -f) */
bool dev_file_over_limit(uint64_t end);
/* A file in memory, holes included, of `size` bytes; every byte reads as `base` has it
 * (zeros without one). `base` is never written and is owned by the new file. */
PF_CHECK pf_err dev_mem_new(struct pf_file *base, uint64_t size,
                            struct pf_file **out_file);
/* End such a file, and give its base back, as it always was. */
PF_CHECK struct pf_file *dev_mem_release(struct pf_file *file);

#endif
