/* check_output.h: what `pagefs check` prints on stdout, as lines or as one JSON object.
 *
 * Everything is printed as it comes; the calls are made in the order in which they stand
 * here, those between check_begin and check_end once for the check and once more after a
 * repair. */
#ifndef PAGEFS_CHECK_OUTPUT_H
#define PAGEFS_CHECK_OUTPUT_H

#include "../core/pf.h"

struct check_output {
    const struct check_format *format;
    uint64_t leak_lines; /* of this check */
    bool repairing;      /* the first check is over */
    bool dry_run;
    bool comma; /* JSON: there is an element before the next */
};

struct check_format {
    void (*begin)(struct check_output *out);
    void (*check_begin)(struct check_output *out);
    void (*finding)(struct check_output *out, const struct pf_finding *finding);
    /* summary NULL: it did not come to an end */
    void (*check_end)(struct check_output *out, const struct pf_check_summary *summary);
    void (*repair_begin)(struct check_output *out);
    void (*change)(struct check_output *out, const char *change);
    /* result NULL: it failed */
    void (*repair_end)(struct check_output *out, const struct pf_repair_result *result);
    /* advice: a sentence, or NULL after a failure that `error` tells */
    void (*end)(struct check_output *out, const char *advice, const char *error,
                int status);
};

extern const struct check_format check_lines; /* check_lines.c */
extern const struct check_format check_json;  /* check_json.c */

#endif
