#include "faultdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the directory entry ---- */

static struct fd_inode *journal_new(struct faultdisk *disk, const struct fd_image *image)
{
    if (disk->journal_count == disk->journal_room) {
        disk->journal_room += 4;
        disk->journals =
            must_realloc(disk->journals, disk->journal_room * sizeof(disk->journals[0]));
        for (size_t i = disk->journal_count; i < disk->journal_room; i++)
            disk->journals[i] = must_calloc(1, sizeof(*disk->journals[i]));
    }
    struct fd_inode *inode = disk->journals[disk->journal_count++];
    fd_inode_load(inode, image, 1);
    return inode;
}

static void set_entry(struct faultdisk *disk, int entry)
{
    MUST_GROW(disk->entry_changes, disk->entry_change_count, disk->entry_change_room);
    disk->entry_changes[disk->entry_change_count++] = entry;
    disk->entry = entry;
}

int fd_create(struct faultdisk *disk)
{
    (void)journal_new(disk, NULL);
    set_entry(disk, (int)disk->journal_count - 1);
    return disk->entry;
}

void fd_remove(struct faultdisk *disk)
{
    set_entry(disk, FD_NONE);
}

void fd_dir_sync(struct faultdisk *disk)
{
    disk->durable_entry = disk->entry;
    disk->entry_change_count = 0;
}

/* ---- the calls: count, cut, fail, do ---- */

struct call {
    enum fd_call kind;
    bool fails; /* return error */
    bool cut;   /* the power goes during this call */
    int error;  /* FD_SHORT or an errno */
    enum fd_applied applied;
};

/* What will become of a call of this kind? `lock` held. */
static struct call call_begin(struct faultdisk *disk, enum fd_call kind, unsigned stream)
{
    struct call call = {.kind = kind, .applied = FD_ALL};

    disk->calls[kind]++;
    if (disk->dead) {
        call.fails = true;
        call.error = EIO;
        call.applied = FD_NOTHING;
        return call;
    }
    if (kind >= FD_WRITE && disk->changes++ == disk->cut_at) {
        disk->dead = call.cut = call.fails = true;
        call.error = EIO;
        return call;
    }
    if (disk->fault.armed && (disk->fault.kinds >> kind & 1) != 0) {
        const uint64_t index = disk->fault_calls++;

        if (index == disk->fault.at || (disk->fault.forever && index > disk->fault.at)) {
            call.fails = true;
            call.error = disk->fault.error;
            call.applied = disk->fault.applied;
            disk->faults++;
            disk->failed.kind = kind;
            disk->failed.stream = stream;
        }
    }
    return call;
}

static void run_hook(struct faultdisk *disk, enum fd_call kind)
{
    if (disk->hook != NULL)
        disk->hook(disk->hook_context, kind);
}

static void note(struct faultdisk *disk, enum fd_call kind, unsigned stream, uint64_t at,
                 const void *bytes, size_t length, bool done)
{
    if (disk->record != NULL)
        disk->record(disk->record_context, kind, stream, at, bytes, length, done);
}

/* Half of a transfer: it ends between two sectors, if it has two. */
static size_t half_of(size_t length, uint64_t offset)
{
    const uint64_t end = (offset + length / 2) / DISK_SECTOR * DISK_SECTOR;

    if (end > offset)
        return (size_t)(end - offset);
    return length > 1 && length / 2 < DISK_SECTOR ? length / 2 : length;
}

/* Bytes of a transfer that happen. */
static size_t call_length(const struct call *call, size_t length, uint64_t offset)
{
    const size_t half = half_of(length, offset);

    if (!call->fails || call->applied == FD_ALL)
        return length;
    return call->applied == FD_HALF && length > DISK_SECTOR ? half : 0;
}

/* What a transfer returns that did `done` of `length` bytes. */
static ssize_t call_result(const struct call *call, size_t length, uint64_t offset)
{
    if (!call->fails)
        return (ssize_t)length;
    if (call->error == FD_SHORT && !call->cut)
        return (ssize_t)half_of(length, offset);
    return -call->error;
}

