/* dev_mem.c: struct pf_file in memory, sparse, optionally on top of another file that
 * stays as it is. Not thread-safe by itself: the lock below makes it so. */
#include "dev.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "idmap.h"

enum { CHUNK = 4096 };

struct mem_file {
    struct pf_file file;
    struct pf_file *base; /* may be NULL */
    uint64_t size;
    uint64_t base_limit; /* bytes of base from here on are gone: a truncate cut them */
    pthread_mutex_t lock;
    struct idmap chunks; /* chunk number -> uint8_t[CHUNK] */
};

static struct mem_file *mem_of(struct pf_file *file)
{
    return (struct mem_file *)file;
}

static uint8_t *chunk_get(const struct mem_file *m, uint64_t number)
{
    const uint64_t *slot = idmap_get(&m->chunks, number);
    return slot == NULL ? NULL : (uint8_t *)(uintptr_t)*slot;
}

/* What a chunk that was never written holds. */
static pf_err base_read(struct mem_file *m, uint64_t offset, uint8_t *bytes,
                        size_t length)
{
    size_t got = 0;
    memset(bytes, 0, length);
    if (m->base == NULL || offset >= m->base_limit)
        return PF_OK;
    if (length > m->base_limit - offset)
        length = (size_t)(m->base_limit - offset);
    return dev_read(m->base, offset, bytes, length, &got);
}

static pf_err chunk_make(struct mem_file *m, uint64_t number, uint8_t **out_chunk)
{
    uint8_t *chunk = chunk_get(m, number);
    pf_err err = PF_OK;
    if (chunk == NULL) {
        err = idmap_reserve(&m->chunks, 1);
        chunk = err == PF_OK ? malloc(CHUNK) : NULL;
        if (chunk == NULL)
            return PF_E_NO_MEMORY;
        err = base_read(m, number * CHUNK, chunk, CHUNK);
        if (err != PF_OK) {
            free(chunk);
            return err;
        }
        idmap_put(&m->chunks, number, (uintptr_t)chunk);
    }
    *out_chunk = chunk;
    return PF_OK;
}

static size_t piece_at(uint64_t offset, size_t length)
{
    const size_t room = CHUNK - (size_t)(offset % CHUNK);
    return length < room ? length : room;
}

static ssize_t mem_pread(struct pf_file *file, void *bytes, size_t length,
                         uint64_t offset)
{
    struct mem_file *m = mem_of(file);
    pf_err err = PF_OK;
    size_t done = 0;
    pthread_mutex_lock(&m->lock);
    if (offset >= m->size)
        length = 0;
    else if (length > m->size - offset)
        length = (size_t)(m->size - offset);
    while (done < length && err == PF_OK) {
        const uint64_t at = offset + done;
        const size_t n = piece_at(at, length - done);
        const uint8_t *chunk = chunk_get(m, at / CHUNK);
        if (chunk != NULL)
            memcpy((uint8_t *)bytes + done, chunk + at % CHUNK, n);
        else
            err = base_read(m, at, (uint8_t *)bytes + done, n);
        done += n;
    }
    pthread_mutex_unlock(&m->lock);
    return err == PF_OK ? (ssize_t)done : -pf_err_errno(err);
}

static ssize_t mem_pwrite(struct pf_file *file, const void *bytes, size_t length,
                          uint64_t offset)
{
    struct mem_file *m = mem_of(file);
    pf_err err = PF_OK;
    size_t done = 0;
    pthread_mutex_lock(&m->lock);
    while (done < length) {
        const uint64_t at = offset + done;
        const size_t n = piece_at(at, length - done);
        uint8_t *chunk;
        err = chunk_make(m, at / CHUNK, &chunk);
        if (err != PF_OK)
            break;
        memcpy(chunk + at % CHUNK, (const uint8_t *)bytes + done, n);
        done += n;
    }
    if (done > 0 && offset + done > m->size)
        m->size = offset + done;
    pthread_mutex_unlock(&m->lock);
    return done > 0 || length == 0 ? (ssize_t)done : -pf_err_errno(err);
}

/* A removal may move another entry into the slot that was just visited: look again. */
static void drop_chunks(struct mem_file *m, uint64_t first)
{
    size_t cursor = 0;
    const struct idmap_slot *slot;
    while ((slot = idmap_each(&m->chunks, &cursor)) != NULL) {
        if (slot->key < first)
            continue;
        free((void *)(uintptr_t)slot->value);
        (void)idmap_remove(&m->chunks, slot->key);
        cursor--;
    }
}

/* Bytes behind the new end must read as zeros when the file grows again. */
static int mem_shrink(struct mem_file *m, uint64_t size)
{
    uint8_t *last;
    if (size % CHUNK != 0) {
        if (chunk_make(m, size / CHUNK, &last) != PF_OK)
            return -ENOMEM;
        memset(last + size % CHUNK, 0, CHUNK - (size_t)(size % CHUNK));
    }
    drop_chunks(m, (size + CHUNK - 1) / CHUNK);
    if (size < m->base_limit)
        m->base_limit = size;
    return 0;
}

static int mem_truncate(struct pf_file *file, uint64_t size)
{
    struct mem_file *m = mem_of(file);
    int rc = 0;
    pthread_mutex_lock(&m->lock);
    if (size < m->size)
        rc = mem_shrink(m, size);
    if (rc == 0)
        m->size = size;
    pthread_mutex_unlock(&m->lock);
    return rc;
}

static int mem_reserve(struct pf_file *file, uint64_t offset, uint64_t length)
{
    (void)file;
    (void)offset;
    (void)length;
    return 0;
}

static int mem_sync(struct pf_file *file)
{
    (void)file;
    return 0;
}

static int mem_size(struct pf_file *file, uint64_t *out_size)
{
    struct mem_file *m = mem_of(file);
    pthread_mutex_lock(&m->lock);
    *out_size = m->size;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static bool mem_is_dense(struct pf_file *file)
{
    (void)file;
    return true;
}

struct pf_file *dev_mem_release(struct pf_file *file)
{
    struct mem_file *m = mem_of(file);
    struct pf_file *base = m->base;
    size_t cursor = 0;
    struct idmap_slot *slot;
    while ((slot = idmap_each(&m->chunks, &cursor)) != NULL)
        free((void *)(uintptr_t)slot->value);
    idmap_clear(&m->chunks);
    pthread_mutex_destroy(&m->lock);
    free(m);
    return base;
}

static void mem_close(struct pf_file *file)
{
    dev_close(dev_mem_release(file));
}

static const struct pf_file_ops mem_ops = {
    .pread = mem_pread,
    .pwrite = mem_pwrite,
    .truncate = mem_truncate,
    .reserve = mem_reserve,
    .sync = mem_sync,
    .size = mem_size,
    .is_dense = mem_is_dense,
    .close = mem_close,
};

pf_err dev_mem_new(struct pf_file *base, uint64_t size, struct pf_file **out_file)
{
    struct mem_file *m = calloc(1, sizeof *m);
    if (m == NULL)
        return PF_E_NO_MEMORY;
    m->file.ops = &mem_ops;
    m->base = base;
    m->size = size;
    m->base_limit = base == NULL ? 0 : size;
    pthread_mutex_init(&m->lock, NULL);
    *out_file = &m->file;
    return PF_OK;
}
