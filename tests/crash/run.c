#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixedrandom.h"
#include "scratch.h"
#include "store.h"

enum { MANY = 48 };

/* ---- judging while it runs ---- */

void run_judge(struct run *run, uint64_t limit)
{
    const struct model *allowed[RUN_STATES];

    for (size_t i = 0; i < run->state_count; i++)
        allowed[i] = &run->states[i];
    judge_crashes(run->judge, &run->disk, limit, allowed, run->state_count, run->where);
}

static void run_hook(void *context, enum fd_call call)
{
    struct run *run = context;

    (void)call;
    if (run->limit > 0 && !judge_is_done(run->judge))
        run_judge(run, run->limit);
}

static void violation(struct run *run, const char *what, pf_err err)
{
    run->judge->where = run->where;
    judge_say(run->judge, "%s: %s", what, pf_err_name(err));
    run->judge->where = NULL;
}

/* ---- states ---- */

static struct model *newest(struct run *run)
{
    return &run->states[run->state_count - 1];
}

/* Another state that the disk may be in from now on; a copy of the newest. */
static struct model *add_state(struct run *run)
{
    model_copy(&run->states[run->state_count], newest(run));
    run->state_count++;
    return newest(run);
}

static void keep_state(struct run *run, size_t index)
{
    if (index > 0) {
        const struct model kept = run->states[index];

        run->states[index] = run->states[0];
        run->states[0] = kept;
    }
    run->state_count = 1;
}

/* Within a group, pages may have been trunks, or longer trunks, that no acknowledged disk
 * ever showed. What left the list is unknown, so is the page above a trunk that was taken
 * out (it took its place), and a bit more of the trunks that stay. */
static void forget_group_pages(struct run *run)
{
    struct model *m = newest(run);
    const struct model *before = &run->states[run->state_count - 2];
    uint8_t *is_free = model_free_map(m), *was_free = model_free_map(before);

    for (size_t i = 0; i < before->depth; i++) {
        if (is_free[before->stack[i]] != 0)
            continue;
        model_forget_page(m, before->stack[i], MODEL_PAGE);
        if (i + 1 < before->depth && before->pages[before->stack[i]].unknown >= 56)
            model_forget_page(m, before->stack[i + 1], MODEL_PAGE);
    }
    for (size_t i = 0; i < m->depth; i++) {
        const uint64_t id = m->stack[i];

        if (m->pages[id].unknown >= 56 || id >= before->total_pages || was_free[id] == 0)
            model_forget_page(m, id, m->pages[id].unknown + 56 + 8 * 8);
    }
    free(is_free);
    free(was_free);
}

/* Everything was acknowledged: the disk must show it now, and after any power cut. */
static enum run_result acknowledge(struct run *run)
{
    const struct oracle_source source = judge_source(&run->disk);
    const struct model *expected;
    char why[512];

    keep_state(run, run->state_count - 1);
    expected = &run->states[0];
    if (oracle_read(&run->oracle, &source))
        model_note_trunks(&run->states[0], &run->oracle);
    if (judge_match(run->judge, &run->disk, &expected, 1, why, sizeof(why)) < 0) {
        run->judge->where = run->where;
        judge_say(run->judge, "the file is not current after an acknowledgement: %s",
                  why);
        run->judge->where = NULL;
        return RUN_FAILED;
    }
    if (run->limit > 0)
        run_judge(run, run->limit);
    return RUN_DONE;
}

/* The last call of an operation returned. */
static enum run_result finish(struct run *run, const char *what, pf_err err)
{
    if (err == PF_OK)
        return acknowledge(run);
    run->error = err;
    if (!run->expect_cut)
        violation(run, what, err);
    return RUN_FAILED;
}

/* ---- operations; `lsn` as in pf.h ---- */

static uint64_t below(struct run *run, uint64_t bound)
{
    return rng_below(&run->rng, bound);
}

