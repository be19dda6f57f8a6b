#include "claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { PAGE = 4096 };

static const uint64_t never = UINT64_MAX;

struct request {
    struct trace_request what;
    uint64_t issued, answered; /* positions; answered = never: no answer, or an error */
};

struct data {
    uint64_t version, issued, answered;
};

/* A page in the hands of one client, from its allocation to its freeing. */
struct holding {
    uint64_t page_id;
    uint64_t alloc_issued, alloc_answered, free_issued, free_answered;
    struct data *data;
    size_t data_count;
};

/* What is known of a page at one moment. */
struct knowledge {
    unsigned states; /* CLAIM_ bits */
    uint64_t versions[2];
    unsigned version_count; /* 0 = the data is not known */
};

struct claims {
    uint64_t total_pages; /* in the beginning */
    uint64_t page_count;  /* pages that the trace knows */
    uint8_t *free_at_first;
    struct request *requests;
    size_t request_count, request_room;
    struct holding *holdings; /* by page, then by time */
    size_t holding_count, holding_room;
    struct knowledge *knowledge;
    uint64_t position, answers;
    uint64_t unanswered; /* pages whose allocation was asked for and never answered: they
                            may be allocated without anybody knowing */
};

struct claims *claims_new(uint64_t total_pages, const uint64_t *free_ids,
                          size_t free_count)
{
    struct claims *c = must_calloc(1, sizeof(*c));

    c->total_pages = c->page_count = total_pages;
    c->free_at_first = must_calloc((size_t)total_pages, 1);
    for (size_t i = 0; i < free_count; i++)
        c->free_at_first[free_ids[i]] = 1;
    return c;
}

void claims_delete(struct claims *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->holding_count; i++)
        free(c->holdings[i].data);
    free(c->holdings);
    free(c->requests);
    free(c->knowledge);
    free(c->free_at_first);
    free(c);
}

void claims_data(uint8_t bytes[PAGE], uint64_t page_id, uint64_t version)
{
    uint64_t x = page_id * 0x9E3779B97F4A7C15U + version * 0xD6E8FEB86659FD93U + 1;

    for (size_t i = 0; i < PAGE; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(bytes + i, &x, 8);
    }
    memcpy(bytes, &version, 8);
}

/* ---- taking in the trace ---- */

static struct request *request_at(struct claims *c, uint64_t number)
{
    while (number >= c->request_count) {
        if (c->request_count == c->request_room) {
            c->request_room = c->request_room * 2 + 1024;
            c->requests =
                must_realloc(c->requests, c->request_room * sizeof(*c->requests));
        }
        c->requests[c->request_count++] =
            (struct request){.issued = never, .answered = never};
    }
    return &c->requests[number];
}

static void add_holding(struct claims *c, uint64_t page_id, uint64_t issued,
                        uint64_t answered)
{
    if (c->holding_count == c->holding_room) {
        c->holding_room = c->holding_room * 2 + 1024;
        c->holdings = must_realloc(c->holdings, c->holding_room * sizeof(*c->holdings));
    }
    c->holdings[c->holding_count++] = (struct holding){
        .page_id = page_id,
        .alloc_issued = issued,
        .alloc_answered = answered,
        .free_issued = never,
        .free_answered = never,
    };
    if (page_id >= c->page_count)
        c->page_count = page_id + 1;
}

/* The one that holds the page at this moment: who was given it last, else who has it
 * from the beginning. */
static struct holding *holder(struct claims *c, uint64_t page_id)
{
    for (size_t i = c->holding_count; i > 0; i--)
        if (c->holdings[i - 1].page_id == page_id)
            return &c->holdings[i - 1];
    add_holding(c, page_id, 0, 0);
    return &c->holdings[c->holding_count - 1];
}

static void note_issue(struct claims *c, const struct trace_record *record,
                       uint64_t position)
{
    struct request *r = request_at(c, record->a);

    memcpy(&r->what, record + 1, sizeof(r->what));
    r->issued = position;
    if (r->what.kind == TRACE_FREE) {
        for (uint64_t i = 0; i < r->what.count; i++)
            holder(c, r->what.ids[i])->free_issued = position;
    } else if (r->what.kind == TRACE_DATA) {
        struct holding *h = holder(c, r->what.ids[0]);

        h->data = must_realloc(h->data, (h->data_count + 1) * sizeof(*h->data));
        h->data[h->data_count++] = (struct data){
            .version = r->what.version, .issued = position, .answered = never};
    }
}

