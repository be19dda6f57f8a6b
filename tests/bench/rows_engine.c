/* rows_engine.c: the allocator in memory, through the library, against the least there
 * is: an array as stack, an array of bits, no lock, no journal, no checks but one. */
#include <stdlib.h>

#include "measure.h"

enum { PAGE_COUNT = 1 << 20, BATCH = 10000, HANDFUL = 64 };

struct plain {
    uint64_t free_pages[PAGE_COUNT];
    uint64_t free_count;
    uint8_t is_free[PAGE_COUNT];
    uint32_t pins[PAGE_COUNT];
};

struct engine {
    pf_store *store;
    struct plain *plain;
    uint64_t ids[BATCH];
    struct pf_range ranges[BATCH]; /* the ids, neighbours put together */
    size_t range_count;
    uint64_t rng;
    volatile uint64_t seen; /* what was asked for, so that it is asked for */
};

/* xorshift64*: ids that no cache foresees. */
static uint64_t random_page(struct engine *e)
{
    e->rng ^= e->rng >> 12;
    e->rng ^= e->rng << 25;
    e->rng ^= e->rng >> 27;
    return PF_FIRST_PAGE +
           (e->rng * UINT64_C(0x2545F4914F6CDD1D) >> 33) % (PAGE_COUNT - PF_FIRST_PAGE);
}

static void plain_free(struct plain *p, uint64_t id)
{
    if (p->is_free[id])
        die("a double free");
    p->is_free[id] = 1;
    p->free_pages[p->free_count++] = id;
}

/* Half of the pages are free, in both: every second one in an order that means nothing to
 * a cache, or all of the second half. */
static struct engine *engine_new(bool scattered)
{
    const struct pf_range half = {PAGE_COUNT / 2, PAGE_COUNT / 2};
    struct engine *const e = calloc(1, sizeof(*e));

    if (e == NULL || (e->plain = calloc(1, sizeof(*e->plain))) == NULL)
        die("out of memory");
    e->rng = 1;
    must(pf_open_memory(PAGE_COUNT, &e->store));
    if (!scattered)
        must(pf_pages_free(e->store, &half, 1, NULL, NULL));
    for (uint64_t i = 0; i < half.count; i++) {
        const uint64_t id = scattered ? random_page(e) : half.first + i;
        if (e->plain->is_free[id])
            continue;
        plain_free(e->plain, id);
        if (scattered)
            must(pf_page_free(e->store, id, NULL));
    }
    return e;
}

static void engine_free(struct engine *e)
{
    must(pf_close(e->store));
    free(e->plain);
    free(e);
}

/* ---- what is done, by both ---- */

static void alloc_batch(struct engine *e)
{
    must(pf_pages_alloc(e->store, BATCH, e->ids, NULL));
}

/* Not part of the figure. */
static void name_batch(struct engine *e)
{
    struct pf_range *last = NULL;

    e->range_count = 0;
    for (unsigned i = BATCH; i-- > 0;) {
        if (last != NULL && e->ids[i] == last->first + last->count) {
            last->count++;
            continue;
        }
        last = &e->ranges[e->range_count++];
        *last = (struct pf_range){e->ids[i], 1};
    }
}

static void free_batch(struct engine *e)
{
    must(pf_pages_free(e->store, e->ranges, e->range_count, NULL, NULL));
}

static uint64_t plain_alloc(struct plain *p)
{
    const uint64_t id = p->free_pages[--p->free_count];

    p->is_free[id] = 0;
    return id;
}

static void plain_alloc_batch(struct engine *e)
{
    for (unsigned i = 0; i < BATCH; i++)
        e->ids[i] = plain_alloc(e->plain);
}

static void plain_free_batch(struct engine *e)
{
    for (size_t i = 0; i < e->range_count; i++)
        for (uint64_t n = 0; n < e->ranges[i].count; n++)
            plain_free(e->plain, e->ranges[i].first + n);
}

static void alloc_handful(struct engine *e)
{
    for (unsigned i = 0; i < HANDFUL; i++)
        must(pf_page_alloc(e->store, &e->ids[i], NULL));
}

static void free_handful(struct engine *e)
{
    for (unsigned i = HANDFUL; i-- > 0;)
        must(pf_page_free(e->store, e->ids[i], NULL));
}

static void plain_alloc_handful(struct engine *e)
{
    for (unsigned i = 0; i < HANDFUL; i++)
        e->ids[i] = plain_alloc(e->plain);
}

static void plain_free_handful(struct engine *e)
{
    for (unsigned i = HANDFUL; i-- > 0;)
        plain_free(e->plain, e->ids[i]);
}

static void name_handful(struct engine *e)
{
    for (unsigned i = 0; i < HANDFUL; i++)
        e->ids[i] = random_page(e);
}

static void state_handful(struct engine *e)
{
    struct pf_page page;

    for (unsigned i = 0; i < HANDFUL; i++)
        must(pf_page_get(e->store, e->ids[i], &page));
}

static void plain_state_handful(struct engine *e)
{
    for (unsigned i = 0; i < HANDFUL; i++)
        e->seen += e->plain->is_free[e->ids[i]];
}

