/* apply.h: executes a parsed command on the store. Alone from command_verb to pf.h. */
#ifndef PAGEFS_APPLY_H
#define PAGEFS_APPLY_H

#include "command.h"
#include "fsctx.h"

struct effect {
    const char *op; /* for events: a state written to may be one of several */
    bool must_wait; /* the change with this LSN has to become durable; 0: it is */
    bool sync_all;  /* and everything else too */
    uint64_t lsn;
    uint64_t bad_id;       /* the page that was refused; REPORT_NO_ID when not known */
    struct pf_range range; /* the pages that changed, if not those of the command;
                              count 0 = none */
};

/* All verbs but the ALLOC ones, which belong to stream.c. *out_effect is set in any case.
 */
PF_CHECK pf_err apply_command(struct fsctx *ctx, const struct command *command,
                              struct effect *out_effect);

/* Pins and limits live in memory: such a command needs no commit. */
bool apply_is_memory_only(enum command_verb verb);
bool apply_needs_freelist(enum command_verb verb);
/* It frees pages only if the graph does not reach them. */
bool apply_needs_graph(enum command_verb verb);

#endif
