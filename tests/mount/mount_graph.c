/* What the graph uses, as the tree shows it; the refusal to free it; the check. */
#include "graph.h"
#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TYPE_AND_USER_OF_100                                                             \
    "sed -n 101p pages.jsonl | grep -o '\"type\":[^,]*\\|\"used_by\":[^,]*' | "          \
    "cut -d: -f2 | xargs"

static const char medium_leaks[] = "10 11 12 135 136 191 192 193 53 54 55 6 7 87 88\n";

/* ---- types and uses ---- */

static void types_count_up_to_the_pages_of_medium(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m,
           "196 blob\n1007 edge\n1 edge-internal\n7 edge-leaf\n1 header\n32 node\n"
           "1 node-internal\n15 node-leaf\n1 reserved\n15 unknown\n",
           "cat pages/*/type | sort | uniq -c | sed 's/^ *//'");
    mnt_stop(m);
}

static void used_by_is_the_path_from_the_root(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "node root 31 > leaf 110 > node 101 > blob\n", "cat pages/100/used_by");
    expect(m, "edge root 1269 > leaf 1271 > edge\n", "cat pages/1000/used_by");
    expect(m, "none\nnone\n", "cat pages/1/used_by pages/6/used_by");
    expect(m, "",
           "for f in pages/{0,7,100,1000}/{type,used_by}; do "
           "[ $(stat -c %s $f) = $(wc -c <$f) ] || echo $f; done");
    mnt_stop(m);
}

static void a_file_without_a_graph_has_types_too(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "7 8\n");
    expect(m, "header\nreserved\nunknown\ntrunk\nfree\n", "cat pages/{0,1,2,7,8}/type");
    expect(m, "none\n", "cat pages/2/used_by");
    mnt_stop(m);
}

static void bulk_files_show_a_dash_until_the_graph_is_walked(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "type\n-\n", "cut -f 4 pages.tsv | tr -d ' ' | uniq");
    expect(m, "null null\n", TYPE_AND_USER_OF_100);
    expect(m, "0\n", "grep -c L map; true");
    expect(m, "unknown\n", "cat pages/6/type");
    expect(m, "196\n", "cut -f 4 pages.tsv | grep -cw blob");
    expect(m, "blob node root 31 > leaf 110 > node 101 > blob\n", TYPE_AND_USER_OF_100);
    expect(m, "15\n", "cut -c 11- map | grep -o L | wc -l");
    expect(m, "",
           "for f in pages.tsv pages.jsonl map map.svg; do "
           "[ $(stat -c %s $f) = $(wc -c <$f) ] || echo $f; done");
    expect(m, "leaked\n", "grep -o '>leaked<' map.svg | tr -d '<>'");
    mnt_stop(m);
}

/* ---- leaked/ and bad/ ---- */

static void leaked_has_the_15_leaked_pages_of_medium(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "", "ls leaked"); /* nothing is known yet */
    expect(m, "unknown\n", "cat pages/7/type");
    expect(m, medium_leaks, "ls leaked | xargs");
    expect(m, "../pages/53\nallocated\n", "readlink leaked/53; cat leaked/53/state");
    expect(m, "", "ls bad");
    assert_write(0, m, "free", "53-55\n"); /* leaked pages may be freed */
    expect(m, "12\n", "ls leaked | wc -l");
    assert_int_equal(ENOENT, mnt_open_errno(m, "leaked/53/state", 0));
    mnt_stop(m);
}

static void chain_pages_of_synth39_are_not_leaked(void **state)
{
    struct mnt *m = *state;

    scratch_copy_sample(&m->t, "synth39");
    mnt_start(m, "walk");
    expect(m, "19\n", "ls leaked | wc -l"); /* -o walk: known from the start */
    expect(m, "4\n", "cat pages/*/type | grep -c edge-chain");
    expect(m, "", "for f in leaked/*; do grep -v unknown $f/type; done; true");
    mnt_stop(m);
}

static void bad_has_a_page_whose_bytes_were_changed(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "node\n", "cat pages/101/type");
    expect(m, "", "printf XXXX >pages/101/data"); /* which ends what was known */
    expect(m, "-\n", "sed -n 103p pages.tsv | cut -f 4 | tr -d ' '");
    expect(m, "node\n", "cat pages/101/type");
    expect(m, "101\n", "ls bad");
    expect(m, "1\n", "cut -c 11- map | grep -o '!' | wc -l");
    mnt_stop(m);
}