static int call_status(const struct call *call)
{
    return call->fails && (call->error != FD_SHORT || call->cut) ? -call->error : 0;
}

struct handle {
    struct pf_file file;
    struct faultdisk *disk;
    struct fd_inode *inode;
};

static struct handle *handle_of(struct pf_file *file)
{
    return (struct handle *)file;
}

static ssize_t op_pread(struct pf_file *file, void *bytes, size_t length, uint64_t offset)
{
    struct handle *h = handle_of(file);
    ssize_t result;

    pthread_mutex_lock(&h->disk->lock);
    const struct call call = call_begin(h->disk, FD_READ, h->inode->stream);
    if (offset >= h->inode->size)
        length = 0;
    else if (length > h->inode->size - offset)
        length = (size_t)(h->inode->size - offset);
    result = call_result(&call, length, offset);
    if (result > 0)
        fd_read(h->inode, bytes, (size_t)result, offset);
    pthread_mutex_unlock(&h->disk->lock);
    return result;
}

static ssize_t op_pwrite(struct pf_file *file, const void *bytes, size_t length,
                         uint64_t offset)
{
    struct handle *h = handle_of(file);
    ssize_t result;

    pthread_mutex_lock(&h->disk->lock);
    const struct call call = call_begin(h->disk, FD_WRITE, h->inode->stream);
    note(h->disk, FD_WRITE, h->inode->stream, offset, bytes, length, false);
    result = call_result(&call, length, offset);
    if (result >= 0) /* a short write did what it says */
        fd_write(h->disk, h->inode, bytes, (size_t)result, offset);
    else
        fd_write(h->disk, h->inode, bytes, call_length(&call, length, offset), offset);
    if (!call.fails || call.cut)
        run_hook(h->disk, FD_WRITE);
    pthread_mutex_unlock(&h->disk->lock);
    return result;
}

static int op_truncate(struct pf_file *file, uint64_t size)
{
    struct handle *h = handle_of(file);

    pthread_mutex_lock(&h->disk->lock);
    const struct call call = call_begin(h->disk, FD_TRUNCATE, h->inode->stream);
    const int status = call_status(&call);
    note(h->disk, FD_TRUNCATE, h->inode->stream, size, NULL, 0, false);
    if (status == 0 || call.applied == FD_ALL)
        fd_truncate(h->disk, h->inode, size);
    if (!call.fails || call.cut)
        run_hook(h->disk, FD_TRUNCATE);
    pthread_mutex_unlock(&h->disk->lock);
    return status;
}

static int op_reserve(struct pf_file *file, uint64_t offset, uint64_t length)
{
    struct handle *h = handle_of(file);

    (void)offset;
    (void)length;
    pthread_mutex_lock(&h->disk->lock);
    const struct call call = call_begin(h->disk, FD_RESERVE, h->inode->stream);
    const int status = h->disk->no_reserve ? -EOPNOTSUPP : call_status(&call);
    pthread_mutex_unlock(&h->disk->lock);
    return status;
}

/* A failed sync may have done something or nothing; what it lost is lost. */
static void sync_some(struct fd_inode *inode, enum fd_applied applied)
{
    if (applied == FD_ALL)
        fd_sync(inode, inode->order);
    else if (applied == FD_HALF)
        fd_settle(inode, inode->floor, inode->floor + (inode->order - inode->floor) / 2);
    inode->floor = inode->order;
}

