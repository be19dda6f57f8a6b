/* A database in a directory, from its creation to its end, while system calls and
 * allocations of core fail one by one, once or from then on. After each failure the file
 * is opened again, and holds what was acknowledged; what failed happened wholly or not at
 * all; and everything that was left to do can be done then.
 *
 * PF_CALLS_FAULT="kind at forever error" repeats one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "failing.h"
#include "scratch.h"
#include "v3file.h"

enum { FIRST_PAGES = 640 };

struct plan {
    enum failing_kind kind;
    uint64_t at;
    bool forever;
    int error;
};

struct figures {
    uint64_t points, refused, unnoticed;
};

/* ---- the steps ---- */

static pf_err do_create(struct scratch *t)
{
    return pf_create(t->db, FIRST_PAGES);
}

static pf_err do_open(struct scratch *t)
{
    return pf_open(t->db, NULL, &t->store, t->reason);
}

static pf_err do_close(struct scratch *t)
{
    pf_store *store = t->store;

    t->store = NULL;
    return pf_close(store);
}

static pf_err do_alloc(struct scratch *t)
{
    uint64_t ids[3];

    return pf_pages_alloc(t->store, 3, ids, NULL);
}

static pf_err do_write(struct scratch *t)
{
    uint8_t bytes[600];

    memset(bytes, 0x5A, sizeof(bytes));
    return pf_page_write(t->store, 3, 400, bytes, sizeof(bytes), NULL);
}

static pf_err do_free(struct scratch *t)
{
    const struct pf_range ranges[] = {{2, 1}, {10, 540}, {560, 30}};

    return pf_pages_free(t->store, ranges, 3, NULL, NULL);
}

static pf_err do_contiguous(struct scratch *t)
{
    uint64_t first;

    return pf_pages_alloc_contiguous(t->store, 20, &first, NULL);
}

static pf_err do_take(struct scratch *t)
{
    return pf_page_take(t->store, 300, NULL);
}

/* Takes a trunk, too. */
static pf_err do_alloc_many(struct scratch *t)
{
    uint64_t ids[100];

    return pf_pages_alloc(t->store, 100, ids, NULL);
}

static pf_err do_checkpoint(struct scratch *t)
{
    return pf_checkpoint(t->store);
}

static pf_err do_clone(struct scratch *t)
{
    const struct pf_range pinned = {3, 4};
    pf_store *clone = NULL;
    uint64_t id, head;
    pf_err err = pf_pages_pin(t->store, &pinned, 1, NULL);

    if (err == PF_OK) {
        err = pf_clone(t->store, &clone);
        if (pf_pages_unpin(t->store, &pinned, 1, NULL) != PF_OK && err == PF_OK)
            err = PF_E_IO;
    }
    head = pf_free_list_head(t->store);
    if (err == PF_OK)
        err = pf_page_alloc(clone, &id, NULL);
    if (err == PF_OK)
        assert_u64(head, id);
    (void)pf_close(clone);
    return err;
}

static pf_err do_snapshot(struct scratch *t)
{
    struct pf_change change;
    pf_snapshot *snapshot = NULL;
    bool found = false;
    pf_err err = pf_snapshot_take(t->store, &snapshot);

    if (err == PF_OK)
        err = pf_snapshot_next(t->store, snapshot, 0, &change, &found);
    pf_snapshot_drop(snapshot);
    assert_false(found);
    return err;
}

static pf_err do_check(struct scratch *t)
{
    struct pf_check_summary summary;
    const pf_err err = pf_check(t->store, NULL, &summary);

    if (err == PF_OK)
        assert_true(summary.free_list_intact);
    return err;
}

static pf_err do_walk(struct scratch *t)
{
    return pf_graph_walk(t->store, NULL);
}

static pf_err do_rebuild(struct scratch *t)
{
    return pf_freelist_rebuild(t->store);
}

