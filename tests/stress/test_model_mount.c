/* Random operations through the mount against a naive model of it: after each, the errno,
 * every page's state, the order of the free list, the counts and the event must be the
 * model's; at the end the file, read by other code.
 *
 * PF_TEST_SEED=n repeats one sequence. */
#include "naive.h"
#include "tmpfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 50, HOLDS = 4, RANGES = 6, TAG_AT = 1000, ALLOC_MOST = 40 };

struct walk { /* one sequence */
    struct mnt *m;
    struct naive model, before; /* before: of the snapshot */
    uint64_t rng;
    uint64_t seed;
    unsigned step;
    bool snapshot;
    struct {
        int fd; /* -1 = none */
        uint64_t id;
    } holds[HOLDS];
    uint64_t events; /* bytes that were there before this step */
    char done[160];  /* the step in words */
};

/* ---- saying what is wrong ---- */

#define wrong(w, ...)                                                                    \
    do {                                                                                 \
        print_error("seed %" PRIu64 ", step %u: %s: ", (w)->seed, (w)->step, (w)->done); \
        fail_msg(__VA_ARGS__);                                                           \
    } while (0)

static void compare_number(struct walk *w, const char *key, uint64_t expected)
{
    const char *const at = strstr(w->m->out, key);
    const uint64_t got = at != NULL ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;

    if (got != expected)
        wrong(w, "stats: %s%" PRIu64 ", expected %" PRIu64, key, got, expected);
}

static void compare_stats(struct walk *w)
{
    const struct naive *n = &w->model;

    (void)m_read(w->m, "stats");
    compare_number(w, "total_pages ", n->total);
    compare_number(w, "allocated_pages ", naive_allocated(n));
    compare_number(w, "free_pages ", n->depth);
    compare_number(w, "pinned_pages ", naive_pinned(n));
    compare_number(w, "free_list_head ", n->depth > 0 ? n->stack[n->depth - 1] : 0);
    compare_number(w, "\nallocations ", n->allocations);
    compare_number(w, "deallocations ", n->deallocations);
    compare_number(w, "\npins ", n->pins);
    compare_number(w, "unpins ", n->unpins);
}

/* Every page. Where the free list has written, the data is not what it was. */
static void compare_map(struct walk *w)
{
    struct naive *n = &w->model;
    const char *line = m_read(w->m, "map");
    uint64_t id = 0;

    for (; *line != '\0'; line = strchr(line, '\n') + 1) {
        for (const char *c = line + 11; *c != '\n'; c++, id++) {
            const char expected = id < n->total ? naive_letter(n, id) : ' ';

            if (*c == 'T' && id < n->total)
                n->pages[id].tag_known = false;
            if (*c != expected && !(*c == 'T' && expected == '.'))
                wrong(w, "map: page %" PRIu64 " is %c, expected %c", id, *c, expected);
        }
    }
    if (id < n->total)
        wrong(w, "map: ends at page %" PRIu64 " of %" PRIu64, id, n->total);
}

static void compare_freelist(struct walk *w)
{
    const struct naive *n = &w->model;
    const char *text = m_read(w->m, "freelist");
    size_t count = 0;

    for (; *text != '\0'; text = strchr(text, '\n') + 1, count++) {
        const uint64_t id = strtoull(text, NULL, 10);

        if (count >= n->depth || id != n->stack[n->depth - 1 - count])
            wrong(w, "freelist: line %zu is page %" PRIu64, count + 1, id);
    }
    if (count != n->depth)
        wrong(w, "freelist: %zu lines, expected %zu", count, n->depth);
}

static void compare_page(struct walk *w, uint64_t id)
{
    const struct naive_page *page = &w->model.pages[id];
    char path[64];
    uint64_t tag = 0;
    char expected[32];
    static const char *const words[] = {"allocated\n", "pinned\n", "free\n"};

    if (id < 2 || id >= w->model.total)
        return;
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/state", id);
    if (strcmp(m_read(w->m, path),
               words[page->free ? 2 : page->pins + page->holds > 0]) != 0)
        wrong(w, "page %" PRIu64 " is %s", id, w->m->out);
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/pins", id);
    snprintf(expected, sizeof(expected), "%" PRIu32 "\n", page->pins + page->holds);
    if (strcmp(m_read(w->m, path), expected) != 0)
        wrong(w, "page %" PRIu64 " has pins %s", id, w->m->out);
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/data", id);
    memcpy(&tag, m_read(w->m, path) + TAG_AT, sizeof(tag));
    if (w->m->out_length != PF_PAGE_SIZE || (page->tag_known && tag != page->tag))
        wrong(w, "data of page %" PRIu64 " is not what was written", id);
}

