#include "check_advice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t check_faults(const struct pf_check_summary *summary)
{
    return summary->finding_count - summary->findings[PF_FINDING_LEAKED];
}

/* Would pf_repair() have something to do, leaked pages and journals not counted? */
static bool is_repairable(const struct pf_check_summary *summary)
{
    return summary->walked &&
           (summary->right_total > summary->total_pages || !summary->free_list_intact ||
            summary->findings[PF_FINDING_FREE_BUT_USED] > 0);
}

/* ---- the command to type ---- */

/* A word that a shell takes as it is; what is too long is called DB, not cut. */
static void put_word(const char *word, char *out, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_./+,:@%-";
    size_t used = 0;

    if (word[strspn(word, plain)] == '\0' && strlen(word) < size) {
        snprintf(out, size, "%s", word);
        return;
    }
    out[used++] = '\'';
    for (; *word != '\0' && used + 6 < size; word++) {
        if (*word == '\'')
            used += (size_t)snprintf(out + used, size - used, "'\\''");
        else
            out[used++] = *word;
    }
    if (*word == '\0')
        snprintf(out + used, size - used, "'");
    else
        snprintf(out, size, "DB");
}

static void put_command(char *out, size_t size, bool free_leaked, bool discard_journal,
                        const char *shown)
{
    char word[512];

    put_word(shown, word, sizeof(word));
    snprintf(
        out, size, "pagefs check --repair%s%s %s%s", free_leaked ? " --free-leaked" : "",
        discard_journal ? " --discard-journal" : "", shown[0] == '-' ? "-- " : "", word);
}

/* ---- the sentence ---- */

static void advise_leaks(const struct pf_check_summary *s, const char *shown, char *out)
{
    char command[640];

    if (s->leaked == 0) {
        snprintf(out, CHECK_ADVICE_SIZE, "clean: nothing to do");
        return;
    }
    put_command(command, sizeof(command), true, false, shown);
    snprintf(out, CHECK_ADVICE_SIZE,
             "clean; the graph does not use the %" PRIu64
             " leaked pages: if nothing else "
             "does, free them with: %s",
             s->leaked, command);
}

/* Something is wrong, but nothing that could be repaired. */
static void advise_no_repair(const struct pf_check_summary *s, char *out)
{
    const char *what =
        "the header or the file's length is wrong, and nothing in the file "
        "tells what is right: compare it with a backup";
    const char *and = "";

    if (!s->walked)
        what = "only files with a page_size of 4096 can be checked further, or repaired";
    else if (!s->graph_intact)
        what = "the graph is damaged and pagefs never changes its pages: restore a "
               "backup, or save what the program that wrote it can still read";
    if (!s->graph_intact && s->leaked > 0) /* none when nothing was walked */
        and = "; leaked pages may belong to what is damaged, and are not freed";
    snprintf(out, CHECK_ADVICE_SIZE, "%s%s", what, and);
}

static void advise_repair(const struct pf_check_summary *s, const char *shown, char *out)
{
    const bool journal = s->journal_refused;
    char command[640];

    put_command(command, sizeof(command), false, journal, shown);
    snprintf(out, CHECK_ADVICE_SIZE, "%s%s, --dry-run shows how: %s",
             journal
                 ? "a journal belongs to another state of the file; if the file is the "
                   "right one, set the journal aside"
             : s->graph_intact
                 ? "what is wrong can be repaired"
                 : "the graph is damaged: restore a backup if there is one; the rest "
                   "can be repaired",
             journal && is_repairable(s) ? " and repair the rest" : "", command);
}

void check_advice(const struct pf_check_summary *summary, const char *shown,
                  char out[CHECK_ADVICE_SIZE])
{
    if (check_faults(summary) == 0)
        advise_leaks(summary, shown, out);
    else if (summary->wal_unclean)
        snprintf(
            out, CHECK_ADVICE_SIZE,
            "the program that writes the file did not close it: let it open and close "
            "the file once more, then check again");
    else if (is_repairable(summary) || summary->journal_refused)
        advise_repair(summary, shown, out);
    else
        advise_no_repair(summary, out);
}

void check_advice_dry_run(const struct pf_repair_options *options, const char *shown,
                          char out[CHECK_ADVICE_SIZE])
{
    char command[640];

    put_command(command, sizeof(command), options->free_leaked, options->discard_journal,
                shown);
    snprintf(out, CHECK_ADVICE_SIZE, "nothing was changed; to change it: %s", command);
}
