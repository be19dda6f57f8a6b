#include "script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const parts[SCRIPT_PARTS] = {
    "afAwWtFcarkwsa", "xbFfWaCzacAFrg", "wkgFaAWtsbafrl", "xvCfnlPwuFAxgr",
    "mMtbsxagwkCfrv", "eazfeWxArFsgnb", "gggxkgrgtPcxfA", "MkmbxtCaFwWrus",
    "fzsxaAceWkrlvg", "twtwxtatFtrbsn", "aaaafffxffrWWe", "sxbxkxrxgxaxfx",
    "CwnkvPlufAcrtM", "xgsbwkxAfFrePa", "aFkg",
};

static const struct start_spec spec = {"script", 24, 13, 3, 0};

const char *script_part(unsigned part)
{
    return parts[part];
}

/* ---- operations that change nothing ---- */

static enum run_result wrong(struct run *run, const char *what)
{
    run->judge->where = run->where;
    judge_say(run->judge, "%s", what);
    run->judge->where = NULL;
    return RUN_FAILED;
}

static enum run_result failed(struct run *run, const char *what, pf_err err)
{
    char text[128];

    run->error = err;
    if (run->expect_cut)
        return RUN_FAILED;
    snprintf(text, sizeof(text), "%s: %s", what, pf_err_name(err));
    return wrong(run, text);
}

/* The twin hands out what the store would, and the store stays as it is. */
static enum run_result do_clone(struct run *run)
{
    const struct model *m = &run->states[0];
    struct model twin = {0};
    pf_store *clone = NULL;
    uint64_t ids[3] = {0};
    enum run_result result = RUN_DONE;
    pf_err err = pf_clone(run->store, &clone);

    if (err == PF_OK)
        err = pf_pages_alloc(clone, 3, ids, NULL);
    model_copy(&twin, m);
    for (int i = 0; i < 3 && err == PF_OK && result == RUN_DONE; i++)
        if (ids[i] != model_alloc(&twin))
            result = wrong(run, "a clone hands out other pages");
    model_clear(&twin);
    (void)pf_close(clone);
    return err == PF_OK ? result : failed(run, "clone", err);
}

static enum run_result do_snapshot(struct run *run)
{
    struct pf_change change;
    pf_snapshot *snapshot = NULL;
    bool found = false;
    pf_err err = pf_snapshot_take(run->store, &snapshot);

    if (err == PF_OK)
        err = pf_snapshot_next(run->store, snapshot, 0, &change, &found);
    pf_snapshot_drop(snapshot);
    if (err != PF_OK)
        return failed(run, "snapshot", err);
    return found ? wrong(run, "a snapshot differs from what it was taken of") : RUN_DONE;
}

static enum run_result do_check(struct run *run)
{
    const struct model *m = &run->states[0];
    struct pf_check_summary summary;
    const pf_err err = pf_check(run->store, NULL, &summary);

    if (err != PF_OK)
        return failed(run, "check", err);
    if (!summary.free_list_intact || summary.free_pages != m->depth ||
        summary.total_pages != m->total_pages)
        return wrong(run, "a check finds another free list");
    return RUN_DONE;
}

static enum run_result do_list(struct run *run)
{
    const struct model *m = &run->states[0];
    uint64_t ids[64], trailing = 0;
    size_t count = 0, done = 0;
    struct pf_page page;
    pf_err err = PF_OK;

    do {
        err = pf_freelist_get(run->store, done, 64, ids, &count);
        for (size_t i = 0; i < count && err == PF_OK; i++, done++)
            if (done >= m->depth || ids[i] != m->stack[m->depth - 1 - done])
                return wrong(run, "the free list is listed in another order");
    } while (err == PF_OK && count > 0);
    if (err == PF_OK && done != m->depth)
        return wrong(run, "the free list is listed short");
    for (uint64_t id = 2; id < m->total_pages && err == PF_OK; id++) {
        err = pf_page_get(run->store, id, &page);
        if (err == PF_OK && (page.state == PF_STATE_FREE) != model_is_free(m, id))
            return wrong(run, "a page has the wrong state");
    }
    if (err == PF_OK)
        err = pf_trailing_free(run->store, &trailing);
    return err == PF_OK ? RUN_DONE : failed(run, "listing", err);
}

/* Pins are all or nothing, too, and gone afterwards. */
static enum run_result do_pin(struct run *run)
{
    const struct model *m = &run->states[0];
    struct pf_range ranges[8];
    struct pf_stats stats;
    size_t count = 0;

    for (uint64_t id = 2; id < m->total_pages && count < 8; id++)
        if (!model_is_free(m, id))
            ranges[count++] = (struct pf_range){id, 1};
    if (count == 0)
        return RUN_INVALID;
    pf_err err = pf_pages_pin(run->store, ranges, count, NULL);
    if (err == PF_OK)
        err = pf_pages_unpin(run->store, ranges, count, NULL);
    pf_stats_get(run->store, &stats);
    if (stats.pinned_pages != 0)
        return wrong(run, "pages stayed pinned");
    return err == PF_OK ? RUN_DONE : failed(run, "pin", err);
}