/* ---- steps ---- */

static void expect_errno(struct walk *w, int expected, int got)
{
    if (got != expected)
        wrong(w, "%s, expected %s", got == 0 ? "succeeds" : strerror(got),
              expected == 0 ? "success" : strerror(expected));
}

/* The last event has this operation and result. */
static void expect_event(struct walk *w, const char *op, int error)
{
    char line_op[32];
    char result[32];
    int pid = 0;
    const char *text = m_read(w->m, "events");
    const char *const new = w->m->out_length > w->events ? text + w->events : "";
    const char *last = new;

    for (const char *c = new; *c != '\0'; c++)
        if (c[0] == '\n' && c[1] != '\0')
            last = c + 1;
    if (sscanf(last, "%*u %*u %31s %*s %d %*s %31s", line_op, &pid, result) != 3)
        wrong(w, "no event");
    if (pid != (int)getpid() || (op != NULL && strcmp(line_op, op) != 0) ||
        strcmp(result, error == 0 ? "ok" : strerrorname_np(error)) != 0)
        wrong(w, "the event is %s", last);
}

static void write_and_expect(struct walk *w, const char *path, const char *text,
                             int expected, const char *op)
{
    expect_errno(w, expected, m_write(w->m, path, text));
    expect_event(w, expected == 0 ? op : NULL, expected);
}

static uint64_t any_page(struct walk *w)
{
    return rng_below(&w->rng, w->model.total + 2);
}

static void step_alloc(struct walk *w)
{
    const uint64_t count = 1 + rng_below(&w->rng, ALLOC_MOST);
    const uint64_t kind = rng_below(&w->rng, 3); /* by reading, N, contiguous */
    uint64_t ids[ALLOC_MOST] = {0};
    char command[48];
    char text[ALLOC_MOST * 8];
    ssize_t n = 0;
    size_t length = 0;
    int got = 0;
    int expected;

    snprintf(command, sizeof(command), "%" PRIu64 "%s\n", count,
             kind == 2 ? " contiguous" : "");
    snprintf(w->done, sizeof(w->done), "alloc %s", kind == 0 ? "by reading" : command);
    if (kind == 2) {
        expected = naive_alloc_contiguous(&w->model, count, ids);
        for (uint64_t i = 1; i < count; i++)
            ids[i] = ids[0] + i;
    } else {
        expected = naive_alloc(&w->model, kind == 0 ? 1 : count, ids);
    }
    const int fd = m_open(w->m, "alloc", kind == 0 ? O_RDONLY : O_RDWR);
    assert_true(fd >= 0);
    if (kind != 0 && write(fd, command, strlen(command)) < 0)
        got = errno;
    while (got == 0 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    if (n < 0)
        got = errno;
    close(fd);
    text[length] = '\0';
    expect_errno(w, expected, got);
    expect_event(w, "alloc", expected);
    const char *rest = text;
    for (uint64_t i = 0; expected == 0 && i < (kind == 0 ? 1 : count); i++) {
        char *end;

        if (strtoull(rest, &end, 10) != ids[i] || *end != '\n')
            wrong(w, "id %" PRIu64 " is \"%.12s\", expected %" PRIu64, i, rest, ids[i]);
        rest = end + 1;
    }
    if (expected == 0 && *rest != '\0')
        wrong(w, "more ids than asked for");
    compare_page(w, ids[0]);
}

/* One to six tokens: pages and ranges, mostly such that all of it may succeed. */
static size_t some_ranges(struct walk *w, struct naive_range *ranges, char *text,
                          size_t size, bool wanted_free)
{
    const size_t count = 1 + (size_t)rng_below(&w->rng, RANGES);
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        const uint64_t span = rng_below(&w->rng, 4) == 0 ? rng_below(&w->rng, 30) : 0;
        uint64_t id = any_page(w);

        for (int tries = 0; tries < 8 && (id < 2 || id >= w->model.total ||
                                          w->model.pages[id].free != wanted_free);
             tries++)
            id = any_page(w);
        ranges[i] = (struct naive_range){id, id + span};
        length += (size_t)snprintf(text + length, size - length, "%" PRIu64, id);
        if (span > 0)
            length +=
                (size_t)snprintf(text + length, size - length, "-%" PRIu64, id + span);
        text[length++] = i % 2 == 0 ? ' ' : '\n';
    }
    text[length] = '\0';
    return count;
}

