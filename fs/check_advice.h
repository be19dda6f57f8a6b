/* check_advice.h: what a check means for the user. */
#ifndef PAGEFS_CHECK_ADVICE_H
#define PAGEFS_CHECK_ADVICE_H

#include "../core/pf.h"

/* What is wrong with the file, leaked pages not counted: they cost space and nothing
 * else, and every file that was worked with has some. */
uint64_t check_faults(const struct pf_check_summary *summary);

enum { CHECK_ADVICE_SIZE = 1024 };

/* One sentence: what is the matter, and what to type. `shown`: the database as the user
 * calls it. */
void check_advice(const struct pf_check_summary *summary, const char *shown,
                  char out[CHECK_ADVICE_SIZE]);
/* The same after a dry run with these options. */
void check_advice_dry_run(const struct pf_repair_options *options, const char *shown,
                          char out[CHECK_ADVICE_SIZE]);

#endif
