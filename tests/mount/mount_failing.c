/* Each call to the system, to libc and to libfuse, and each allocation, fails once: while
 * pagefs mounts and unmounts, and in the commands that need no mount. It says so and ends
 * with an error, or does the whole of its work; the database stays as it was. */
#include "calllib.h"
#include "harness.h"
#include "shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE_MAX = 1 << 20, EXIT_MAX = 32 };

/* What fails: see memlib.h and calllib.h. */
static const struct injector {
    const char *what, *library, *control;
    int error;
} injectors[] = {
    {"allocation", "PF_TEST_MEMLIB", MEMORY_ENVIRONMENT, ENOMEM},
    {"call (EIO)", "PF_TEST_CALLLIB", CALLS_ENVIRONMENT, EIO},
    {"call (EINTR)", "PF_TEST_CALLLIB", CALLS_ENVIRONMENT, EINTR},
};
enum { INJECTORS = sizeof(injectors) / sizeof(injectors[0]) };

struct fixture {
    struct mnt *m;
    struct call_control *control;
    const struct injector *injector;
    unsigned long at;
    const char *doing;
    uint8_t *before, *after; /* SAMPLE_MAX bytes */
    size_t size;
    unsigned points, refused;
};

/* ---- the database ---- */

static size_t read_file(const char *path, uint8_t *bytes)
{
    FILE *const file = fopen(path, "re");

    if (file == NULL)
        return 0;
    const size_t size = fread(bytes, 1, SAMPLE_MAX, file);
    fclose(file);
    return size;
}

static void fail_here(struct fixture *f, const char *why)
{
    fail_msg("%s, %s %lu (%s): %s: \"%s\"", f->doing, f->injector->what, f->at,
             f->control->name, why, f->m->err);
}

static void assert_unchanged(struct fixture *f)
{
    char journal[256];

    if (read_file(f->m->t.db, f->after) != f->size ||
        memcmp(f->before, f->after, f->size) != 0)
        fail_here(f, "the database has changed");
    snprintf(journal, sizeof(journal), "%s-journal", f->m->t.db);
    if (access(journal, F_OK) == 0)
        fail_here(f, "there is a journal");
}

/* ---- failing ---- */

static void begin(struct fixture *f, struct mnt *m)
{
    char path[256];

    if (built_with_sanitizer() || getenv("PF_TEST_CALLLIB") == NULL) {
        print_message("this build has calls of its own\n");
        skip();
    }
    *f = (struct fixture){.m = m};
    scratch_path(&m->t, "control", path);
    f->control = shared_file_make(path, sizeof(*f->control));
    assert_non_null(f->control);
    for (size_t i = 0; i < INJECTORS; i++)
        assert_int_equal(setenv(injectors[i].control, path, 1), 0);
    f->before = malloc(SAMPLE_MAX);
    f->after = malloc(SAMPLE_MAX);
    assert_true(f->before != NULL && f->after != NULL);
    scratch_copy_sample(&m->t, "small");
    f->size = read_file(m->t.db, f->before);
    assert_in_range(f->size, 1, SAMPLE_MAX - 1);
}

static void end(struct fixture *f, const char *what)
{
    print_message("#= %s: %u calls and allocations failed one by one, %u times refused\n",
                  what, f->points, f->refused);
    assert_true(f->points > 10);
    free(f->before);
    free(f->after);
    munmap(f->control, sizeof(*f->control));
}

/* The exit status of pagefs, of which one call fails, unless it makes fewer. */
static int run_failing(struct fixture *f, const char *const arguments[])
{
    atomic_store(&f->control->count.calls, 0);
    atomic_store(&f->control->count.failures, 0);
    atomic_store(&f->control->error, f->injector->error);
    atomic_store(&f->control->count.fail_at, f->at);
    f->control->name[0] = '\0';
    assert_int_equal(setenv("LD_PRELOAD", getenv(f->injector->library), 1), 0);
    const int status = mnt_pagefs(f->m, arguments);
    assert_int_equal(unsetenv("LD_PRELOAD"), 0);
    return status;
}

static bool has_failed(const struct fixture *f)
{
    return atomic_load(&f->control->count.failures) > 0;
}

