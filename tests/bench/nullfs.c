/* nullfs.c: the least a low-level FUSE file system can do; what pagefs is measured
 * against.
 *
 *     nullfs MOUNTPOINT PAGES FLOOR_FILE
 *
 * Same loop, capabilities, timeouts and caching as pagefs, the same shape of tree, and
 * nothing behind it: pages/N/state and pages/N/data hold constant bytes, `free` takes
 * what is written, `bulk` never ends, and a read of `floor` is the least that a durable
 * answer can cost (floor.h). Stays in the foreground. */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_WRITE_BYTES = 1 << 20,
    LISTING_MAX_BYTES = 1 << 16,
    PAGE_BYTES = 4096,
    LONG_SECONDS = 86400,
    NAME_BYTES = 32,
    BITS_OF_KIND = 8,
};

/* An inode is page id << BITS_OF_KIND | kind, as in pagefs. */
enum kind {
    ROOT = FUSE_ROOT_ID,
    FLOOR,
    BULK,
    FREE,
    PAGES,
    PAGE,
    STATE,
    DATA,
    KIND_COUNT,
    COOKIE_DOT = 254,
    COOKIE_DOT_DOT = 255,
};

static const struct row {
    const char *name;
    enum kind parent;
    mode_t mode;
    double attr_timeout;
} rows[KIND_COUNT] = {
    [ROOT] = {"", ROOT, S_IFDIR | 0555, 0},
    [FLOOR] = {"floor", ROOT, S_IFREG | 0444, 0},
    [BULK] = {"bulk", ROOT, S_IFREG | 0444, 0},
    [FREE] = {"free", ROOT, S_IFREG | 0200, 0},
    [PAGES] = {"pages", ROOT, S_IFDIR | 0555, LONG_SECONDS},
    [PAGE] = {NULL, PAGES, S_IFDIR | 0555, 1},
    [STATE] = {"state", PAGE, S_IFREG | 0644, 0},
    [DATA] = {"data", PAGE, S_IFREG | 0600, 0},
};

static const char state_text[] = "allocated\n";

struct null {
    uint64_t page_count;
    uid_t uid;
    gid_t gid;
    struct floor *floor;
};

static struct null *null_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* ---- names and attributes ---- */

static enum kind kind_of(fuse_ino_t ino)
{
    return (enum kind)(ino & ((1U << BITS_OF_KIND) - 1));
}

static fuse_ino_t ino_of(uint64_t page_id, enum kind kind)
{
    return page_id << BITS_OF_KIND | (uint64_t)kind;
}

static struct fuse_entry_param entry_of(const struct null *null, fuse_ino_t ino)
{
    const struct row *const row = &rows[kind_of(ino)];

    return (struct fuse_entry_param){
        .ino = ino,
        .attr_timeout = row->attr_timeout,
        .entry_timeout = LONG_SECONDS,
        .attr = {.st_ino = ino,
                 .st_mode = row->mode,
                 .st_nlink = 1,
                 .st_uid = null->uid,
                 .st_gid = null->gid,
                 .st_blksize = PAGE_BYTES,
                 .st_size = S_ISREG(row->mode) || kind_of(ino) == PAGE ? PAGE_BYTES : 0},
    };
}

static void null_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    conn->want &= ~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA);
    conn->want |= conn->capable & (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_READDIRPLUS |
                                   FUSE_CAP_READDIRPLUS_AUTO);
    if (conn->max_write > MAX_WRITE_BYTES)
        conn->max_write = MAX_WRITE_BYTES;
}

static fuse_ino_t child_of(const struct null *null, fuse_ino_t parent, const char *name)
{
    if (kind_of(parent) == PAGES) {
        char *end = NULL;
        const uint64_t page_id = strtoull(name, &end, 10);
        return *end == '\0' && page_id < null->page_count ? ino_of(page_id, PAGE) : 0;
    }
    for (unsigned kind = ROOT + 1; kind < KIND_COUNT; kind++)
        if (rows[kind].name != NULL && rows[kind].parent == kind_of(parent) &&
            strcmp(rows[kind].name, name) == 0)
            return ino_of(parent >> BITS_OF_KIND, (enum kind)kind);
    return 0;
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const fuse_ino_t ino = child_of(null_of(req), parent, name);
    const struct fuse_entry_param entry = entry_of(null_of(req), ino);

    if (ino == 0)
        fuse_reply_err(req, ENOENT);
    else
        fuse_reply_entry(req, &entry);
}

static void null_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    (void)ino;
    (void)count;
    fuse_reply_none(req);
}

static void null_forget_multi(fuse_req_t req, size_t count,
                              struct fuse_forget_data *forgets)
{
    (void)count;
    (void)forgets;
    fuse_reply_none(req);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    const struct fuse_entry_param entry = entry_of(null_of(req), ino);

    (void)fi;
    fuse_reply_attr(req, &entry.attr, entry.attr_timeout);
}

static void null_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *stat, int to_set,
                         struct fuse_file_info *fi)
{
    (void)stat;
    (void)to_set;
    null_getattr(req, ino, fi);
}

/* ---- listings ---- */

struct entry {
    fuse_ino_t ino;
    off_t cookie;
    char name[NAME_BYTES];
};

/* Digits without printf: the listing of a null file system must cost nothing. */
static void put_number(char *out, uint64_t number)
{
    char digits[NAME_BYTES];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        *out++ = digits[--count];
    *out = '\0';
}

