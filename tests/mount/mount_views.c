/* pages.tsv, pages.jsonl, map, map.svg, runs, runs.histogram: the whole file at a glance,
 * each against what the files of the single pages say. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 300 pages: 10 - 19 free (10 is a trunk), 30 and 31 pinned, 290 - 299 free. */
static void mount_mixed(struct mnt *m)
{
    mnt_pages(m, 300);
    assert_write(0, m, "free", "10-19 290-299\n");
    assert_write(0, m, "pin", "30 31 31\n");
}

static void pages_tsv_tells_what_the_pages_tell(void **state)
{
    struct mnt *m = *state;

    mount_mixed(m);
    expect(m, "id state pins type offset\n", "head -n 1 pages.tsv | xargs");
    expect(m, "301\n", "wc -l < pages.tsv");
    expect(m, "",
           "diff <(tail -n +2 pages.tsv | while read -r id state pins type offset; do "
           "echo \"$id $state $pins $offset\"; done) <(for n in $(seq 0 299); do echo "
           "\"$n $(cat pages/$n/state) $(cat pages/$n/pins) $(cat pages/$n/offset)\"; "
           "done)");
    expect(m, "31 pinned 2 unknown 122992\n",
           "awk '$1 == 31 {print $1, $2, $3, $4, $5}' pages.tsv");
    expect(m, "4\n", "head -n 2 pages.tsv | tail -n 1 | tr -cd '\\t' | wc -c");
    mnt_stop(m);
}

static void lines_of_bulk_files_are_equally_long(void **state)
{
    struct mnt *m = *state;

    mount_mixed(m);
    expect(
        m, "",
        "for f in pages.tsv pages.jsonl map runs freelist; do [ $(awk '{print length}' "
        "$f | sort -u | wc -l) = 1 ] || echo $f; done");
    mnt_stop(m);
}

/* Any piece, cut anywhere, is the piece of the whole. */
static void bulk_files_can_be_read_at_any_offset(void **state)
{
    static const char *const names[] = {"pages.tsv", "pages.jsonl", "map", "runs",
                                        "freelist"};
    struct mnt *m = *state;
    uint64_t rng = 4;
    char piece[5000];

    mount_mixed(m);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *whole = strdup(m_read(m, names[i]));
        const size_t size = m->out_length;
        const int fd = m_open(m, names[i], O_RDONLY);
        assert_true(fd >= 0);
        for (int n = 0; n < 300; n++) {
            const size_t at = rng_below(&rng, size + 100);
            const size_t want = 1 + rng_below(&rng, sizeof(piece));
            const size_t left = at < size ? size - at : 0;
            const ssize_t got = pread(fd, piece, want, (off_t)at);
            assert_int_equal(got, want < left ? want : left);
            assert_memory_equal(piece, whole + (left > 0 ? at : 0), (size_t)got);
        }
        close(fd);
        free(whole);
    }
    mnt_stop(m);
}

static void pages_jsonl_is_json_line_by_line(void **state)
{
    struct mnt *m = *state;

    mount_mixed(m);
    expect(m, "ok\n",
           "python3 - <<'EOF'\n"
           "import json\n"
           "pages = [json.loads(line) for line in open('pages.jsonl')]\n"
           "assert [p['id'] for p in pages] == list(range(300))\n"
           "for p in pages:\n"
           "    base = 'pages/%d/' % p['id']\n"
           "    read = lambda name: open(base + name).read().strip()\n"
           "    assert p['state'] == read('state')\n"
           "    assert p['pins'] == int(read('pins'))\n"
           "    assert p['offset'] == int(read('offset'))\n"
           "    assert p['type'] == read('type')\n"
           "    assert p['used_by'] in (None, read('used_by'))\n"
           "    sums = dict(pair.split('=') for pair in read('checksum').split())\n"
           "    assert sums == {k: v or '-' for k, v in p['checksum'].items()}, p\n"
           "print('ok')\n"
           "EOF");
    expect(m, "10\n",
           "jq 'select(.checksum.status == \"ok\").id' pages.jsonl | grep -x '10\\|290'");
    mnt_stop(m);
}

static void map_has_a_letter_a_page(void **state)
{
    struct mnt *m = *state;

    mount_mixed(m);
    expect(
        m,
        "         0 HR########T.........##########PP################################\n"
        "        64 ################################################################\n"
        "       128 ################################################################\n"
        "       192 ################################################################\n"
        "       256 ##################################..........                    \n",
        "cat map");
    expect(m, "256\n", "grep '[.]' map | tail -n 1 | awk '{print $1}'");
    mnt_stop(m);
}

