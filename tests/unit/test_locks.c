/* One writer, or several readers; and whoever writes without asking is noticed. */
#include "scratch.h"
#include "v3file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct pf_options durable = {0};
static const struct pf_options fast = {.no_sync = true};
static const struct pf_options read_only = {.read_only = true};

static void a_second_open_is_refused_naming_the_holder(void **state)
{
    struct scratch *t = *state;
    pf_store *second = NULL;
    char pid[32];

    scratch_create(t, 10);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_pf(PF_E_LOCKED, pf_open(t->db, &fast, &second, t->reason));
    assert_null(second);
    if (strstr(t->reason, pid) == NULL)
        fail_msg("reason \"%s\" lacks the pid %s", t->reason, pid);
    assert_pf(PF_E_LOCKED, pf_open(t->db, &read_only, &second, t->reason));
    scratch_close(t);
    assert_ok(pf_open(t->db, &fast, &second, t->reason)); /* the lock went with it */
    assert_ok(pf_close(second));
}

static void a_second_open_in_another_process_is_refused_too(void **state)
{
    struct scratch *t = *state;
    int status = 0;

    scratch_create(t, 10);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char pid[32];
        pf_store *second = NULL;
        const pf_err err = pf_open(t->db, &fast, &second, t->reason);

        snprintf(pid, sizeof(pid), "%d", (int)getppid());
        _exit(err == PF_E_LOCKED && strstr(t->reason, pid) != NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void two_read_only_opens_are_fine(void **state)
{
    struct scratch *t = *state;
    pf_store *second = NULL;
    pf_store *writer = NULL;

    v3_make_pages(t->db, 10);
    scratch_open(t, &read_only);
    assert_ok(pf_open(t->db, &read_only, &second, t->reason));
    assert_pf(PF_E_LOCKED, pf_open(t->db, &fast, &writer, t->reason));
    assert_ok(pf_close(second));
    scratch_close(t);
    scratch_open(t, NULL);
    assert_true(pf_writable(t->store));
}

/* Both kinds: each keeps out programs that know only the other. */
static void flock_and_record_locks_are_both_taken(void **state)
{
    struct scratch *t = *state;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    scratch_create(t, 10);
    const int fd = open(t->db, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_not_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_not_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    assert_int_not_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    close(fd);
}

static void a_lock_of_either_kind_keeps_us_out(void **state)
{
    struct scratch *t = *state;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pf_store *store = NULL;

    v3_make_pages(t->db, 10);
    int fd = open(t->db, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_pf(PF_E_LOCKED, pf_open(t->db, &fast, &store, t->reason));
    close(fd);
    fd = open(t->db, O_RDWR | O_CLOEXEC);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_pf(PF_E_LOCKED, pf_open(t->db, &fast, &store, t->reason));
    close(fd);
    scratch_open(t, NULL);
}

/* Shared by the two tests below: `poke` happened behind an open store's back. */
static void assert_stale(struct scratch *t)
{
    const uint64_t before = v3_hash(t->db);
    struct pf_info info;
    uint64_t id = 77;

    assert_pf(PF_E_STALE, pf_page_alloc(t->store, &id, NULL));
    assert_u64(77, id);
    pf_info_get(t->store, &info);
    assert_true(info.failed);
    assert_true(strlen(info.reason) > 0);
    assert_false(pf_writable(t->store));
    assert_pf(PF_E_READ_ONLY, pf_page_free(t->store, 3, NULL));
    assert_u64(before, v3_hash(t->db));
    pf_close(t->store);
    t->store = NULL;
    assert_u64(before, v3_hash(t->db));
}

static void a_header_changed_behind_our_back_is_never_overwritten(void **state)
{
    struct scratch *t = *state;

    assert_ok(pf_create(t->db, 10));
    scratch_open(t, &durable);
    alloc_one(t->store);
    v3_poke64(t->db, V3_AT_NODE_COUNT, 1);
    assert_stale(t);
}

static void a_size_changed_behind_our_back_is_noticed(void **state)
{
    struct scratch *t = *state;

    assert_ok(pf_create(t->db, 10));
    scratch_open(t, &durable);
    alloc_one(t->store);
    assert_int_equal(truncate(t->db, (off_t)v3_nominal(9)), 0);
    assert_stale(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_second_open_is_refused_naming_the_holder),
        SCRATCH_TEST(a_second_open_in_another_process_is_refused_too),
        SCRATCH_TEST(two_read_only_opens_are_fine),
        SCRATCH_TEST(flock_and_record_locks_are_both_taken),
        SCRATCH_TEST(a_lock_of_either_kind_keeps_us_out),
        SCRATCH_TEST(a_header_changed_behind_our_back_is_never_overwritten),
        SCRATCH_TEST(a_size_changed_behind_our_back_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
