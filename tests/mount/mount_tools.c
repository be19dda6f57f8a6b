/* Standard tools on the tree: what they copy, print and change, and which of them may
 * allocate by merely looking. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

/* ---- which tools allocate ---- */

enum verdict {
    NEVER,   /* must not allocate */
    ONCE,    /* is how one allocates: exactly one page */
    PERHAPS, /* cannot be told from somebody who means it: -o hide_actions is for these */
};

struct tool {
    enum verdict verdict;
    const char *command;
};

static const struct tool tools[] = {
    /* look at names and attributes */
    {NEVER, "ls -laR ."},
    {NEVER, "stat alloc pages/7/hold"},
    {NEVER, "find . -type f -size 0"},
    {NEVER, "busybox find . -type f"},
    {NEVER, "du -a ."},
    {NEVER, "df ."},
    {NEVER, "file alloc"},
    {NEVER, "test -s alloc"},
    /* walk and read trees, and say so when they open */
    {NEVER, "grep -r xyzzy ."},
    {NEVER, "cp -r . \"$D/copy\""},
    {NEVER, "cp -a . \"$D/archive\""},
    {NEVER, "tar cf \"$D/tar\" ."},
    {NEVER, "busybox tar cf \"$D/bbtar\" ."},
    {NEVER, "rsync -a . \"$D/rsync\""},
    {NEVER, "mv alloc \"$D/moved\""},
    /* open without reading, or write nothing */
    {NEVER, "touch alloc"},
    {NEVER, ": > alloc"},
    {NEVER, "tee alloc < /dev/null"},
    {NEVER, "echo 5 > alloc"},
    {NEVER, "printf '5\\n' >> alloc"},
    {NEVER, "timeout 0.5 tail -f events"},
    {NEVER, "truncate -s 0 alloc"},
    {NEVER, "exec 3< alloc"},
    {NEVER, "cat pages/7/hold"},
    /* read what they were told to read */
    {ONCE, "cat alloc"},
    {ONCE, "cat < alloc"},
    {ONCE, "dash -c 'read id < alloc'"},
    {ONCE, "bash -c 'read id < alloc'"},
    {ONCE, "bash -c 'id=$(<alloc)'"},
    {ONCE, "busybox sh -c 'read id < alloc'"},
    {ONCE, "busybox cat alloc"},
    {ONCE, "dd if=alloc bs=1"},
    {ONCE, "dd if=alloc bs=1 count=1"},
    {ONCE, "head -n 1 alloc"},
    {ONCE, "tail -n 1 alloc"},
    {ONCE, "timeout 0.5 tail -f -s 0.1 alloc"},
    {ONCE, "tee \"$D/tee\" < alloc"},
    {ONCE, "xxd alloc"},
    {ONCE, "od -c alloc"},
    {ONCE, "wc -c alloc"},
    {ONCE, "md5sum alloc"},
    {ONCE, "sed -n 1p alloc"},
    {ONCE, "awk 1 alloc"},
    {ONCE, "grep . alloc"},
    {ONCE, "sort alloc"},
    {ONCE, "cp alloc \"$D/one\""},
    {ONCE, "python3 -c 'print(open(\"alloc\").read())'"},
    {ONCE, "jq . alloc"},
    {ONCE, "cmp alloc pages/7/pins"},
    {ONCE, "vim -es -u NONE +q! alloc"},
    /* open like cat */
    {PERHAPS, "rg xyzzy ."},
    {PERHAPS, "grep xyzzy *"},
    {PERHAPS, "busybox grep -r xyzzy ."},
    {PERHAPS, "busybox cp -r . \"$D/bbcopy\""},
    {PERHAPS, "head -c 1 *"},
    {PERHAPS, "diff -r . \"$D/copy\""},
    {PERHAPS, "find . -type f -exec cat {} +"},
    {PERHAPS, "python3 -c 'import shutil; shutil.copytree(\".\", \"pycopy\")'"},
};

static uint64_t allocations(struct mnt *m)
{
    return m_number(m, "stats", "allocations");
}

static void tools_allocate_only_when_they_are_told_to(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 60);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        const uint64_t before = allocations(m);
        if (sh(m, tools[i].command) == 127)
            fail_msg("%s: %s", tools[i].command, m->err);
        const uint64_t made = allocations(m) - before;
        if (made > 1 || (tools[i].verdict == NEVER && made != 0) ||
            (tools[i].verdict == ONCE && made != 1))
            fail_msg("%s: %d allocations", tools[i].command, (int)made);
    }
    assert_u64(0, m_number(m, "stats", "pinned_pages"));
    mnt_stop(m);
}

