/* The files: names, modes, sizes, formats. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With size 0 rsync and python copy nothing, with a rounded size tar pads. */
static void every_size_is_the_number_of_bytes_read(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 2000);
    assert_write(0, m, "free", "30-1400\n");
    assert_write(0, m, "pin", "5 6\n");
    assert_write(EPERM, m, "free", "0\n"); /* so that last_error has something to say */
    expect(m, "",
           "mkdir snapshots/s; echo 4 > pin; echo 20 > free; "
           "find . -maxdepth 1 -type f -perm -444 -o -path './[ls]*/*' -type f -o "
           "-path './pages/[0-9]*' -type f "
           "-path './pages/1[0-9]/*' -perm -400 | while read -r f; do "
           "s=$(stat -c %s \"$f\"); n=$(wc -c < \"$f\"); r=$(cat \"$f\" | wc -c); "
           "[ $s = $n ] && [ $s = $r ] || echo \"$f: stat $s, read $r\"; done");
    mnt_stop(m);
}

static void texts_end_with_a_line_feed_and_are_ascii(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "", "mkdir snapshots/s");
    assert_write(0, m, "free", "10-14\n");
    expect(
        m, "",
        "for f in README status header stats stats.json freelist pages.tsv pages.jsonl "
        "map map.svg runs runs.histogram events last_error limits/max_pages "
        "snapshots/s/stats snapshots/s/diff "
        "pages/7/state pages/7/pins pages/7/offset pages/7/checksum; do "
        "[ \"$(tail -c 1 $f | od -An -c)\" = '  \\n' ] || echo \"$f: no LF\"; "
        "LC_ALL=C grep -nP '[^\\t\\x20-\\x7e]' $f; done; true");
    mnt_stop(m);
}

static void status_has_its_keys(void **state)
{
    struct mnt *m = *state;
    char expected[256];

    mnt_pages(m, 20);
    expect(m, "version\nmode\nreason\nsource\npage_size\njournal\nlock\n",
           "cut -d' ' -f1 status");
    snprintf(expected, sizeof(expected), "mode rw\nsource %s\npage_size 4096\n", m->t.db);
    expect(m, expected, "grep -E '^(mode|source|page_size) ' status");
    mnt_stop(m);
}

static void header_has_the_17_fields_as_on_disk(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m,
           "magic\nversion\nflags\nnode_count\nedge_count\nschema_version\nreserved\n"
           "node_data_offset\nedge_data_offset\noutgoing_cluster_offset\n"
           "incoming_cluster_offset\nfree_space_offset\nroot_index_page\n"
           "free_page_list_head\ntotal_pages\npage_size\nbtree_height\n",
           "cut -d' ' -f1 header");
    expect(m, "magic 53514c5447460003\nversion 4\nflags 7\n", "head -n 3 header");
    assert_u64(1276, m_number(m, "header", "total_pages"));
    assert_u64(0, m_number(m, "header", "free_page_list_head"));
    assert_u64(4096, m_number(m, "header", "page_size"));
    expect(
        m, "0\n",
        "root=$(dd if=\"$DB\" bs=1 skip=80 count=8 2>/dev/null | od -An -tu8 "
        "--endian=big | tr -d ' '); grep -q \"^root_index_page $root$\" header; echo $?");
    mnt_stop(m);
}

static void stats_add_up_and_count(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m,
           "total_pages\nallocated_pages\nfree_pages\npinned_pages\nfree_list_head\n"
           "page_size\nfile_bytes\nallocations\ndeallocations\npins\nunpins\nrefused\n"
           "commits\nsynced_bytes\n",
           "cut -d' ' -f1 stats");
    assert_write(0, m, "free", "10-14\n");
    expect(m, "14\n", "cat alloc");
    assert_write(0, m, "pin", "3 4\n");
    assert_write(0, m, "unpin", "3\n");
    assert_write(EBUSY, m, "free", "4\n");
    expect(m,
           "total_pages 20\nallocated_pages 16\nfree_pages 4\npinned_pages 1\n"
           "free_list_head 13\npage_size 4096\nfile_bytes 77936\nallocations 1\n"
           "deallocations 5\npins 2\nunpins 1\nrefused 1\n",
           "head -n 12 stats");
    mnt_stop(m);
}

static void stats_json_has_the_same_keys_and_values(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "10-14\n");
    expect(m, "same\n",
           "python3 - <<'EOF'\n"
           "import json\n"
           "flat = dict(line.split() for line in open('stats'))\n"
           "js = json.load(open('stats.json'))\n"
           "print('same' if list(flat) == list(js) and\n"
           "      all(int(v) == js[k] for k, v in flat.items()) else (flat, js))\n"
           "EOF");
    mnt_stop(m);
}