/* Of one page, which the store holds allocated. */
static void pin_handful(struct engine *e)
{
    for (unsigned i = 0; i < HANDFUL; i++) {
        must(pf_page_pin(e->store, e->ids[i]));
        must(pf_page_unpin(e->store, e->ids[i]));
    }
}

static void plain_pin_handful(struct engine *e)
{
    volatile uint32_t *const pins = e->plain->pins;

    for (unsigned i = 0; i < HANDFUL; i++) {
        pins[e->ids[i]]++;
        pins[e->ids[i]]--;
    }
}

static void stats_handful(struct engine *e)
{
    struct pf_stats stats;

    for (unsigned i = 0; i < HANDFUL; i++)
        pf_stats_get(e->store, &stats);
}

static void plain_stats_handful(struct engine *e)
{
    for (unsigned i = 0; i < HANDFUL; i++)
        e->seen += e->plain->free_count;
}

static void nothing(struct engine *e)
{
    (void)e;
}

/* ---- turns ---- */

struct work {
    struct engine *engine;
    void (*before)(struct engine *e); /* not measured */
    void (*measured)(struct engine *e);
    void (*after)(struct engine *e);
    unsigned operations; /* of one measured() */
};

static double work_turn(const struct bench *b, void *side)
{
    const struct work *const w = side;
    const double end = now_seconds() + b->slice;
    double took = 0;
    uint64_t done = 0;

    do {
        w->before(w->engine);
        const double began = now_seconds();
        w->measured(w->engine);
        took += now_seconds() - began;
        w->after(w->engine);
        done += w->operations;
    } while (now_seconds() < end);
    return took * 1e9 / (double)done;
}

static void row(const struct bench *b, const char *what, struct work ours,
                struct work plain, double target)
{
    const struct comparison c =
        compare(b, (struct side){work_turn, &ours}, (struct side){work_turn, &plain});

    table_nanoseconds(what, "plain arrays", &c, target);
}

static void alloc_and_name(struct engine *e)
{
    alloc_batch(e);
    name_batch(e);
}

static void plain_alloc_and_name(struct engine *e)
{
    plain_alloc_batch(e);
    name_batch(e);
}

static void name_and_free(struct engine *e)
{
    name_batch(e);
    free_batch(e);
}

static void plain_name_and_free(struct engine *e)
{
    name_batch(e);
    plain_free_batch(e);
}

static const char scattered_limit[] = "Pages without order: each is one descent through "
                                      "the set of free pages, which runs of "
                                      "neighbours share. The cost is instructions, not "
                                      "the disk or waiting: see `scripts/bench "
                                      "--instructions`; neighbours take 1 ns a page.";

static void batches(const struct bench *b, bool scattered)
{
    struct engine *const e = engine_new(scattered);

    table_limit(scattered ? scattered_limit : NULL);
    row(b,
        scattered ? "allocate in batches, scattered, a page"
                  : "allocate in batches, a page",
        (struct work){e, nothing, alloc_batch, name_and_free, BATCH},
        (struct work){e, nothing, plain_alloc_batch, plain_name_and_free, BATCH}, 10);
    table_limit(scattered ? scattered_limit : NULL);
    row(b,
        scattered ? "deallocate in batches, scattered, a page"
                  : "deallocate in batches, a page",
        (struct work){e, alloc_and_name, free_batch, nothing, BATCH},
        (struct work){e, plain_alloc_and_name, plain_free_batch, nothing, BATCH}, 10);
    engine_free(e);
}

static void single_calls(const struct bench *b)
{
    struct engine *const e = engine_new(true);

    row(b, "allocate one",
        (struct work){e, nothing, alloc_handful, free_handful, HANDFUL},
        (struct work){e, nothing, plain_alloc_handful, plain_free_handful, HANDFUL}, 150);
    row(b, "deallocate one",
        (struct work){e, alloc_handful, free_handful, nothing, HANDFUL},
        (struct work){e, plain_alloc_handful, plain_free_handful, nothing, HANDFUL}, 150);
    table_limit("A third of it is an uncontended lock: the row `stats` is little else. "
                "The rest is the look-up of a random page in the set of free pages and "
                "in the hash of trunks; 220 instructions in all (callgrind).");
    row(b, "state of one",
        (struct work){e, name_handful, state_handful, nothing, HANDFUL},
        (struct work){e, name_handful, plain_state_handful, nothing, HANDFUL}, 30);
    table_limit(
        "Half of its 1,720 instructions are malloc and free (callgrind): the first "
        "member of the ordered set of pinned pages comes and goes with its nodes.");
    row(b, "pin and unpin one",
        (struct work){e, alloc_handful, pin_handful, free_handful, HANDFUL},
        (struct work){e, plain_alloc_handful, plain_pin_handful, plain_free_handful,
                      HANDFUL},
        150);
    row(b, "stats", (struct work){e, nothing, stats_handful, nothing, HANDFUL},
        (struct work){e, nothing, plain_stats_handful, nothing, HANDFUL}, 50);
    engine_free(e);
}

void rows_engine(const struct bench *b)
{
    table_group("The engine in memory, 1 M pages, half of them free");
    batches(b, false);
    batches(b, true);
    single_calls(b);
}