static void step_list(struct walk *w)
{
    static const struct {
        const char *file;
        int (*model)(struct naive *n, const struct naive_range *ranges, size_t count);
    } files[] = {{"free", naive_free},
                 {"free", naive_free},
                 {"free", naive_free},
                 {"pin", naive_pin},
                 {"unpin", naive_unpin}};
    const uint64_t which = rng_below(&w->rng, 5);
    struct naive_range ranges[RANGES];
    char text[400];
    const size_t count = some_ranges(w, ranges, text, sizeof(text), false);

    snprintf(w->done, sizeof(w->done), "%s %.140s", files[which].file, text);
    write_and_expect(w, files[which].file, text,
                     files[which].model(&w->model, ranges, count), files[which].file);
    for (size_t i = 0; i < count; i++)
        compare_page(w, ranges[i].last < w->model.total ? ranges[i].last : 2);
}

static void step_free_many(struct walk *w)
{
    const uint64_t first = 2 + rng_below(&w->rng, w->model.total - 2 + 1);
    const uint64_t last = first + rng_below(&w->rng, 700);
    struct naive_range range = {first, last < w->model.total ? last : w->model.total - 1};
    char text[64];

    if (range.first > range.last)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64 "\n", range.first, range.last);
    snprintf(w->done, sizeof(w->done), "free %s", text);
    write_and_expect(w, "free", text, naive_free(&w->model, &range, 1), "free");
}

static void step_bad_words(struct walk *w)
{
    static const struct {
        const char *path, *text;
        int error;
    } words[] = {
        {"free", "x\n", EINVAL},
        {"free", "5-\n", EINVAL},
        {"free", "9-8\n", EINVAL},
        {"free", "007\n", EINVAL},
        {"free", "+7\n", EINVAL},
        {"free", "7,8\n", EINVAL},
        {"pin", "0x10\n", EINVAL},
        {"unpin", "18446744073709551616\n", ERANGE},
        {"ctl", "shrnk\n", EINVAL},
        {"limits/max_pages", "-1\n", EINVAL},
        {"pages/2/state", "x\n", EINVAL},
        {"pages/2/pins", "2\n", EINVAL},
        {"free", "18446744073709551615\n", ENOENT},
        {"free", " \n", EINVAL},
    };
    const uint64_t which = rng_below(&w->rng, sizeof(words) / sizeof(words[0]));

    if (strncmp(words[which].path, "pages/2/", 8) == 0 && w->model.total <= 2)
        return;
    snprintf(w->done, sizeof(w->done), "%s < %s", words[which].path, words[which].text);
    write_and_expect(w, words[which].path, words[which].text, words[which].error, NULL);
}

static void step_state(struct walk *w)
{
    static const char *const words[] = {"free", "allocated", "pinned", "free!"};
    const char *const word = words[rng_below(&w->rng, 4)];
    const uint64_t id = any_page(w);
    const bool took = id < w->model.total && w->model.pages[id].free;
    char path[64];

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/state", id);
    snprintf(w->done, sizeof(w->done), "%s < %s", path, word);
    if (id >= w->model.total) {
        expect_errno(w, ENOENT, m_write(w->m, path, word));
        return;
    }
    const int expected = naive_state(&w->model, id, word);
    write_and_expect(w, path, word, expected,
                     word[0] == 'f'   ? word
                     : word[0] == 'p' ? "pin"
                     : took           ? "take"
                                      : "unpin");
    compare_page(w, id);
}

static void step_pins(struct walk *w)
{
    static const char *const words[] = {"+1", "-1", "0", "+1"};
    const uint64_t which = rng_below(&w->rng, 4);
    const uint64_t id = any_page(w);
    const struct naive_range range = {id, id};
    char path[64];

    if (id >= w->model.total)
        return;
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/pins", id);
    snprintf(w->done, sizeof(w->done), "%s < %s", path, words[which]);
    write_and_expect(w, path, words[which],
                     which == 1   ? naive_unpin(&w->model, &range, 1)
                     : which == 2 ? naive_unpin_all(&w->model, id)
                                  : naive_pin(&w->model, &range, 1),
                     which == 1 || which == 2 ? "unpin" : "pin");
    compare_page(w, id);
}

static void end_hold(struct walk *w, unsigned slot)
{
    if (w->holds[slot].fd == -1)
        return;
    close(w->holds[slot].fd);
    naive_unhold(&w->model, w->holds[slot].id);
    w->holds[slot].fd = -1;
}

