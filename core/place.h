/* place.h: the name beside the database where its journal lives. For core and
 * its tests.
 *
 * Like dev.h: a table of calls that return -errno, so that tests can put a
 * directory in memory in its place and lose its unsynced entries. */
#ifndef PF_PLACE_H
#define PF_PLACE_H

#include "dev.h"

struct pf_place;
struct stat;

struct pf_place_ops {
    /* -ENOENT: there is none. -ELOOP, -EPERM: there is something we must not
     * trust (no regular file, not the database owner's, or one that has another name
     * too). write: O_RDWR. */
    int (*open)(struct pf_place *place, bool write, struct pf_file **out_file);
    int (*create)(struct pf_place *place, struct pf_file **out_file); /* exclusively */
    /* -ESTALE: the name is another file's than the one opened or created last. */
    int (*remove)(struct pf_place *place);
    int (*set_aside)(struct pf_place *place); /* rename to <name>.refused; -EEXIST */
    int (*sync)(struct pf_place *place);      /* make create and remove durable */
    /* Is the database that was opened still there under its name? If so *out_size says
     * how large it is, if that was told as well; it is left alone otherwise. NULL: the
     * name cannot go. */
    bool (*has_database)(struct pf_place *place, uint64_t *out_size);
    void (*close)(struct pf_place *place);
};

struct pf_place {
    const struct pf_place_ops *ops;
};

/* The directory `dir_fd` (owned by the place from now on), and the name of the database
 * in it, which is the file `st`: owner and mode of the journal are those of it. */
PF_CHECK pf_err place_dir_new(int dir_fd, const char *name, const struct stat *st,
                              struct pf_place **out_place);
/* NULL is fine. */
void place_close(struct pf_place *place);

#endif