/* The entry behind `cookie`; false at the end. */
static bool next_entry(const struct null *null, fuse_ino_t directory, off_t cookie,
                       struct entry *out)
{
    const bool first = cookie == COOKIE_DOT_DOT;

    if (cookie == 0 || cookie == COOKIE_DOT) {
        out->ino = directory;
        out->cookie = cookie == 0 ? COOKIE_DOT : COOKIE_DOT_DOT;
        memcpy(out->name, cookie == 0 ? ".\0" : "..", 3);
        return true;
    }
    if (kind_of(directory) == PAGES) {
        const uint64_t page_id = first ? 0 : ((uint64_t)cookie >> BITS_OF_KIND) + 1;
        if (page_id >= null->page_count)
            return false;
        out->ino = ino_of(page_id, PAGE);
        out->cookie = (off_t)out->ino;
        put_number(out->name, page_id);
        return true;
    }
    unsigned kind = first ? ROOT + 1 : (unsigned)kind_of((fuse_ino_t)cookie) + 1;
    while (kind < KIND_COUNT && rows[kind].parent != kind_of(directory))
        kind++;
    if (kind >= KIND_COUNT)
        return false;
    out->ino = ino_of(directory >> BITS_OF_KIND, (enum kind)kind);
    out->cookie = (off_t)out->ino;
    (void)snprintf(out->name, sizeof(out->name), "%s", rows[kind].name);
    return true;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t cookie, bool plus)
{
    char *const buffer = malloc(LISTING_MAX_BYTES);
    const size_t room = size < LISTING_MAX_BYTES ? size : LISTING_MAX_BYTES;
    struct entry entry;
    size_t length = 0;

    if (buffer == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    while (next_entry(null_of(req), ino, cookie, &entry)) {
        const struct fuse_entry_param param = entry_of(null_of(req), entry.ino);
        const size_t need =
            plus ? fuse_add_direntry_plus(req, buffer + length, room - length, entry.name,
                                          &param, entry.cookie)
                 : fuse_add_direntry(req, buffer + length, room - length, entry.name,
                                     &param.attr, entry.cookie);
        if (need > room - length)
            break;
        length += need;
        cookie = entry.cookie;
    }
    fuse_reply_buf(req, buffer, length);
    free(buffer);
}

static void null_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                         struct fuse_file_info *fi)
{
    (void)fi;
    list(req, ino, size, offset, false);
}

static void null_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                             struct fuse_file_info *fi)
{
    (void)fi;
    list(req, ino, size, offset, true);
}

/* ---- files ---- */

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    fi->direct_io = kind_of(ino) != DATA || (fi->flags & O_ACCMODE) != O_RDONLY;
    fi->nonseekable = kind_of(ino) == FLOOR;
    fuse_reply_open(req, fi);
}

static void null_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    (void)fi;
    fuse_reply_err(req, 0);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                      struct fuse_file_info *fi)
{
    static const char zeros[MAX_WRITE_BYTES];
    const char *bytes = zeros;
    size_t length = PAGE_BYTES;

    (void)fi;
    if (kind_of(ino) == FLOOR) {
        floor_wait(null_of(req)->floor, req);
        return;
    }
    if (kind_of(ino) == BULK) {
        offset = 0;
        length = MAX_WRITE_BYTES;
    } else if (kind_of(ino) == STATE) {
        bytes = state_text;
        length = sizeof(state_text) - 1;
    }
    const size_t start = (uint64_t)offset < length ? (size_t)offset : length;
    fuse_reply_buf(req, bytes + start, size < length - start ? size : length - start);
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buffer, size_t size,
                       off_t offset, struct fuse_file_info *fi)
{
    (void)ino;
    (void)buffer;
    (void)offset;
    (void)fi;
    fuse_reply_write(req, size);
}

static const struct fuse_lowlevel_ops null_ops = {
    .init = null_init,
    .lookup = null_lookup,
    .forget = null_forget,
    .forget_multi = null_forget_multi,
    .getattr = null_getattr,
    .setattr = null_setattr,
    .readdir = null_readdir,
    .readdirplus = null_readdirplus,
    .open = null_open,
    .read = null_read,
    .release = null_release,
    .write = null_write,
};

/* ---- start and end ---- */

static int serve(struct fuse_session *session, const char *mountpoint)
{
    if (fuse_set_signal_handlers(session) != 0 ||
        fuse_session_mount(session, mountpoint) != 0)
        return 1;
    const int status = fuse_session_loop(session) < 0;
    fuse_session_unmount(session);
    return status;
}

static struct fuse_session *new_session(struct null *null)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session = NULL;

    if (fuse_opt_add_arg(&args, "nullfs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
        fuse_opt_add_arg(&args, "fsname=nullfs,subtype=nullfs,nosuid,nodev,noexec") == 0)
        session = fuse_session_new(&args, &null_ops, sizeof(null_ops), null);
    fuse_opt_free_args(&args);
    return session;
}

int main(int argc, char **argv)
{
    struct null null = {.uid = getuid(), .gid = getgid()};

    if (argc != 4) {
        (void)fputs("usage: nullfs MOUNTPOINT PAGES FLOOR_FILE\n", stderr);
        return 2;
    }
    null.page_count = strtoull(argv[2], NULL, 10);
    null.floor = floor_start(argv[3]);
    if (null.floor == NULL) {
        perror(argv[3]);
        return 1;
    }
    struct fuse_session *const session = new_session(&null);
    const int status = session != NULL ? serve(session, argv[1]) : 1;
    floor_stop(null.floor);
    if (session != NULL)
        fuse_session_destroy(session);
    return status;
}