static void step_hold(struct walk *w)
{
    const unsigned slot = (unsigned)rng_below(&w->rng, HOLDS);
    const uint64_t id = any_page(w);
    char path[64];

    if (w->holds[slot].fd != -1) {
        snprintf(w->done, sizeof(w->done), "unhold %" PRIu64, w->holds[slot].id);
        const uint64_t held = w->holds[slot].id;
        end_hold(w, slot);
        compare_page(w, held);
        return;
    }
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/hold", id);
    snprintf(w->done, sizeof(w->done), "open %s", path);
    const int expected = id >= w->model.total ? ENOENT : naive_hold(&w->model, id);
    const int fd = m_open(w->m, path, O_RDONLY);
    expect_errno(w, expected, fd < 0 ? -fd : 0);
    if (fd >= 0) {
        w->holds[slot].fd = fd;
        w->holds[slot].id = id;
    }
    compare_page(w, id);
}

static void step_data(struct walk *w)
{
    const uint64_t id = any_page(w);
    const uint64_t tag = rng_next(&w->rng);
    char path[64];
    int got = 0;

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/data", id);
    snprintf(w->done, sizeof(w->done), "write to %s", path);
    const int fd = m_open(w->m, path, O_WRONLY);
    if (id >= w->model.total) {
        expect_errno(w, ENOENT, -fd);
        return;
    }
    assert_true(fd >= 0);
    /* the header's page is shorter than that */
    if (pwrite(fd, &tag, sizeof(tag), id == 0 ? 0 : TAG_AT) != sizeof(tag))
        got = errno;
    close(fd);
    expect_errno(w, naive_write(&w->model, id, tag), got);
    compare_page(w, id);
}

static void step_limit(struct walk *w)
{
    char text[32] = "max\n";

    w->model.max_pages = 0;
    if (rng_below(&w->rng, 3) > 0) {
        w->model.max_pages = w->model.total + rng_below(&w->rng, 60);
        snprintf(text, sizeof(text), "%" PRIu64 "\n", w->model.max_pages);
    }
    snprintf(w->done, sizeof(w->done), "limits/max_pages < %s", text);
    write_and_expect(w, "limits/max_pages", text, 0, "max_pages");
    if (strcmp(m_read(w->m, "limits/max_pages"), text) != 0)
        wrong(w, "reads as %s", w->m->out);
}

static void step_control(struct walk *w)
{
    static const char *const words[] = {"sync", "checkpoint", "shrink",
                                        "rebuild-freelist"};
    const uint64_t which = rng_below(&w->rng, 4);

    snprintf(w->done, sizeof(w->done), "ctl < %s", words[which]);
    write_and_expect(w, "ctl", words[which], 0, words[which]);
    if (which == 2)
        naive_shrink(&w->model);
    if (which == 3)
        naive_rebuild(&w->model);
}

/* ---- snapshots ---- */

static const char *state_word(const struct naive *n, uint64_t id)
{
    if (id >= n->total)
        return "none";
    return n->pages[id].free                            ? "free"
           : n->pages[id].pins + n->pages[id].holds > 0 ? "pinned"
                                                        : "allocated";
}

static void compare_diff(struct walk *w)
{
    const uint64_t most =
        w->before.total > w->model.total ? w->before.total : w->model.total;
    const char *line = m_read(w->m, "snapshots/s/diff");

    for (uint64_t id = 0; id < most; id++) {
        const char *const then = state_word(&w->before, id);
        const char *const now = state_word(&w->model, id);
        unsigned long long said = 0;
        char old[16] = "";
        char new[16] = "";

        if (strcmp(then, now) == 0)
            continue;
        if (sscanf(line, "%llu %15s %15s", &said, old, new) != 3 || said != id ||
            strcmp(old, then) != 0 || strcmp(new, now) != 0)
            wrong(w, "diff: \"%.40s\", expected %" PRIu64 " %s %s", line, id, then, now);
        line = strchr(line, '\n') + 1;
    }
    if (*line != '\0')
        wrong(w, "diff: \"%.40s\" too much", line);
}

static void step_snapshot(struct walk *w)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/snapshots/s", w->m->point);
    snprintf(w->done, sizeof(w->done), "snapshot");
    if (w->snapshot) {
        compare_diff(w);
        assert_int_equal(rmdir(path), 0);
    } else {
        assert_int_equal(mkdir(path, 0755), 0);
        w->before = w->model;
        compare_diff(w);
    }
    w->snapshot = !w->snapshot;
}

/* ---- remounts ---- */

