/* What `meson install` and scripts/deb give: the manual, the completions, the library. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* $SOURCE and $BUILD for commands. */
static void set_directories(void)
{
    setenv("SOURCE", getenv("PF_TEST_SOURCE"), 1);
    setenv("BUILD", getenv("PF_TEST_BUILD"), 1);
}

static void skip_without(struct mnt *m, const char *program)
{
    char command[128];

    set_directories();
    snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
    if (sh(m, command) != 0) {
        print_message("no %s\n", program);
        skip();
    }
}

/* Below $D/inst, with $PREFIX what was the prefix. */
static void install(struct mnt *m)
{
    set_directories();
    if (sh(m, "DESTDIR=$D/inst meson install -C \"$BUILD\" --no-rebuild") != 0)
        fail_msg("%s%s", m->out, m->err);
    assert_int_equal(sh(m,
                        "cd \"$D/inst\" && dirname \"$PWD$(find . -path '*/bin/pagefs' "
                        "-printf '/%P')\" | sed 's,/bin$,,' | tr -d '\\n'"),
                     0);
    setenv("PREFIX", m->out, 1);
}

/* ---- texts ---- */

static void the_manual_has_no_mistakes(void **state)
{
    struct mnt *m = *state;

    skip_without(m, "man");
    expect(m, "",
           "LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z \"$SOURCE/fs/pagefs.1\" "
           ">/dev/null");
    skip_without(m, "mandoc");
    expect(m, "", "mandoc -T lint -W warning \"$SOURCE/fs/pagefs.1\"");
}

/* pagefs -h is made from the table that parses; the other three are written by hand. */
static void manual_and_completions_know_every_option(void **state)
{
    struct mnt *m = *state;

    set_directories();
    expect(m, "",
           "cd \"$SOURCE\"\n"
           "for o in $(\"$PAGEFS\" -h | sed -n 's/^  -o \\([a-z_]*\\).*/\\1/p'); do\n"
           "  for f in fs/pagefs.1 scripts/completion/pagefs.*; do\n"
           "    grep -qw -e \"$o\" $f || echo \"$o is not in $f\"\n"
           "  done\n"
           "  grep -q -e \"^.It Cm.*\\<$o\\>\" fs/pagefs.1 || echo \"$o has no entry\"\n"
           "done");
    expect(m, "13\n", "\"$PAGEFS\" -h | grep -c '^  -o '");
    expect(m, "",
           "cd \"$SOURCE\"; for c in create stat map check; do for f in fs/pagefs.1 "
           "scripts/completion/pagefs.*; do\n"
           "grep -qw -e $c $f || echo \"$c is not in $f\"; done; done");
}

/* README of the mount is made from the node table. What it says of a single entry of a
 * directory (NAME, N) is said of the directory. */
static void the_manual_has_every_file_of_the_tree(void **state)
{
    struct mnt *m = *state;

    set_directories();
    mnt_pages(m, 20);
    expect(
        m, "",
        "python3 - \"$SOURCE/fs/pagefs.1\" <<'EOF'\n"
        "import re, sys\n"
        "manual = open(sys.argv[1]).read()\n"
        "said = {word.rstrip('/') for line in re.findall(r'^[.]It Pa (.*)', manual, re.M)"
        "\n        for word in line.split(' , ')}\n"
        "names = re.findall(r'^(\\S+) \\(0\\d+\\)$', open('README').read(), re.M)\n"
        "for name in names:\n"
        "    if name.split('/NAME')[0] not in said:\n"
        "        print(name, 'is not in the manual')\n"
        "if len(names) < 30:\n"
        "    print(names)\n"
        "EOF");
    mnt_stop(m);
}

/* ---- completion ---- */