static void note_answer(struct claims *c, const struct trace_record *record,
                        uint64_t position)
{
    struct request *r = request_at(c, record->a);
    uint64_t ids[4];

    if (record->b != 0)
        return; /* an error is no answer: anything may have happened */
    r->answered = position;
    c->answers++;
    if (r->what.kind == TRACE_ALLOC) {
        memcpy(ids, record + 1, r->what.count * sizeof(ids[0]));
        memcpy(r->what.ids, ids, sizeof(ids));
        for (uint64_t i = 0; i < r->what.count; i++)
            add_holding(c, ids[i], r->issued, position);
    } else if (r->what.kind == TRACE_FREE) {
        for (uint64_t i = 0; i < r->what.count; i++) {
            /* somebody else may hold the page by now: look for the one that freed it */
            for (size_t k = c->holding_count; k > 0; k--) {
                struct holding *h = &c->holdings[k - 1];

                if (h->page_id == r->what.ids[i] && h->free_issued == r->issued)
                    h->free_answered = position;
            }
        }
    } else if (r->what.kind == TRACE_DATA) {
        struct holding *h = holder(c, r->what.ids[0]);

        for (size_t k = 0; k < h->data_count; k++)
            if (h->data[k].version == r->what.version)
                h->data[k].answered = position;
    }
}

static int by_page_and_time(const void *a, const void *b)
{
    const struct holding *x = a, *y = b;

    if (x->page_id != y->page_id)
        return x->page_id < y->page_id ? -1 : 1;
    return x->alloc_answered < y->alloc_answered ? -1
                                                 : x->alloc_answered > y->alloc_answered;
}

void claims_load(struct claims *c, const struct trace *trace)
{
    uint64_t position = trace_begin();
    const struct trace_record *record;

    for (uint64_t at = position; (record = trace_next(trace, &position)) != NULL;
         at = position) {
        if (record->type == TRACE_ISSUE)
            note_issue(c, record, at);
        else if (record->type == TRACE_ACK)
            note_answer(c, record, at);
    }
    if (c->holding_count > 0) /* nothing may have been answered yet */
        qsort(c->holdings, c->holding_count, sizeof(*c->holdings), by_page_and_time);
    for (size_t i = 0; i < c->request_count; i++)
        if (c->requests[i].what.kind == TRACE_ALLOC && c->requests[i].issued != never &&
            c->requests[i].answered == never)
            c->unanswered += c->requests[i].what.count;
    c->knowledge = must_calloc((size_t)c->page_count, sizeof(*c->knowledge));
}

/* ---- what is known at a moment ---- */

static void know_data(struct knowledge *k, const struct holding *h, uint64_t position)
{
    k->version_count = 0;
    for (size_t i = 0; i < h->data_count; i++) {
        if (h->data[i].issued >= position)
            break;
        if (h->data[i].answered < position)
            k->version_count = 0; /* older ones are gone */
        if (k->version_count < 2)
            k->versions[k->version_count++] = h->data[i].version;
    }
    /* a first write in flight: before it the data was anything */
    if (k->version_count == 1 && h->data[0].version == k->versions[0] &&
        h->data[0].answered >= position)
        k->version_count = 0;
}

static void apply_holding(struct knowledge *k, const struct holding *h, uint64_t position)
{
    if (h->alloc_issued >= position && h->alloc_issued != 0)
        return;
    if (h->alloc_answered < position || h->alloc_issued == 0) {
        k->states = CLAIM_ALLOCATED;
        know_data(k, h, position);
    } else {
        k->states |= CLAIM_ALLOCATED; /* in flight */
        k->version_count = 0;
    }
    if (h->free_answered < position) {
        k->states = CLAIM_FREE;
        k->version_count = 0;
    } else if (h->free_issued < position) {
        k->states |= CLAIM_FREE;
        k->version_count = 0;
    }
}

