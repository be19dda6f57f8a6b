#include "broken.h"

#include <string.h>

enum { OLD_TRUNK = 23, NEW_TRUNK = 26 }; /* `small` ends with page 22 */

static void put_trunk(struct image *file, uint64_t id, uint64_t next, uint64_t number,
                      uint64_t total, const uint64_t *leaves, uint32_t count)
{
    v3_trunk(image_page(file, id), id, next, number, total, leaves, count);
}

/* small, ten pages more, and a list of two blocks with seven of them. */
static void make_list(struct image *file)
{
    static const uint64_t old_leaves[] = {24, 25}, new_leaves[] = {28, 27, 30};

    (void)image_append(file, 10);
    put_trunk(file, OLD_TRUNK, 0, 1, 3, old_leaves, 2);
    put_trunk(file, NEW_TRUNK, OLD_TRUNK, 2, 7, new_leaves, 3);
    image_set_field(file, V3_AT_FREE_HEAD, NEW_TRUNK);
}

static void make_leaks(struct image *file)
{
    make_list(file);
}

static void break_old_magic(struct image *file)
{
    make_list(file);
    image_page(file, OLD_TRUNK)[0] ^= 1;
}

static void break_new_magic(struct image *file)
{
    make_list(file);
    image_page(file, NEW_TRUNK)[0] ^= 1;
}

static void break_old_sum(struct image *file)
{
    make_list(file);
    image_page(file, OLD_TRUNK)[V3_TRUNK_SUM] ^= 1;
}

static void break_new_sum(struct image *file)
{
    make_list(file);
    image_page(file, NEW_TRUNK)[V3_TRUNK_LEAVES] ^= 1;
}

static void break_head(struct image *file)
{
    make_list(file);
    image_set_field(file, V3_AT_FREE_HEAD, 3);
    memset(image_page(file, OLD_TRUNK), 0, V3_PAGE);
    memset(image_page(file, NEW_TRUNK), 0, V3_PAGE);
}

static void break_by_cycle(struct image *file)
{
    static const uint64_t leaves[] = {24, 25};

    make_list(file);
    put_trunk(file, OLD_TRUNK, NEW_TRUNK, 1, 3, leaves, 2);
}

static void break_by_duplicate(struct image *file)
{
    static const uint64_t leaves[] = {24, 28};

    make_list(file);
    put_trunk(file, OLD_TRUNK, 0, 1, 3, leaves, 2);
}

static void break_by_range(struct image *file)
{
    static const uint64_t leaves[] = {24, 33};

    make_list(file);
    put_trunk(file, OLD_TRUNK, 0, 1, 3, leaves, 2);
}

static void break_total(struct image *file)
{
    static const uint64_t leaves[] = {28, 27, 30};

    make_list(file);
    put_trunk(file, NEW_TRUNK, OLD_TRUNK, 2, 8, leaves, 3);
}

static void free_used_leaves(struct image *file)
{
    static const uint64_t leaves[] = {24, 3}, more[] = {28, 5, 30};

    make_list(file);
    put_trunk(file, OLD_TRUNK, 0, 1, 3, leaves, 2);
    put_trunk(file, NEW_TRUNK, OLD_TRUNK, 2, 7, more, 3);
}

static void lead_into_the_graph(struct image *file)
{
    static const uint64_t leaves[] = {24};

    make_list(file);
    put_trunk(file, OLD_TRUNK, 4, 1, 3, leaves, 1);
}

/* A total_pages of a time before the list was made, and a list that is broken. */
static void make_all_wrong(struct image *file)
{
    free_used_leaves(file);
    image_set_field(file, V3_AT_TOTAL, 20);
}

static void cut_last_page(struct image *file)
{
    break_old_sum(file);
    file->size -= 1000;
}

static void leave_as_it_is(struct image *file)
{
    (void)file;
}

const struct broken broken_files[] = {
    {"stale", "stale", leave_as_it_is, {0}, 0, false},
    {"stale-leaked", "stale", leave_as_it_is, {.free_leaked = true}, 0, false},
    {"leaked", "small", make_leaks, {.free_leaked = true}, 0, false},
    {"leaked-portions", "small", make_leaks, {.free_leaked = true}, 2, false},
    {"medium", "medium", leave_as_it_is, {.free_leaked = true}, 64, false},
    {"synth39", "synth39", leave_as_it_is, {.free_leaked = true}, 0, false},
    {"old-magic", "small", break_old_magic, {0}, 0, false},
    {"new-magic", "small", break_new_magic, {0}, 0, false},
    {"old-sum", "small", break_old_sum, {0}, 0, false},
    {"new-sum", "small", break_new_sum, {0}, 0, false},
    {"new-sum-leaked", "small", break_new_sum, {.free_leaked = true}, 4, false},
    {"head", "small", break_head, {0}, 0, false},
    {"cycle", "small", break_by_cycle, {0}, 0, false},
    {"duplicate", "small", break_by_duplicate, {0}, 0, false},
    {"range", "small", break_by_range, {.free_leaked = true}, 0, false},
    {"total", "small", break_total, {0}, 0, false},
    {"used", "small", free_used_leaves, {0}, 0, false},
    {"used-trunk", "small", lead_into_the_graph, {0}, 0, false},
    {"all", "small", make_all_wrong, {.free_leaked = true}, 8, false},
    {"short-page", "small", cut_last_page, {.free_leaked = true}, 0, false},
    {"journal", "small", break_old_sum, {.discard_journal = true}, 0, true},
    {"only-journal", "small", make_list, {.discard_journal = true}, 0, true},
};
const size_t broken_file_count = sizeof(broken_files) / sizeof(broken_files[0]);
