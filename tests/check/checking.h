/* checking.h: run pagefs check on the database of a test. */
#ifndef TEST_CHECKING_H
#define TEST_CHECKING_H

#include "harness.h"

/* pagefs check `options` $DB: its exit status; what it printed is in m->out and m->err.
 */
int check_run(struct mnt *m, const char *options);
void assert_status(struct mnt *m, int expected, const char *options);
/* It printed this, and a line `key count`. */
void assert_said(const struct mnt *m, const char *part);
void assert_count(const struct mnt *m, const char *key, uint64_t count);

/* Replace the database by a sample; side files of the last one go. */
void take_sample(struct mnt *m, const char *name);
/* Change a bit of the byte there. */
void flip(struct mnt *m, uint64_t offset);

#endif