/* What bash would offer after these words; the last is the one to complete. */
static void assert_completion(struct mnt *m, const char *words, const char *expected)
{
    char command[512];

    snprintf(command, sizeof(command),
             ". \"$SOURCE/scripts/completion/pagefs.bash\"; compopt() { :; }\n"
             "COMP_WORDS=(%s) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pagefs\n"
             "echo \"${COMPREPLY[*]}\"",
             words);
    expect(m, expected, command);
}

static void bash_completes_commands_options_and_files(void **state)
{
    struct mnt *m = *state;

    set_directories();
    expect(m, "", "mkdir here; cd here; touch database.v3");
    assert_completion(m, "pagefs cr", "create\n");
    assert_completion(m, "pagefs --v", "--version\n");
    assert_completion(m, "pagefs map --", "--help --svg\n");
    assert_completion(m, "pagefs stat --", "--help\n");
    assert_completion(m, "pagefs ch", "check\n");
    assert_completion(m, "pagefs check --d", "--dry-run --discard-journal\n");
    assert_completion(m, "pagefs stat here/d", "here/database.v3\n");
    assert_completion(m, "pagefs here/d", "here/database.v3\n");
    assert_completion(m, "pagefs -o scr", "scratch\n");
    assert_completion(m, "pagefs db mnt -o ro,hide", "ro,hide_actions\n");
    assert_completion(m, "pagefs -o ro,sync =", "commit none\n");
    assert_completion(m, "pagefs -o ro,sync = n", "none\n");
}

/* The same lines at a prompt, with Tab; `suffix` is what the shell puts behind an option
 * of a list, to be taken back by what is typed next. */
static void assert_tab(struct mnt *m, const char *shell, const char *suffix)
{
    char command[1200];
    char expected[1200];

    skip_without(m, shell);
    snprintf(command, sizeof(command),
             "mkdir here; touch here/database.v3\n"
             "python3 \"$SOURCE/tests/install/tab.py\" %s "
             "\"$SOURCE/scripts/completion/pagefs.%s\" 'pagefs cr' 'pagefs --v' "
             "'pagefs map --s' 'pagefs check --repair --fr' 'pagefs stat here/d' "
             "'pagefs here/d' 'pagefs here/database.v3 mn' 'pagefs -o scr' "
             "'pagefs db mnt -o ro,hide' 'pagefs -oro,scr' 'pagefs -o max' 'pagefs -o "
             "ro,sync=n'",
             shell, shell);
    snprintf(expected, sizeof(expected),
             "pagefs create \npagefs --version \npagefs map --svg \n"
             "pagefs check --repair --free-leaked \npagefs stat here/database.v3 \n"
             "pagefs here/database.v3 \npagefs here/database.v3 mnt/\n"
             "pagefs -o scratch%s\npagefs db mnt -o ro,hide_actions%s\n"
             "pagefs -oro,scratch%s\n"
             "pagefs -o max_pages=\npagefs -o ro,sync=none%s\n",
             suffix, suffix, suffix, *suffix != '\0' ? suffix : " ");
    expect(m, expected, command);
}

static void tab_completes_at_a_prompt_of_bash(void **state)
{
    assert_tab(*state, "bash", "");
}

static void tab_completes_at_a_prompt_of_zsh(void **state)
{
    assert_tab(*state, "zsh", ",");
}

/* ---- meson install ---- */

static void an_installed_tree_has_everything(void **state)
{
    struct mnt *m = *state;

    install(m);
    expect(m,
           "bin/pagefs\n"
           "include/pagefs/err.h\n"
           "include/pagefs/finding.h\n"
           "include/pagefs/pf.h\n"
           "libpagefs.a\n"
           "pagefs.pc\n"
           "share/bash-completion/completions/pagefs\n"
           "share/man/man1/pagefs.1\n"
           "share/zsh/site-functions/_pagefs\n",
           "cd \"$PREFIX\"; find . -type f -printf '%P\\n' | sed 's,^lib.*/,,' | sort");
    expect(m, "pagefs", "\"$PREFIX/bin/pagefs\" -V | cut -d' ' -f1 | tr -d '\\n'");
}