static void freelist_lists_the_next_page_first(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_int_equal(strlen(m_read(m, "freelist")), 0);
    assert_write(0, m, "free", "10 5 12-13\n");
    expect(m, "13\n12\n5\n10\n", "tr -d ' ' < freelist");
    expect(m, "1\n", "awk '{print length}' freelist | sort -u | wc -l"); /* fixed width */
    expect(m, "13\n12\n5\n10\n", "for i in 1 2 3 4; do cat alloc; done");
    mnt_stop(m);
}

static void offset_is_where_the_page_is_in_the_file(void **state)
{
    struct mnt *m = *state;

    mnt_sample(m, "medium");
    expect(m, "0\n112\n4208\n5218416\n",
           "cat pages/0/offset pages/1/offset pages/2/offset pages/1275/offset");
    expect(m, "",
           "for n in 0 1 2 700 1275; do cmp <(cat pages/$n/data) <(tail -c +$(($(cat "
           "pages/$n/offset) + 1)) \"$DB\" | head -c $(stat -c %s pages/$n/data)); done");
    mnt_stop(m);
}

static void checksum_is_the_xxh3_of_the_page(void **state)
{
    struct mnt *m = *state;
    char expected[128];
    uint8_t page[V3_PAGE];

    mnt_sample(m, "medium");
    v3_peek(m->t.db, v3_offset(700), page, sizeof(page));
    const uint64_t sum = pf_checksum(page, sizeof(page));
    snprintf(expected, sizeof(expected), "xxh3=%016llx stored=- computed=- status=none\n",
             (unsigned long long)sum);
    assert_string_equal(m_read(m, "pages/700/checksum"), expected);
    snprintf(expected, sizeof(expected), "%016llx\n", (unsigned long long)sum);
    assert_write(0, m, "pages/700/checksum", expected);
    snprintf(expected, sizeof(expected), "%016llx\n", (unsigned long long)sum ^ 1);
    assert_write(EBADMSG, m, "pages/700/checksum", expected);
    assert_write(EINVAL, m, "pages/700/checksum", "xyz\n");
    v3_peek(m->t.db, 0, page, V3_HEADER);
    snprintf(expected, sizeof(expected), "%llx",
             (unsigned long long)pf_checksum(page, V3_HEADER));
    assert_write(0, m, "pages/0/checksum", expected);
    mnt_stop(m);
}

static void checksum_of_a_trunk_compares_its_stored_sum(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "7 8\n");
    expect(m, "ok\n",
           "sed 's/.*stored=\\([0-9a-f]*\\) computed=\\1 status=//' "
           "pages/7/checksum");
    expect(m, "none\n", "sed 's/.*status=//' pages/8/checksum");
    mnt_stop(m);
}

static void data_reads_and_writes_exactly_its_bytes(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "112\n4096\n4096\n", "stat -c %s pages/0/data pages/1/data pages/7/data");
    expect(m, "", "cmp pages/0/data <(head -c 112 \"$DB\")");
    expect(m, "",
           "head -c 4096 /dev/urandom > \"$D/page\"; cat \"$D/page\" > pages/7/data && "
           "cmp \"$D/page\" pages/7/data");
    expect(m, "hello\n",
           "printf hello | dd of=pages/7/data bs=1 seek=1000 conv=notrunc "
           "2>/dev/null; dd if=pages/7/data bs=1 skip=1000 count=5 "
           "2>/dev/null; echo");
    expect(m, "",
           "cmp -n 1000 \"$D/page\" pages/7/data; "
           "cmp -i 1005 \"$D/page\" pages/7/data");
    expect(m, "",
           "cmp pages/6/data <(head -c 4096 /dev/zero); "
           "cmp pages/8/data <(head -c 4096 /dev/zero)");
    mnt_stop(m);
}

static void data_past_the_end_of_the_page_is_refused(void **state)
{
    struct mnt *m = *state;
    char bytes[200];

    memset(bytes, 'x', sizeof(bytes));
    mnt_pages(m, 20);
    const int fd = m_open(m, "pages/7/data", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 4000), 96); /* short */
    assert_int_equal(pwrite(fd, bytes, 1, 4096), -1);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(pwrite(fd, bytes, 1, 1 << 20), -1);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(pread(fd, bytes, 10, 4096), 0);
    close(fd);
    expect(m, "96\n", "tr -dc x < pages/7/data | wc -c");
    mnt_stop(m);
}

static void data_of_free_and_reserved_pages_is_not_written(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "7 8\n");
    assert_write(ENXIO, m, "pages/8/data", "x");
    assert_write(EPERM, m, "pages/0/data", "x");
    assert_write(EPERM, m, "pages/1/data", "x");
    expect(m, "4096\n", "wc -c < pages/8/data"); /* but read */
    mnt_stop(m);
}

