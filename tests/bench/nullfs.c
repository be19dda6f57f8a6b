/* nullfs.c: the least a low-level FUSE file system can do; what pagefs is measured
 * against.
 *
 *     nullfs MOUNTPOINT PAGES FLOOR_FILE
 *
 * Same loop, capabilities, timeouts and caching as pagefs, the same shape of tree, and
 * nothing behind it: pages/N/state and pages/N/data hold constant bytes, `free` takes
 * what is written. A read of `floor` is the least that a durable answer can cost: a
 * thread overwrites 512 bytes of FLOOR_FILE (which is full and synced), calls fdatasync
 * once for all reads that wait, and answers them. Stays in the foreground. */
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
    SECTOR_BYTES = 512,
    LONG_SECONDS = 86400,
    NAME_BYTES = 32,
    BITS_OF_KIND = 8,
};

/* An inode is page id << BITS_OF_KIND | kind, as in pagefs. */
enum kind {
    ROOT = FUSE_ROOT_ID,
    FLOOR,
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
    [FREE] = {"free", ROOT, S_IFREG | 0200, 0},
    [PAGES] = {"pages", ROOT, S_IFDIR | 0555, LONG_SECONDS},
    [PAGE] = {NULL, PAGES, S_IFDIR | 0555, 0},
    [STATE] = {"state", PAGE, S_IFREG | 0644, 0},
    [DATA] = {"data", PAGE, S_IFREG | 0600, 0},
};

static const char state_text[] = "allocated\n";
static const char floor_text[] = "17\n";

struct waiter {
    struct waiter *next;
    fuse_req_t req;
};

struct null {
    uint64_t page_count;
    int floor_fd;
    off_t floor_bytes;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct waiter *waiting;
    bool stopping;
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

static struct fuse_entry_param entry_of(fuse_ino_t ino)
{
    const struct row *const row = &rows[kind_of(ino)];

    return (struct fuse_entry_param){
        .ino = ino,
        .attr_timeout = row->attr_timeout,
        .entry_timeout = LONG_SECONDS,
        .attr = {.st_ino = ino,
                 .st_mode = row->mode,
                 .st_nlink = 1,
                 .st_uid = getuid(),
                 .st_gid = getgid(),
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
    const struct fuse_entry_param entry = entry_of(ino);

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
    const struct fuse_entry_param entry = entry_of(ino);

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
        const struct fuse_entry_param param = entry_of(entry.ino);
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

static void floor_wait(fuse_req_t req)
{
    struct null *const null = null_of(req);
    struct waiter *const waiter = malloc(sizeof(*waiter));

    if (waiter == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    waiter->req = req;
    pthread_mutex_lock(&null->lock);
    waiter->next = null->waiting;
    null->waiting = waiter;
    pthread_mutex_unlock(&null->lock);
    pthread_cond_signal(&null->more); /* not sooner: it would wake up to wait for us */
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                      struct fuse_file_info *fi)
{
    static const char page[PAGE_BYTES];
    const char *const bytes = kind_of(ino) == STATE ? state_text : page;
    const size_t length = kind_of(ino) == STATE ? sizeof(state_text) - 1 : PAGE_BYTES;
    const size_t start = (uint64_t)offset < length ? (size_t)offset : length;

    (void)fi;
    if (kind_of(ino) == FLOOR)
        floor_wait(req);
    else
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

/* ---- the floor ---- */

static struct waiter *take_waiters(struct null *null)
{
    pthread_mutex_lock(&null->lock);
    while (null->waiting == NULL && !null->stopping)
        pthread_cond_wait(&null->more, &null->lock);
    struct waiter *const waiters = null->waiting;
    null->waiting = NULL;
    pthread_mutex_unlock(&null->lock);
    return waiters;
}

static void *floor_main(void *arg)
{
    static const char sector[SECTOR_BYTES];
    struct null *const null = arg;
    struct waiter *waiter;
    off_t at = 0;

    while ((waiter = take_waiters(null)) != NULL) {
        const bool written =
            pwrite(null->floor_fd, sector, sizeof(sector), at) == sizeof(sector) &&
            fdatasync(null->floor_fd) == 0;
        at = (at + SECTOR_BYTES) % null->floor_bytes;
        for (struct waiter *next; waiter != NULL; waiter = next) {
            next = waiter->next;
            if (written)
                fuse_reply_buf(waiter->req, floor_text, sizeof(floor_text) - 1);
            else
                fuse_reply_err(waiter->req, EIO);
            free(waiter);
        }
    }
    return NULL;
}

static void floor_stop(struct null *null, pthread_t thread)
{
    pthread_mutex_lock(&null->lock);
    null->stopping = true;
    pthread_cond_signal(&null->more);
    pthread_mutex_unlock(&null->lock);
    pthread_join(thread, NULL);
}

/* ---- start and end ---- */

static int serve(struct null *null, struct fuse_session *session, const char *mountpoint)
{
    pthread_t thread;
    int status = 1;

    if (fuse_set_signal_handlers(session) != 0 ||
        fuse_session_mount(session, mountpoint) != 0)
        return 1;
    if (pthread_create(&thread, NULL, floor_main, null) == 0) {
        status = fuse_session_loop(session) < 0;
        floor_stop(null, thread);
    }
    fuse_session_unmount(session);
    return status;
}

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct null null = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .more = PTHREAD_COND_INITIALIZER};
    struct stat stat;

    if (argc != 4) {
        (void)fputs("usage: nullfs MOUNTPOINT PAGES FLOOR_FILE\n", stderr);
        return 2;
    }
    null.page_count = strtoull(argv[2], NULL, 10);
    null.floor_fd = open(argv[3], O_RDWR | O_CLOEXEC);
    if (null.floor_fd == -1 || fstat(null.floor_fd, &stat) != 0 ||
        stat.st_size < SECTOR_BYTES) {
        perror(argv[3]);
        return 1;
    }
    null.floor_bytes = stat.st_size / SECTOR_BYTES * SECTOR_BYTES;
    struct fuse_session *session = NULL;
    if (fuse_opt_add_arg(&args, "nullfs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
        fuse_opt_add_arg(&args, "fsname=nullfs,subtype=nullfs,nosuid,nodev,noexec") == 0)
        session = fuse_session_new(&args, &null_ops, sizeof(null_ops), &null);
    fuse_opt_free_args(&args);
    if (session == NULL)
        return 1;
    const int status = serve(&null, session, argv[1]);
    fuse_session_destroy(session);
    return status;
}
