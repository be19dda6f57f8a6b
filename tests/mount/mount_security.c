/* Who gets in, what is opened, and what names can do. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNER = 1000, OTHER = 65534, ENTRIES_MAX = 256, REFUSED = 32 };

static void only_root(void)
{
    if (geteuid() != 0) {
        print_message("not root\n");
        skip();
    }
}

/* ---- two users, two kinds of mount, every file ---- */

struct entry {
    char path[96];
    mode_t mode;
};

/* Shared with the process of a user. */
struct matrix {
    struct entry entries[ENTRIES_MAX];
    unsigned count;
    unsigned tried, wrong;
    char first_wrong[256];
};

/* All of the tree, but one page in the place of all. */
static void list(struct mnt *m, struct matrix *matrix, const char *directory)
{
    char full[256];
    struct stat st;
    const struct dirent *entry;

    snprintf(full, sizeof(full), "%s/%s", m->point, directory);
    DIR *const dir = opendir(full);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        const bool is_page = strcmp(directory, "pages") == 0;
        struct entry *const e = &matrix->entries[matrix->count];

        if (entry->d_name[0] == '.' || (is_page && strcmp(entry->d_name, "7") != 0))
            continue;
        assert_true(matrix->count < ENTRIES_MAX);
        snprintf(e->path, sizeof(e->path), "%s%s%.60s", directory,
                 directory[0] != '\0' ? "/" : "", entry->d_name);
        snprintf(full, sizeof(full), "%s/%s", m->point, e->path);
        assert_int_equal(lstat(full, &st), 0);
        e->mode = st.st_mode;
        matrix->count++;
        if (S_ISDIR(st.st_mode))
            list(m, matrix, e->path);
    }
    closedir(dir);
}

static void note(struct matrix *matrix, const char *path, const char *what, int error,
                 int expected)
{
    matrix->tried++;
    if (error == expected || matrix->wrong++ > 0)
        return;
    snprintf(matrix->first_wrong, sizeof(matrix->first_wrong),
             "%.90s: %s gives %s, expected %s", path, what, strerror(error),
             strerror(expected));
}

static int open_error(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC);

    if (fd == -1)
        return errno;
    close(fd);
    return 0;
}

enum who { AS_OWNER, AS_OTHER, OUTSIDE /* not let in at all */ };

/* 0400, 0200 or 0100, in the place of that class. */
static int by_mode(enum who who, mode_t mode, mode_t bit)
{
    return who == OUTSIDE || !(mode & (who == AS_OWNER ? bit : bit >> 6)) ? EACCES : 0;
}

static void try_entry(struct matrix *matrix, const struct entry *e, enum who who)
{
    if (S_ISDIR(e->mode)) {
        note(matrix, e->path, "listing", open_error(e->path, O_RDONLY | O_DIRECTORY),
             by_mode(who, e->mode, 0400));
        return;
    }
    if (!S_ISREG(e->mode))
        return;
    note(matrix, e->path, "reading", open_error(e->path, O_RDONLY),
         by_mode(who, e->mode, 0400));
    note(matrix, e->path, "writing", open_error(e->path, O_WRONLY),
         by_mode(who, e->mode, 0200));
    note(matrix, e->path, "truncating", truncate(e->path, 0) == 0 ? 0 : errno,
         by_mode(who, e->mode, 0200));
}

/* What nobody may do, and what only the owner may: take a snapshot. */
static void try_changes(struct matrix *matrix, enum who who)
{
    note(matrix, "snapshots/s", "mkdir", mkdir("snapshots/s", 0755) == 0 ? 0 : errno,
         by_mode(who, 0755, 0200));
    note(matrix, "snapshots/s", "rmdir", rmdir("snapshots/s") == 0 ? 0 : errno,
         who == AS_OWNER   ? 0
         : who == AS_OTHER ? ENOENT
                           : EACCES);
    note(matrix, "stats", "chmod", chmod("stats", 0777) == 0 ? 0 : errno,
         who == OUTSIDE ? EACCES : EPERM);
    note(matrix, "stats", "chown", chown("stats", getuid(), (gid_t)-1) == 0 ? 0 : errno,
         who == OUTSIDE ? EACCES : EPERM);
}