static void nothing_allocates_where_actions_are_hidden(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 60);
    mnt_start(m, "hide_actions");
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        if (tools[i].verdict != ONCE)
            (void)sh(m, tools[i].command);
    }
    assert_u64(0, allocations(m));
    assert_u64(0, m_number(m, "stats", "pinned_pages"));
    mnt_stop(m);
}

/* ---- copying the tree ---- */

/* stderr names nothing but these. */
#define COMPLAINTS "'\\<\\(alloc\\|hold\\|free\\|pin\\|unpin\\|ctl\\)\\>'"

/* Some of the pages free or pinned, some with data. */
static void mount_for_copying(struct mnt *m)
{
    mnt_pages(m, scaled(200, 1000));
    expect(m, "",
           "for n in 5 90 199; do head -c 4096 /dev/urandom > pages/$n/data; done; "
           "echo 7 100-150 > free; echo 30 31 > pin; mkdir snapshots/s; echo 40 > free; "
           "echo checkpoint > ctl; "
           "cp stats events last_error freelist \"$D\"");
}

static void assert_untouched(struct mnt *m)
{
    expect(m, "", "for f in stats events last_error freelist; do cmp $f \"$D/$f\"; done");
}

/* The copy has every file that can be read, with exactly what is in it. */
static void assert_copied(struct mnt *m)
{
    static const char script[] =
        "import os\n"
        "count = 0\n"
        "for directory, _, files in os.walk('.'):\n"
        "    for name in files:\n"
        "        path = os.path.join(directory, name)\n"
        "        copied = os.path.join(os.environ['D'], 'copy', path)\n"
        "        if os.path.islink(path):\n"
        "            same = os.readlink(path) == os.readlink(copied)\n"
        "        elif name in ('alloc', 'hold') or not os.stat(path).st_mode & 0o400:\n"
        "            continue\n"
        "        else:\n"
        "            same = open(path, 'rb').read() == open(copied, 'rb').read()\n"
        "        count += 1\n"
        "        if not same:\n"
        "            print(path)\n"
        "print('alike' if count > 1000 else count)\n";
    char command[2048];

    snprintf(command, sizeof(command), "python3 - <<'EOF'\n%sEOF", script);
    expect(m, "alike\n", command);
    assert_untouched(m);
}

/* The exit status is the tool's; what it says is about files it cannot open. */
static void assert_complains_of_actions_only(struct mnt *m, const char *command)
{
    char filtered[512];

    (void)sh(m, command);
    snprintf(filtered, sizeof(filtered),
             "grep -v " COMPLAINTS " \"$D/complaints\"; true");
    expect(m, "", filtered);
}

static void cp_r_copies_the_tree(void **state)
{
    struct mnt *m = *state;

    mount_for_copying(m);
    assert_complains_of_actions_only(m, "cp -r . \"$D/copy\" 2> \"$D/complaints\"");
    assert_copied(m);
    mnt_stop(m);
}

static void tar_copies_the_tree(void **state)
{
    struct mnt *m = *state;

    mount_for_copying(m);
    assert_complains_of_actions_only(
        m, "{ tar cf - . | tar xf - -C \"$D\" --one-top-level=copy; } 2>&1 | "
           "grep -v 'Exiting with failure' > \"$D/complaints\"");
    assert_copied(m);
    mnt_stop(m);
}

static void rsync_copies_the_tree(void **state)
{
    struct mnt *m = *state;

    mount_for_copying(m);
    assert_complains_of_actions_only(m, "rsync -a . \"$D/copy\" 2>&1 | grep -v 'some "
                                        "files/attrs were not' > \"$D/complaints\"");
    assert_copied(m);
    mnt_stop(m);
}

static void grep_r_reads_the_tree(void **state)
{
    struct mnt *m = *state;

    mount_for_copying(m);
    expect(m, "",
           "printf xyzzy > \"$D/x\"; dd if=\"$D/x\" of=pages/77/data conv=notrunc "
           "status=none; echo checkpoint > ctl; cp stats events last_error \"$D\"");
    assert_complains_of_actions_only(
        m, "grep -rl xyzzy . > \"$D/found\" 2> \"$D/complaints\"");
    expect(m, "./pages/77/data\n", "cat \"$D/found\"");
    assert_untouched(m);
    mnt_stop(m);
}

static void python_copies_a_file_whole(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 500);
    expect(
        m, "",
        "for f in README stats pages.tsv pages.jsonl map runs pages/7/data; do "
        "python3 -c 'import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])' $f "
        "\"$D/f\"; cmp $f \"$D/f\"; done");
    mnt_stop(m);
}