static void step_remount(struct walk *w)
{
    const bool kill_it = rng_below(&w->rng, 2) == 0;

    snprintf(w->done, sizeof(w->done), "remount after %s",
             kill_it ? "kill -9" : "an unmount");
    if (kill_it) {
        assert_int_equal(kill(w->m->daemon, SIGKILL), 0);
        (void)mnt_wait(w->m);
    }
    for (unsigned i = 0; i < HOLDS; i++)
        end_hold(w, i);
    if (kill_it)
        mnt_unmount(w->m);
    else
        mnt_stop(w->m);
    naive_remount(&w->model);
    w->snapshot = false;
    mnt_start(w->m, NULL);
}

/* ---- a sequence ---- */

static void one_step(struct walk *w)
{
    static void (*const steps[])(struct walk *) = {
        step_alloc,    step_alloc,     step_alloc,     step_alloc,   step_list,
        step_list,     step_list,      step_free_many, step_state,   step_state,
        step_state,    step_pins,      step_pins,      step_hold,    step_hold,
        step_data,     step_data,      step_limit,     step_control, step_control,
        step_snapshot, step_bad_words,
    };
    const uint64_t what = rng_below(&w->rng, 25 * 4);
    struct stat st;
    char path[160];

    snprintf(path, sizeof(path), "%s/events", w->m->point);
    assert_int_equal(stat(path, &st), 0);
    w->events = (uint64_t)st.st_size;
    if (what < 3)
        step_remount(w);
    else if (w->model.total + ALLOC_MOST < NAIVE_PAGES)
        steps[rng_below(&w->rng, sizeof(steps) / sizeof(steps[0]))](w);
    compare_stats(w);
    compare_map(w);
    compare_freelist(w);
    for (int i = 0; i < 3; i++)
        compare_page(w, any_page(w));
    if (w->snapshot && w->step % 4 == 0)
        compare_diff(w);
}

/* By code that shares nothing with what wrote it. */
static void compare_file(struct walk *w)
{
    const struct naive *n = &w->model;
    uint8_t bytes[8];
    uint64_t tag;
    size_t count;

    v3_peek(w->m->t.db, V3_AT_TOTAL, bytes, sizeof(bytes));
    assert_u64(n->total, v3_get64(bytes));
    assert_u64(v3_nominal(n->total), v3_size(w->m->t.db));
    uint64_t *ids = v3_free_list(w->m->t.db, &count);
    assert_int_equal(count, n->depth);
    for (size_t i = 0; i < count; i++)
        assert_u64(n->stack[n->depth - 1 - i], ids[i]);
    free(ids);
    for (uint64_t id = 2; id < n->total; id++) {
        if (!n->pages[id].tag_known)
            continue;
        v3_peek(w->m->t.db, v3_offset(id) + TAG_AT, &tag, sizeof(tag));
        if (tag != n->pages[id].tag)
            wrong(w, "the file has other data in page %" PRIu64, id);
    }
}

static void run_seed(struct mnt *m, uint64_t seed)
{
    struct walk *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->m = m;
    w->seed = seed;
    w->rng = seed * 0x9E3779B97F4A7C15 + 1;
    for (unsigned i = 0; i < HOLDS; i++)
        w->holds[i].fd = -1;
    naive_init(&w->model, 2 + rng_below(&w->rng, 1500));
    v3_make_pages(m->t.db, w->model.total);
    mnt_start(m, NULL);
    for (w->step = 1; w->step <= STEPS; w->step++)
        one_step(w);
    for (unsigned i = 0; i < HOLDS; i++)
        end_hold(w, i);
    mnt_stop(m);
    snprintf(w->done, sizeof(w->done), "the end");
    compare_file(w);
    assert_int_equal(unlink(m->t.db), 0);
    free(w);
}

struct fixture {
    struct mnt *m;
    struct tmpfs tmpfs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    void *m = NULL;

    if (f == NULL || mnt_setup(&m) != 0)
        return -1;
    f->m = m;
    tmpfs_take(&f->tmpfs, f->m);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *m = f->m;
    const int result = mnt_teardown(&m);

    tmpfs_remove(&f->tmpfs);
    free(f);
    return result;
}

static void random_operations_through_the_mount_agree_with_a_naive_model(void **state)
{
    struct fixture *f = *state;
    const char *const one = getenv("PF_TEST_SEED");
    const unsigned seeds = figure(20, 200, 5000);

    if (one != NULL) {
        run_seed(f->m, strtoull(one, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= seeds; seed++)
        run_seed(f->m, seed);
    print_message("#= seeds 1 to %u, %d operations each\n", seeds, STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            random_operations_through_the_mount_agree_with_a_naive_model, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