static void map_svg_is_a_picture_with_a_legend(void **state)
{
    struct mnt *m = *state;

    mount_mixed(m);
    expect(m, "svg\n",
           "python3 -c \"import xml.etree.ElementTree as e; "
           "print(e.parse('map.svg').getroot().tag.split('}')[1])\"");
    expect(m, "1\n", "grep -c '<title>.*</title>' map.svg");
    expect(
        m, "allocated\nfree\npinned\nreserved\n",
        "grep -o '>allocated<\\|>free<\\|>pinned<\\|>reserved<' map.svg | tr -d '<>' | "
        "sort");
    expect(m, "",
           "rsvg-convert -o \"$D/map.png\" map.svg && [ $(stat -c %s \"$D/map.png\") -gt "
           "2000 ] || echo no picture");
    mnt_stop(m);
}

/* Printed in grey, any two states of a legend differ by 20 steps of 255 at least, or by
 * the shape of their marks. */
static void map_svg_tells_the_states_apart_without_colour(void **state)
{
    static const char script[] =
        "python3 - <<'EOF'\n"
        "import itertools, re\n"
        "svg = open('map.svg').read()\n"
        "colours = dict(re.findall(r'[.](k\\d+){fill:#([0-9a-f]{6})}', svg))\n"
        "def grey(c):\n"
        "    r, g, b = (int(colours[c][i:i + 2], 16) for i in (0, 2, 4))\n"
        "    return (299 * r + 587 * g + 114 * b) / 1000\n"
        "keys = re.findall(r'<rect class=\"(k\\d+)\"[^>]*/><text "
        "[^>]*>([^<]+)</text>\\n'\n"
        "                  r'(?:<g transform[^>]*>(.*?)</g>)?', svg)\n"
        "for (a, first, mark), (b, second, other) in itertools.combinations(keys, 2):\n"
        "    if abs(grey(a) - grey(b)) < 20 and re.findall('d=.*', mark) == \\\n"
        "            re.findall('d=.*', other):\n"
        "        print(first, 'and', second, 'look the same')\n"
        "print(len(keys))\n"
        "EOF";
    struct mnt *m = *state;

    mount_mixed(m);
    expect(m, "5\n", script);
    mnt_stop(m);
    unlink(m->t.db);
    mnt_sample(m, "medium");
    expect(m, "blob\n", "cat pages/5/type");
    expect(m, "11\n", script);
    expect(m, "", "exec 3<> alloc; echo 20000 >&3; exec 3>&-"); /* many pages a cell */
    expect(m, "blob\n", "cat pages/5/type");
    expect(m, "8\n", script);
    mnt_stop(m);
}

/* 100 % is all of them. */
static void map_svg_does_not_round_up(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 10000);
    expect(m, "(100.0%)\n", "grep -o '([0-9.]*%)' map.svg");
    expect(m, "(99.9%)\n", "echo 7 > free; grep -o '([0-9.]*%)' map.svg");
    mnt_stop(m);
}

/* The worst there is: no two neighbours look the same, and pins on top. */
static void map_svg_stays_below_a_megabyte(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 9216);
    expect(m, "", "seq 2 2 9215 > free; seq 3 2 9215 > pin");
    expect(m, "", "[ $(wc -c < map.svg) -lt 1000000 ] || wc -c < map.svg");
    mnt_stop(m);
    unlink(m->t.db);
    mnt_pages(m, 200000);
    expect(m, "", "seq 2 2 199999 > free; seq 3 100 199999 > pin");
    expect(m, "", "[ $(wc -c < map.svg) -lt 1000000 ] || wc -c < map.svg");
    expect(m, "1\n", "grep -c 'a cell is' map.svg");
    mnt_stop(m);
}

static void a_name_cannot_break_the_picture(void **state)
{
    static const struct {
        const char *name, *title;
    } table[] = {
        {"a<b&\"$'\\xff\\n\\x7f'\".v3", "a<b&???.v3\n"},
        {"$(printf %70s | tr ' ' a)",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"},
    };
    struct mnt *m = *state;
    char command[400];

    v3_make_pages(m->t.db, 20);
    expect(m, "", "mkdir q");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        snprintf(command, sizeof(command),
                 "cp \"$DB\" \"%s\"; \"$PAGEFS\" -o ro \"%s\" q && python3 -c \""
                 "import xml.etree.ElementTree as e; print(e.parse('q/map.svg').getroot()"
                 "[0].text.split()[-1])\"; fusermount3 -u q",
                 table[i].name, table[i].name);
        expect(m, table[i].title, command);
    }
}

/* In parts of 64 KiB, which do not end where a line does. */
static void a_long_map_is_the_same_without_a_mount(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 100000);
    expect(m, "", "seq 2 3 99999 > free; cat map > \"$D/shown\"");
    mnt_stop(m);
    expect(m, "", "\"$PAGEFS\" map \"$DB\" | cmp - shown");
    expect(m, "",
           "TERM=xterm script -qec '\"$PAGEFS\" map \"$DB\"' /dev/null | tr -d '\\r' | "
           "sed 's/\\x1b\\[[0-9;]*m//g' | head -n -2 | cmp - shown");
    expect_error(m, "pagefs: stdout: cannot write: No space left on device\n",
                 "\"$PAGEFS\" map \"$DB\" >/dev/full");
}

