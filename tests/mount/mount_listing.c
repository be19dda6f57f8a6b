/* ls, find, du, df: what they show of an allocator. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void ls_shows_state_by_size_and_sticky_bit(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "5\n");
    assert_write(0, m, "pin", "7\n");
    expect(m, "pages/5 0 0 555\npages/6 4096 8 555\npages/7 4096 8 1555\n",
           "stat -c '%n %s %b %a' pages/5 pages/6 pages/7");
    expect(m, "dr-xr-xr-t\n", "ls -ld pages/7 | cut -c1-10");
    expect(m, "0\n", "stat -c %b pages/6/* | sort -u"); /* files below have no blocks */
    mnt_stop(m);
}

static void du_counts_the_allocated_pages(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "100-149\n");
    expect(m, "1000\n", "du -s -k pages | cut -f1"); /* 250 x 4 KiB */
    mnt_stop(m);
}

static void find_size_0_lists_the_free_pages(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "100-102 200 7\n");
    expect(m, "pages/7\npages/100\npages/101\npages/102\npages/200\n",
           "find pages -maxdepth 1 -size 0 ! -name pages | sort -V");
    assert_write(0, m, "pin", "8 9\n");
    expect(m, "pages/8\npages/9\n", "find pages -maxdepth 1 -perm -1000 | sort -V");
    mnt_stop(m);
}

static void df_shows_the_fill(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "100-149\n");
    expect(m, "300 250 50\n",
           "df -B 4096 --output=size,used,avail . | tail -n 1 | "
           "awk '{print $1, $2, $3}'");
    expect(m, "4096 4096 300 50\n", "stat -f -c '%s %S %b %f' .");
    mnt_stop(m);
}

static void a_change_is_seen_at_once(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    for (int i = 0; i < 50; i++) {
        expect(m, "4096 8\n0 0\n4096 8\n",
               "stat -c '%s %b' pages/9; echo 9 > free; stat -c '%s %b' pages/9; "
               "echo allocated > pages/9/state; stat -c '%s %b' pages/9");
    }
    expect(m, "20\n", "cat alloc");
    expect(m, "4096\n", "stat -c %s pages/20"); /* was ENOENT a moment ago */
    mnt_stop(m);
}

/* The kernel keeps what a listing told it for a second, but not past a change. */
static void a_change_is_seen_at_once_in_a_listed_directory(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 500);
    expect(m, "",
           "ls -l pages > /dev/null; (while :; do ls -l pages; done) > /dev/null & "
           "lister=$!; for n in $(seq 100 2 400); do "
           "echo $n > free; [ $(stat -c %s pages/$n) = 0 ] || echo $n is not free; "
           "echo allocated > pages/$n/state; "
           "[ $(stat -c %s pages/$n) = 4096 ] || echo $n is not allocated; "
           "echo +1 > pages/$n/pins; [ -k pages/$n ] || echo $n is not pinned; "
           "done; kill $lister; wait $lister 2> /dev/null; true");
    mnt_stop(m);
}

/* One request a listed page, not two: what a million pages cost. */
static void a_long_listing_asks_once_about_each_page(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 5000);
    expect(
        m, "",
        "\"$PAGEFS\" -d \"$DB\" mnt 2> log & daemon=$!; "
        "for i in $(seq 500); do mountpoint -q mnt && break; sleep 0.01; done; "
        "ls -l mnt/pages > /dev/null; until fusermount3 -u mnt 2> busy; do sleep 0.05; "
        "done; wait $daemon; grep -q READDIRPLUS log && [ $(grep -c 'opcode: GETATTR' "
        "log) -lt 10 ] || wc -l log");
}

/* A reader may seek to what is no cookie of ours. */
static void a_listing_may_begin_anywhere(void **state)
{
    static const struct {
        off_t offset;
        const char *first;
    } table[] = {{0, "."}, {1, "README"}, {256, "README"}, {7 * 256 + 1, "README"}};
    struct mnt *m = *state;
    char bytes[4096];

    mnt_pages(m, 20);
    const int fd = m_open(m, ".", O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct dirent64 entry;

        assert_int_equal(lseek(fd, table[i].offset, SEEK_SET), table[i].offset);
        const long n = syscall(SYS_getdents64, fd, bytes, sizeof(bytes));
        if (n <= 0)
            fail_msg("row %zu: %ld, %s", i, n, strerror(errno));
        memcpy(&entry, bytes, sizeof(entry));
        assert_string_equal(entry.d_name, table[i].first);
    }
    close(fd);
    mnt_stop(m);
}