static enum run_result check_id(struct run *run, uint64_t expected, uint64_t got)
{
    if (expected == got)
        return RUN_DONE;
    run->judge->where = run->where;
    judge_say(run->judge, "allocated page %" PRIu64 ", expected %" PRIu64, got, expected);
    run->judge->where = NULL;
    return RUN_FAILED;
}

static pf_err do_alloc(struct run *run, uint64_t count, uint64_t *lsn)
{
    uint64_t ids[MANY] = {0}, expected[MANY];
    struct model *m = add_state(run);

    for (uint64_t i = 0; i < count; i++)
        expected[i] = model_alloc(m);
    const pf_err err = pf_pages_alloc(run->store, count, ids, lsn);
    for (uint64_t i = 0; i < count && err == PF_OK; i++)
        if (check_id(run, expected[i], ids[i]) != RUN_DONE)
            return PF_E_CORRUPT;
    return err;
}

static pf_err do_contiguous(struct run *run, uint64_t *lsn)
{
    uint64_t first = 0;
    const uint64_t expected = model_contiguous(add_state(run), 2);
    const pf_err err = pf_pages_alloc_contiguous(run->store, 2, &first, lsn);

    return err == PF_OK && check_id(run, expected, first) != RUN_DONE ? PF_E_CORRUPT
                                                                      : err;
}

static uint64_t pick_allocated(struct run *run)
{
    const struct model *m = newest(run);
    const uint64_t count = m->total_pages - 2;
    const uint64_t from = count == 0 ? 0 : below(run, count);
    uint8_t *is_free = model_free_map(m);
    uint64_t found = 0;

    for (uint64_t i = 0; i < count && found == 0; i++) {
        const uint64_t id = 2 + (from + i) % count;

        if (is_free[id] == 0)
            found = id;
    }
    free(is_free);
    return found;
}

static pf_err do_free(struct run *run, uint64_t id, uint64_t *lsn)
{
    model_free(add_state(run), id);
    return pf_page_free(run->store, id, lsn);
}

/* Up to `want` allocated pages from `id` on, without a gap. */
static struct pf_range range_at(const struct model *m, uint64_t id, uint64_t want)
{
    struct pf_range range = {.first = id, .count = 0};

    while (range.count < want && id + range.count < m->total_pages &&
           !model_is_free(m, id + range.count))
        range.count++;
    return range;
}

static pf_err do_free_many(struct run *run, uint64_t id, uint64_t want, uint64_t *lsn)
{
    struct model *m = add_state(run);
    struct pf_range ranges[2];
    size_t count = 0;

    ranges[count++] = range_at(m, id, want);
    const uint64_t other = pick_allocated(run);
    if (other < ranges[0].first || other >= ranges[0].first + ranges[0].count) {
        ranges[1] = range_at(m, other, 1);
        count++;
    }
    for (size_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < ranges[i].count; k++)
            model_free(m, ranges[i].first + k);
    return pf_pages_free(run->store, ranges, count, NULL, lsn);
}

static pf_err do_take(struct run *run, uint64_t *lsn)
{
    struct model *m = add_state(run);
    const uint64_t id = m->stack[below(run, m->depth)];

    model_take(m, id);
    return pf_page_take(run->store, id, lsn);
}

static pf_err do_write(struct run *run, uint64_t id, size_t offset, size_t length,
                       uint64_t *lsn)
{
    uint8_t bytes[PF_PAGE_SIZE];
    const unsigned version = ++run->writes;

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(version * 17 + id + i * 3 + i / 251);
    bytes[0] = 0xFE;
    model_write(add_state(run), run->pool, id, offset, bytes, length);
    return pf_page_write(run->store, id, offset, bytes, length, lsn);
}

/* The last page of the file, if it is allocated; else 0. */
static uint64_t last_allocated(const struct model *m)
{
    const uint64_t id = m->total_pages - 1;

    return id >= 2 && !model_is_free(m, id) ? id : 0;
}

static bool has_room(const struct run *run, const struct model *m, uint64_t count)
{
    return m->depth >= count || m->total_pages + count <= run->max_pages;
}

