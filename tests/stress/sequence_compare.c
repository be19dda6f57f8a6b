/* sequence_compare.c: the mount shows what the model says. */
#include "sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void compare_number(struct sequence *q, const char *key, uint64_t expected)
{
    const char *const at = strstr(q->m->out, key);
    const uint64_t got = at != NULL ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;

    if (got != expected)
        wrong(q, "stats: %s%" PRIu64 ", expected %" PRIu64, key, got, expected);
}

void compare_stats(struct sequence *q)
{
    const struct naive *n = &q->model;

    (void)m_read(q->m, "stats");
    compare_number(q, "total_pages ", n->total);
    compare_number(q, "allocated_pages ", naive_allocated(n));
    compare_number(q, "free_pages ", n->depth);
    compare_number(q, "pinned_pages ", naive_pinned(n));
    compare_number(q, "free_list_head ", n->depth > 0 ? n->stack[n->depth - 1] : 0);
    compare_number(q, "\nallocations ", n->allocations);
    compare_number(q, "deallocations ", n->deallocations);
    compare_number(q, "\npins ", n->pins);
    compare_number(q, "unpins ", n->unpins);
}

void compare_map(struct sequence *q)
{
    struct naive *n = &q->model;
    const char *line = m_read(q->m, "map");
    uint64_t id = 0;

    for (; *line != '\0'; line = strchr(line, '\n') + 1) {
        for (const char *c = line + 11; *c != '\n'; c++, id++) {
            const char expected = id < n->total ? naive_letter(n, id) : ' ';

            if (*c == 'T' && id < n->total)
                n->pages[id].tag_known = false;
            if (*c != expected && !(*c == 'T' && expected == '.'))
                wrong(q, "map: page %" PRIu64 " is %c, expected %c", id, *c, expected);
        }
    }
    if (id < n->total)
        wrong(q, "map: ends at page %" PRIu64 " of %" PRIu64, id, n->total);
}

void compare_freelist(struct sequence *q)
{
    const struct naive *n = &q->model;
    const char *text = m_read(q->m, "freelist");
    size_t count = 0;

    for (; *text != '\0'; text = strchr(text, '\n') + 1, count++) {
        const uint64_t id = strtoull(text, NULL, 10);

        if (count >= n->depth || id != n->stack[n->depth - 1 - count])
            wrong(q, "freelist: line %zu is page %" PRIu64, count + 1, id);
    }
    if (count != n->depth)
        wrong(q, "freelist: %zu lines, expected %zu", count, n->depth);
}

void compare_page(struct sequence *q, uint64_t id)
{
    const struct naive_page *page = &q->model.pages[id];
    char path[64];
    uint64_t tag = 0;
    char expected[32];
    static const char *const words[] = {"allocated\n", "pinned\n", "free\n"};

    if (id < 2 || id >= q->model.total)
        return;
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/state", id);
    if (strcmp(m_read(q->m, path),
               words[page->free ? 2 : page->pins + page->holds > 0]) != 0)
        wrong(q, "page %" PRIu64 " is %s", id, q->m->out);
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/pins", id);
    snprintf(expected, sizeof(expected), "%" PRIu32 "\n", page->pins + page->holds);
    if (strcmp(m_read(q->m, path), expected) != 0)
        wrong(q, "page %" PRIu64 " has pins %s", id, q->m->out);
    snprintf(path, sizeof(path), "pages/%" PRIu64 "/data", id);
    memcpy(&tag, m_read(q->m, path) + SEQUENCE_TAG_AT, sizeof(tag));
    if (q->m->out_length != PF_PAGE_SIZE || (page->tag_known && tag != page->tag))
        wrong(q, "data of page %" PRIu64 " is not what was written", id);
}

static const char *state_word(const struct naive *n, uint64_t id)
{
    if (id >= n->total)
        return "none";
    return n->pages[id].free                            ? "free"
           : n->pages[id].pins + n->pages[id].holds > 0 ? "pinned"
                                                        : "allocated";
}

void compare_diff(struct sequence *q)
{
    const uint64_t most =
        q->before.total > q->model.total ? q->before.total : q->model.total;
    const char *line = m_read(q->m, "snapshots/s/diff");

    for (uint64_t id = 0; id < most; id++) {
        const char *const then = state_word(&q->before, id);
        const char *const now = state_word(&q->model, id);
        unsigned long long said = 0;
        char old[16] = "";
        char new[16] = "";

        if (strcmp(then, now) == 0)
            continue;
        if (sscanf(line, "%llu %15s %15s", &said, old, new) != 3 || said != id ||
            strcmp(old, then) != 0 || strcmp(new, now) != 0)
            wrong(q, "diff: \"%.40s\", expected %" PRIu64 " %s %s", line, id, then, now);
        line = strchr(line, '\n') + 1;
    }
    if (*line != '\0')
        wrong(q, "diff: \"%.40s\" too much", line);
}

void compare_file(struct sequence *q)
{
    const struct naive *n = &q->model;
    uint8_t bytes[8];
    uint64_t tag;
    size_t count;

    v3_peek(q->m->t.db, V3_AT_TOTAL, bytes, sizeof(bytes));
    assert_u64(n->total, v3_get64(bytes));
    assert_u64(v3_nominal(n->total), v3_size(q->m->t.db));
    uint64_t *ids = v3_free_list(q->m->t.db, &count);
    assert_int_equal(count, n->depth);
    for (size_t i = 0; i < count; i++)
        assert_u64(n->stack[n->depth - 1 - i], ids[i]);
    free(ids);
    for (uint64_t id = 2; id < n->total; id++) {
        if (!n->pages[id].tag_known)
            continue;
        v3_peek(q->m->t.db, v3_offset(id) + SEQUENCE_TAG_AT, &tag, sizeof(tag));
        if (tag != n->pages[id].tag)
            wrong(q, "the file has other data in page %" PRIu64, id);
    }
}
