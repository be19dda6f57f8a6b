/* open.c: open a database: find the file, lock it, judge it, and decide whether writing
 * to it could destroy data. Cost does not depend on the file's size. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "lock.h"

struct opening {
    int path_fd; /* O_PATH: names the file, once and for all */
    int dir_fd;
    struct stat st;
    char *path; /* resolved */
    const char *name; /* last component of path */
    const struct pf_options *options;
    char *reason; /* PF_REASON_SIZE bytes */
};

__attribute__((format(printf, 2, 3))) static void say(struct opening *o, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(o->reason, PF_REASON_SIZE, format, args);
    va_end(args);
}

static pf_err fail_with_errno(struct opening *o, const char *what)
{
    const int saved = errno;
    say(o, "%s: %s", what, strerror(saved));
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
        say(o, "not a regular file");
        return PF_E_NOT_REGULAR;
    }
    *slash = '\0';
    o->dir_fd = open(slash == o->path ? "/" : o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
        say(o, "the file cannot be opened for writing: %s", strerror(errno));
    else if (faccessat(o->dir_fd, ".", W_OK, AT_EACCESS) != 0)
        say(o, "the directory of the file, where its journal would be, is not writable: %s",
            strerror(errno));
    else if (o->st.st_nlink > 1)
        say(o, "the file has %lu hard links: two names would mean two journals",
            (unsigned long)o->st.st_nlink);
    else
        return true;
    return false;
}

static bool size_is_right(struct opening *o, uint64_t total_pages, uint64_t size)
{
    const uint64_t total = effective_total(total_pages);
    if (total > PF_MAX_PAGE_ID) {
        say(o, "total_pages is %llu: no file can be that long", (unsigned long long)total_pages);
        return false;
    }
    const uint64_t nominal = nominal_size(total);
    if (size > nominal) {
        say(o,
            "the file is %llu bytes longer than its total_pages (%llu) says: "
            "allocating would overwrite data",
            (unsigned long long)(size - nominal), (unsigned long long)total_pages);
        return false;
    }
    /* page 1 holds nothing, so a file that ends anywhere in it is whole */
    if (total > PF_FIRST_PAGE && nominal - size >= PF_PAGE_SIZE) {
        say(o, "the file is %llu bytes shorter than its total_pages (%llu) says",
            (unsigned long long)(nominal - size), (unsigned long long)total_pages);
        return false;
    }
    return true;
}

static bool header_allows_writing(struct opening *o, const struct pf_header *h,
                                  uint64_t size)
{
    const uint64_t total = effective_total(h->total_pages);
    const bool has_edges = h->edge_data_offset != 0 && h->edge_data_offset != UINT64_MAX;
    if (h->page_size != PF_PAGE_SIZE)
        say(o, "page_size is %u: only files with 4096-byte pages can be written", h->page_size);
    else if (!size_is_right(o, h->total_pages, size))
        return false;
    else if (h->root_index_page >= total)
        say(o, "root_index_page %llu is not below total_pages (%llu)",
            (unsigned long long)h->root_index_page, (unsigned long long)total);
    else if (has_edges && h->edge_data_offset >= total)
        say(o, "edge_data_offset %llu is not below total_pages (%llu)",
            (unsigned long long)h->edge_data_offset, (unsigned long long)total);
    else
        return true;
    return false;
}

/* The write-ahead log of the crate replaces the last extension: db.v3 -> db.v3wal. */
static pf_err wal_name(const struct opening *o, char out[NAME_MAX + 1])
{
    const char *dot = strrchr(o->name, '.');
    const size_t stem = dot == NULL || dot == o->name ? strlen(o->name)
                                                      : (size_t)(dot - o->name);
    const int n = snprintf(out, NAME_MAX + 1, "%.*s.v3wal", (int)stem, o->name);
    return n < 0 || n > NAME_MAX ? PF_E_NOT_FOUND : PF_OK;
}

/* Bare and valid, or absent, is clean. FORMAT.md section 4. */
static bool wal_is_clean(struct opening *o)
{
    enum { WAL_HEADER = 64, WAL_VERSION = 8 };
    static const uint8_t magic[8] = {'V', '3', 'W', 'A', 'L', 0, 0, 0};
    char name[NAME_MAX + 1];
    uint8_t bytes[WAL_HEADER + 1];
    if (wal_name(o, name) != PF_OK)
        return true;
    const int fd =
        openat(o->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return true;
    const ssize_t n = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes, 0);
    if (fd >= 0)
        (void)close(fd);
    if (n == WAL_HEADER && memcmp(bytes, magic, sizeof magic) == 0 &&
        get_le32(bytes + WAL_VERSION) == 1)
        return true;
    say(o, "the write-ahead log %s was not closed cleanly: total_pages may be wrong", name);
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
        say(o, "the file is open in %s", holder);
        return false;
    }
}

/* ---- open ---- */