void claims_at(struct claims *c, uint64_t position)
{
    c->position = position;
    for (uint64_t id = 0; id < c->page_count; id++)
        c->knowledge[id] =
            (struct knowledge){.states = id >= c->total_pages        ? CLAIM_ABSENT
                                         : c->free_at_first[id] != 0 ? CLAIM_FREE
                                                                     : CLAIM_ALLOCATED};
    for (size_t i = 0; i < c->holding_count; i++)
        apply_holding(&c->knowledge[c->holdings[i].page_id], &c->holdings[i], position);
}

static bool data_fits(const struct knowledge *k, uint64_t page_id,
                      const struct oracle_source *source)
{
    uint8_t page[PAGE], expected[PAGE];

    if (k->version_count == 0)
        return true;
    source->read(source->context, oracle_page_offset(page_id), page, PAGE);
    for (unsigned i = 0; i < k->version_count; i++) {
        if (memcmp(page, &k->versions[i], 8) != 0)
            continue;
        claims_data(expected, page_id, k->versions[i]);
        if (memcmp(page, expected, PAGE) == 0)
            return true;
    }
    return false;
}

static const char *name_of(unsigned state)
{
    return state == CLAIM_FREE        ? "free"
           : state == CLAIM_ALLOCATED ? "allocated"
                                      : "absent";
}

static unsigned state_in(const struct oracle *oracle, uint64_t page_id)
{
    if (page_id >= oracle->total_pages)
        return CLAIM_ABSENT;
    return (oracle->seen[page_id / 8] >> (page_id % 8) & 1) != 0 ? CLAIM_FREE
                                                                 : CLAIM_ALLOCATED;
}

/* The page may be with, or on its way to, a holder we know of. */
static bool moves_on(const struct claims *c, const struct request *r, uint64_t page_id)
{
    bool moves = false;

    for (size_t k = 0; k < c->holding_count && !moves; k++)
        moves = c->holdings[k].page_id == page_id &&
                c->holdings[k].alloc_issued < c->position &&
                c->holdings[k].alloc_answered > r->issued;
    return moves;
}

/* Pages that one request frees change together. Whoever died before an answer may have
 * taken some of them since, from the end: the page freed last goes first. */
static bool request_is_whole(const struct claims *c, const struct request *r,
                             const struct oracle *oracle)
{
    uint64_t free_pages = 0, taken = 0;

    for (uint64_t i = 0; i < r->what.count; i++) {
        const uint64_t id = r->what.ids[i];
        const unsigned state = state_in(oracle, id);

        if (moves_on(c, r, id))
            continue;
        if (state == CLAIM_FREE && taken > 0)
            return false; /* a page that was freed before one that is not */
        free_pages += state == CLAIM_FREE;
        taken += state != CLAIM_FREE;
    }
    return free_pages == 0 || taken <= c->unanswered;
}

bool claims_fit(struct claims *c, const struct oracle *oracle,
                const struct oracle_source *source, char *why, size_t why_size)
{
    uint64_t surprises = 0;

    for (uint64_t id = 2; id < c->page_count || id < oracle->total_pages; id++) {
        const unsigned state = state_in(oracle, id);
        const unsigned allowed =
            id < c->page_count ? c->knowledge[id].states : CLAIM_ABSENT;

        if ((state & allowed) == 0 && state == CLAIM_ALLOCATED &&
            ++surprises <= c->unanswered)
            continue; /* somebody asked for a page and died before the answer */
        if ((state & allowed) == 0) {
            snprintf(why, why_size, "page %" PRIu64 " is %s, must be %s%s", id,
                     name_of(state), name_of(allowed & (~allowed + 1)),
                     (allowed & (allowed - 1)) != 0 ? " or on its way" : "");
            return false;
        }
        if (state == CLAIM_ALLOCATED && id < c->page_count &&
            !data_fits(&c->knowledge[id], id, source)) {
            snprintf(why, why_size, "page %" PRIu64 " does not hold what was written",
                     id);
            return false;
        }
    }
    for (size_t i = 0; i < c->request_count; i++) {
        const struct request *r = &c->requests[i];

        if (r->what.kind == TRACE_FREE && r->what.count > 1 && r->issued < c->position &&
            r->answered >= c->position && !request_is_whole(c, r, oracle)) {
            snprintf(why, why_size, "request %zu freed some of its pages", i);
            return false;
        }
    }
    return true;
}

uint64_t claims_answers(const struct claims *claims)
{
    return claims->answers;
}