/* One change; PF_E_INVALID before anything happened: not possible now. */
static pf_err do_change(struct run *run, char operation, uint64_t *lsn)
{
    const struct model *m = newest(run);
    const uint64_t many = strchr("mM", operation) != NULL ? 8 + below(run, MANY - 8) : 0;
    const uint64_t id =
        strchr("fFMwW", operation) != NULL ? pick_allocated(run) : last_allocated(m);

    switch (operation) {
    case 'a':
        return has_room(run, m, 1) ? do_alloc(run, 1, lsn) : PF_E_INVALID;
    case 'A':
        return has_room(run, m, 3) ? do_alloc(run, 3, lsn) : PF_E_INVALID;
    case 'm':
        return has_room(run, m, many) ? do_alloc(run, many, lsn) : PF_E_INVALID;
    case 'M':
        return id != 0 ? do_free_many(run, id, many, lsn) : PF_E_INVALID;
    case 'c':
        return m->total_pages + 2 <= run->max_pages ? do_contiguous(run, lsn)
                                                    : PF_E_INVALID;
    case 'f':
        return id != 0 ? do_free(run, id, lsn) : PF_E_INVALID;
    case 'F':
        return id != 0 ? do_free_many(run, id, 2 + below(run, 3), lsn) : PF_E_INVALID;
    case 'z':
        return id != 0 ? do_free(run, id, lsn) : PF_E_INVALID;
    case 'e':
        return id != 0 ? do_write(run, id, 0, PF_PAGE_SIZE, lsn) : PF_E_INVALID;
    case 't':
        return m->depth > 0 ? do_take(run, lsn) : PF_E_INVALID;
    case 'w':
        return id != 0 ? do_write(run, id, 0, PF_PAGE_SIZE, lsn) : PF_E_INVALID;
    case 'W':
        return id != 0 ? do_write(run, id, 350 + below(run, 100), 600, lsn)
                       : PF_E_INVALID;
    default:
        return PF_E_INVALID;
    }
}

static enum run_result do_group(struct run *run)
{
    static const char letters[] = "aafwWftA";
    const uint64_t count = 2 + below(run, RUN_GROUP - 1);
    uint64_t lsn = 0;
    pf_err err = PF_OK;

    for (uint64_t i = 0; i < count && err == PF_OK; i++) {
        const size_t states = run->state_count;

        err = do_change(run, letters[below(run, sizeof(letters) - 1)], &lsn);
        if (err == PF_E_INVALID && run->state_count == states)
            err = PF_OK;
        else if (run->state_count > 1)
            forget_group_pages(run);
    }
    if (err != PF_OK && run->expect_cut && pf_writable(run->store)) {
        run->state_count--; /* the last one was refused, those before were not */
        err = PF_OK;
    }
    if (err == PF_OK && run->state_count == 1)
        return RUN_INVALID;
    if (err == PF_OK)
        err = pf_wait(run->store, lsn);
    return finish(run, "a group", err);
}

/* ---- open and close ---- */

bool run_open(struct run *run)
{
    char reason[PF_REASON_SIZE] = "";
    const struct model *allowed[RUN_STATES];
    char why[1024];
    const pf_err err = store_open(faultdisk_db(&run->disk), faultdisk_place(&run->disk),
                                  true, false, reason, &run->store);

    run->judge->where = run->where;
    if (err != PF_OK) {
        run->store = NULL;
        run->error = err;
        if (!run->expect_cut)
            judge_say(run->judge, "store_open: %s (%s)", pf_err_name(err), reason);
        run->judge->where = NULL;
        return false;
    }
    if (run->journal_size != 0)
        store_set_journal_size(run->store, run->journal_size);
    for (size_t i = 0; i < run->state_count; i++)
        allowed[i] = &run->states[i];
    const int found =
        judge_match(run->judge, &run->disk, allowed, run->state_count, why, sizeof(why));
    if (found < 0)
        judge_say(run->judge, "after open: %s", why);
    else
        keep_state(run, (size_t)found);
    if (found >= 0)
        model_note_trunks(&run->states[0], &run->judge->oracle);
    run->judge->where = NULL;
    return found >= 0;
}

