#include "snapshots.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    uint64_t id;
    struct timespec taken;
    pf_snapshot *snapshot;
    uint64_t bytes;
    unsigned readers;
    bool removed; /* only its readers know it still */
    char name[];
};

struct snapshots {
    pthread_mutex_t lock; /* guards what follows */
    struct entry *first;  /* by rising id */
    uint64_t last_id;
    uint64_t bytes;
};

struct snapshots *snapshots_new(void)
{
    struct snapshots *const s = calloc(1, sizeof(*s));

    if (s != NULL)
        pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void entry_free(struct entry *entry)
{
    pf_snapshot_drop(entry->snapshot);
    free(entry);
}

void snapshots_free(struct snapshots *snapshots)
{
    if (snapshots == NULL)
        return;
    for (struct entry *entry = snapshots->first, *next; entry != NULL; entry = next) {
        next = entry->next;
        entry_free(entry);
    }
    pthread_mutex_destroy(&snapshots->lock);
    free(snapshots);
}

static struct entry *by_name_locked(const struct snapshots *s, const char *name)
{
    struct entry *entry = s->first;

    while (entry != NULL && (entry->removed || strcmp(entry->name, name) != 0))
        entry = entry->next;
    return entry;
}

/* The first that is there with a number of at least `id`. */
static struct entry *from_id_locked(const struct snapshots *s, uint64_t id)
{
    struct entry *entry = s->first;

    while (entry != NULL && (entry->removed || entry->id < id))
        entry = entry->next;
    return entry;
}

static struct entry *by_id_locked(const struct snapshots *s, uint64_t id)
{
    struct entry *const entry = from_id_locked(s, id);

    return entry != NULL && entry->id == id ? entry : NULL;
}

static pf_err add_locked(struct snapshots *s, struct entry *entry)
{
    struct entry **last = &s->first;

    if (by_name_locked(s, entry->name) != NULL)
        return PF_E_EXISTS;
    if (s->bytes + entry->bytes > SNAPSHOTS_MAX_BYTES)
        return PF_E_NO_SPACE;
    while (*last != NULL)
        last = &(*last)->next;
    *last = entry;
    entry->id = ++s->last_id;
    s->bytes += entry->bytes;
    return PF_OK;
}

pf_err snapshots_add(struct snapshots *snapshots, const char *name, pf_snapshot *snapshot,
                     uint64_t *out_id)
{
    const size_t name_size = strlen(name) + 1;
    struct entry *const entry = calloc(1, sizeof(*entry) + name_size);

    if (entry == NULL)
        return PF_E_NO_MEMORY;
    memcpy(entry->name, name, name_size);
    entry->snapshot = snapshot;
    entry->bytes = pf_snapshot_bytes(snapshot) + sizeof(*entry) + name_size;
    clock_gettime(CLOCK_REALTIME, &entry->taken);
    pthread_mutex_lock(&snapshots->lock);
    const pf_err err = add_locked(snapshots, entry);
    if (err == PF_OK)
        *out_id = entry->id;
    pthread_mutex_unlock(&snapshots->lock);
    if (err != PF_OK)
        free(entry);
    return err;
}

/* Take it off the list when nobody needs it; returns it then. */
static struct entry *unlink_locked(struct snapshots *s, struct entry *entry)
{
    struct entry **at = &s->first;

    if (!entry->removed || entry->readers > 0)
        return NULL;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    s->bytes -= entry->bytes;
    return entry;
}

pf_err snapshots_remove(struct snapshots *snapshots, const char *name)
{
    struct entry *unused = NULL;

    pthread_mutex_lock(&snapshots->lock);
    struct entry *const entry = by_name_locked(snapshots, name);
    if (entry != NULL) {
        entry->removed = true;
        unused = unlink_locked(snapshots, entry);
    }
    pthread_mutex_unlock(&snapshots->lock);
    if (unused != NULL)
        entry_free(unused);
    return entry != NULL ? PF_OK : PF_E_NOT_FOUND;
}

bool snapshots_has(struct snapshots *snapshots, uint64_t id)
{
    pthread_mutex_lock(&snapshots->lock);
    const bool has = by_id_locked(snapshots, id) != NULL;
    pthread_mutex_unlock(&snapshots->lock);
    return has;
}

bool snapshots_find(struct snapshots *snapshots, const char *name, uint64_t *out_id)
{
    pthread_mutex_lock(&snapshots->lock);
    const struct entry *const entry = by_name_locked(snapshots, name);
    if (entry != NULL)
        *out_id = entry->id;
    pthread_mutex_unlock(&snapshots->lock);
    return entry != NULL;
}

bool snapshots_next(struct snapshots *snapshots, uint64_t id, uint64_t *out_id,
                    char out_name[SNAPSHOT_NAME_MAX + 1])
{
    pthread_mutex_lock(&snapshots->lock);
    const struct entry *const entry = from_id_locked(snapshots, id);
    if (entry != NULL) {
        *out_id = entry->id;
        memcpy(out_name, entry->name, strlen(entry->name) + 1);
    }
    pthread_mutex_unlock(&snapshots->lock);
    return entry != NULL;
}

struct timespec snapshots_time(struct snapshots *snapshots, uint64_t id)
{
    struct timespec taken = {0};

    pthread_mutex_lock(&snapshots->lock);
    const struct entry *const entry = by_id_locked(snapshots, id);
    if (entry != NULL)
        taken = entry->taken;
    pthread_mutex_unlock(&snapshots->lock);
    return taken;
}

const pf_snapshot *snapshots_acquire(struct snapshots *snapshots, uint64_t id)
{
    const pf_snapshot *snapshot = NULL;

    pthread_mutex_lock(&snapshots->lock);
    struct entry *const entry = by_id_locked(snapshots, id);
    if (entry != NULL) {
        entry->readers++;
        snapshot = entry->snapshot;
    }
    pthread_mutex_unlock(&snapshots->lock);
    return snapshot;
}

void snapshots_release(struct snapshots *snapshots, const pf_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    pthread_mutex_lock(&snapshots->lock);
    struct entry *entry = snapshots->first;
    while (entry->snapshot != snapshot) /* what is read is in the list */
        entry = entry->next;
    entry->readers--;
    struct entry *const unused = unlink_locked(snapshots, entry);
    pthread_mutex_unlock(&snapshots->lock);
    if (unused != NULL)
        entry_free(unused);
}