static pf_err take_locks(struct opening *o, int fd, bool exclusive, pf_store *store)
{
    const char *text = "";
    char holder[64];
    const pf_err err = lock_take(fd, exclusive, &text);
    if (err == PF_E_LOCKED) {
        lock_name_holder(fd, holder, sizeof holder);
        say(o, "the file is already open in %s", holder);
    }
    snprintf(store->lock_text, sizeof store->lock_text, "%s", text);
    return err;
}

static pf_err read_header(struct opening *o, pf_store *store)
{
    size_t got = 0;
    pf_err err = dev_read(store->db, 0, store->disk_header, PF_HEADER_SIZE, &got);
    if (err == PF_OK)
        err = dev_size(store->db, &store->disk_size);
    if (err == PF_OK)
        err = header_decode(store->disk_header, got, &store->header);
    if (err != PF_OK)
        say(o, "%s", pf_err_text(err));
    return err;
}

/* Pages of the file that can exist: what total_pages says, cut to what the file has. */
static uint64_t list_limit(const pf_store *store)
{
    const uint64_t in_file =
        store->disk_size <= PF_HEADER_SIZE
            ? PF_FIRST_PAGE
            : 1 + (store->disk_size - PF_HEADER_SIZE + PF_PAGE_SIZE - 1) / PF_PAGE_SIZE;
    const uint64_t limit = in_file < store->total_pages ? in_file : store->total_pages;
    return effective_total(limit);
}

/* Take in the newest block of the free list. False: corrupt, and said so. */
static pf_err open_free_list(struct opening *o, pf_store *store, bool *out_sound)
{
    const uint64_t head = store->header.free_page_list_head;
    const uint64_t limit = list_limit(store);
    pf_err err = PF_OK;
    *out_sound = true;
    freelist_init(&store->fl, head, limit);
    if (head == 0)
        return PF_OK;
    if (head < PF_FIRST_PAGE || head >= limit)
        freelist_set_corrupt(&store->fl, head, "the head of the list is no page of this file");
    else
        err = load_newest(store);
    if (err == PF_E_CORRUPT || store->fl.corrupt) {
        say(o, "the free list is corrupt: %s", store->fl.finding);
        *out_sound = false;
        err = PF_OK;
    }
    return err;
}

/* One try, for writing or for reading. PF_E_NEEDS_WRITE: writing could destroy data, and
 * the reason is said. */
static pf_err attempt(struct opening *o, bool write, pf_store **out_store)
{
    const int fd = reopen(o, write ? O_RDWR : O_RDONLY);
    struct pf_file *file = NULL;
    pf_store *store = NULL;
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
    err = store_new(file, write ? PF_MODE_RW : PF_MODE_RO, &store);
    if (err != PF_OK)
        return err;

    err = take_locks(o, fd, write, store);
    if (err == PF_OK)
        err = read_header(o, store);
    if (err == PF_OK && write &&
        (!header_allows_writing(o, &store->header, store->disk_size) || !wal_is_clean(o) ||
         !nobody_else_has_it(o, fd, store->lock_text, sizeof store->lock_text)))
        err = PF_E_NEEDS_WRITE;
    if (err == PF_OK) {
        bool sound = true;
        store->total_pages = effective_total(store->header.total_pages);
        store->file_size = store->file_end = store->disk_size;
        err = open_free_list(o, store, &sound);
        if (err == PF_OK && !sound && write)
            err = PF_E_NEEDS_WRITE;
    }
    if (err != PF_OK) {
        store_delete(store);
        return err;
    }
    store->reserved_end = store->disk_size;
    store->dense = write && file->ops->is_dense(file);
    *out_store = store;
    return PF_OK;
}

static pf_err open_found(struct opening *o, pf_store **out_store)
{
    static const struct pf_options defaults;
    if (o->options == NULL)
        o->options = &defaults;
    pf_err err = PF_E_NEEDS_WRITE;
    if (!o->options->read_only)
        err = attempt(o, true, out_store);
    else
        say(o, "asked for");
    if (err == PF_E_NEEDS_WRITE && !o->options->require_rw) {
        char reason[PF_REASON_SIZE];
        memcpy(reason, o->reason, sizeof reason);
        err = attempt(o, false, out_store);
        if (err == PF_OK)
            memcpy((*out_store)->reason, reason, sizeof reason);
    }
    return err;
}

pf_err pf_open(const char *path, const struct pf_options *options, pf_store **out_store,
               char *out_reason)
{
    char reason[PF_REASON_SIZE] = "";
    struct opening o = {.path_fd = -1,
                        .dir_fd = -1,
                        .options = options,
                        .reason = out_reason != NULL ? out_reason : reason};
    pf_store *store = NULL;
    o.reason[0] = '\0';
    pf_err err = find_file(&o, path);
    if (err == PF_OK)
        err = open_found(&o, &store);
    if (err == PF_OK) {
        store->no_sync = o.options->no_sync;
        store->max_pages = o.options->max_pages;
        *out_store = store;
    } else if (o.reason[0] == '\0') {
        say(&o, "%s", pf_err_text(err));
    }
    if (o.path_fd >= 0)
        (void)close(o.path_fd);
    if (o.dir_fd >= 0)
        (void)close(o.dir_fd);
    free(o.path);
    return err;
}