bool run_power_cycle(struct run *run)
{
    struct crash crash;
    struct fd_image image = {0};
    uint64_t skip = 2 + below(run, 30);

    run_end(run);
    crash_init(&crash);
    crash_begin(&crash, &run->disk, 64, rng_next(&run->rng));
    (void)crash_next(&crash);
    crash_keep(&crash, run->arena, &image);
    while (skip-- > 0 && crash_next(&crash))
        crash_keep(&crash, run->arena, &image);
    crash_clear(&crash);
    faultdisk_load(&run->disk, &image);
    fd_image_clear(&image);
    run->disk.hook = run_hook;
    run->disk.no_reserve = run->no_reserve;
    return run_open(run);
}

static enum run_result do_reopen(struct run *run, bool close)
{
    pf_err err = PF_OK;

    if (close)
        err = pf_close(run->store);
    else
        store_delete(run->store);
    run->store = NULL;
    if (err != PF_OK)
        return finish(run, "close", err);
    if (!run_open(run))
        return RUN_FAILED;
    return acknowledge(run);
}

static enum run_result do_shrink(struct run *run)
{
    uint64_t pages = 0;
    const uint64_t before = newest(run)->total_pages;

    model_shrink(add_state(run));
    const pf_err err = pf_shrink(run->store, &pages);
    if (err == PF_OK &&
        check_id(run, before - newest(run)->total_pages, pages) != RUN_DONE)
        return RUN_FAILED;
    return finish(run, "shrink", err);
}

static enum run_result do_rebuild(struct run *run)
{
    model_rebuild(add_state(run));
    return finish(run, "rebuild", pf_freelist_rebuild(run->store));
}

enum run_result run_operation(struct run *run, char operation)
{
    const size_t states = run->state_count;

    switch (operation) {
    case 'g':
        return do_group(run);
    case 'k':
        return finish(run, "checkpoint", pf_checkpoint(run->store));
    case 's':
        return do_shrink(run);
    case 'b':
        return do_rebuild(run);
    case 'r':
        return do_reopen(run, true);
    case 'x':
        return do_reopen(run, false);
    default:
        break;
    }
    const pf_err err = do_change(run, operation, NULL);
    if (err == PF_E_INVALID && run->state_count == states)
        return RUN_INVALID;
    return finish(run, "an operation", err);
}

/* ---- begin, end ---- */

void run_init(struct run *run, struct judge *judge)
{
    memset(run, 0, sizeof(*run));
    run->judge = judge;
    run->arena = arena_new();
    run->pool = model_pool_new();
    run->max_pages = 1400;
    faultdisk_init(&run->disk, run->arena);
    oracle_init(&run->oracle);
}

void run_clear(struct run *run)
{
    run_end(run);
    for (int i = 0; i < RUN_STATES; i++)
        model_clear(&run->states[i]);
    faultdisk_clear(&run->disk);
    oracle_clear(&run->oracle);
    model_pool_delete(run->pool);
    arena_delete(run->arena);
}

bool run_begin(struct run *run, const struct judge_start *start, uint64_t seed)
{
    run_end(run);
    arena_reset(run->arena);
    model_pool_reset(run->pool);
    judge_use(run->judge, start);
    faultdisk_load(&run->disk, &start->image);
    run->disk.hook = run_hook;
    run->disk.hook_context = run;
    run->disk.no_reserve = run->no_reserve;
    model_copy(&run->states[0], &start->model);
    run->state_count = 1;
    run->writes = 0;
    run->limit = 0;
    run->expect_cut = false;
    run->rng = seed * 0x9E3779B97F4A7C15U + 1;
    fixed_random_set(seed);
    snprintf(run->where, sizeof(run->where), "first open");
    return run_open(run);
}

void run_end(struct run *run)
{
    if (run->store != NULL)
        store_delete(run->store);
    run->store = NULL;
}
