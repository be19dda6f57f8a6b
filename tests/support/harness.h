/* harness.h: a real mount for a test.
 *
 * The fixture is a scratch directory with a database path and an empty
 * mountpoint in it. mnt_start() runs pagefs as a user would, which returns only
 * when the mount answers; the daemon that stays becomes a child of the test
 * (PR_SET_CHILD_SUBREAPER), so that its exit status is known. mnt_stop()
 * unmounts and asserts exit status 0 and no sanitizer report. The teardown
 * unmounts in any case. All tests skip where there is no /dev/fuse.
 */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include <sys/types.h>

#include "scratch.h"
#include "v3file.h"

struct mnt {
    struct scratch t; /* t.db; t.store stays NULL */
    char point[128];
    pid_t daemon; /* 0 when none runs */
    char *out;    /* stdout of the last command, also of pagefs; never NULL */
    char *err;    /* its stderr */
    size_t out_length;
};

int mnt_setup(void **state);
int mnt_teardown(void **state);
#define MOUNT_TEST(f) cmocka_unit_test_setup_teardown(f, mnt_setup, mnt_teardown)

/* Run pagefs with these arguments (NULL at the end); its exit status. Notes the
 * daemon.
 */
int mnt_pagefs(struct mnt *m, const char *const arguments[]);
/* pagefs -o `options` (or none when NULL) t.db point. mnt_start() asserts
 * status 0 and a mounted tree, and returns what was said on stderr in m->err.
 */
int mnt_try(struct mnt *m, const char *options);
void mnt_start(struct mnt *m, const char *options);
/* The same with -f, as a child whose stderr mnt_said() gives (in m->err);
 * returns when the mount answers. preload: a library for LD_PRELOAD, or NULL.
 */
void mnt_start_foreground(struct mnt *m, const char *options, const char *preload);
const char *mnt_said(struct mnt *m);
void mnt_unmount(struct mnt *m);
/* Wait for the daemon to end (a minute at most); its wait status. */
int mnt_wait(struct mnt *m);
void mnt_stop(struct mnt *m);
void mnt_restart(struct mnt *m);
bool mnt_mounted(const struct mnt *m);
/* A database of `total_pages` pages, sparse, mounted read-write. */
void mnt_pages(struct mnt *m, uint64_t total_pages);
/* A copy of a sample, mounted. */
void mnt_sample(struct mnt *m, const char *name);

/* Run a shell command with $P the mountpoint (also the working directory), $DB,
 * $D the scratch directory and $PAGEFS; returns its exit status. */
int sh(struct mnt *m, const char *command);
/* Exit status 0, nothing on stderr, exactly this on stdout. */
#define expect(m, out, command) mnt_expect((m), (out), (command), __FILE__, __LINE__)
void mnt_expect(struct mnt *m, const char *out, const char *command, const char *file,
                int line);
/* Exit status not 0 and `part` on stderr. */
#define expect_error(m, part, command)                                                   \
    mnt_expect_error((m), (part), (command), __FILE__, __LINE__)
void mnt_expect_error(struct mnt *m, const char *part, const char *command,
                      const char *file, int line);

/* System calls on files below the mountpoint. */
const char *m_read(struct mnt *m, const char *path); /* whole; in m->out */
/* Open for writing, one write, close: 0 or the errno of the first that failed.
 */
int m_write(struct mnt *m, const char *path, const char *text);
int m_write_bytes(struct mnt *m, const char *path, const void *bytes, size_t length);
int m_open(struct mnt *m, const char *path, int flags); /* descriptor or -errno */
/* m_write() gives this errno. */
#define assert_write(expected, m, path, text)                                            \
    mnt_assert_errno((expected), m_write((m), (path), (text)), (path), (text), __FILE__, \
                     __LINE__)
#define assert_open(expected, m, path, flags)                                            \
    mnt_assert_errno((expected), mnt_open_errno((m), (path), (flags)), (path), #flags,   \
                     __FILE__, __LINE__)
void mnt_assert_errno(int expected, int got, const char *path, const char *what,
                      const char *file, int line);
int mnt_open_errno(struct mnt *m, const char *path, int flags);
/* The number behind `key` in a file of `key value` lines. */
uint64_t m_number(struct mnt *m, const char *path, const char *key);
/* Until no check runs: half a minute at most. */
void m_wait_for_check(struct mnt *m);
/* What pages/N/state says. */
#define assert_state(m, id, word) mnt_assert_state((m), (id), (word), __FILE__, __LINE__)
void mnt_assert_state(struct mnt *m, uint64_t id, const char *word, const char *file,
                      int line);

#endif
