/* place.c: the journal's name in a real directory. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct dir_place {
    struct pf_place place;
    int dir_fd;
    struct stat st;          /* of the database when it was opened */
    struct stat journal;     /* of the file that was opened or created last */
    char name[NAME_MAX + 1]; /* of the journal */
    char database[NAME_MAX + 1];
};

static struct dir_place *dir_of(struct pf_place *place)
{
    return (struct dir_place *)place;
}

static int wrap(int fd, struct pf_file **out_file)
{
    if (dev_file_new(fd, out_file) == PF_OK)
        return 0;
    (void)close(fd);
    return -ENOMEM;
}

static int dir_open(struct pf_place *place, bool write, struct pf_file **out_file)
{
    struct dir_place *d = dir_of(place);
    const int fd = openat(d->dir_fd, d->name,
                          (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK |
                              O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &d->journal) != 0 || !S_ISREG(d->journal.st_mode) ||
        d->journal.st_uid != d->st.st_uid || d->journal.st_nlink > 1) {
        (void)close(fd);
        return -EPERM;
    }
    return wrap(fd, out_file);
}

static int dir_create(struct pf_place *place, struct pf_file **out_file)
{
    struct dir_place *d = dir_of(place);
    const int fd =
        openat(d->dir_fd, d->name,
               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return -errno;
    /* who may read the database may read its journal; only root can give files
     * away */
    if ((geteuid() != d->st.st_uid && fchown(fd, d->st.st_uid, d->st.st_gid) != 0) ||
        fchmod(fd, d->st.st_mode & 0777) != 0 || fstat(fd, &d->journal) != 0) {
        const int saved = errno;
        (void)unlinkat(d->dir_fd, d->name, 0);
        (void)close(fd);
        return -saved;
    }
    const int rc = wrap(fd, out_file);
    if (rc != 0) /* else the next try would find a journal of nobody's */
        (void)unlinkat(d->dir_fd, d->name, 0);
    return rc;
}

static int dir_remove(struct pf_place *place)
{
    const struct dir_place *d = dir_of(place);
    struct stat now;
    if (fstatat(d->dir_fd, d->name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (now.st_dev != d->journal.st_dev || now.st_ino != d->journal.st_ino)
        return -ESTALE;
    return unlinkat(d->dir_fd, d->name, 0) == 0 ? 0 : -errno;
}

static int dir_set_aside(struct pf_place *place)
{
    const struct dir_place *d = dir_of(place);
    char aside[NAME_MAX + 1];
    const int n = snprintf(aside, sizeof aside, "%s.refused", d->name);
    if (n < 0 || (size_t)n >= sizeof aside)
        return -ENAMETOOLONG;
    return renameat2(d->dir_fd, d->name, d->dir_fd, aside, RENAME_NOREPLACE) == 0
               ? 0
               : -errno;
}

static int dir_sync(struct pf_place *place)
{
    return fsync(dir_of(place)->dir_fd) == 0 ? 0 : -errno;
}

/* Asked twice a commit, and not for the times: see fd_size(). */
static bool dir_has_database(struct pf_place *place, uint64_t *out_size)
{
    const struct dir_place *d = dir_of(place);
    const unsigned wanted = STATX_INO | STATX_SIZE;
    struct statx now;
    if (statx(d->dir_fd, d->database, AT_SYMLINK_NOFOLLOW, wanted, &now) != 0)
        return errno != ENOENT; /* other errors say nothing about the file */
    if (makedev(now.stx_dev_major, now.stx_dev_minor) != d->st.st_dev ||
        now.stx_ino != d->st.st_ino)
        return false;
    if (now.stx_mask & STATX_SIZE)
        *out_size = now.stx_size;
    return true;
}

static void dir_close(struct pf_place *place)
{
    (void)close(dir_of(place)->dir_fd);
    free(place);
}

static const struct pf_place_ops dir_ops = {
    .open = dir_open,
    .create = dir_create,
    .remove = dir_remove,
    .set_aside = dir_set_aside,
    .sync = dir_sync,
    .has_database = dir_has_database,
    .close = dir_close,
};

pf_err place_dir_new(int dir_fd, const char *name, const struct stat *st,
                     struct pf_place **out_place)
{
    struct dir_place *d = calloc(1, sizeof *d);
    if (d == NULL)
        return PF_E_NO_MEMORY;
    *d = (struct dir_place){.place = {.ops = &dir_ops}, .dir_fd = dir_fd, .st = *st};
    const int n = snprintf(d->name, sizeof d->name, "%s-journal", name);
    if (n < 0 || (size_t)n >= sizeof d->name) {
        free(d);
        return PF_E_INVALID;
    }
    snprintf(d->database, sizeof d->database, "%s", name);
    *out_place = &d->place;
    return PF_OK;
}

void place_close(struct pf_place *place)
{
    if (place != NULL)
        place->ops->close(place);
}
