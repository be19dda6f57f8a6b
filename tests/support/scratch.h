/* scratch.h: what every test starts from: a fresh directory, a database path in it, and
 * assertions that name the pf_err they got.
 *
 * SCRATCH_TEST(f) is a cmocka test with the fixture as its state. The teardown closes the
 * store of the fixture, if any, and removes the directory. */
#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pf.h"

struct scratch {
    char dir[96];
    char db[128];
    pf_store *store; /* NULL when none is open */
    char reason[PF_REASON_SIZE];
};

int scratch_setup(void **state);
int scratch_teardown(void **state);
#define SCRATCH_TEST(f)                                                                  \
    cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

/* Fail, naming both, when the call gives another error. */
#define assert_pf(expected, call)                                                        \
    scratch_assert_err((expected), (call), #call, __FILE__, __LINE__)
#define assert_ok(call) assert_pf(PF_OK, call)
void scratch_assert_err(pf_err expected, pf_err got, const char *what, const char *file,
                        int line);
/* assert_int_equal for u64, decimal in the message. */
#define assert_u64(expected, got)                                                        \
    scratch_assert_u64((expected), (got), #got, __FILE__, __LINE__)
void scratch_assert_u64(uint64_t expected, uint64_t got, const char *what,
                        const char *file, int line);

/* Remove a directory and what is in it, staying on its file system. */
void scratch_remove(const char *dir);
/* All of a file, terminated; "" when there is none. out_length may be NULL; the caller
 * frees it. */
char *scratch_slurp(const char *path, size_t *out_length);
/* `name` in the directory of the fixture; a static buffer per call site is not needed:
 * the caller owns `out` (at least 256 bytes). */
void scratch_path(const struct scratch *t, const char *name, char *out);
/* Copy a sample of tests/data (and its side files, when asked) to t->db. */
void scratch_copy_sample(struct scratch *t, const char *name);

/* Open t->db without syncs unless `options` says otherwise; close and open again. */
void scratch_open(struct scratch *t, const struct pf_options *options);
void scratch_close(struct scratch *t);
void scratch_reopen(struct scratch *t);
/* pf_create(), then open. */
void scratch_create(struct scratch *t, uint64_t total_pages);

/* Shorthands that assert success. */
uint64_t alloc_one(pf_store *store);
void free_one(pf_store *store, uint64_t page_id);
void free_range(pf_store *store, uint64_t first, uint64_t count);
void pin_one(pf_store *store, uint64_t page_id);
pf_state state_of(pf_store *store, uint64_t page_id);
struct pf_stats stats_of(pf_store *store);
void assert_counts(pf_store *store, uint64_t total, uint64_t free_pages, uint64_t pinned);

/* True in ASan, TSan builds: memory figures mean nothing there. */
bool built_with_sanitizer(void);
/* PF_TEST_FULL is set: the figures of `scripts/test --full`. */
bool full_figures(void);
/* `plain`, or `full` when full_figures(). */
unsigned scaled(unsigned plain, unsigned full);
/* The same, or `soak` when PF_TEST_SOAK is set: the figures of scripts/soak. */
unsigned figure(unsigned plain, unsigned full, unsigned soak);
/* A field of /proc/PID/status in kB ("VmHWM"); pid 0 = this process. */
uint64_t proc_status_kb(int pid, const char *field);

/* xorshift64*: repeatable from its seed alone. */
uint64_t rng_next(uint64_t *rng);
uint64_t rng_below(uint64_t *rng, uint64_t bound);

#endif