static void try_all_as(struct mnt *m, struct matrix *matrix, uid_t uid, enum who who)
{
    int status = 0;
    const int point = open(m->t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const pid_t child = fork();

    assert_true(child >= 0 && point >= 0);
    if (child == 0) {
        if (fchdir(point) != 0 || setgid(uid) != 0 || setuid(uid) != 0)
            _exit(2);
        if (who != OUTSIDE && chdir("mnt") != 0)
            _exit(3);
        if (who == OUTSIDE) {
            note(matrix, "mnt", "chdir", chdir("mnt") == 0 ? 0 : errno, EACCES);
            note(matrix, "mnt/stats", "stat", access("mnt/stats", F_OK) == 0 ? 0 : errno,
                 EACCES);
            note(matrix, "mnt/alloc", "open", open_error("mnt/alloc", O_RDONLY), EACCES);
            note(matrix, "mnt/free", "open", open_error("mnt/free", O_WRONLY), EACCES);
            _exit(0);
        }
        for (unsigned i = 0; i < matrix->count; i++)
            try_entry(matrix, &matrix->entries[i], who);
        try_changes(matrix, who);
        _exit(0);
    }
    close(point);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    if (matrix->wrong != 0)
        fail_msg("as user %d: %u of %u, the first: %s", (int)uid, matrix->wrong,
                 matrix->tried, matrix->first_wrong);
    assert_true(matrix->tried > 0);
}

static void every_file_is_for_whom_its_mode_says(void **state)
{
    static const struct {
        const char *options;
        uid_t uid;
        enum who who;
    } cells[] = {
        {NULL, 0, AS_OWNER},
        {NULL, OTHER, OUTSIDE},
        {"uid=1000,gid=1000", OWNER, OUTSIDE}, /* uid= is what files show, no more */
        {"allow_other", 0, AS_OWNER},
        {"allow_other", OTHER, AS_OTHER},
        {"allow_other,uid=1000,gid=1000", OWNER, AS_OWNER},
        {"allow_other,uid=1000,gid=1000", OTHER, AS_OTHER},
    };
    struct mnt *m = *state;
    struct matrix *matrix = mmap(NULL, sizeof(*matrix), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    only_root();
    assert_ptr_not_equal(matrix, MAP_FAILED);
    assert_int_equal(chmod(m->t.dir, 0755), 0);
    v3_make_pages(m->t.db, 20);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        const uint64_t before = v3_hash(m->t.db);

        memset(matrix, 0, sizeof(*matrix));
        mnt_start(m, cells[i].options);
        list(m, matrix, "");
        assert_true(matrix->count > 35);
        try_all_as(m, matrix, cells[i].uid, cells[i].who);
        print_message("# %s as %d: %u attempts on %u files\n",
                      cells[i].options != NULL ? cells[i].options : "default",
                      (int)cells[i].uid, matrix->tried, matrix->count);
        assert_u64(0, m_number(m, "stats", "pinned_pages"));
        mnt_stop(m);
        assert_u64(before, v3_hash(m->t.db)); /* opening alone changes nothing */
    }
    munmap(matrix, sizeof(*matrix));
}

static void allow_other_has_the_kernel_check_the_modes(void **state)
{
    struct mnt *m = *state;

    only_root();
    v3_make_pages(m->t.db, 20);
    mnt_start(m, "allow_other");
    expect(m, "allow_other default_permissions nodev noexec nosuid\n",
           "grep \" $P fuse.pagefs \" /proc/self/mounts | cut -d' ' -f4 | tr , '\\n' | "
           "grep -E '^no|allow|default' | sort | xargs");
    mnt_stop(m);
}

/* ---- rights of the program ---- */

static void it_refuses_to_run_setuid_and_setgid(void **state)
{
    struct mnt *m = *state;
    struct statvfs fs;

    only_root();
    assert_int_equal(statvfs(m->t.dir, &fs), 0);
    if (fs.f_flag & ST_NOSUID || built_with_sanitizer()) { /* those end before main() */
        print_message("mounted nosuid, or built with a sanitizer\n");
        skip();
    }
    expect(m, "", "cp \"$PAGEFS\" pagefs; chmod 755 .; chmod 4755 pagefs");
    for (int i = 0; i < 2; i++) {
        const int status = sh(m, "setpriv --reuid 65534 --regid 65534 --clear-groups "
                                 "./pagefs create \"$D/new.v3\" 10");
        assert_int_equal(status, REFUSED);
        /* a build with coverage adds that it cannot write its counts */
        assert_non_null(strstr(
            m->err, "pagefs: refuses to run setuid: remove the set-user-ID bit\n"));
        expect(m, "", "ls new.v3 2> /dev/null; chmod 2755 pagefs");
    }
}

/* The descriptors that are closed must not become those of the database. */
static void all_8_ways_to_close_the_standard_descriptors_are_fine(void **state)
{
    struct mnt *m = *state;

    for (int closed = 0; closed < 8; closed++) {
        char command[256];

        v3_make_pages(m->t.db, 20);
        if (closed == 0) { /* skips when there is no fuse */
            mnt_start(m, NULL);
            mnt_stop(m);
        }
        snprintf(command, sizeof(command), "\"$PAGEFS\" \"$DB\" \"$P\" %s %s %s",
                 closed & 1 ? "<&-" : "", closed & 2 ? ">&-" : "",
                 closed & 4 ? "2>&-" : "");
        expect(m, "", command);
        assert_true(mnt_mounted(m));
        expect(m, "20\n", "cat alloc");
        expect(m, "", "echo x > pages/20/data; echo checkpoint > ctl");
        mnt_unmount(m);
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) /* the daemon came to us */
            ;
        expect(m, "total_pages 21\nfree_pages 0\n",
               "$PAGEFS stat $DB | grep -e total_pages -e free_pages");
        assert_u64(v3_nominal(21), v3_size(m->t.db));
        assert_int_equal(unlink(m->t.db), 0);
    }
}