static void a_page_that_did_not_exist_is_there_after_its_allocation(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_open(ENOENT, m, "pages/20/state", O_RDONLY);
    expect(m, "20\n", "cat alloc");
    assert_state(m, 20, "allocated");
    mnt_stop(m);
}

static void mtime_is_the_time_of_the_last_transition(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "yes\n",
           "touch \"$D/before\"; echo 9 > free; t=$(stat -c %Y pages/9); b=$(stat -c %Y "
           "\"$D/before\"); touch \"$D/after\"; "
           "a=$(stat -c %Y \"$D/after\"); [ $t -ge $b ] && [ $t -le $a ] && echo yes");
    mnt_stop(m);
}

/* An off-by-one cookie passes 299 entries; it does not pass these. */
static void a_listing_of_4999_pages_is_complete(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 4999);
    expect(m, "", "diff <(ls -U pages | sort -n) <(seq 0 4998)");
    expect(m, "", "diff <(cd pages; printf '%s\\n' * | sort -n) <(seq 0 4998)");
    expect(m, "", "ls -U pages | sort | uniq -d");
    expect(m, "0 1 2 3\n", "ls -U pages | head -n 4 | xargs"); /* in order */
    mnt_stop(m);
}

static void listing_can_go_back_to_any_place(void **state)
{
    struct mnt *m = *state;
    char path[200];
    long places[50];
    char names[50][32];
    struct dirent *entry;
    int n = 0;

    mnt_pages(m, 1000);
    snprintf(path, sizeof(path), "%s/pages", m->point);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (int i = 0; (entry = readdir(dir)) != NULL; i++) {
        if (i % 21 != 0 || n == 50)
            continue;
        places[n] = telldir(dir);
        entry = readdir(dir);
        assert_non_null(entry);
        snprintf(names[n++], 32, "%.31s", entry->d_name);
    }
    assert_true(n > 40);
    for (int i = n - 1; i >= 0; i--) {
        seekdir(dir, places[i]);
        entry = readdir(dir);
        assert_non_null(entry);
        assert_string_equal(entry->d_name, names[i]);
    }
    closedir(dir);
    mnt_stop(m);
}

static void inode_numbers_are_unique_and_survive_truncation_to_32_bits(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 700);
    expect(m, "", "find . -printf '%i\\n' | sort | uniq -d");
    expect(m, "", "find . -printf '%i\\n' | awk '$1 % 4294967296 == 0'");
    expect(m, "",
           "diff <(find . -maxdepth 1 -printf '%i %f\\n' | grep -v ' \\.$' | sort -n) "
           "<(ls -iU1 | sed 's/^ *//' | sort -n)");
    mnt_stop(m);
}

static void names_and_links_are_what_find_expects(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 100);
    expect(m, "932\n", "find . | wc -l"); /* 27 at the top, 5 below them, 9 x 100 */
    expect(m, "", "find . -type l -o -type b -o -type p -o -type s");
    expect(m, ". ..\n", "ls -aU pages/7 | head -n 2 | xargs");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(ls_shows_state_by_size_and_sticky_bit),
        MOUNT_TEST(du_counts_the_allocated_pages),
        MOUNT_TEST(find_size_0_lists_the_free_pages),
        MOUNT_TEST(df_shows_the_fill),
        MOUNT_TEST(a_change_is_seen_at_once),
        MOUNT_TEST(a_change_is_seen_at_once_in_a_listed_directory),
        MOUNT_TEST(a_long_listing_asks_once_about_each_page),
        MOUNT_TEST(a_listing_may_begin_anywhere),
        MOUNT_TEST(a_page_that_did_not_exist_is_there_after_its_allocation),
        MOUNT_TEST(mtime_is_the_time_of_the_last_transition),
        MOUNT_TEST(a_listing_of_4999_pages_is_complete),
        MOUNT_TEST(listing_can_go_back_to_any_place),
        MOUNT_TEST(inode_numbers_are_unique_and_survive_truncation_to_32_bits),
        MOUNT_TEST(names_and_links_are_what_find_expects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