static int op_sync(struct pf_file *file)
{
    struct handle *h = handle_of(file);
    struct faultdisk *disk = h->disk;

    pthread_mutex_lock(&disk->lock);
    const struct call call = call_begin(disk, FD_SYNC, h->inode->stream);
    const int status = call_status(&call);
    const uint32_t order = h->inode->order;
    note(disk, FD_SYNC, h->inode->stream, 0, NULL, 0, false);
    if (!call.fails || call.cut)
        run_hook(disk, FD_SYNC);
    if (disk->sync_usec > 0 && !call.fails) {
        pthread_mutex_unlock(&disk->lock);
        usleep(disk->sync_usec);
        pthread_mutex_lock(&disk->lock);
    }
    if (status == 0)
        fd_sync(h->inode, order);
    else if (!call.cut && !disk->dead)
        sync_some(h->inode, call.applied);
    if (status == 0)
        note(disk, FD_SYNC, h->inode->stream, 0, NULL, 0, true);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static int op_size(struct pf_file *file, uint64_t *out_size)
{
    struct handle *h = handle_of(file);

    pthread_mutex_lock(&h->disk->lock);
    const struct call call = call_begin(h->disk, FD_SIZE, h->inode->stream);
    *out_size = h->inode->size;
    pthread_mutex_unlock(&h->disk->lock);
    return call_status(&call);
}

static bool op_is_dense(struct pf_file *file)
{
    (void)file;
    return true;
}

static void op_close(struct pf_file *file)
{
    free(file);
}

static const struct pf_file_ops file_ops = {
    .pread = op_pread,
    .pwrite = op_pwrite,
    .truncate = op_truncate,
    .reserve = op_reserve,
    .sync = op_sync,
    .size = op_size,
    .is_dense = op_is_dense,
    .close = op_close,
};

static struct pf_file *handle_new(struct faultdisk *disk, struct fd_inode *inode)
{
    struct handle *h = must_calloc(1, sizeof(*h));

    *h = (struct handle){.file = {.ops = &file_ops}, .disk = disk, .inode = inode};
    return &h->file;
}

struct pf_file *faultdisk_db(struct faultdisk *disk)
{
    return handle_new(disk, &disk->db);
}

/* ---- the place ---- */

struct place {
    struct pf_place place;
    struct faultdisk *disk;
};

static struct faultdisk *disk_of(struct pf_place *place)
{
    return ((struct place *)place)->disk;
}

static int place_open(struct pf_place *place, bool write, struct pf_file **out_file)
{
    struct faultdisk *disk = disk_of(place);

    (void)write;
    pthread_mutex_lock(&disk->lock);
    const struct call call = call_begin(disk, FD_OPEN, 2);
    int status = call_status(&call);
    if (status == 0 && disk->entry == FD_NONE)
        status = -ENOENT;
    if (status == 0)
        *out_file = handle_new(disk, disk->journals[disk->entry]);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

/* A change of the entry, which `call` does or not. */
static int change_entry(struct faultdisk *disk, enum fd_call kind,
                        struct pf_file **out_file)
{
    pthread_mutex_lock(&disk->lock);
    const struct call call = call_begin(disk, kind, 2);
    int status = call_status(&call);
    if (status == 0 && (disk->entry == FD_NONE) != (kind == FD_CREATE))
        status = kind == FD_CREATE ? -EEXIST : -ENOENT;
    else if (status == 0 || call.applied == FD_ALL) {
        note(disk, kind, 1, 0, NULL, 0, false);
        if (kind == FD_CREATE)
            (void)fd_create(disk);
        else
            fd_remove(disk);
    }
    if (status == 0 && kind == FD_CREATE)
        *out_file = handle_new(disk, disk->journals[disk->entry]);
    if (!call.fails || call.cut)
        run_hook(disk, kind);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static int place_create(struct pf_place *place, struct pf_file **out_file)
{
    return change_entry(disk_of(place), FD_CREATE, out_file);
}

static int place_remove(struct pf_place *place)
{
    return change_entry(disk_of(place), FD_REMOVE, NULL);
}

/* Another name: what lies there now is of no interest here. */
static int place_set_aside(struct pf_place *place)
{
    return place_remove(place);
}

static int place_sync(struct pf_place *place)
{
    struct faultdisk *disk = disk_of(place);

    pthread_mutex_lock(&disk->lock);
    const struct call call = call_begin(disk, FD_DIR_SYNC, 2);
    const int status = call_status(&call);
    note(disk, FD_DIR_SYNC, 2, 0, NULL, 0, false);
    if (!call.fails || call.cut)
        run_hook(disk, FD_DIR_SYNC);
    if (status == 0 || (call.applied == FD_ALL && !disk->dead))
        fd_dir_sync(disk);
    if (status == 0)
        note(disk, FD_DIR_SYNC, 2, 0, NULL, 0, true);
    pthread_mutex_unlock(&disk->lock);
    return status;
}

static void place_free(struct pf_place *place)
{
    free(place);
}

static const struct pf_place_ops place_ops = {
    .open = place_open,
    .create = place_create,
    .remove = place_remove,
    .set_aside = place_set_aside,
    .sync = place_sync,
    .close = place_free,
};

struct pf_place *faultdisk_place(struct faultdisk *disk)
{
    struct place *p = must_calloc(1, sizeof(*p));

    *p = (struct place){.place = {.ops = &place_ops}, .disk = disk};
    return &p->place;
}

/* ---- the disk ---- */

void faultdisk_init(struct faultdisk *disk, struct arena *arena)
{
    memset(disk, 0, sizeof(*disk));
    pthread_mutex_init(&disk->lock, NULL);
    disk->arena = arena;
    disk->entry = disk->durable_entry = FD_NONE;
    disk->cut_at = UINT64_MAX;
}

void faultdisk_clear(struct faultdisk *disk)
{
    fd_inode_clear(&disk->db);
    for (size_t i = 0; i < disk->journal_room; i++) {
        fd_inode_clear(disk->journals[i]);
        free(disk->journals[i]);
    }
    free(disk->journals);
    free(disk->entry_changes);
    pthread_mutex_destroy(&disk->lock);
    memset(disk, 0, sizeof(*disk));
}

void faultdisk_load(struct faultdisk *disk, const struct fd_image *image)
{
    fd_inode_load(&disk->db, image, 0);
    disk->journal_count = 0;
    disk->entry = disk->durable_entry = FD_NONE;
    disk->entry_change_count = 0;
    if (image->has_journal) {
        (void)journal_new(disk, image);
        disk->entry = disk->durable_entry = 0;
    }
    memset(disk->calls, 0, sizeof(disk->calls));
    disk->changes = disk->fault_calls = disk->faults = 0;
    disk->cut_at = UINT64_MAX;
    disk->dead = false;
    disk->fault = (struct fd_fault){0};
    disk->sync_usec = 0;
    disk->no_reserve = false;
    disk->hook = NULL;
    disk->record = NULL;
}

void faultdisk_revive(struct faultdisk *disk)
{
    disk->dead = false;
    disk->cut_at = UINT64_MAX;
}

static void inode_image(const struct fd_inode *inode, struct fd_image *image)
{
    const unsigned stream = inode->stream;
    const size_t count = (size_t)((inode->size + DISK_SECTOR - 1) / DISK_SECTOR);

    if (count > image->room[stream]) {
        image->sectors[stream] =
            must_realloc(image->sectors[stream],
                         (count + count / 2) * sizeof(image->sectors[stream][0]));
        image->room[stream] = count + count / 2;
    }
    if (count > 0)
        memcpy(image->sectors[stream], inode->now, count * sizeof(inode->now[0]));
    image->count[stream] = count;
    image->size[stream] = inode->size;
    image->content_hash[stream] = inode->hash;
}

void faultdisk_now(const struct faultdisk *disk, struct fd_image *image)
{
    fd_image_reset(image);
    inode_image(&disk->db, image);
    image->has_journal = disk->entry != FD_NONE;
    if (image->has_journal)
        inode_image(disk->journals[disk->entry], image);
    image->hash = fd_image_hash(image);
}