static void runs_are_merged_and_cover_every_page_once(void **state)
{
    struct mnt *m = *state;

    mount_mixed(m);
    expect(m,
           "0 9 10 allocated\n10 19 10 free\n20 29 10 allocated\n30 31 2 pinned\n"
           "32 289 258 allocated\n290 299 10 free\n",
           "awk '{print $1, $2, $3, $4}' runs");
    expect(m, "", "seq 100 3 199 > free; seq 101 3 199 > pin");
    expect(m, "300\n",
           "awk '{sum += $3} $1 != next_id {print \"gap\", $0} {next_id = $2 + "
           "1} END {print sum}' runs");
    expect(m, "", "dd if=runs bs=7 status=none | cmp - runs"); /* found again each time */
    mnt_stop(m);
}

static void histogram_counts_free_runs_and_what_shrink_gives_back(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "5 7-8 10-12 20-29 100-163 290-299\n");
    expect(m,
           "from to runs pages\n1 1 1 1\n2 3 2 5\n4 7 0 0\n8 15 2 20\n16 31 0 0\n"
           "32 63 0 0\n64 127 1 64\n128 255 0 0\n256 511 0 0\ntrailing_free 10\n",
           "sed 's/  */ /g; s/^ //' runs.histogram");
    assert_write(0, m, "ctl", "shrink\n");
    assert_u64(290, m_number(m, "stats", "total_pages"));
    expect(m, "0\n", "awk '/^trailing_free/ {print $2}' runs.histogram");
    mnt_stop(m);
}

/* A line longer, a page more: what a size promised is read, whatever happens meanwhile.
 */
static void bulk_files_grow_with_the_file(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 64);
    expect(m, "65\n64\n1\n", "wc -l < pages.tsv; wc -l < pages.jsonl; wc -l < map");
    expect(m, "64\n", "cat alloc");
    expect(m, "66\n65\n2\n", "wc -l < pages.tsv; wc -l < pages.jsonl; wc -l < map");
    assert_write(0, m, "free", "64\n");
    assert_write(0, m, "ctl", "shrink\n");
    expect(m, "65\n64\n1\n", "wc -l < pages.tsv; wc -l < pages.jsonl; wc -l < map");
    mnt_stop(m);
}

static void ids_of_very_large_files_have_wider_columns(void **state)
{
    struct mnt *m = *state;
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, 1ULL << 50);
    v3_make(m->t.db, header, V3_HEADER);
    mnt_start(m, "ro");
    expect(m, "1125899906842623 allocated\n",
           "tail -c 80 pages.tsv | tail -n 1 | awk '{print $1, $2}'");
    expect(m, "0 1125899906842623 1125899906842624 allocated\n",
           "awk '{print $1, $2, $3, $4}' runs");
    expect(m, "1125899906842560\n", "tail -c 86 map | awk '{print $1}'");
    expect(m, "0\n0\n0\n", "stat -c %s runs map.svg pages.jsonl");
    expect(m, "1\n", "grep -c '<title>' map.svg");
    mnt_stop(m);
    v3_poke64(m->t.db, V3_AT_TOTAL, 1ULL << 53); /* the last half has no offset at all */
    mnt_start(m, "ro");
    expect(m, "9007199254740991 -\n",
           "tail -c 80 pages.tsv | tail -n 1 | awk '{print $1, $5}'");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(pages_tsv_tells_what_the_pages_tell),
        MOUNT_TEST(lines_of_bulk_files_are_equally_long),
        MOUNT_TEST(bulk_files_can_be_read_at_any_offset),
        MOUNT_TEST(pages_jsonl_is_json_line_by_line),
        MOUNT_TEST(map_has_a_letter_a_page),
        MOUNT_TEST(map_svg_is_a_picture_with_a_legend),
        MOUNT_TEST(map_svg_tells_the_states_apart_without_colour),
        MOUNT_TEST(map_svg_does_not_round_up),
        MOUNT_TEST(map_svg_stays_below_a_megabyte),
        MOUNT_TEST(a_name_cannot_break_the_picture),
        MOUNT_TEST(a_long_map_is_the_same_without_a_mount),
        MOUNT_TEST(runs_are_merged_and_cover_every_page_once),
        MOUNT_TEST(histogram_counts_free_runs_and_what_shrink_gives_back),
        MOUNT_TEST(bulk_files_grow_with_the_file),
        MOUNT_TEST(ids_of_very_large_files_have_wider_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