static pf_err do_free_end(struct scratch *t)
{
    const struct pf_range range = {630, 10};

    return pf_pages_free(t->store, &range, 1, NULL, NULL);
}

static pf_err do_shrink(struct scratch *t)
{
    uint64_t pages;

    return pf_shrink(t->store, &pages);
}

/* Another store, for looking only. */
static pf_err look(struct scratch *t, const struct pf_options *options, bool change)
{
    pf_store *store = NULL;
    struct pf_page page;
    struct pf_info info;
    uint64_t id;
    pf_err err = pf_open(t->db, options, &store, t->reason);

    if (err == PF_OK)
        err = pf_page_get(store, 11, &page);
    if (err == PF_OK && !pf_writable(store)) {
        pf_info_get(store, &info);
        assert_true(info.reason[0] != '\0');
    }
    if (err == PF_OK && change && pf_writable(store))
        err = pf_page_alloc(store, &id, NULL);
    const pf_err closed = pf_close(store);
    return err == PF_OK ? closed : err;
}

static pf_err do_look(struct scratch *t)
{
    const struct pf_options options = {.read_only = true};

    return look(t, &options, false);
}

static pf_err do_scratch(struct scratch *t)
{
    const struct pf_options options = {.scratch = true};

    return look(t, &options, true);
}

typedef pf_err step_function(struct scratch *t);