/* A storage engine has functions of its own called journal_append(). */
static void the_library_shows_nothing_but_its_interface(void **state)
{
    struct mnt *m = *state;

    install(m);
    expect(m, "0\n",
           "nm -g --defined-only $(find \"$PREFIX\" -name libpagefs.a) | "
           "awk 'NF == 3 && $3 !~ /^pf_/' | wc -l");
    expect(m, "pf_open\n",
           "nm -g --defined-only $(find \"$PREFIX\" -name libpagefs.a) | "
           "awk '$3 == \"pf_open\" { print $3 }'");
}

static void an_example_builds_against_the_installed_tree_and_allocates(void **state)
{
    struct mnt *m = *state;

    install(m);
    v3_make_pages(m->t.db, 20);
    expect(m, "",
           "PKG_CONFIG_PATH=$(dirname $(find \"$PREFIX\" -name pagefs.pc))\n"
           "export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR=$D/inst\n"
           "cc -std=c11 -Wall -Wextra -Werror \"$SOURCE/tests/example/alloc.c\" "
           "$(pkg-config --cflags --libs pagefs) -o alloc-example");
    expect(m, "20\n21\n", "./alloc-example \"$DB\"; ./alloc-example \"$DB\"");
    expect(m, "total_pages 22\n", "\"$PAGEFS\" stat \"$DB\" | grep total_pages");
    expect_error(m, "No such file", "./alloc-example nothing");
}

/* ---- the Debian package ---- */

static void the_debian_package_installs_runs_and_goes(void **state)
{
    struct mnt *m = *state;

    if (!full_figures()) {
        print_message("a second build: only with --full\n");
        skip();
    }
    skip_without(m, "dpkg-shlibdeps");
    if (sh(m, "\"$SOURCE/scripts/deb\" \"$D\"") != 0)
        fail_msg("%s", m->err);
    expect(m, "pagefs\n", "dpkg-deb -f pagefs_*.deb Package");
    expect(m, "3\n",
           "dpkg-deb -f pagefs_*.deb Depends | tr ',' '\\n' | "
           "grep -c -e libfuse3-3 -e libxxhash0 -e 'fuse3$'");
    expect(m, "0\n",
           "dpkg-deb --fsys-tarfile pagefs_*.deb | grep -c -e \"$SOURCE\"; true");
    if (geteuid() != 0) {
        print_message("not root\n");
        skip();
    }
    expect(
        m, "ii  pagefs \n",
        "mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates\n"
        "touch root/var/lib/dpkg/status root/var/lib/dpkg/available\n"
        "dpkg --root=root --log=/dev/null --force-depends -i pagefs_*.deb >log 2>&1 || "
        "cat log\n"
        "dpkg-query --root=root -W -f='${db:Status-Abbrev} ${Package} \\n' pagefs");
    expect(m, "50\n",
           "root/usr/bin/pagefs create new.v3 50; root/usr/bin/pagefs stat new.v3 | "
           "sed -n 's/^total_pages //p'");
    expect(m, "",
           "dpkg --root=root --log=/dev/null --force-depends -r pagefs >log 2>&1 || cat "
           "log; find root -path '*/usr/*' -name '*pagefs*'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(the_manual_has_no_mistakes),
        MOUNT_TEST(manual_and_completions_know_every_option),
        MOUNT_TEST(the_manual_has_every_file_of_the_tree),
        MOUNT_TEST(bash_completes_commands_options_and_files),
        MOUNT_TEST(tab_completes_at_a_prompt_of_bash),
        MOUNT_TEST(tab_completes_at_a_prompt_of_zsh),
        MOUNT_TEST(an_installed_tree_has_everything),
        MOUNT_TEST(the_library_shows_nothing_but_its_interface),
        MOUNT_TEST(an_example_builds_against_the_installed_tree_and_allocates),
        MOUNT_TEST(the_debian_package_installs_runs_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