static void mount_image(struct mnt *m, struct image *image)
{
    scratch_copy_sample(&m->t, "medium"); /* for its side file */
    assert_int_equal(truncate(m->t.db, (off_t)image->size), 0);
    v3_poke(m->t.db, 0, image->bytes, image->size);
    image_free(image);
    mnt_start(m, NULL);
}

/* A pin hides nothing that is wrong, only what merely is not in use. */
static void a_map_shows_what_is_crossed_before_pins_and_those_before_leaks(void **state)
{
    enum { EDGE_LEAF = 1271, NODE = 101 };
    struct mnt *m = *state;
    struct image image;

    image_load(&image, "medium");
    image_set_value(&image, EDGE_LEAF, 0, NODE);
    mount_image(m, &image);
    assert_write(0, m, "pin", "6 101\n");
    expect(m, "unknown\n", "cat pages/7/type");
    expect(m, "1\n", "cut -c 11- map | grep -o P | wc -l");
    expect(m, "1\n", "cut -c 11- map | grep -o X | wc -l");
    expect(m, "X\n", "awk '$1 == 64 {print substr($2, 38, 1)}' map");
    expect(m, "p1\np2\np3\n", "grep -o 'url(#p[0-9]*' map.svg | cut -c 6- | sort");
    mnt_stop(m);
}

/* As deep as a tree may be, which no writer makes it. */
static void a_path_too_long_for_pages_jsonl_loses_its_middle(void **state)
{
    enum { ROOT = 31, LEAF = 110, DEEP = 8 };
    struct mnt *m = *state;
    struct image image;

    image_load(&image, "medium");
    const uint64_t first = image_append(&image, DEEP);
    for (uint64_t i = 0; i < DEEP + 1; i++) {
        const uint64_t below = i < DEEP ? first + i : LEAF;
        const uint64_t children[] = {below, LEAF + 1}, key = 1000000 - i;
        image_put_index(&image, i == 0 ? ROOT : first + i - 1, false, 1, &key, children,
                        0);
    }
    mount_image(m, &image);
    expect(m, "", "u=$(cat pages/100/used_by); [ ${#u} -gt 160 ] || echo \"$u\"");
    expect(m, "",
           "u=$(cat pages/100/used_by); jq -r 'select(.id == 100).used_by' pages.jsonl | "
           "grep -vFx \"${u:0:80}...${u: -77}\"; true");
    expect(m, "1\n", "jq 'select(.id == 100).used_by' pages.jsonl | grep -c '\\.\\.\\.'");
    mnt_stop(m);
}

/* What is free is not known then, so nothing else is: also once the graph was walked. */
static void nothing_is_told_of_pages_while_the_free_list_is_broken(void **state)
{
    struct mnt *m = *state;

    scratch_copy_sample(&m->t, "medium");
    v3_poke64(m->t.db, V3_AT_FREE_HEAD, 100);
    mnt_start(m, "ro");
    expect_error(m, "Structure needs cleaning", "cat pages/100/type");
    expect_error(m, "Structure needs cleaning", "cat pages/100/used_by");
    mnt_stop(m);
}

/* ---- freeing ---- */

static void free_of_a_page_in_use_is_refused(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    assert_write(EBUSY, m, "free", "6 7 100 10\n"); /* none of them */
    expect(m, "free 100: the graph uses the page (EBUSY)\n", "cat last_error");
    assert_u64(0, m_number(m, "stats", "free_pages"));
    assert_write(EBUSY, m, "pages/100/state", "free\n");
    assert_state(m, 100, "allocated");
    assert_write(0, m, "free", "6 7 10\n");
    assert_write(EALREADY, m, "free", "6\n");
    assert_write(ENOENT, m, "free", "1276\n");
    assert_write(EPERM, m, "pages/1/state", "free\n");
    expect(m, "1276\n", "exec 3<>alloc; echo 4 >&3; tail -n 1 <&3");
    assert_write(0, m, "free", "1276\n"); /* nothing uses a page that is ours */
    mnt_stop(m);
}

