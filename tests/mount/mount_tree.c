/* The tree as a whole: what README says there is, is there, and nothing else. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* README's entries look like `pages/N/state (0644)`, `pages (directory, 0555)`; the walk
 * replaces page ids and names of snapshots by what README calls them. leaked/ and bad/
 * are empty without a graph: mount_graph.c looks into them. */
static void readme_lists_exactly_what_a_walk_finds(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "", "mkdir snapshots/a snapshots/b; echo 5 6 > pin");
    expect(m, "same\n",
           "python3 - <<'EOF'\n"
           "import os, re, stat\n"
           "table = dict(re.findall(r'^(\\S+) \\(((?:directory, )?0\\d+|link)\\)$',\n"
           "                        open('README').read(), re.M))\n"
           "assert table.pop('bad/N') == table.pop('leaked/N') == 'link'\n"
           "walk = {}\n"
           "for directory, subdirectories, files in os.walk('.'):\n"
           "    for name in subdirectories + files:\n"
           "        path = os.path.relpath(os.path.join(directory, name), '.')\n"
           "        mode = os.lstat(path).st_mode\n"
           "        path = re.sub(r'^(pages|pinned)/\\d+', r'\\1/N', path)\n"
           "        path = re.sub(r'^snapshots/[ab]', 'snapshots/NAME', path)\n"
           "        what = '%#05o' % (stat.S_IMODE(mode) & ~stat.S_ISVTX)\n"
           "        what = what.replace('0o', '0')\n"
           "        if stat.S_ISLNK(mode):\n"
           "            what = 'link'\n"
           "        elif stat.S_ISDIR(mode):\n"
           "            what = 'directory, ' + what\n"
           "        walk.setdefault(path, set()).add(what)\n"
           "walk = {path: '|'.join(sorted(modes)) for path, modes in walk.items()}\n"
           "print('same' if table == walk else sorted(set(table.items()) ^\n"
           "                                          set(walk.items())))\n"
           "EOF");
    mnt_stop(m);
}

/* The table of the project's README is written by hand: a mode or name that changes in
 * the node table has to be changed there too. Directories with files of their own need no
 * row. */
static void the_published_table_has_every_path_and_mode(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "", "mkdir snapshots/a; echo 5 6 > pin");
    expect(
        m, "",
        "python3 - <<'EOF'\n"
        "import os, re, stat\n"
        "readme = open(os.environ['PF_TEST_DATA'] + '/../../README.md').read()\n"
        "table = {}\n"
        "for paths, mode in re.findall(r'^\\| (`.*?`) \\| (0\\d{3}|link) \\|', readme, "
        "re.M):\n"
        "    for path in re.findall('`(.*?)/?`', paths):\n"
        "        table[path] = mode\n"
        "if len(table) < 34:\n"
        "    print('few rows:', table)\n"
        "for directory, subdirectories, files in os.walk('.'):\n"
        "    for name in subdirectories + files:\n"
        "        path = os.path.relpath(os.path.join(directory, name), '.')\n"
        "        mode = os.lstat(path).st_mode\n"
        "        path = re.sub(r'^(pages|pinned)/\\d+', r'\\1/N', path)\n"
        "        path = re.sub(r'^snapshots/a', 'snapshots/NAME', path)\n"
        "        if stat.S_ISDIR(mode) and path not in table:\n"
        "            continue\n"
        "        what = 'link' if stat.S_ISLNK(mode) else '0%o' % stat.S_IMODE(mode)\n"
        "        if table.get(path) != what:\n"
        "            print(path, 'is', what, 'and published as', table.get(path))\n"
        "EOF");
    mnt_stop(m);
}

static void hide_actions_unlists_what_reading_changes(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "hide_actions");
    expect(m, "", "find . -name alloc -o -name hold");
    expect(m, "20\n", "cat alloc");                             /* but it is there */
    expect(m, "1\n", "exec 3< pages/7/hold; cat pages/7/pins"); /* both are */
    expect(m, "", "grep -rs xyzzy . ; cat $(find . -type f -perm -400) > /dev/null");
    expect(m, "allocations 1\n", "grep ^allocations stats");
    mnt_stop(m);
}

/* Each in a mount of its own, from the same start. */
static void every_example_of_readme_works(void **state)
{
    static const char script[] =
        "mkdir q\n"
        "awk '/^        \\$ / {print substr($0, 11); next} {print \"\"}' README |\n"
        "    sed 's/tail -f/tail/' | awk -v RS= '{print > \"example.\" NR}'\n"
        "for e in example.*; do\n"
        "    echo $e > said\n"
        "    \"$PAGEFS\" -f -o scratch \"$DB\" q & daemon=$!\n"
        "    for i in $(seq 500); do mountpoint -q q && break; sleep 0.01; done\n"
        "    (cd q && cat alloc > /dev/null && echo 20 > free "
        "&&\n"
        "        if grep -q unpin ../$e; then echo 7 > pin; fi\n"
        "        if grep -q diff ../$e; then mkdir snapshots/before; fi\n"
        "        bash -e ../$e) >> said 2>&1 || cat $e said\n"
        "    until fusermount3 -u q 2> busy; do sleep 0.05; done; wait $daemon\n"
        "done\n"
        "[ $(ls example.* | wc -l) -gt 20 ] || echo few examples\n";
    struct mnt *m = *state;

    mnt_pages(m, 40);
    expect(m, "", "cp README \"$D/README\"");
    mnt_stop(m);
    expect(m, "", script);
}

static void umask_is_taken_off_every_mode(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    mnt_start(m, "umask=077");
    expect(m, "", "find . -perm /077 ! -type l");
    expect(m, "700 snapshots\n600 alloc\n400 map\n",
           "stat -c '%a %n' snapshots alloc map");
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(readme_lists_exactly_what_a_walk_finds),
        MOUNT_TEST(the_published_table_has_every_path_and_mode),
        MOUNT_TEST(hide_actions_unlists_what_reading_changes),
        MOUNT_TEST(every_example_of_readme_works),
        MOUNT_TEST(umask_is_taken_off_every_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