/* ---- what is opened ---- */

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
    static const char *const commands[] = {
        "timeout 20 $PAGEFS \"$DB\" \"$P\"",
        "timeout 20 $PAGEFS -o ro \"$DB\" \"$P\"",
        "timeout 20 $PAGEFS -o create \"$DB\" \"$P\"",
        "timeout 20 $PAGEFS stat \"$DB\"",
        "timeout 20 $PAGEFS map \"$DB\"",
    };
    struct mnt *m = *state;
    const char *const makers[] = {
        "mkfifo \"$DB\"",         "mkdir \"$DB\"",           "ln -s /dev/zero \"$DB\"",
        "ln -s /dev/tty \"$DB\"", "ln -s /dev/null \"$DB\"", NULL /* a socket */,
    };

    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (makers[i] != NULL)
            expect(m, "", makers[i]);
        else
            make_socket(m->t.db);
        for (size_t k = 0; k < sizeof(commands) / sizeof(commands[0]); k++) {
            const int status = sh(m, commands[k]);

            if (status != REFUSED || strstr(m->err, "regular file") == NULL ||
                strchr(m->err, '\n') != m->err + strlen(m->err) - 1)
                fail_msg("%s, %s: exit status %d: %s",
                         makers[i] != NULL ? makers[i] : "a socket", commands[k], status,
                         m->err);
            assert_false(mnt_mounted(m));
        }
        expect(m, "", "rm -d \"$DB\"; ls -A | grep journal; true");
    }
}

/* Whoever owns the directory of the link can turn it at any time. */
static void a_symbolic_link_is_followed_once(void **state)
{
    struct mnt *m = *state;

    expect(m, "",
           "mkdir a b; $PAGEFS create a/a.v3 20; $PAGEFS create b/b.v3 20; "
           "ln -s a/a.v3 \"$DB\"");
    const char *const arguments[] = {m->t.db, m->point, NULL};
    if (mnt_try(m, "ro") != 0) /* skips when there is no fuse */
        fail_msg("%s", m->err);
    mnt_stop(m);
    assert_int_equal(mnt_pagefs(m, arguments), 0);
    expect(m, "source a/a.v3\n", "grep ^source status | sed \"s|$D/||\"");
    expect(m, "20\n", "ln -s b/b.v3 $D/new; mv -T $D/new $DB; cat alloc");
    expect(m, "a/a.v3-journal\n", "cd $D; echo checkpoint > $P/ctl; ls */*-journal");
    expect(m, "21\n", "cat alloc; ");
    mnt_stop(m);
    expect(m, "total_pages 22\ntotal_pages 20\n",
           "for f in a/a.v3 b/b.v3; do $PAGEFS stat $f | grep total_pages; done");
}