static void truncating_does_nothing(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "head -c 4096 /dev/urandom > \"$D/page\"; cat \"$D/page\" > pages/7/data");
    expect(m, "",
           ": > pages/7/data; truncate -s 0 pages/7/data; truncate -s 100 free pin; "
           ": > pages/7/state; : > pages/7/pins; : > free");
    expect(m, "", "cmp \"$D/page\" pages/7/data");
    assert_state(m, 7, "allocated");
    assert_string_equal(m_read(m, "last_error"), "ok\n");
    mnt_stop(m);
}

static void fallocate_and_the_like_are_not_supported(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    const int fd = m_open(m, "pages/7/data", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fallocate(fd, 0, 0, 8192), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

/* The kernel copies instead, or says that it does not. */
static void copy_file_range_copies_or_is_not_supported(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "head -c 4096 /dev/urandom >\"$D/page\"; cat \"$D/page\" >pages/7/data");
    const int from = m_open(m, "pages/7/data", O_RDONLY);
    const int to = m_open(m, "pages/9/data", O_WRONLY);
    assert_true(from >= 0 && to >= 0);
    const ssize_t n = copy_file_range(from, NULL, to, NULL, 4096, 0);
    assert_true(n == 4096 || (n < 0 && errno == EOPNOTSUPP));
    close(from);
    assert_int_equal(close(to), 0);
    if (n == 4096)
        expect(m, "", "cmp \"$D/page\" pages/9/data");
    else
        expect(m, "0\n", "tr -d '\\0' <pages/9/data | wc -c");
    expect(m, "", "cmp \"$D/page\" pages/7/data");
    mnt_stop(m);
}

/* The page is in the kernel's cache, as are those of many others, and the kernel knows of
 * no write to it: a trunk, to which a page is added. */
static void a_change_reaches_all_who_have_the_data_open(void **state)
{
    enum { OPEN = 140, FIRST = 10 }; /* up to page 79 */
    struct mnt *m = *state;
    char path[64], before, after;
    int fds[OPEN];

    v3_make_pages(m->t.db, 100);
    mnt_start(m, "sync=none");
    assert_write(0, m, "free", "79\n");
    for (int i = 0; i < OPEN; i++) {
        snprintf(path, sizeof(path), "pages/%d/data", FIRST + i / 2); /* each twice */
        fds[i] = m_open(m, path, O_RDONLY);
        assert_true(fds[i] >= 0);
        assert_int_equal(pread(fds[i], &before, 1, V3_TRUNK_COUNT + 3), 1);
    }
    close(fds[OPEN - 1]); /* the last two are the trunk's */
    assert_write(0, m, "free", "80\n");
    assert_int_equal(pread(fds[OPEN - 2], &after, 1, V3_TRUNK_COUNT + 3), 1);
    assert_int_equal(after, before + 1);
    for (int i = 0; i < OPEN - 1; i++)
        close(fds[i]);
    mnt_stop(m);
}

/* A text is rendered at the first read and at each read of offset 0: never torn. */
static void a_text_read_in_pieces_is_one_text(void **state)
{
    struct mnt *m = *state;
    char pieces[4096];
    size_t length = 0;
    ssize_t n;

    mnt_pages(m, 20);
    char *before = strdup(m_read(m, "stats"));
    const int fd = m_open(m, "stats", O_RDONLY);
    assert_true(fd >= 0);
    while ((n = read(fd, pieces + length, 7)) > 0) {
        if (length == 0)
            assert_write(0, m, "free", "9\n");
        length += (size_t)n;
    }
    pieces[length] = '\0';
    assert_string_equal(pieces, before);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    n = read(fd, pieces, sizeof(pieces) - 1);
    assert_true(n > 0);
    pieces[n] = '\0';
    assert_non_null(strstr(pieces, "deallocations 1\n"));
    close(fd);
    free(before);
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(every_size_is_the_number_of_bytes_read),
        MOUNT_TEST(texts_end_with_a_line_feed_and_are_ascii),
        MOUNT_TEST(status_has_its_keys),
        MOUNT_TEST(header_has_the_17_fields_as_on_disk),
        MOUNT_TEST(stats_add_up_and_count),
        MOUNT_TEST(stats_json_has_the_same_keys_and_values),
        MOUNT_TEST(freelist_lists_the_next_page_first),
        MOUNT_TEST(offset_is_where_the_page_is_in_the_file),
        MOUNT_TEST(checksum_is_the_xxh3_of_the_page),
        MOUNT_TEST(checksum_of_a_trunk_compares_its_stored_sum),
        MOUNT_TEST(data_reads_and_writes_exactly_its_bytes),
        MOUNT_TEST(data_past_the_end_of_the_page_is_refused),
        MOUNT_TEST(data_of_free_and_reserved_pages_is_not_written),
        MOUNT_TEST(truncating_does_nothing),
        MOUNT_TEST(fallocate_and_the_like_are_not_supported),
        MOUNT_TEST(copy_file_range_copies_or_is_not_supported),
        MOUNT_TEST(a_change_reaches_all_who_have_the_data_open),
        MOUNT_TEST(a_text_read_in_pieces_is_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
