/* sequence_steps.c: the steps of a sequence, each in the mount and in the model. */
#include "sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANGES = 6 };

static void expect_errno(struct sequence *q, int expected, int got)
{
    if (got != expected)
        wrong(q, "%s, expected %s", got == 0 ? "succeeds" : strerror(got),
              expected == 0 ? "success" : strerror(expected));
}

/* The last event has this operation and result. */
static void expect_event(struct sequence *q, const char *op, int error)
{
    char line_op[32];
    char result[32];
    int pid = 0;
    const char *text = m_read(q->m, "events");
    const char *const new = q->m->out_length > q->events ? text + q->events : "";
    const char *last = new;

    for (const char *c = new; *c != '\0'; c++)
        if (c[0] == '\n' && c[1] != '\0')
            last = c + 1;
    if (sscanf(last, "%*u %*u %31s %*s %d %*s %31s", line_op, &pid, result) != 3)
        wrong(q, "no event");
    if (pid != (int)getpid() || (op != NULL && strcmp(line_op, op) != 0) ||
        strcmp(result, error == 0 ? "ok" : strerrorname_np(error)) != 0)
        wrong(q, "the event is %s", last);
}

static void write_and_expect(struct sequence *q, const char *path, const char *text,
                             int expected, const char *op)
{
    expect_errno(q, expected, m_write(q->m, path, text));
    expect_event(q, expected == 0 ? op : NULL, expected);
}

uint64_t sequence_page(struct sequence *q)
{
    return rng_below(&q->rng, q->model.total + 2);
}

static void step_alloc(struct sequence *q)
{
    const uint64_t count = 1 + rng_below(&q->rng, SEQUENCE_ALLOC_MOST);
    const uint64_t kind = rng_below(&q->rng, 3); /* by reading, N, contiguous */
    uint64_t ids[SEQUENCE_ALLOC_MOST] = {0};
    char command[48];
    char text[SEQUENCE_ALLOC_MOST * 8];
    ssize_t n = 0;
    size_t length = 0;
    int got = 0;
    int expected;

    snprintf(command, sizeof(command), "%" PRIu64 "%s\n", count,
             kind == 2 ? " contiguous" : "");
    snprintf(q->done, sizeof(q->done), "alloc %s", kind == 0 ? "by reading" : command);
    if (kind == 2) {
        expected = naive_alloc_contiguous(&q->model, count, ids);
        for (uint64_t i = 1; i < count; i++)
            ids[i] = ids[0] + i;
    } else {
        expected = naive_alloc(&q->model, kind == 0 ? 1 : count, ids);
    }
    const int fd = m_open(q->m, "alloc", kind == 0 ? O_RDONLY : O_RDWR);
    assert_true(fd >= 0);
    if (kind != 0 && write(fd, command, strlen(command)) < 0)
        got = errno;
    while (got == 0 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    if (n < 0)
        got = errno;
    close(fd);
    text[length] = '\0';
    expect_errno(q, expected, got);
    expect_event(q, "alloc", expected);
    const char *rest = text;
    for (uint64_t i = 0; expected == 0 && i < (kind == 0 ? 1 : count); i++) {
        char *end;

        if (strtoull(rest, &end, 10) != ids[i] || *end != '\n')
            wrong(q, "id %" PRIu64 " is \"%.12s\", expected %" PRIu64, i, rest, ids[i]);
        rest = end + 1;
    }
    if (expected == 0 && *rest != '\0')
        wrong(q, "more ids than asked for");
    compare_page(q, ids[0]);
}

/* One to six tokens: pages and ranges, mostly such that all of it may succeed. */
static size_t some_ranges(struct sequence *q, struct naive_range *ranges, char *text,
                          size_t size, bool wanted_free)
{
    const size_t count = 1 + (size_t)rng_below(&q->rng, RANGES);
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        const uint64_t span = rng_below(&q->rng, 4) == 0 ? rng_below(&q->rng, 30) : 0;
        uint64_t id = sequence_page(q);

        for (int tries = 0; tries < 8 && (id < 2 || id >= q->model.total ||
                                          q->model.pages[id].free != wanted_free);
             tries++)
            id = sequence_page(q);
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

static void step_list(struct sequence *q)
{
    static const struct {
        const char *file;
        int (*model)(struct naive *n, const struct naive_range *ranges, size_t count);
    } files[] = {{"free", naive_free},
                 {"free", naive_free},
                 {"free", naive_free},
                 {"pin", naive_pin},
                 {"unpin", naive_unpin}};
    const uint64_t which = rng_below(&q->rng, 5);
    struct naive_range ranges[RANGES];
    char text[400];
    const size_t count = some_ranges(q, ranges, text, sizeof(text), false);

    snprintf(q->done, sizeof(q->done), "%s %.140s", files[which].file, text);
    write_and_expect(q, files[which].file, text,
                     files[which].model(&q->model, ranges, count), files[which].file);
    for (size_t i = 0; i < count; i++)
        compare_page(q, ranges[i].last < q->model.total ? ranges[i].last : 2);
}

static void free_range_of(struct sequence *q, struct naive_range range)
{
    char text[64];

    if (range.first > range.last)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64 "\n", range.first, range.last);
    snprintf(q->done, sizeof(q->done), "free %s", text);
    write_and_expect(q, "free", text, naive_free(&q->model, &range, 1), "free");
}

static void step_free_many(struct sequence *q)
{
    const uint64_t first = 2 + rng_below(&q->rng, q->model.total - 2 + 1);
    const uint64_t last = first + rng_below(&q->rng, 700);

    free_range_of(q, (struct naive_range){
                         first, last < q->model.total ? last : q->model.total - 1});
}

static void step_free_tail(struct sequence *q)
{
    free_range_of(q, naive_tail(&q->model, 1 + rng_below(&q->rng, 40)));
}

static void step_bad_words(struct sequence *q)
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
    const uint64_t which = rng_below(&q->rng, sizeof(words) / sizeof(words[0]));

    if (strncmp(words[which].path, "pages/2/", 8) == 0 && q->model.total <= 2)
        return;
    snprintf(q->done, sizeof(q->done), "%s < %s", words[which].path, words[which].text);
    write_and_expect(q, words[which].path, words[which].text, words[which].error, NULL);
}

