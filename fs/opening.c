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

/* After an attempt that ended with *err: the daemon of a mount that has ended may still
 * be closing. True: try again. PF_E_CANCELLED when an ending signal came in. */
static bool wait_for_daemon(const char *path, pf_err *err, int *waited_ms)
{
    if (*err != PF_E_LOCKED || *waited_ms >= LOCK_RETRY_MS || paths_is_mounted(path))
        return false;
    *waited_ms += LOCK_POLL_MS;
    if (signals_wait_ms(LOCK_POLL_MS))
        *err = PF_E_CANCELLED;
    return *err == PF_E_LOCKED;
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
    int waited = 0;
    pf_err err;

    do
        err = pf_open(path, options, out_store, reason);
    while (wait_for_daemon(path, &err, &waited));
    if (err == PF_OK)
        return 0;
    if (err == PF_E_CANCELLED) {
        message(shown, "ended by a signal while another process had it locked");
        return EXIT_SYSTEM;
    }
    char *const point = err == PF_E_LOCKED ? paths_mountpoint_of(path) : NULL;
    if (point != NULL)
        message(shown, "%s: it is mounted on %s: look there, or unmount that first",
                reason, point);
    else
        message(shown, "%s%s", reason, next_step(err));
    free(point);
    return status_of(err);
}

int opening_look(const char *shown, char **out_path, pf_store **out_store)
{
    const struct pf_options options = {.read_only = true};
    const int status = paths_resolve_database(shown, out_path);

    return status != 0 ? status : opening_open(shown, *out_path, &options, out_store);
}

pf_err opening_repair(const char *path, const struct pf_repair_options *options,
                      const struct pf_watch *watch, pf_repair_fn say, void *say_ctx,
                      struct pf_repair_result *out_result, char *out_reason)
{
    char *const resolved = realpath(path, NULL); /* NULL: pf_repair() says why */
    const char *const database = resolved != NULL ? resolved : path;
    int waited = 0;
    pf_err err;

    do /* one that is locked has not been begun */
        err = pf_repair(database, options, watch, say, say_ctx, out_result, out_reason);
    while (wait_for_daemon(database, &err, &waited));
    if (err == PF_E_CANCELLED)
        out_reason[0] = '\0';
    free(resolved);
    return err;
}
