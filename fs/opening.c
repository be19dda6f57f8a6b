#include "opening.h"

#include <stdlib.h>

#include "message.h"
#include "options.h"
#include "paths.h"
#include "signals.h"

enum {
    LOCK_RETRY_MS = 2000, /* a daemon whose mount is gone closes within, at most */
    LOCK_POLL_MS = 10,
};

pf_err opening_create(const char *path, uint64_t pages)
{
    const pf_err err = pf_create(path, pages);

    if (err == PF_E_NOT_FOUND)
        message(path, "cannot be made: no such directory: mkdir it first");
    else if (err == PF_E_INVALID)
        message(path, "cannot be made: the format cannot hold so many pages");
    else if (err != PF_OK && err != PF_E_EXISTS)
        message(path, "cannot be made: %s", pf_err_text(err));
    return err;
}

/* Opening is refused as damaged, foreign or busy, or it failed. */
static int status_of(pf_err err)
{
    switch (err) {
    case PF_E_NOT_FOUND:
    case PF_E_ACCESS:
    case PF_E_IO:
    case PF_E_NO_MEMORY:
        return EXIT_SYSTEM;
    default:
        return EXIT_REFUSED;
    }
}

int opening_open(const char *shown, const char *path, const struct pf_options *options,
                 pf_store **out_store)
{
    char reason[PF_REASON_SIZE] = "";
    pf_err err = pf_open(path, options, out_store, reason);

    for (int waited = 0;
         err == PF_E_LOCKED && waited < LOCK_RETRY_MS && !paths_is_mounted(path);
         waited += LOCK_POLL_MS) {
        if (signals_wait_ms(LOCK_POLL_MS)) {
            message(shown, "ended by a signal while another process had it locked");
            return EXIT_SYSTEM;
        }
        err = pf_open(path, options, out_store, reason);
    }
    if (err == PF_OK)
        return 0;
    char *const point = err == PF_E_LOCKED ? paths_mountpoint_of(path) : NULL;
    message(shown, "%s%s%s", reason[0] != '\0' ? reason : pf_err_text(err),
            point != NULL ? ": it is mounted on " : "", point != NULL ? point : "");
    free(point);
    return status_of(err);
}

int opening_look(const char *shown, char **out_path, pf_store **out_store)
{
    const struct pf_options options = {.read_only = true};
    const int status = paths_resolve_database(shown, out_path);

    return status != 0 ? status : opening_open(shown, *out_path, &options, out_store);
}