/* ---- shells and filters ---- */

static void every_shell_can_drive_it(void **state)
{
    static const char *const shells[] = {"bash", "dash", "busybox sh"};
    struct mnt *m = *state;
    char command[512];

    mnt_pages(m, 20);
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        snprintf(command, sizeof(command),
                 "%s -c 'id=$(cat alloc); echo $id > free; echo \"$id\" >> pin; echo $?; "
                 "printf \"%%s \" 5 6 > free; cat pages/5/state pages/6/state; "
                 "for n in 5 6; do echo allocated > pages/$n/state; done; "
                 "exec 3< pages/7/hold; cat pages/7/pins; exec 3<&-; cat pages/7/pins' "
                 "2> \"$D/refused\"",
                 shells[i]);
        expect(m, "1\nfree\nfree\n1\n0\n", command);
        expect(m, "", "[ -s \"$D/refused\" ] || echo nobody complained");
    }
    mnt_stop(m);
}

static void filters_write_commands(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 100);
    expect(m, "", "seq 10 19 > free");
    expect(m, "", "echo 20 | tee free > /dev/null");
    expect(m, "", "printf 21 > free; printf '22 23\\n' | dd of=free bs=1M status=none");
    expect(m, "", "cp /dev/stdin free <<< '24'");
    expect(m, "", "python3 -c 'open(\"free\", \"w\").write(\"25\")'");
    expect(m, "", "seq 30 39 | xargs -n 1 sh -c 'echo $0 > free'");
    expect(m, "", "sed -n 's/^40$/40/w free' <<< 40");
    expect(m, "", "awk 'BEGIN {print 41 > \"free\"}'");
    expect(m, "28\n", "wc -l < freelist");
    mnt_stop(m);
}

static void editors_can_save(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "vim -es -u NONE -i NONE -n '+%s/allocated/pinned/' +wq! pages/7/state "
           "< /dev/null");
    assert_state(m, 7, "pinned");
    expect(m, "",
           "vim -es -u NONE -i NONE -n '+%s/max/50/' +wq! limits/max_pages < "
           "/dev/null");
    expect(m, "50\n", "cat limits/max_pages");
    mnt_stop(m);
}

static void binary_tools_read_and_write_data(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "00000000: 6865 6c6c 6f0a 0000                      hello...\n",
           "echo hello > pages/7/data; xxd -l 8 pages/7/data");
    expect(m, "",
           "xxd pages/7/data | xxd -r > \"$D/back\"; cmp \"$D/back\" pages/7/data");
    expect(m, "", "cp pages/7/data pages/8/data; cmp pages/7/data pages/8/data");
    expect(m, "",
           "cat pages/7/data | tee pages/9/data > pages/10/data; cmp pages/9/data "
           "pages/10/data");
    expect(m, "pages/7/data pages/11/data differ: char 1, line 1\n",
           "cmp pages/7/data pages/11/data | sed 's/byte/char/'");
    expect(m, "4096\n", "dd if=pages/7/data bs=1 status=none | wc -c");
    mnt_stop(m);
}

static void jq_reads_the_json(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 300);
    assert_write(0, m, "free", "10-19\n");
    assert_write(0, m, "pin", "20\n");
    expect(m, "10\n", "jq .free_pages stats.json");
    expect(m, "10\n", "jq -s 'map(select(.state == \"free\")) | length' pages.jsonl");
    expect(m, "20\n", "jq 'select(.pins > 0).id' pages.jsonl");
    mnt_stop(m);
}

static void touch_and_chmod_know_their_limits(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "", "touch . stats alloc free pages pages/7 pages/7/* snapshots limits/*");
    expect_error(m, "not permitted", "chmod 777 stats");
    expect_error(m, "not permitted", "touch new");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(tools_allocate_only_when_they_are_told_to),
        MOUNT_TEST(nothing_allocates_where_actions_are_hidden),
        MOUNT_TEST(cp_r_copies_the_tree),
        MOUNT_TEST(tar_copies_the_tree),
        MOUNT_TEST(rsync_copies_the_tree),
        MOUNT_TEST(grep_r_reads_the_tree),
        MOUNT_TEST(python_copies_a_file_whole),
        MOUNT_TEST(every_shell_can_drive_it),
        MOUNT_TEST(filters_write_commands),
        MOUNT_TEST(editors_can_save),
        MOUNT_TEST(binary_tools_read_and_write_data),
        MOUNT_TEST(jq_reads_the_json),
        MOUNT_TEST(touch_and_chmod_know_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