static void step_state(struct sequence *q)
{
    static const char *const words[] = {"free", "allocated", "pinned", "free!"};
    const char *const word = words[rng_below(&q->rng, 4)];
    const uint64_t id = sequence_page(q);
    const bool took = id < q->model.total && q->model.pages[id].free;
    char path[64];

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/state", id);
    snprintf(q->done, sizeof(q->done), "%s < %s", path, word);
    if (id >= q->model.total) {
        expect_errno(q, ENOENT, m_write(q->m, path, word));
        return;
    }
    const int expected = naive_state(&q->model, id, word);
    write_and_expect(q, path, word, expected,
                     word[0] == 'f'   ? word
                     : word[0] == 'p' ? "pin"
                     : took           ? "take"
                                      : "unpin");
    compare_page(q, id);
}

static void step_pins(struct sequence *q)
{
    static const char *const words[] = {"+1", "-1", "0", "+1"};
    const uint64_t which = rng_below(&q->rng, 4);
    const uint64_t id = sequence_page(q);
    const struct naive_range range = {id, id};
    char path[64];

    if (id >= q->model.total)
        return;
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/pins", id);
    snprintf(q->done, sizeof(q->done), "%s < %s", path, words[which]);
    write_and_expect(q, path, words[which],
                     which == 1   ? naive_unpin(&q->model, &range, 1)
                     : which == 2 ? naive_unpin_all(&q->model, id)
                                  : naive_pin(&q->model, &range, 1),
                     which == 1 || which == 2 ? "unpin" : "pin");
    compare_page(q, id);
}

static void end_hold(struct sequence *q, unsigned slot)
{
    if (q->holds[slot].fd == -1)
        return;
    close(q->holds[slot].fd);
    naive_unhold(&q->model, q->holds[slot].id);
    q->holds[slot].fd = -1;
}

