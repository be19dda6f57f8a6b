/* faults.h: a mount whose disk does what the test says, and clients that wait
 * for it.
 *
 * The fixture is that of harness.h and a control file shared with the daemon,
 * in which faultlib.so runs (faultlib.h). The daemon stays in the foreground,
 * so that what it says on stderr can be read. The teardown lets go of
 * everything that is held.
 *
 * Nothing here waits for time to pass: faults_wait() and its like wait for a
 * condition, and fail after a minute with what they saw. */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

#include "faultlib.h"
#include "harness.h"

struct client;

struct faulty {
    struct mnt *m;
    struct fault_control *control; /* its db is set by faults_start() */
    struct client *clients;        /* shared with them */
    unsigned client_count;
};

int faults_setup(void **state);
int faults_teardown(void **state);
#define FAULT_TEST(f) cmocka_unit_test_setup_teardown(f, faults_setup, faults_teardown)

/* A mount of t.db with these options (or NULL) over the faulty disk. Skips
 * where a preloaded library does not get the calls. */
void faults_start(struct faulty *f, const char *options);
/* The same on a new database of `total_pages` pages, and one page allocated, so
 * that the journal is there, and faults_checkpoint(). Returns the page. */
uint64_t faults_pages(struct faulty *f, uint64_t total_pages);
/* Checkpoint now: until the next change there is none to be done when idle, and
 * the daemon does nothing that the test does not ask for. */
void faults_checkpoint(struct faulty *f);
/* What the daemon has said on stderr; in m->err. */
const char *faults_said(struct faulty *f);
/* How many lines of it there are. */
unsigned faults_lines_said(struct faulty *f);
/* Unmount, and assert that the daemon ends by itself with `exit_status`. */
void faults_stop(struct faulty *f, int exit_status);

/* ---- the disk ---- */

/* After `skip` more calls, the next `count` fail with this errno and do
 * nothing. */
void faults_fail(struct faulty *f, enum fault_file file, enum fault_call call,
                 unsigned skip, unsigned count, int error);
enum { FAULTS_FOR_EVER = 1 << 30 };
void faults_heal(struct faulty *f); /* no call fails, waits or is slow any more */
void faults_hold(struct faulty *f, enum fault_file file, enum fault_call call);
void faults_release(struct faulty *f, enum fault_file file, enum fault_call call);
unsigned faults_entered(const struct faulty *f, enum fault_file file,
                        enum fault_call call);
unsigned faults_left(const struct faulty *f, enum fault_file file, enum fault_call call);
/* Until `count` calls in all have begun. */
void faults_wait_entered(struct faulty *f, enum fault_file file, enum fault_call call,
                         unsigned count);
/* Reads of the database's byte at this offset wait from now on; 0: they go on. */
void faults_hold_reads(struct faulty *f, uint64_t offset);
void faults_wait_read_held(struct faulty *f);
/* Syncs of all files that have begun, that have ended. */
unsigned faults_syncs_entered(const struct faulty *f);
unsigned faults_syncs_left(const struct faulty *f);
/* The log, so that a test can look at what came after a moment. */
unsigned faults_now(const struct faulty *f);
/* Calls of this kind that began since; file or call -1: any. */
unsigned faults_since(const struct faulty *f, unsigned moment, int file, int call);

/* ---- clients: processes that each open `alloc`, read an id, read on to the
 * end ----
 *
 * The error of a client is that of the open, or of the read that should have
 * given the id. */

void clients_start(struct faulty *f, unsigned count);
/* Until all are inside read(2), and the daemon has seen all of their requests.
 */
void clients_wait_blocked(struct faulty *f);
/* Until all have ended. */
void clients_wait(struct faulty *f);
unsigned clients_answered(const struct faulty *f);
/* How many ended with this errno; 0 = with an id. After clients_wait(). */
unsigned clients_with(const struct faulty *f, int error);
/* Fail unless all did. */
void clients_assert_all(struct faulty *f, int error);
/* The id that client `i` got; 0 = none. */
uint64_t client_id(const struct faulty *f, unsigned i);
pid_t client_pid(const struct faulty *f, unsigned i);
/* Fail if two have the same. */
void clients_assert_distinct(struct faulty *f);
/* Forget those that have ended. */
void clients_forget(struct faulty *f);

/* Wait for `condition`, which may use `f`; the text says for what. */
void faults_wait(struct faulty *f, bool (*condition)(struct faulty *f), const char *what);

#endif
