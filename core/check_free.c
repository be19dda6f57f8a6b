/* The free list as a check sees it: check.h. Unlike the store, which refuses a corrupt
 * list at its first fault, this one says what the fault is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "format.h"
#include "trunk.h"

struct free_walk {
    const struct check_input *in;
    uint64_t limit; /* ids below it can be free */
    struct pageset *pages;
    uint64_t free_total; /* as the newest trunk has it */
    uint64_t last_number;
    uint64_t last_trunk; /* the one that led here, 0 = the header */
    bool intact;
    struct trunk trunk;
    uint8_t page[PF_PAGE_SIZE];
};

static void report(struct free_walk *walk, uint64_t page_id, const char *expected,
                   const char *found)
{
    struct pf_finding finding = {.class = PF_FINDING_FREE_LIST,
                                 .page_id = page_id,
                                 .page_count = 1,
                                 .user_id = walk->last_trunk};
    if (walk->last_trunk == 0)
        snprintf(finding.path, sizeof finding.path, "free list");
    else
        snprintf(finding.path, sizeof finding.path, "free list > trunk %" PRIu64,
                 walk->last_trunk);
    finding_expect(&finding, "%s", expected);
    finding_found(&finding, "%s", found);
    walk->intact = false;
    if (walk->in->finding != NULL)
        walk->in->finding(walk->in->finding_ctx, &finding);
}

static void report_number(struct free_walk *walk, uint64_t page_id, const char *what,
                          uint64_t expected, uint64_t found)
{
    char expected_text[64];
    char found_text[32];
    snprintf(expected_text, sizeof expected_text, "%s %" PRIu64, what, expected);
    snprintf(found_text, sizeof found_text, "%" PRIu64, found);
    report(walk, page_id, expected_text, found_text);
}

/* *out_new false: reported. */
static pf_err add_page(struct free_walk *walk, uint64_t page_id, bool *out_new)
{
    *out_new = false;
    if (page_id < PF_FIRST_PAGE || page_id >= walk->limit) {
        report_number(walk, page_id, "a page id below", walk->limit, page_id);
        return PF_OK;
    }
    const pf_err err = pageset_add(walk->pages, page_id, out_new);
    if (err == PF_OK && !*out_new)
        report(walk, page_id, "once on the free list", "twice");
    return err;
}

static void report_trunk(struct free_walk *walk, uint64_t page_id)
{
    uint64_t stored;
    uint64_t computed;
    if (!pf_trunk_sums(page_id, walk->page, &stored, &computed))
        report(walk, page_id, "a trunk page", "none");
    else if (stored != computed)
        report(walk, page_id, "a trunk page", "one with a wrong sum");
    else
        report(walk, page_id, "a trunk page", "one with an id or number that cannot be");
}

/* *out_usable false: reported. */
static pf_err load_trunk(struct free_walk *walk, uint64_t page_id, bool *out_usable)
{
    const pf_err err = walk->in->read(walk->in->read_ctx, page_id, walk->page);
    *out_usable = false;
    if (err == PF_E_NO_MEMORY || err == PF_E_STALE)
        return err;
    if (err != PF_OK)
        report(walk, page_id, "a trunk page", pf_err_text(err));
    else if (trunk_decode(walk->page, page_id, walk->limit, &walk->trunk) != PF_OK)
        report_trunk(walk, page_id);
    else if (walk->trunk.number >= walk->last_number)
        report_number(walk, page_id, "a block number below", walk->last_number,
                      walk->trunk.number);
    else
        *out_usable = true;
    return PF_OK;
}

/* One block; *next is the trunk of the older one, 0 = stop. */
static pf_err visit_block(struct free_walk *walk, uint64_t page_id, uint64_t *next)
{
    bool usable;
    *next = 0;
    pf_err err = add_page(walk, page_id, &usable);
    if (err != PF_OK || !usable)
        return err;
    err = load_trunk(walk, page_id, &usable);
    if (!usable) { /* then nothing says that it is free */
        pageset_remove(walk->pages, page_id);
        return err;
    }
    if (walk->last_trunk == 0)
        walk->free_total = walk->trunk.free_total;
    walk->last_trunk = page_id;
    walk->last_number = walk->trunk.number;
    for (uint32_t i = 0; err == PF_OK && i < walk->trunk.leaf_count; i++)
        err = add_page(walk, walk->trunk.leaf[i], &usable);
    *next = walk->trunk.next;
    return err;
}

/* Each trunk is new to the set, or the walk ends: so it ends. */
pf_err check_free_list(const struct check_input *input, uint64_t file_pages,
                       struct pageset *free_pages, bool *out_intact)
{
    struct free_walk *walk = calloc(1, sizeof *walk);
    const uint64_t total = effective_total(input->header.total_pages);
    const uint64_t head = input->header.free_page_list_head;
    pf_err err = PF_OK;
    if (walk == NULL)
        return PF_E_NO_MEMORY;
    walk->in = input;
    walk->limit = total < file_pages ? total : file_pages;
    walk->pages = free_pages;
    walk->last_number = TRUNK_MAX_NUMBER + 1;
    walk->intact = true;
    for (uint64_t next = head; next != 0 && err == PF_OK;)
        err =
            is_cancelled(input->cancel) ? PF_E_CANCELLED : visit_block(walk, next, &next);
    if (err == PF_OK && walk->intact && walk->free_total != free_pages->count)
        report_number(walk, head, "a free total of", free_pages->count, walk->free_total);
    *out_intact = err == PF_OK && walk->intact;
    free(walk);
    return err;
}