/* It ended by itself, and its user knows why. A page that cannot be read is a finding. */
static void assert_refused(struct fixture *f, int status)
{
    f->refused++;
    if (status > EXIT_MAX || strstr(f->m->err, "was ended by signal") != NULL)
        fail_here(f, "it crashed");
    if (strncmp(f->m->err, "pagefs: ", 8) != 0 &&
        strstr(f->m->out, "input/output error") == NULL)
        fail_here(f, "it does not say why");
    if (f->injector->error == ENOMEM && strcmp(f->doing, "mount") != 0 &&
        strstr(f->m->err, "out of memory") == NULL)
        fail_here(f, "it says another reason");
}

/* One call in `step` of all, other ones for each injector. */
static void try_each(struct fixture *f, const char *const arguments[], unsigned step,
                     bool (*try_one)(struct fixture *f, const char *const arguments[]))
{
    for (size_t i = 0; i < INJECTORS; i++) {
        f->injector = &injectors[i];
        f->at = 1 + i % step;
        while (try_one(f, arguments)) {
            f->points++;
            f->at += step;
        }
    }
}

/* ---- commands that need no mount ---- */

static char *expected_out;
static int expected_status;

/* One of the two locks may be missing: `status` says so. */
static char *without_lock(char *text)
{
    char *const line = strstr(text, "\nlock ");
    const char *const next = line != NULL ? strchr(line + 1, '\n') : NULL;

    if (next != NULL)
        memmove(line, next, strlen(next) + 1);
    return text;
}

static bool command_fails(struct fixture *f, const char *const arguments[])
{
    const int status = run_failing(f, arguments);

    if (status != expected_status)
        assert_refused(f, status);
    else if (strcmp(without_lock(f->m->out), expected_out) != 0)
        fail_here(f, "its exit status is that of success, but its words are other ones");
    assert_unchanged(f);
    return has_failed(f);
}

static void a_command_says_all_or_that_it_failed(void **state)
{
    static const char *const commands[][3] = {
        {"stat"}, {"map"}, {"map", "--svg"}, {"check"}, {"check", "--json"},
    };
    struct fixture f;

    begin(&f, *state);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const char *arguments[4] = {commands[i][0]};
        size_t n = 1;

        if (commands[i][1] != NULL)
            arguments[n++] = commands[i][1];
        arguments[n] = f.m->t.db;
        f.doing = commands[i][0];
        expected_status = mnt_pagefs(f.m, arguments);
        expected_out = strdup(without_lock(f.m->out));
        assert_non_null(expected_out);
        assert_true(strlen(expected_out) > 0);
        try_each(&f, arguments, scaled(7, 1), command_fails);
        free(expected_out);
    }
    end(&f, "commands");
}

static bool creation_fails(struct fixture *f, const char *const arguments[])
{
    const int status = run_failing(f, arguments);

    if (status != 0)
        assert_refused(f, status);
    if (access(arguments[1], F_OK) != (status == 0 ? 0 : -1))
        fail_here(f, status == 0 ? "nothing was made" : "it left a file");
    if (status == 0)
        assert_int_equal(v3_size(arguments[1]), v3_nominal(20));
    (void)unlink(arguments[1]);
    return has_failed(f);
}

static void a_database_is_made_whole_or_not_at_all(void **state)
{
    struct fixture f;
    char path[256];

    begin(&f, *state);
    scratch_path(&f.m->t, "new.v3", path);
    const char *const arguments[] = {"create", path, "20", NULL};
    f.doing = "create";
    try_each(&f, arguments, 1, creation_fails);
    end(&f, "create");
}

static void make_stale(struct fixture *f)
{
    assert_int_equal(sh(f->m, "rm -f db.v3*"), 0);
    scratch_copy_sample(&f->m->t, "stale");
}

/* Whatever failed, the next repair makes it sound. */
static bool repair_fails(struct fixture *f, const char *const arguments[])
{
    const char *const check[] = {"check", f->m->t.db, NULL};

    make_stale(f);
    const int status = run_failing(f, arguments);
    if (status != 1)
        assert_refused(f, status);
    else if (strcmp(f->m->out, expected_out) != 0 &&
             strstr(f->m->out, "input/output error") == NULL)
        fail_here(f, "its exit status is that of success, but its words are other ones");
    const int again = mnt_pagefs(f->m, arguments);
    if (again != (status == 1 ? 0 : again & 1) || mnt_pagefs(f->m, check) != 0)
        fail_here(f, "what it left could not be repaired");
    return has_failed(f);
}

