#include "apply.h"

#include "checks.h"
#include "report.h"
#include "transitions.h"
#include "walks.h"

static void note_ranges(struct fsctx *ctx, const struct command *command)
{
    for (size_t i = 0; i < command->range_count; i++)
        transitions_note(ctx->transitions, command->ranges[i].first,
                         command->ranges[i].count);
}

/* Free pages that the graph does not reach. All changes are made in this thread, so what
 * the walk has found still holds when the pages are freed; where a change came before it,
 * it is made again. */
static pf_err free_unused(struct fsctx *ctx, const struct pf_range *ranges,
                          size_t range_count, uint64_t *out_bad_id, uint64_t *out_lsn)
{
    pf_err err = PF_OK;

    if (!pf_writable(ctx->store))
        return PF_E_READ_ONLY; /* without a walk */
    if (!walks_known(ctx))
        err = walks_now(ctx);
    if (err == PF_OK)
        err = pf_pages_unused(ctx->store, ranges, range_count, out_bad_id);
    return err == PF_OK
               ? pf_pages_free(ctx->store, ranges, range_count, out_bad_id, out_lsn)
               : err;
}

/* A megabyte of ranges can name each page a hundred thousand times. What is not there
 * costs nothing. */
static bool names_too_many(struct fsctx *ctx, const struct command *command)
{
    const uint64_t total = pf_total_pages(ctx->store);
    uint64_t left = command->verb == COMMAND_FREE ? COMMAND_FREE_MAX : COMMAND_PINS_MAX;

    for (size_t i = 0; i < command->range_count; i++) {
        const struct pf_range *const range = &command->ranges[i];
        const uint64_t there = range->first < total ? total - range->first : 0;
        const uint64_t count = range->count < there ? range->count : there;

        if (count > left)
            return true;
        left -= count;
    }
    return false;
}

static pf_err apply_ranges(struct fsctx *ctx, const struct command *command,
                           struct effect *out)
{
    pf_err err;

    if (names_too_many(ctx, command))
        return PF_E_RANGE;
    switch (command->verb) {
    case COMMAND_PIN:
        err =
            pf_pages_pin(ctx->store, command->ranges, command->range_count, &out->bad_id);
        break;
    case COMMAND_UNPIN:
        err = pf_pages_unpin(ctx->store, command->ranges, command->range_count,
                             &out->bad_id);
        break;
    default:
        err = free_unused(ctx, command->ranges, command->range_count, &out->bad_id,
                          &out->lsn);
        out->must_wait = err == PF_OK;
        break;
    }
    if (err == PF_OK)
        note_ranges(ctx, command);
    return err;
}

/* `allocated` written to a pinned page: unpins it, but holds end with their files only.
 */
static pf_err drop_pins(struct fsctx *ctx, uint64_t page_id, const struct pf_page *page)
{
    return page->holds > 0 ? PF_E_HELD : pf_page_unpin_all(ctx->store, page_id);
}

static pf_err become_allocated(struct fsctx *ctx, uint64_t page_id,
                               const struct pf_page *page, struct effect *out)
{
    pf_err err;

    if (page->state == PF_STATE_PINNED)
        return drop_pins(ctx, page_id, page);
    if (page->state != PF_STATE_FREE)
        return PF_E_ALREADY_ALLOC;
    out->op = "take";
    err = pf_page_take(ctx->store, page_id, &out->lsn);
    out->must_wait = err == PF_OK;
    return err;
}

static pf_err become_pinned(struct fsctx *ctx, uint64_t page_id,
                            const struct pf_page *page)
{
    return page->state == PF_STATE_PINNED ? PF_E_ALREADY_PINNED
                                          : pf_page_pin(ctx->store, page_id);
}

static pf_err become_free(struct fsctx *ctx, uint64_t page_id, bool force,
                          struct effect *out)
{
    const struct pf_range range = {page_id, 1};
    uint64_t bad_id;
    const pf_err err = force ? pf_page_free(ctx->store, page_id, &out->lsn)
                             : free_unused(ctx, &range, 1, &bad_id, &out->lsn);

    out->must_wait = err == PF_OK;
    return err;
}

/* The table of pages/N/state. */
static pf_err apply_state(struct fsctx *ctx, const struct command *command,
                          struct effect *out)
{
    const uint64_t page_id = command->page_id;
    struct pf_page page;
    pf_err err;

    if (page_id < PF_FIRST_PAGE)
        return PF_E_RESERVED;
    if (command->verb == COMMAND_STATE_FREE ||
        command->verb == COMMAND_STATE_FREE_FORCED) {
        err = become_free(ctx, page_id, command->verb == COMMAND_STATE_FREE_FORCED, out);
    } else {
        err = pf_page_get(ctx->store, page_id, &page);
        if (err == PF_OK && command->verb == COMMAND_STATE_ALLOCATED)
            err = become_allocated(ctx, page_id, &page, out);
        else if (err == PF_OK)
            err = become_pinned(ctx, page_id, &page);
    }
    if (err == PF_OK)
        out->range = (struct pf_range){page_id, 1};
    return err;
}

static pf_err apply_pins(struct fsctx *ctx, const struct command *command,
                         struct effect *out)
{
    pf_err err;

    if (command->verb == COMMAND_PINS_ADD)
        err = pf_page_pin(ctx->store, command->page_id);
    else if (command->verb == COMMAND_PINS_REMOVE)
        err = pf_page_unpin(ctx->store, command->page_id);
    else
        err = pf_page_unpin_all(ctx->store, command->page_id);
    if (err == PF_OK)
        out->range = (struct pf_range){command->page_id, 1};
    return err;
}