static const struct step {
    const char *name;
    step_function *run;
} steps[] = {
    {"create", do_create},
    {"open", do_open},
    {"alloc", do_alloc},
    {"write", do_write},
    {"free", do_free},
    {"contiguous", do_contiguous},
    {"take", do_take},
    {"alloc many", do_alloc_many},
    {"checkpoint", do_checkpoint},
    {"clone", do_clone},
    {"snapshot", do_snapshot},
    {"close", do_close},
    {"look", do_look},
    {"scratch", do_scratch},
    {"open", do_open},
    {"check", do_check},
    {"walk", do_walk},
    {"write", do_write},
    {"rebuild", do_rebuild},
    {"free the end", do_free_end},
    {"shrink", do_shrink},
    {"alloc", do_alloc},
    {"close", do_close},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

/* ---- what the file holds after each step, if nothing fails ---- */

struct known {
    uint64_t size;
    size_t free_count;
    uint64_t free_hash; /* of the list in its order, and of page 3 */
};

static struct known known_of(const char *path)
{
    struct known known = {.size = v3_size(path)};
    uint8_t page[V3_PAGE];
    uint64_t *list = v3_free_list(path, &known.free_count);

    v3_peek(path, v3_offset(3), page, sizeof(page));
    known.free_hash = pf_checksum(list, known.free_count * sizeof(*list)) * 31 +
                      pf_checksum(page, sizeof(page));
    free(list);
    return known;
}

static bool same(const struct known *a, const struct known *b)
{
    return a->size == b->size && a->free_count == b->free_count &&
           a->free_hash == b->free_hash;
}

static void remove_files(const struct scratch *t)
{
    char path[256];

    (void)unlink(t->db);
    snprintf(path, sizeof(path), "%s-journal", t->db);
    (void)unlink(path);
}

/* Close and open cleanly in between, so that the file is the whole truth. */
static void learn(struct scratch *t, struct known known[STEPS])
{
    bool open = false;

    for (unsigned i = 0; i < STEPS; i++) {
        assert_ok(steps[i].run(t));
        open = t->store != NULL;
        if (open)
            assert_ok(do_close(t));
        known[i] = known_of(t->db);
        if (open)
            assert_ok(do_open(t));
    }
    remove_files(t);
}

/* ---- one failure ---- */

static char label[160];

static void check_state(struct scratch *t, const struct known known[STEPS], unsigned step,
                        unsigned *out_next)
{
    char journal[256];

    if (step == 0 && access(t->db, F_OK) != 0) {
        *out_next = 0;
        return;
    }
    assert_pf(PF_OK, do_open(t));
    if (!pf_writable(t->store))
        fail_msg("%s: %s: the file cannot be written any more: %s", label,
                 steps[step].name, t->reason);
    assert_ok(do_close(t));
    snprintf(journal, sizeof(journal), "%s-journal", t->db);
    if (access(journal, F_OK) == 0)
        fail_msg("%s: %s: a clean close left the journal", label, steps[step].name);
    const struct known now = known_of(t->db);
    const bool before = step > 0 && same(&now, &known[step - 1]);
    if (!before && !same(&now, &known[step]))
        fail_msg("%s: %s: neither as before nor as after: %zu free pages", label,
                 steps[step].name, now.free_count);
    *out_next = same(&now, &known[step]) ? step + 1 : step;
}

/* Steps that leave a store open want one when they are begun again. */
static bool needs_store(unsigned step)
{
    bool open = false;

    for (unsigned i = 0; i < step; i++)
        open = steps[i].run == do_open || (open && steps[i].run != do_close);
    return open;
}

/* A step failed with this error: which one is next? */
static unsigned after_failure(struct scratch *t, const struct known known[STEPS],
                              unsigned step, pf_err err)
{
    unsigned next = step;
    const bool could_go_on = t->store != NULL && pf_writable(t->store);

    failing_stop();
    if (failing.faults == 0)
        fail_msg("%s: %s: %s, but nothing failed", label, steps[step].name,
                 pf_err_name(err));
    /* what is refused for ENOSPC and the like can be asked for again at once */
    const pf_err again = could_go_on ? steps[step].run(t) : err;
    if (again == PF_OK)
        return step + 1;
    /* what could be neither made nor removed is taken up by the next open, and what open
     * could not read is read by it */
    const bool is_look = steps[step].run == do_check || steps[step].run == do_walk;
    const bool is_left =
        again == PF_E_JOURNAL && failing.forever && failing.error != ENOMEM;
    if (could_go_on && !is_left && !is_look)
        fail_msg("%s: %s: the store goes on, but not with this: %s", label,
                 steps[step].name, pf_err_name(again));
    (void)do_close(t);
    check_state(t, known, step, &next);
    if (steps[step].run == do_open || steps[step].run == do_close)
        next = step + (steps[step].run == do_close); /* they change nothing */
    else if (is_look)
        next = step; /* nor do these */
    if (needs_store(next))
        assert_ok(do_open(t));
    return next;
}

/* False: there is no such call. */
static bool play(struct scratch *t, const struct known known[STEPS],
                 const struct plan *plan, struct figures *f)
{
    bool failed = false;

    snprintf(label, sizeof(label), "PF_CALLS_FAULT=\"%d %" PRIu64 " %d %d\"",
             (int)plan->kind, plan->at, plan->forever, plan->error);
    failing_start(plan->kind, plan->at, plan->forever, plan->error);
    for (unsigned i = 0; i < STEPS;) {
        pf_err err = steps[i].run(t);
        /* a call failed, and so the file was opened for reading only */
        if (err == PF_OK && t->store != NULL && !pf_writable(t->store))
            err = PF_E_READ_ONLY;
        if (err == PF_OK) {
            i++;
            continue;
        }
        failed = true;
        i = after_failure(t, known, i, err);
    }
    failing_stop();
    const struct known now = known_of(t->db);
    if (!same(&now, &known[STEPS - 1]))
        fail_msg("%s: not as it should be in the end", label);
    remove_files(t);
    f->refused += failed;
    f->unnoticed += failing.faults > 0 && !failed;
    return failing.faults > 0;
}

static void play_all(struct scratch *t, const struct known known[STEPS],
                     enum failing_kind kind, int error, uint64_t step, struct figures *f)
{
    for (int forever = 0; forever < 2; forever++) {
        struct plan plan = {.kind = kind, .forever = forever == 1, .error = error};

        if (plan.forever && error == EINTR)
            continue; /* what is broken off is begun again */
        plan.at = (uint64_t)error % step;
        for (; play(t, known, &plan, f); plan.at += step)
            f->points++;
    }
}

static void play_only(struct scratch *t, const struct known known[STEPS],
                      const char *text, struct figures *f)
{
    struct plan plan = {0};
    int kind = 0, forever = 0;

    assert_int_equal(
        sscanf(text, "%d %" SCNu64 " %d %d", &kind, &plan.at, &forever, &plan.error), 4);
    plan.kind = (enum failing_kind)kind;
    plan.forever = forever != 0;
    f->points += play(t, known, &plan, f);
}

static void each_failing_call_leaves_a_file_to_go_on_with(struct scratch *t,
                                                          enum failing_kind kind,
                                                          const int *errors,
                                                          size_t error_count,
                                                          uint64_t step, const char *what)
{
    const char *only = getenv("PF_CALLS_FAULT");
    struct known known[STEPS];
    struct figures f = {0};

    learn(t, known);
    if (only != NULL)
        play_only(t, known, only, &f);
    for (size_t i = 0; i < error_count && only == NULL; i++)
        play_all(t, known, kind, errors[i], step, &f);
    print_message("#= %s: %" PRIu64 " points, %" PRIu64 " failed a step, %" PRIu64
                  " not noticed\n",
                  what, f.points, f.refused, f.unnoticed);
    assert_true(f.points > 0);
}

static void a_failing_system_call_loses_nothing(void **state)
{
    static const int errors[] = {EIO,        ENOSPC, EMFILE,       EACCES,
                                 EOPNOTSUPP, EINTR,  FAILING_SHORT};

    each_failing_call_leaves_a_file_to_go_on_with(*state, FAILING_SYSTEM, errors, 7,
                                                  scaled(11, 1), "system calls");
}

static void a_failing_allocation_loses_nothing(void **state)
{
    static const int errors[] = {ENOMEM};

    each_failing_call_leaves_a_file_to_go_on_with(*state, FAILING_MEMORY, errors, 1,
                                                  scaled(3, 1), "allocations");
}

/* ---- the lock outlives the last write ---- */

struct last_calls {
    const char *path;
    unsigned seen;
};

/* Before the file is written, synced or cut, and before the journal is removed: nobody
 * else may get the lock, who knows only one kind of it either. */
static void assert_locked(void *context, const char *name)
{
    struct last_calls *const calls = context;
    struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (strcmp(name, "unlinkat") != 0 && strcmp(name, "pwrite") != 0 &&
        strcmp(name, "ftruncate") != 0 && strcmp(name, "fdatasync") != 0)
        return;
    const int fd = open(calls->path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        fail_msg("%s: flock is free", name);
    if (fcntl(fd, F_OFD_SETLK, &record) == 0)
        fail_msg("%s: the record lock is free", name);
    close(fd);
    calls->seen |= strcmp(name, "unlinkat") == 0 ? 1 : 2;
}

static void the_lock_is_held_until_the_journal_is_gone(void **state)
{
    struct scratch *t = *state;
    struct last_calls calls = {.path = t->db};

    assert_ok(do_create(t));
    assert_ok(do_open(t));
    assert_ok(do_alloc(t));
    failing = (struct failing){.before = assert_locked, .before_context = &calls};
    const pf_err err = do_close(t);
    failing = (struct failing){0};
    assert_pf(PF_OK, err);
    assert_int_equal(calls.seen, 3); /* the journal's removal, and writes before it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_failing_system_call_loses_nothing),
        SCRATCH_TEST(a_failing_allocation_loses_nothing),
        SCRATCH_TEST(the_lock_is_held_until_the_journal_is_gone),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (access("/dev/shm", W_OK) == 0) /* nothing here needs a disk */
        (void)setenv("TMPDIR", "/dev/shm", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
