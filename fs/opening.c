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
    if (paths_only_journal(path)) { /* whose it is, the new file would be blamed for */
        message(path, "cannot be made: a journal is there already: bring its database "
                      "back, or move the journal away");
        return PF_E_JOURNAL;
    }
    const pf_err err = pf_create(path, pages);
    if (err == PF_E_NOT_FOUND)
        message(path, "cannot be made: no such directory: mkdir it first");
    else if (err == PF_E_NEEDS_WRITE)
        message(path, "cannot be made: the file system is read-only");
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

/* With what separates it from the reason. */
static const char *next_step(pf_err err)
{
    switch (err) {
    case PF_E_NOT_REGULAR: /* the operands in the wrong order, mostly */
        return ": expected the database here";
    case PF_E_SHORT_HEADER:
    case PF_E_MAGIC:
    case PF_E_VERSION:
        return ": if it was one, restore a backup";
    default:
        return "";
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
    const char *const why = reason[0] != '\0' ? reason : pf_err_text(err);
    char *const point = err == PF_E_LOCKED ? paths_mountpoint_of(path) : NULL;
    if (point != NULL)
        message(shown, "%s: it is mounted on %s: look there, or unmount that first", why,
                point);
    else
        message(shown, "%s%s", why, next_step(err));
    free(point);
    return status_of(err);
}

int opening_look(const char *shown, char **out_path, pf_store **out_store)
{
    const struct pf_options options = {.read_only = true};
    const int status = paths_resolve_database(shown, out_path);

    return status != 0 ? status : opening_open(shown, *out_path, &options, out_store);
}
