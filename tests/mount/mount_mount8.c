/* mount(8) and fstab: mount -t fuse.pagefs. As root only.
 *
 * mount(8) looks for pagefs in a fixed path. Each test has a mount namespace of its own
 * in which /usr/local/bin holds nothing but the pagefs under test. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run it in such a namespace, in the scratch directory, with empty directories mnt and
 * "m 2" and databases db.v3 and b.v3; its exit status. */
static int in_namespace(struct mnt *m, const char *script)
{
    char command[2048];

    if (geteuid() != 0 || access("/sbin/mount.fuse3", X_OK) != 0 ||
        access("/dev/fuse", R_OK | W_OK) != 0 || sh(m, "unshare -m true") != 0) {
        print_message("not root, or no mount.fuse3, /dev/fuse or mount namespaces\n");
        skip();
    }
    if (access(m->t.db, F_OK) != 0)
        v3_make_pages(m->t.db, 20);
    snprintf(command, sizeof(command),
             "exec unshare -m bash -c '{ mkdir -p /usr/local/bin && "
             "mount -t tmpfs none /usr/local/bin && cp \"$PAGEFS\" /usr/local/bin/pagefs "
             "&& mkdir -p \"m 2\" && { [[ -e b.v3 ]] || pagefs create b.v3 30; }; } || "
             "exit 99\n%s'",
             script);
    const int status = sh(m, command);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) /* the daemons */
        ;
    return status;
}

#define expect_there(m, out_text, script)                                                \
    do {                                                                                 \
        const int status_ = in_namespace((m), (script));                                 \
        assert_string_equal((m)->err, "");                                               \
        assert_string_equal((m)->out, (out_text));                                       \
        assert_int_equal(status_, 0);                                                    \
    } while (0)

static void mount_t_fuse_pagefs_mounts(void **state)
{
    struct mnt *m = *state;

    expect_there(m, "20\nrw\nfuse.pagefs\n",
                 "mount -t fuse.pagefs db.v3 mnt && cat mnt/alloc && "
                 "sed -n \"s/^mode //p\" mnt/status && findmnt -n -o FSTYPE mnt && "
                 "umount mnt");
}

static void mount_passes_our_options_and_its_own(void **state)
{
    struct mnt *m = *state;

    expect_there(m, "ro\n",
                 "mount -t fuse.pagefs -o ro,nofail,noatime,_netdev,x-test.x=1 db.v3 mnt "
                 "&& sed -n \"s/^mode //p\" mnt/status && umount mnt");
    expect_there(m, "scratch\n",
                 "mount -t fuse.pagefs -o scratch,max_pages=20 db.v3 mnt && "
                 "sed -n \"s/^mode //p\" mnt/status && umount mnt");
    expect_there(m, "ro\n",
                 "mount -r -t fuse.pagefs db.v3 \"m 2\" && "
                 "sed -n \"s/^mode //p\" \"m 2/status\" && umount \"m 2\"");
}

static void our_words_and_status_come_through_mount(void **state)
{
    struct mnt *m = *state;

    assert_int_equal(in_namespace(m, "mount -t fuse.pagefs none.v3 mnt"), 2);
    assert_string_equal(m->err,
                        "pagefs: none.v3: no such file: pagefs create makes one\n");
    assert_int_equal(in_namespace(m, "mount -t fuse.pagefs -o nonsense db.v3 mnt"), 1);
    assert_non_null(strstr(m->err, "nonsense"));
    assert_int_equal(in_namespace(m, "mount -t fuse.pagefs -o remount,ro db.v3 mnt"), 1);
    assert_non_null(strstr(m->err, "unmount it and mount it again"));
}

static void an_fstab_line_works_and_mount_a_is_idempotent(void **state)
{
    struct mnt *m = *state;

    expect_there(
        m, "20\nscratch\nro\n",
        "echo \"$DB $P fuse.pagefs noauto,user,sync=none,scratch 0 0\" >fstab\n"
        "echo \"$D/b.v3 $D/m\\\\0402 fuse.pagefs ro,_netdev,nofail 0 0\" >>fstab\n"
        "mount -T fstab mnt && mount -T fstab -a && mount -T fstab -a || exit\n"
        "cat mnt/alloc && sed -n \"s/^mode //p\" mnt/status \"m 2/status\"\n"
        "umount mnt && umount \"m 2\"");
}

static void it_works_where_posixly_correct_is_set(void **state)
{
    struct mnt *m = *state;

    expect_there(m, "ro\n",
                 "export POSIXLY_CORRECT=1; mount -t fuse.pagefs -o ro db.v3 mnt && "
                 "sed -n \"s/^mode //p\" mnt/status && umount mnt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(mount_t_fuse_pagefs_mounts),
        MOUNT_TEST(mount_passes_our_options_and_its_own),
        MOUNT_TEST(our_words_and_status_come_through_mount),
        MOUNT_TEST(an_fstab_line_works_and_mount_a_is_idempotent),
        MOUNT_TEST(it_works_where_posixly_correct_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
