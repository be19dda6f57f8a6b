#include "apply.h"

#include "last_error.h"
#include "transitions.h"

static void note_ranges(struct fsctx *ctx, const struct command *command)
{
    for (size_t i = 0; i < command->range_count; i++)
        transitions_note(ctx->transitions, command->ranges[i].first,
                         command->ranges[i].count);
}

static pf_err apply_ranges(struct fsctx *ctx, const struct command *command,
                           struct effect *out)
{
    pf_err err;

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
        err = pf_pages_free(ctx->store, command->ranges, command->range_count,
                            &out->bad_id, &out->lsn);
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

    switch (page->state) {
    case PF_STATE_FREE:
        err = pf_page_take(ctx->store, page_id, &out->lsn);
        out->must_wait = err == PF_OK;
        return err;
    case PF_STATE_PINNED:
        return drop_pins(ctx, page_id, page);
    case PF_STATE_ALLOCATED:
        break;
    }
    return PF_E_ALREADY_ALLOC;
}

static pf_err become_pinned(struct fsctx *ctx, uint64_t page_id,
                            const struct pf_page *page)
{
    return page->state == PF_STATE_PINNED ? PF_E_ALREADY_PINNED
                                          : pf_page_pin(ctx->store, page_id);
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
    if (!pf_writable(ctx->store))
        return PF_E_READ_ONLY;
    if (command->verb == COMMAND_STATE_FREE) {
        err = pf_page_free(ctx->store, page_id, &out->lsn);
        out->must_wait = err == PF_OK;
    } else {
        err = pf_page_get(ctx->store, page_id, &page);
        if (err == PF_OK && command->verb == COMMAND_STATE_ALLOCATED)
            err = become_allocated(ctx, page_id, &page, out);
        else if (err == PF_OK)
            err = become_pinned(ctx, page_id, &page);
    }
    if (err == PF_OK)
        transitions_note(ctx->transitions, page_id, 1);
    return err;
}

static pf_err apply_pins(struct fsctx *ctx, const struct command *command)
{
    pf_err err;

    if (command->verb == COMMAND_PINS_ADD)
        err = pf_page_pin(ctx->store, command->page_id);
    else if (command->verb == COMMAND_PINS_REMOVE)
        err = pf_page_unpin(ctx->store, command->page_id);
    else
        err = pf_page_unpin_all(ctx->store, command->page_id);
    if (err == PF_OK)
        transitions_note(ctx->transitions, command->page_id, 1);
    return err;
}

static pf_err apply_checksum(struct fsctx *ctx, const struct command *command)
{
    uint8_t page[PF_PAGE_SIZE];
    const pf_err err = pf_page_read(ctx->store, command->page_id, page);
    const size_t length = command->page_id == 0 ? PF_HEADER_SIZE : PF_PAGE_SIZE;

    if (err != PF_OK)
        return err;
    return pf_validate_checksum(page, length, command->number) ? PF_OK : PF_E_CHECKSUM;
}

pf_err apply_command(struct fsctx *ctx, const struct command *command,
                     struct effect *out_effect)
{
    *out_effect = (struct effect){.bad_id = LAST_ERROR_NO_ID};
    switch (command->verb) {
    case COMMAND_FREE:
    case COMMAND_PIN:
    case COMMAND_UNPIN:
        return apply_ranges(ctx, command, out_effect);
    case COMMAND_STATE_FREE:
    case COMMAND_STATE_ALLOCATED:
    case COMMAND_STATE_PINNED:
        return apply_state(ctx, command, out_effect);
    case COMMAND_PINS_ADD:
    case COMMAND_PINS_REMOVE:
    case COMMAND_PINS_CLEAR:
        return apply_pins(ctx, command);
    case COMMAND_CHECKSUM:
        return apply_checksum(ctx, command);
    case COMMAND_ALLOC:
    case COMMAND_ALLOC_CONTIGUOUS:
        break;
    }
    return PF_E_INVALID;
}

bool apply_is_memory_only(enum command_verb verb)
{
    return verb != COMMAND_FREE && verb != COMMAND_STATE_FREE &&
           verb != COMMAND_STATE_ALLOCATED && verb != COMMAND_STATE_PINNED;
}

bool apply_needs_freelist(enum command_verb verb)
{
    return verb != COMMAND_CHECKSUM;
}
