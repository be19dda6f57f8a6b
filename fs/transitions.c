#include "transitions.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    FIRST_SLOTS = 256,
    MAX_SLOTS = 1 << 17, /* 2 MiB, at most half of them in use */
};

#define NO_PAGE UINT64_MAX

struct slot {
    uint64_t page_id; /* NO_PAGE = unused */
    int64_t time_ns;  /* since the epoch */
};

/* Open addressing, linear probing, a power of two of slots, nothing is ever removed. */
struct transitions {
    pthread_mutex_t lock; /* guards what follows */
    int64_t floor_ns, latest_ns;
    struct timespec floor; /* the same: most pages of a listing have never changed */
    struct slot *slots;
    size_t slot_count, used;
};

static int64_t to_ns(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    int64_t seconds = ns / 1000000000;
    int64_t rest = ns % 1000000000;

    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    return (struct timespec){(time_t)seconds, (long)rest};
}

static struct slot *slots_new(size_t count)
{
    struct slot *const slots = malloc(count * sizeof(*slots));

    for (size_t i = 0; slots != NULL && i < count; i++)
        slots[i].page_id = NO_PAGE;
    return slots;
}

struct transitions *transitions_new(struct timespec floor)
{
    struct transitions *const t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->slots = slots_new(FIRST_SLOTS);
    if (t->slots == NULL) {
        free(t);
        return NULL;
    }
    t->slot_count = FIRST_SLOTS;
    t->floor_ns = t->latest_ns = to_ns(floor);
    t->floor = from_ns(t->floor_ns);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void transitions_free(struct transitions *transitions)
{
    if (transitions == NULL)
        return;
    pthread_mutex_destroy(&transitions->lock);
    free(transitions->slots);
    free(transitions);
}

/* The slot that holds the page, or the unused one where it belongs. */
static struct slot *find_slot(struct slot *slots, size_t count, uint64_t page_id)
{
    /* Fibonacci hashing: neighbouring ids spread over the table */
    size_t i = (size_t)((page_id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (count - 1);

    while (slots[i].page_id != NO_PAGE && slots[i].page_id != page_id)
        i = (i + 1) & (count - 1);
    return &slots[i];
}

static int grow_locked(struct transitions *t)
{
    const size_t count = t->slot_count * 2;
    struct slot *const slots = count <= MAX_SLOTS ? slots_new(count) : NULL;

    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i].page_id != NO_PAGE)
            *find_slot(slots, count, t->slots[i].page_id) = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->slot_count = count;
    return 0;
}

static void forget_all_locked(struct transitions *t, int64_t now_ns)
{
    for (size_t i = 0; i < t->slot_count; i++)
        t->slots[i].page_id = NO_PAGE;
    t->used = 0;
    t->floor_ns = now_ns;
    t->floor = from_ns(now_ns);
}

static void note_page_locked(struct transitions *t, uint64_t page_id, int64_t now_ns)
{
    struct slot *slot = find_slot(t->slots, t->slot_count, page_id);

    if (slot->page_id == NO_PAGE) {
        if ((t->used + 1) * 2 > t->slot_count) {
            if (grow_locked(t) != 0)
                forget_all_locked(t, now_ns);
            slot = find_slot(t->slots, t->slot_count, page_id);
        }
        slot->page_id = page_id;
        t->used++;
    }
    slot->time_ns = now_ns;
}

void transitions_note(struct transitions *transitions, uint64_t first, uint64_t count)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t now_ns = to_ns(now);
    pthread_mutex_lock(&transitions->lock);
    transitions->latest_ns = now_ns;
    if (count > MAX_SLOTS / 2) {
        forget_all_locked(transitions, now_ns);
    } else {
        for (uint64_t i = 0; i < count; i++)
            note_page_locked(transitions, first + i, now_ns);
    }
    pthread_mutex_unlock(&transitions->lock);
}

struct timespec transitions_of(struct transitions *transitions, uint64_t page_id)
{
    pthread_mutex_lock(&transitions->lock);
    const struct slot *const slot =
        find_slot(transitions->slots, transitions->slot_count, page_id);
    const struct timespec time =
        slot->page_id == page_id ? from_ns(slot->time_ns) : transitions->floor;
    pthread_mutex_unlock(&transitions->lock);
    return time;
}

struct timespec transitions_latest(struct transitions *transitions)
{
    pthread_mutex_lock(&transitions->lock);
    const int64_t ns = transitions->latest_ns;
    pthread_mutex_unlock(&transitions->lock);
    return from_ns(ns);
}