enum run_result script_operation(struct run *run, char letter)
{
    pf_err err;

    switch (letter) {
    case 'C':
        return do_clone(run);
    case 'n':
        return do_snapshot(run);
    case 'v':
        return do_check(run);
    case 'l':
        return do_list(run);
    case 'P':
        return do_pin(run);
    case 'u':
        err = pf_sync(run->store);
        return err == PF_OK ? RUN_DONE : failed(run, "sync", err);
    default:
        return run_operation(run, letter);
    }
}

/* ---- what a store shows ---- */

static bool shows_list(const struct model *m, pf_store *store)
{
    uint64_t ids[64];
    size_t count = 0, done = 0;

    do {
        if (pf_freelist_get(store, done, 64, ids, &count) != PF_OK)
            return false;
        for (size_t i = 0; i < count; i++, done++)
            if (done >= m->depth || ids[i] != m->stack[m->depth - 1 - done])
                return false;
    } while (count > 0);
    return done == m->depth;
}

static bool shows_pages(const struct model *m, pf_store *store)
{
    static const uint8_t zeros[MODEL_PAGE];

    for (uint64_t id = 2; id < m->total_pages; id++) {
        const struct model_page *page = &m->pages[id];
        const uint8_t *wanted = page->bytes != NULL ? page->bytes : zeros;
        uint8_t bytes[MODEL_PAGE];
        struct pf_page seen;

        if (pf_page_get(store, id, &seen) != PF_OK ||
            pf_page_read(store, id, bytes) != PF_OK)
            return false;
        if (!seen.trunk && memcmp(bytes + page->unknown, wanted + page->unknown,
                                  MODEL_PAGE - page->unknown) != 0)
            return false;
    }
    return true;
}

bool script_shows_state(const struct run *run, pf_store *store)
{
    for (size_t i = 0; i < run->state_count; i++) {
        const struct model *m = &run->states[i];

        if (pf_total_pages(store) == m->total_pages && shows_list(m, store) &&
            shows_pages(m, store))
            return true;
    }
    return false;
}

/* ---- starts ---- */

static void copy_pages(struct judge_start *start, const struct model *m)
{
    model_copy(&start->model, m);
    for (uint64_t id = 0; id < m->total_pages; id++) {
        struct model_page *page = &start->model.pages[id];

        if (page->bytes == NULL)
            continue;
        uint8_t *bytes = model_pool_page(start->pool);
        memcpy(bytes, page->bytes, MODEL_PAGE);
        page->bytes = bytes;
    }
}

static void copy_stream(struct judge_start *start, const struct fd_image *image,
                        unsigned stream)
{
    const size_t size = (size_t)image->size[stream];
    uint8_t *bytes = must_realloc(NULL, size + 1);

    fd_image_read(image, stream, bytes, size, 0);
    fd_image_write(&start->image, start->arena, stream, bytes, size, 0);
    free(bytes);
}

/* What the run has now, kept for good. */
static void keep(struct judge_start *start, const struct run *run)
{
    struct fd_image now = {0};

    memset(start, 0, sizeof(*start));
    start->name = spec.name;
    start->arena = arena_new();
    start->pool = model_pool_new();
    copy_pages(start, &run->states[0]);
    faultdisk_now(&run->disk, &now);
    copy_stream(start, &now, 0);
    if (now.has_journal)
        copy_stream(start, &now, 1);
    start->image.has_journal = now.has_journal;
    fd_image_rehash(&start->image);
    fd_image_clear(&now);
    start->plain = must_calloc((size_t)start->model.total_pages, 1); /* look at each */
}

static uint64_t seed_of(const struct script *script, unsigned part)
{
    return script->seed * SCRIPT_PARTS + part;
}

bool script_begin(const struct script *script, struct run *run, unsigned part)
{
    return run_begin(run, &script->starts[part], seed_of(script, part));
}

static bool play_through(struct script *script, struct run *run, unsigned part)
{
    const char *letters = parts[part];

    if (!script_begin(script, run, part))
        return false;
    for (size_t i = 0; letters[i] != '\0'; i++) {
        snprintf(run->where, sizeof(run->where), "part %u, operation %zu (%c)", part,
                 i + 1, letters[i]);
        if (script_operation(run, letters[i]) == RUN_FAILED)
            return false;
    }
    return true;
}

bool script_prepare(struct script *script, struct run *run, uint64_t seed)
{
    bool whole = true;

    memset(script, 0, sizeof(*script));
    script->seed = seed;
    snprintf(run->judge->label, sizeof(run->judge->label), "script %" PRIu64, seed);
    start_make(&script->starts[0], &spec);
    for (unsigned part = 0; part < SCRIPT_PARTS && whole; part++) {
        whole = play_through(script, run, part);
        if (whole && part + 1 < SCRIPT_PARTS)
            keep(&script->starts[part + 1], run);
    }
    run_end(run);
    return whole;
}

void script_clear(struct script *script)
{
    for (unsigned part = 0; part < SCRIPT_PARTS; part++)
        if (script->starts[part].arena != NULL)
            start_clear(&script->starts[part]);
}
