/* open.c: open a database: find the file, lock it, see who else has it, and
 * fall back to reading when writing could destroy data. What is in it is
 * recover.c's. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "lock.h"
#include "open.h"

struct opening {
    int path_fd; /* O_PATH: names the file, once and for all */
    int dir_fd;
    struct stat st;
    char *path;       /* resolved */
    const char *name; /* last component of path */
    const struct pf_options *options;
    char *reason;   /* PF_REASON_SIZE bytes */
    bool repair;    /* do not judge what is in the file */
    bool set_aside; /* rename the journal first */
    bool only_ask;  /* do not go on once the file is claimed */
};

static pf_err fail_with_errno(struct opening *o, const char *what)
{
    const int saved = errno;
    store_say(o->reason, "%s: %s", what, strerror(saved));
    return dev_err(saved);
}

/* ---- find the file ---- */

static pf_err find_file(struct opening *o, const char *path)
{
    o->path = realpath(path, NULL); /* a symbolic link is resolved here, once */
    if (o->path == NULL)
        return fail_with_errno(o, "cannot open");
    char *slash = strrchr(o->path, '/');
    o->name = slash + 1;
    o->path_fd = open(o->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (o->path_fd < 0 || fstat(o->path_fd, &o->st) != 0)
        return fail_with_errno(o, "cannot open");
    if (!S_ISREG(o->st.st_mode)) {
        store_say(o->reason, "not a regular file");
        return PF_E_NOT_REGULAR;
    }
    *slash = '\0';
    o->dir_fd =
        open(slash == o->path ? "/" : o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    return o->dir_fd < 0 ? fail_with_errno(o, "cannot open its directory") : PF_OK;
}

/* Open what path_fd names; the path is not walked again. */
static int reopen(const struct opening *o, int flags)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", o->path_fd);
    return open(link, flags | O_CLOEXEC | O_NOCTTY);
}

/* ---- reasons not to write; each returns false and says why ---- */

static bool place_is_writable(struct opening *o, int fd)
{
    if (fd < 0)
        store_say(o->reason, "the file cannot be opened for writing: %s",
                  strerror(errno));
    else if (faccessat(o->dir_fd, ".", W_OK, AT_EACCESS) != 0)
        store_say(o->reason,
                  "the directory of the file, where its journal would be, is not "
                  "writable: %s",
                  strerror(errno));
    else if (dev_file_over_limit((uint64_t)o->st.st_size))
        store_say(o->reason,
                  "the file is longer than this process may write (ulimit -f)");
    else if (o->st.st_nlink > 1)
        store_say(o->reason,
                  "the file has %lu hard links: two names would mean two journals",
                  (unsigned long)o->st.st_nlink);
    else
        return true;
    return false;
}

/* The crate's side files replace the last extension: db.v3 -> db.v3wal. */
static pf_err side_name(const struct opening *o, const char *extension,
                        char out[NAME_MAX + 1])
{
    const char *dot = strrchr(o->name, '.');
    const size_t stem =
        dot == NULL || dot == o->name ? strlen(o->name) : (size_t)(dot - o->name);
    const int n = snprintf(out, NAME_MAX + 1, "%.*s.%s", (int)stem, o->name, extension);
    return n < 0 || n > NAME_MAX ? PF_E_NOT_FOUND : PF_OK;
}

/* Read the start of a side file; returns the bytes or -errno. */
static ssize_t read_side_file(const struct opening *o, const char *extension,
                              char out_name[NAME_MAX + 1], uint8_t *bytes, size_t room)
{
    if (side_name(o, extension, out_name) != PF_OK)
        return -ENOENT;
    const int fd =
        openat(o->dir_fd, out_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    const ssize_t n = pread(fd, bytes, room, 0);
    const int saved = errno;
    (void)close(fd);
    return n < 0 ? -saved : n;
}

static void read_edgemeta(const struct opening *o, pf_store *store)
{
    char name[NAME_MAX + 1];
    const ssize_t n =
        read_side_file(o, "v3edgemeta", name, store->edgemeta, sizeof store->edgemeta);
    store->edgemeta_length = n > 0 ? (size_t)n : 0;
    store->edgemeta_err = n >= 0 || n == -ENOENT ? PF_OK : dev_err((int)-n);
}

/* Bare and valid, or absent, is clean. FORMAT.md section 4. */
static bool wal_is_clean(struct opening *o)
{
    enum { WAL_HEADER = 64, WAL_VERSION = 8 };
    static const uint8_t magic[8] = {'V', '3', 'W', 'A', 'L', 0, 0, 0};
    char name[NAME_MAX + 1];
    uint8_t bytes[WAL_HEADER + 1] = {0};
    const ssize_t n = read_side_file(o, "v3wal", name, bytes, sizeof bytes);
    if (n == -ENOENT)
        return true;
    if (n == WAL_HEADER && memcmp(bytes, magic, sizeof magic) == 0 &&
        get_le32(bytes + WAL_VERSION) == 1)
        return true;
    store_say(o->reason,
              "the write-ahead log %s was not closed cleanly: total_pages may be wrong",
              name);
    return false;
}

/* One that was set aside earlier may be wanted: it is not written over. */
static bool can_set_aside(struct opening *o)
{
    char name[NAME_MAX + 32];
    snprintf(name, sizeof name, "%s-journal.refused", o->name);
    if (faccessat(o->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    store_say(o->reason, "%s exists: move it away first", name);
    return false;
}

static bool nobody_else_has_it(struct opening *o, int fd, char *lock_text, size_t size)
{
    char holder[64];
    const size_t used = strlen(lock_text);
    switch (lock_probe_others(fd)) {
    case PROBE_ALONE:
        snprintf(lock_text + used, size - used, ", no one else has the file open");
        return true;
    case PROBE_UNKNOWN:
        snprintf(lock_text + used, size - used, ", no leases here to find other writers");
        return true;
    case PROBE_OTHERS:
    default:
        lock_name_holder(fd, holder, sizeof holder);
        store_say(o->reason, "the file is open in %s", holder);
        return false;
    }
}

/* ---- open ---- */

static pf_err take_locks(int fd, bool exclusive, char *text, size_t size)
{
    const char *held = "";
    const pf_err err = lock_take(fd, exclusive, &held);
    snprintf(text, size, "%s", held);
    return err;
}

static void say_who_has_it(struct opening *o)
{
    char holder[64];
    lock_name_holder(o->path_fd, holder, sizeof holder);
    store_say(o->reason, "the file is already open in %s", holder);
}

static pf_err make_place(const struct opening *o, struct pf_place **out_place)
{
    const int fd = fcntl(o->dir_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return PF_E_IO;
    const pf_err err = place_dir_new(fd, o->name, &o->st, out_place);
    if (err != PF_OK)
        (void)close(fd);
    return err;
}

/* Before anything is read: is it ours alone to write? PF_E_NEEDS_WRITE with the
 * reason. */
static pf_err claim(struct opening *o, int fd, bool write, char *lock_text, size_t size)
{
    pf_err err = take_locks(fd, write, lock_text, size);
    if (err == PF_OK && write &&
        (!wal_is_clean(o) || (o->set_aside && !can_set_aside(o)) ||
         !nobody_else_has_it(o, fd, lock_text, size)))
        err = PF_E_NEEDS_WRITE;
    return err;
}

/* The store itself, when file and place are found and claimed. */
static pf_err open_claimed(struct opening *o, struct pf_file *file,
                           struct pf_place *place, bool write, pf_store **out_store)
{
    if (!o->repair)
        return store_open(file, place, write, o->options->no_sync, o->reason, out_store);
    const int rc = o->set_aside ? place->ops->set_aside(place) : 0;
    if (rc == 0)
        return store_open_unjudged(file, place, o->reason, out_store);
    store_say(o->reason, "cannot set the journal aside: %s", strerror(-rc));
    dev_close(file);
    place_close(place);
    return dev_err(-rc);
}

/* One try, for writing or for reading. */
static pf_err attempt(struct opening *o, bool write, pf_store **out_store)
{
    char lock_text[sizeof(*out_store)->lock_text] = "";
    struct pf_file *file = NULL;
    struct pf_place *place = NULL;
    const int fd = reopen(o, write ? O_RDWR : O_RDONLY);
    if (fd >= 0 && fstat(fd, &o->st) != 0) { /* again: overlayfs copies on this open */
        (void)close(fd);
        return fail_with_errno(o, "cannot open");
    }
    if (write && !place_is_writable(o, fd)) {
        if (fd >= 0)
            (void)close(fd);
        return PF_E_NEEDS_WRITE;
    }
    if (fd < 0)
        return fail_with_errno(o, "cannot open");
    pf_err err = dev_file_new(fd, &file);
    if (err != PF_OK) {
        (void)close(fd);
        return err;
    }
    err = claim(o, fd, write, lock_text, sizeof lock_text);
    if (err == PF_OK && !o->only_ask)
        err = make_place(o, &place);
    if (err != PF_OK || o->only_ask) {
        dev_close(file); /* before the search: the holder must not find us at its file */
        if (err == PF_E_LOCKED)
            say_who_has_it(o);
        return err;
    }
    pf_store *store = NULL;
    err = open_claimed(o, file, place, write, &store);
    if (err != PF_OK || store == NULL)
        return err;
    memcpy(store->lock_text, lock_text, sizeof lock_text);
    store->wal_unclean = !write && !wal_is_clean(o); /* claim() has looked, to write */
    store->probe_fd = write ? fd : -1;
    store->name_holder = o->options->name_holder;
    store->name_holder_ctx = o->options->name_holder_ctx;
    atomic_store(&store->max_pages, o->options->max_pages);
    read_edgemeta(o, store);
    *out_store = store;
    return PF_OK;
}

/* Read-only, for the reason that is in o->reason now. */
static pf_err fall_back(struct opening *o, pf_store **out_store)
{
    char reason[PF_REASON_SIZE];
    pf_store *store = NULL;
    memcpy(reason, o->reason, sizeof reason);
    o->reason[0] = '\0'; /* it is not why this may fail */
    pf_err err = attempt(o, false, &store);
    if (err != PF_OK || store == NULL)
        return err;
    if (store->reason[0] == '\0') /* else: what is wrong with the journal */
        memcpy(store->reason, reason, sizeof reason);
    if (o->options->scratch)
        err = store_make_scratch(store);
    if (err == PF_OK)
        *out_store = store;
    else
        store_delete(store);
    return err;
}

static pf_err open_found(struct opening *o, pf_store **out_store)
{
    const struct pf_options *options = o->options;
    if (options->read_only || options->scratch) {
        store_say(o->reason, "asked for");
        return fall_back(o, out_store);
    }
    const pf_err err = attempt(o, true, out_store);
    if (err == PF_E_NEEDS_WRITE && !options->require_rw)
        return fall_back(o, out_store);
    return err;
}

/* Find the file, have `open_it` open it. */
static pf_err open_path(struct opening *o, const char *path,
                        pf_err (*open_it)(struct opening *o, pf_store **out_store),
                        pf_store **out_store)
{
    pf_store *store = NULL;
    o->path_fd = o->dir_fd = -1;
    o->reason[0] = '\0';
    pf_err err = find_file(o, path);
    if (err == PF_OK)
        err = open_it(o, &store);
    if (err == PF_OK)
        *out_store = store;
    else if (o->reason[0] == '\0')
        store_say(o->reason, "%s", pf_err_text(err));
    if (o->path_fd >= 0)
        (void)close(o->path_fd);
    if (o->dir_fd >= 0)
        (void)close(o->dir_fd);
    free(o->path);
    return err;
}

static const struct pf_options defaults;

pf_err pf_open(const char *path, const struct pf_options *options, pf_store **out_store,
               char *out_reason)
{
    char reason[PF_REASON_SIZE] = "";
    struct opening o = {.options = options != NULL ? options : &defaults,
                        .reason = out_reason != NULL ? out_reason : reason};
    return open_path(&o, path, open_found, out_store);
}

static pf_err open_writing(struct opening *o, pf_store **out_store)
{
    return attempt(o, true, out_store);
}

pf_err open_for_repair(const char *path, bool set_aside, pf_store **out_store,
                       char *reason)
{
    struct opening o = {
        .options = &defaults, .reason = reason, .repair = true, .set_aside = set_aside};
    return open_path(&o, path, open_writing, out_store);
}

pf_err open_may_repair(const char *path, bool set_aside, char *reason)
{
    pf_store *none = NULL;
    struct opening o = {.options = &defaults,
                        .reason = reason,
                        .repair = true,
                        .set_aside = set_aside,
                        .only_ask = true};
    return open_path(&o, path, open_writing, &none);
}