static void free_with_force_frees_a_page_in_use(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    assert_write(0, m, "pages/100/state", "free!\n");
    assert_state(m, 100, "free");
    assert_write(EALREADY, m, "pages/100/state", "free!\n");
    assert_write(EPERM, m, "pages/0/state", "free!\n");
    assert_write(0, m, "pin", "102\n");
    assert_write(EBUSY, m, "pages/102/state", "free!\n");
    assert_write(EINVAL, m, "free", "!101\n"); /* not in lists */
    assert_write(EBUSY, m, "free", "101\n");   /* the graph is known anew */
    expect(m, "free!\n", "grep -o ' free! ' events | head -n 1 | tr -d ' '");
    mnt_stop(m);
}

static void a_refused_token_at_close_is_in_last_error(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    /* 512 bytes, so the last token waits, and runs when the file is closed */
    expect(m, "",
           ""
           "printf '%512s' 100 >free; true");
    expect(m, "free 100: the graph uses the page (EBUSY)\n",
           "for i in $(seq 100); do grep -q ok last_error || break; sleep 0.05; done; "
           "cat last_error");
    mnt_stop(m);
}

/* ---- the check ---- */

static void check_finds_what_there_is(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "idle\n0 / 0\n0\n", "cat check/action check/progress check/count");
    expect(m, "", "cat check/findings");
    assert_write(0, m, "check/action", "check\n");
    m_wait_for_check(m);
    expect(m,
           "pages 6-7: leaked (2 pages)\npages 10-12: leaked (3 pages)\n"
           "pages 53-55: leaked (3 pages)\npages 87-88: leaked (2 pages)\n"
           "pages 135-136: leaked (2 pages)\npages 191-193: leaked (3 pages)\n",
           "cat check/findings");
    expect(m, "6\n", "cat check/count");
    expect(m, "same\n",
           "read done slash total <check/progress; "
           "[ $done = $total ] && [ $total -gt 1276 ] && echo same");
    expect(m, "", "[ $(stat -c %s check/findings) = $(wc -c <check/findings) ]");
    expect(m, medium_leaks, "ls leaked | xargs");
    assert_write(EINVAL, m, "check/action", "repair\n");
    expect(m, "check/action repair: expected check or cancel (EINVAL)\n",
           "cat last_error");
    mnt_stop(m);
}

static void check_works_on_a_read_only_mount(void **state)
{
    struct mnt *m = *state;

    scratch_copy_sample(&m->t, "small");
    mnt_start(m, "ro");
    assert_write(0, m, "check/action", "check\n");
    m_wait_for_check(m);
    expect(m, "0\n", "cat check/count");
    assert_write(0, m, "check/action", "cancel\n"); /* nothing to end is fine */
    mnt_stop(m);
}

static void unmounting_ends_a_check_and_a_walk(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    assert_write(0, m, "check/action", "check\n");
    expect(m, "", "cat pages/9/type >/dev/null");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(types_count_up_to_the_pages_of_medium),
        MOUNT_TEST(used_by_is_the_path_from_the_root),
        MOUNT_TEST(a_file_without_a_graph_has_types_too),
        MOUNT_TEST(bulk_files_show_a_dash_until_the_graph_is_walked),
        MOUNT_TEST(leaked_has_the_15_leaked_pages_of_medium),
        MOUNT_TEST(a_map_shows_what_is_crossed_before_pins_and_those_before_leaks),
        MOUNT_TEST(a_path_too_long_for_pages_jsonl_loses_its_middle),
        MOUNT_TEST(nothing_is_told_of_pages_while_the_free_list_is_broken),
        MOUNT_TEST(chain_pages_of_synth39_are_not_leaked),
        MOUNT_TEST(bad_has_a_page_whose_bytes_were_changed),
        MOUNT_TEST(free_of_a_page_in_use_is_refused),
        MOUNT_TEST(free_with_force_frees_a_page_in_use),
        MOUNT_TEST(a_refused_token_at_close_is_in_last_error),
        MOUNT_TEST(check_finds_what_there_is),
        MOUNT_TEST(check_works_on_a_read_only_mount),
        MOUNT_TEST(unmounting_ends_a_check_and_a_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