static void nothing_is_mounted_over_the_database(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0)
        fail_msg("%s", m->err);
    mnt_stop(m);
    const uint64_t before = v3_hash(m->t.db);
    expect(m, "", "mkdir -p deep/er; mv db.v3 deep/er; ln -s deep/er short; rmdir mnt");
    static const char *const points[] = {"deep/er/db.v3", "deep/er", "deep", "short", ".",
                                         "deep/er/../er", "/"};
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char command[128];

        snprintf(command, sizeof(command), "timeout 20 $PAGEFS deep/er/db.v3 %s",
                 points[i]);
        assert_int_equal(sh(m, command), REFUSED);
        assert_ptr_equal(strchr(m->err, '\n'), m->err + strlen(m->err) - 1);
        if (i > 0)
            assert_non_null(strstr(m->err, "contains the database"));
        expect(m, "0\n", "grep -c \" $D\" /proc/self/mounts; true");
    }
    expect(m, "", "mv deep/er/db.v3 .; mkdir mnt");
    assert_u64(before, v3_hash(m->t.db));
}

/* ---- what is made ---- */

static void a_new_database_obeys_the_umask(void **state)
{
    static const struct {
        const char *umask, *mode;
    } cases[] = {{"077", "600"}, {"027", "640"}, {"022", "644"}, {"000", "666"}};
    struct mnt *m = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char command[160];
        char expected[16];

        snprintf(command, sizeof(command),
                 "rm -f new.v3; umask %s; $PAGEFS create new.v3 20; stat -c %%a new.v3",
                 cases[i].umask);
        snprintf(expected, sizeof(expected), "%s\n", cases[i].mode);
        expect(m, expected, command);
    }
}

static void the_journal_has_mode_and_owner_of_the_database(void **state)
{
    struct mnt *m = *state;

    only_root();
    v3_make_pages(m->t.db, 20);
    for (int i = 0; i < 3; i++) {
        static const char *const modes[] = {"600", "640", "666"};
        char command[128];
        char expected[64];

        snprintf(command, sizeof(command), "chmod %s db.v3; chown 1000:65534 db.v3",
                 modes[i]);
        expect(m, "", command);
        expect(m, "", "umask 000; $PAGEFS db.v3 mnt; cat mnt/alloc > /dev/null");
        snprintf(expected, sizeof(expected), "%s 1000 65534\n", modes[i]);
        expect(m, expected, "stat -c '%a %u %g' $DB-journal");
        mnt_unmount(m);
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
            ;
    }
}

/* ---- names ---- */

static void a_name_of_a_process_cannot_forge_an_event(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "",
           "cat > $D/names.py <<'EOF'\n"
           "import os\n"
           "for name in (b'a b', b'x\\ny', b'\\033[2J', b'\\xff\\xfe', b'\\n', b' '):\n"
           "    if os.fork() == 0:\n"
           "        os.write(os.open('/proc/self/comm', os.O_WRONLY), name)\n"
           "        try: os.write(os.open('free', os.O_WRONLY), b'1')\n"
           "        except PermissionError: os._exit(0)\n"
           "    assert os.wait()[1] == 0\n"
           "EOF\n"
           "python3 $D/names.py");
    expect(m, "6\n", "wc -l < events");
    /* seven columns, all printable, numbered */
    expect(m, "6\n",
           "LC_ALL=C grep -cE '^[0-9]+ [0-9]+ free 1 [0-9]+ [!-~]{1,15} EPERM$' "
           "events");
    expect(m, "a_b\nx_y\n", "cut -d' ' -f6 events | head -n 2");
    mnt_stop(m);
}

