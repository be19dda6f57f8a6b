/* repair.h: what the files of the repair share, and the way in for tests.
 *
 * For repair*.c and tests only. A repair looks at the file, makes a plan, and carries it
 * out; how the file is come by for each of these is the door's business. */
#ifndef PF_REPAIR_H
#define PF_REPAIR_H

#include "pageset.h"
#include "pf.h"

enum { PLAN_CHANGES = 4 };

struct repair_door {
    void *ctx;
    uint64_t portion; /* ids whose leaked pages are freed in one transaction; 0 = many */
    /* Open for reading, whatever is wrong with the file. `reason` as in pf_open(). */
    pf_err (*look)(void *ctx, char *reason, pf_store **out_store);
    /* Would enter() be let in? Changes nothing. */
    pf_err (*may_enter)(void *ctx, bool set_aside, char *reason);
    /* Open for writing, nothing in the file judged. set_aside: the journal first. */
    pf_err (*enter)(void *ctx, bool set_aside, char *reason, pf_store **out_store);
};

struct plan {
    const struct pf_repair_options *options;
    const atomic_bool *cancel; /* or NULL */
    uint64_t portion;
    struct pf_repair_result result;
    char *reason;
    char changes[PLAN_CHANGES][PF_REASON_SIZE]; /* in words, result.changes of them */

    uint8_t header[PF_HEADER_SIZE]; /* of the file the plan was made for */
    uint64_t file_bytes;
    uint64_t total_pages;      /* to be written */
    bool discard_journal;      /* there is one to be set aside */
    bool rebuild;              /* the free list is written anew, from `list` */
    struct pageset list;       /* if rebuild */
    struct pageset additions;  /* leaked pages, for the list */
    struct pageset old_trunks; /* if rebuild: they look like trunks of the old list */
};

/* repair_plan.c. `store` is open for reading and stays as it is. */
PF_CHECK pf_err plan_make(struct plan *plan, pf_store *store,
                          const struct pf_watch *watch);
void plan_clear(struct plan *plan);

/* pf_repair() through a door. */
PF_CHECK pf_err repair_run(const struct repair_door *door,
                           const struct pf_repair_options *options,
                           const struct pf_watch *watch, pf_repair_fn say, void *say_ctx,
                           struct pf_repair_result *out_result, char *out_reason);

#endif