static void a_repair_that_failed_can_be_made_again(void **state)
{
    struct fixture f;

    begin(&f, *state);
    const char *const arguments[] = {"check", "--repair", f.m->t.db, NULL};
    f.doing = "check --repair";
    make_stale(&f);
    assert_int_equal(mnt_pagefs(f.m, arguments), 1);
    expected_out = strdup(f.m->out);
    assert_non_null(expected_out);
    try_each(&f, arguments, scaled(20, 1), repair_fails);
    free(expected_out);
    end(&f, "repairs");
}

/* ---- mounting ---- */

/* The fault may come while the daemon ends. It may then leave the unmounting to us. */
static void end_daemon(struct fixture *f)
{
    assert_int_equal(kill(f->m->daemon, SIGTERM), 0);
    const int status = mnt_wait(f->m);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > EXIT_MAX)
        fail_here(f, "the daemon crashed");
    if (mnt_mounted(f->m))
        mnt_unmount(f->m);
}

static bool mount_fails(struct fixture *f, const char *const arguments[])
{
    const int status = run_failing(f, arguments);

    if (status != 0) {
        assert_refused(f, status);
        if (f->m->daemon != 0)
            fail_here(f, "a daemon is left");
        if (mnt_mounted(f->m))
            fail_here(f, "it is mounted all the same");
    } else if (!mnt_mounted(f->m) || f->m->daemon == 0) {
        fail_here(f, "it is not mounted");
    } else {
        end_daemon(f);
    }
    assert_unchanged(f);
    return has_failed(f);
}

static void a_mount_works_or_is_refused(void **state)
{
    struct fixture f;

    begin(&f, *state);
    const char *const arguments[] = {"-o", "walk", f.m->t.db, f.m->point, NULL};
    f.doing = "mount";
    setenv("NOTIFY_SOCKET", "/nobody/listens", 1); /* it is told all the same */
    try_each(&f, arguments, scaled(13, 1), mount_fails);
    unsetenv("NOTIFY_SOCKET");
    end(&f, "mount");
}

/* ---- what is refused anyway ---- */

static bool refusal_fails(struct fixture *f, const char *const arguments[])
{
    const int status = run_failing(f, arguments);

    if (status == 0)
        fail_here(f, "it was not refused");
    assert_refused(f, status);
    if (strstr(f->m->err, "(null)") != NULL)
        fail_here(f, "it lacks a word");
    if (!mnt_mounted(f->m))
        fail_here(f, "it unmounted what was there");
    return has_failed(f);
}

/* What it can find out about the mount that is in the way differs. */
static void a_refusal_stays_one(void **state)
{
    struct fixture f;
    char other[256];
    char below[256];

    begin(&f, *state);
    f.doing = "mount"; /* not all words come from where memory was short */
    strcat(f.m->point, "-it's");
    assert_int_equal(sh(f.m, "mkdir \"$P\"; cp \"$DB\" other.v3"), 0);
    scratch_path(&f.m->t, "other.v3", other);
    snprintf(below, sizeof(below), "%s/pages/7", f.m->point);
    const char *const over[] = {other, f.m->point, NULL};
    const char *const locked[] = {"stat", f.m->t.db, NULL};
    const char *const dead[] = {other, below, NULL};
    mnt_start(f.m, NULL);
    try_each(&f, over, scaled(5, 1), refusal_fails);
    try_each(&f, locked, scaled(5, 1), refusal_fails);
    assert_int_equal(sh(f.m, "ls pages/7"), 0);
    assert_int_equal(kill(f.m->daemon, SIGKILL), 0);
    (void)mnt_wait(f.m);
    while (waitpid(-1, NULL, 0) > 0) /* its helper */
        ;
    try_each(&f, dead, scaled(5, 1), refusal_fails);
    assert_unchanged(&f);
    mnt_unmount(f.m);
    end(&f, "refusals");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(a_command_says_all_or_that_it_failed),
        MOUNT_TEST(a_database_is_made_whole_or_not_at_all),
        MOUNT_TEST(a_repair_that_failed_can_be_made_again),
        MOUNT_TEST(a_mount_works_or_is_refused),
        MOUNT_TEST(a_refusal_stays_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