/* The path of the database is part of a text, of a list of options and of messages. */
static void a_name_of_a_database_stays_one_word_everywhere(void **state)
{
    static const char *const names[] = {
        "a b",         "new\nline.v3", "\033[2J.v3", "\xff\xfe.v3", "a,rw,allow_other",
        "back\\slash", "mode rw",      "%s%n",       "-o",          "<svg>&\"'",
    };
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0)
        fail_msg("%s", m->err);
    mnt_stop(m);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char directory[160];
        char path[256];

        snprintf(directory, sizeof(directory), "%s/%s", m->t.dir, names[i]);
        assert_int_equal(mkdir(directory, 0755), 0);
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        assert_int_equal(link(m->t.db, path), 0);
        assert_int_equal(unlink(m->t.db), 0); /* one name only */
        const char *const arguments[] = {"--", path, m->point, NULL};
        const char *const missing[] = {"--", path, directory, NULL};
        assert_int_equal(mnt_pagefs(m, arguments), 0);
        assert_string_equal(m->err, "");
        expect(m, "7 1\n",
               "echo $(wc -l < status) $(grep -c ^source status); "
               "LC_ALL=C grep -n '[^ -~]' status; true");
        expect(m, "rw,nosuid,nodev,noexec\n",
               "grep \" $P fuse.pagefs \" /proc/self/mounts | cut -d' ' -f4 | "
               "cut -d, -f1-4; grep \" $P \" /proc/self/mounts | cut -d' ' -f4 | grep "
               "allow_other; true");
        mnt_stop(m);
        assert_int_equal(mnt_pagefs(m, missing), REFUSED); /* contains the database */
        assert_ptr_equal(strchr(m->err, '\n'), m->err + strlen(m->err) - 1);
        for (const char *c = m->err; *c != '\n'; c++)
            assert_true((unsigned char)*c >= ' ');
        assert_int_equal(rename(path, m->t.db), 0);
    }
}

static void a_very_long_path_is_mounted_or_refused_in_one_line(void **state)
{
    struct mnt *m = *state;

    v3_make_pages(m->t.db, 20);
    if (mnt_try(m, NULL) != 0)
        fail_msg("%s", m->err);
    mnt_stop(m);
    for (int depth = 1; depth <= 15; depth += 7) {
        char command[512];

        snprintf(
            command, sizeof(command),
            "n=$(printf 'n%%.0s' {1..250}); for i in {1..%d}; do mkdir -p $n; cd $n; "
            "done; cp $DB db.v3; \"$PAGEFS\" db.v3 $P; echo $?; "
            "if mountpoint -q $P; then grep -c ^source $P/status; cat $P/alloc; "
            "fusermount3 -u $P; fi",
            depth);
        assert_int_equal(sh(m, command), 0);
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
            ;
        if (strcmp(m->out, "0\n1\n20\n") == 0 && m->err[0] == '\0')
            continue;
        print_message("# depth %d: %s", depth, m->out);
        assert_true(strcmp(m->out, "2\n") == 0 || strcmp(m->out, "32\n") == 0);
        assert_ptr_equal(strchr(m->err, '\n'), m->err + strlen(m->err) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(every_file_is_for_whom_its_mode_says),
        MOUNT_TEST(allow_other_has_the_kernel_check_the_modes),
        MOUNT_TEST(it_refuses_to_run_setuid_and_setgid),
        MOUNT_TEST(all_8_ways_to_close_the_standard_descriptors_are_fine),
        MOUNT_TEST(what_is_no_regular_file_is_refused_at_once),
        MOUNT_TEST(a_symbolic_link_is_followed_once),
        MOUNT_TEST(nothing_is_mounted_over_the_database),
        MOUNT_TEST(a_new_database_obeys_the_umask),
        MOUNT_TEST(the_journal_has_mode_and_owner_of_the_database),
        MOUNT_TEST(a_name_of_a_process_cannot_forge_an_event),
        MOUNT_TEST(a_name_of_a_database_stays_one_word_everywhere),
        MOUNT_TEST(a_very_long_path_is_mounted_or_refused_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