void sequence_end_holds(struct sequence *q)
{
    for (unsigned i = 0; i < SEQUENCE_HOLDS; i++)
        end_hold(q, i);
}

static void step_hold(struct sequence *q)
{
    const unsigned slot = (unsigned)rng_below(&q->rng, SEQUENCE_HOLDS);
    const uint64_t id = sequence_page(q);
    char path[64];

    if (q->holds[slot].fd != -1) {
        snprintf(q->done, sizeof(q->done), "unhold %" PRIu64, q->holds[slot].id);
        const uint64_t held = q->holds[slot].id;
        end_hold(q, slot);
        compare_page(q, held);
        return;
    }
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/hold", id);
    snprintf(q->done, sizeof(q->done), "open %s", path);
    const int expected = id >= q->model.total ? ENOENT : naive_hold(&q->model, id);
    const int fd = m_open(q->m, path, O_RDONLY);
    expect_errno(q, expected, fd < 0 ? -fd : 0);
    if (fd >= 0) {
        q->holds[slot].fd = fd;
        q->holds[slot].id = id;
    }
    compare_page(q, id);
}

static void step_data(struct sequence *q)
{
    const uint64_t id = sequence_page(q);
    const uint64_t tag = rng_next(&q->rng);
    char path[64];
    int got = 0;

    snprintf(path, sizeof(path), "pages/%" PRIu64 "/data", id);
    snprintf(q->done, sizeof(q->done), "write to %s", path);
    const int fd = m_open(q->m, path, O_WRONLY);
    if (id >= q->model.total) {
        expect_errno(q, ENOENT, -fd);
        return;
    }
    assert_true(fd >= 0);
    /* the header's page is shorter than that */
    if (pwrite(fd, &tag, sizeof(tag), id == 0 ? 0 : SEQUENCE_TAG_AT) != sizeof(tag))
        got = errno;
    close(fd);
    expect_errno(q, naive_write(&q->model, id, tag), got);
    compare_page(q, id);
}

static void step_limit(struct sequence *q)
{
    char text[32] = "max\n";

    q->model.max_pages = 0;
    if (rng_below(&q->rng, 3) > 0) {
        q->model.max_pages = q->model.total + rng_below(&q->rng, 60);
        snprintf(text, sizeof(text), "%" PRIu64 "\n", q->model.max_pages);
    }
    snprintf(q->done, sizeof(q->done), "limits/max_pages < %s", text);
    write_and_expect(q, "limits/max_pages", text, 0, "max_pages");
    if (strcmp(m_read(q->m, "limits/max_pages"), text) != 0)
        wrong(q, "reads as %s", q->m->out);
}

static void step_control(struct sequence *q)
{
    static const char *const words[] = {"sync", "checkpoint", "shrink",
                                        "rebuild-freelist"};
    const uint64_t which = rng_below(&q->rng, 4);

    snprintf(q->done, sizeof(q->done), "ctl < %s", words[which]);
    write_and_expect(q, "ctl", words[which], 0, words[which]);
    if (which == 2)
        naive_shrink(&q->model);
    if (which == 3)
        naive_rebuild(&q->model);
}

static void step_snapshot(struct sequence *q)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/snapshots/s", q->m->point);
    snprintf(q->done, sizeof(q->done), "snapshot");
    if (q->snapshot) {
        compare_diff(q);
        assert_int_equal(rmdir(path), 0);
    } else {
        assert_int_equal(mkdir(path, 0755), 0);
        q->before = q->model;
        compare_diff(q);
    }
    q->snapshot = !q->snapshot;
}

void sequence_step(struct sequence *q)
{
    static void (*const steps[])(struct sequence *) = {
        step_alloc,    step_alloc,     step_alloc,     step_alloc,   step_list,
        step_list,     step_list,      step_free_many, step_state,   step_state,
        step_state,    step_pins,      step_pins,      step_hold,    step_hold,
        step_data,     step_data,      step_limit,     step_control, step_control,
        step_snapshot, step_bad_words, step_free_tail,
    };

    steps[rng_below(&q->rng, sizeof(steps) / sizeof(steps[0]))](q);
}