static pf_err apply_checksum(struct fsctx *ctx, const struct command *command,
                             struct effect *out)
{
    uint8_t page[PF_PAGE_SIZE];
    const pf_err err = pf_page_read(ctx->store, command->page_id, page);
    const size_t length = command->page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE;

    (void)out;
    if (err != PF_OK)
        return err;
    return pf_validate_checksum(page, length, command->number) ? PF_OK : PF_E_CHECKSUM;
}

/* The pages that are gone have changed as well: the kernel may know them. */
static pf_err apply_shrink(struct fsctx *ctx, const struct command *command,
                           struct effect *out)
{
    uint64_t pages = 0;
    const pf_err err = pf_shrink(ctx->store, &pages);

    (void)command;
    if (err == PF_OK && pages > 0)
        out->range = (struct pf_range){pf_total_pages(ctx->store), pages};
    out->must_wait = err == PF_OK;
    return err;
}

static pf_err apply_max_pages(struct fsctx *ctx, const struct command *command,
                              struct effect *out)
{
    (void)out;
    pf_set_max_pages(ctx->store, command->number);
    ctx->max_pages = command->number;
    return PF_OK;
}

static pf_err apply_sync(struct fsctx *ctx, const struct command *command,
                         struct effect *out)
{
    (void)ctx;
    (void)command;
    out->sync_all = true;
    return PF_OK;
}

static pf_err apply_checkpoint(struct fsctx *ctx, const struct command *command,
                               struct effect *out)
{
    (void)command;
    (void)out;
    return pf_checkpoint(ctx->store);
}

static pf_err apply_rebuild(struct fsctx *ctx, const struct command *command,
                            struct effect *out)
{
    (void)command;
    out->must_wait = true; /* trunks have moved: cached page data is old */
    return pf_freelist_rebuild(ctx->store);
}

static pf_err apply_check(struct fsctx *ctx, const struct command *command,
                          struct effect *out)
{
    (void)command;
    (void)out;
    return checks_begin(ctx);
}

static pf_err apply_check_cancel(struct fsctx *ctx, const struct command *command,
                                 struct effect *out)
{
    (void)command;
    (void)out;
    checks_cancel(ctx->checks);
    return PF_OK;
}

/* Of all that is not written to alloc: stream.h does that. */
static const struct {
    const char *op; /* for events */
    pf_err (*apply)(struct fsctx *ctx, const struct command *command, struct effect *out);
} verbs[] = {
    [COMMAND_FREE] = {"free", apply_ranges},
    [COMMAND_PIN] = {"pin", apply_ranges},
    [COMMAND_UNPIN] = {"unpin", apply_ranges},
    [COMMAND_STATE_FREE] = {"free", apply_state},
    [COMMAND_STATE_FREE_FORCED] = {"free!", apply_state},
    [COMMAND_STATE_ALLOCATED] = {"unpin", apply_state},
    [COMMAND_STATE_PINNED] = {"pin", apply_state},
    [COMMAND_PINS_ADD] = {"pin", apply_pins},
    [COMMAND_PINS_REMOVE] = {"unpin", apply_pins},
    [COMMAND_PINS_CLEAR] = {"unpin", apply_pins},
    [COMMAND_CHECKSUM] = {"checksum", apply_checksum},
    [COMMAND_MAX_PAGES] = {"max_pages", apply_max_pages},
    [COMMAND_SYNC] = {"sync", apply_sync},
    [COMMAND_CHECKPOINT] = {"checkpoint", apply_checkpoint},
    [COMMAND_SHRINK] = {"shrink", apply_shrink},
    [COMMAND_REBUILD_FREELIST] = {"rebuild-freelist", apply_rebuild},
    [COMMAND_CHECK] = {"check", apply_check},
    [COMMAND_CHECK_CANCEL] = {"cancel", apply_check_cancel},
};

pf_err apply_command(struct fsctx *ctx, const struct command *command,
                     struct effect *out_effect)
{
    *out_effect = (struct effect){.op = verbs[command->verb].op, .bad_id = REPORT_NO_ID};
    const pf_err err = verbs[command->verb].apply(ctx, command, out_effect);
    if (err == PF_OK && out_effect->range.count > 0)
        transitions_note(ctx->transitions, out_effect->range.first,
                         out_effect->range.count);
    return err;
}

/* What takes no commit and is done in a moment. */
bool apply_is_memory_only(enum command_verb verb)
{
    switch (verb) {
    case COMMAND_PIN:
    case COMMAND_UNPIN:
    case COMMAND_PINS_ADD:
    case COMMAND_PINS_REMOVE:
    case COMMAND_PINS_CLEAR:
    case COMMAND_MAX_PAGES:
    case COMMAND_CHECK:
    case COMMAND_CHECK_CANCEL:
        return true;
    default:
        return false;
    }
}

bool apply_needs_freelist(enum command_verb verb)
{
    switch (verb) {
    case COMMAND_CHECKSUM:
    case COMMAND_MAX_PAGES:
    case COMMAND_SYNC:
    case COMMAND_CHECKPOINT:
    case COMMAND_CHECK:
    case COMMAND_CHECK_CANCEL:
        return false;
    default:
        return true;
    }
}

bool apply_needs_graph(enum command_verb verb)
{
    return verb == COMMAND_FREE || verb == COMMAND_STATE_FREE;
}
