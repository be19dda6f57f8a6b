/* pages/N/state and pages/N/pins: every cell of the published table. */
#include "harness.h"

#include <errno.h>
#include <string.h>

/* Pages 5, 6, 7 are free, allocated, pinned. */
static void mount_three_states(struct mnt *m)
{
    mnt_pages(m, 20);
    assert_write(0, m, "free", "4-5\n");
    assert_write(0, m, "pin", "7\n");
    assert_state(m, 5, "free");
    assert_state(m, 6, "allocated");
    assert_state(m, 7, "pinned");
}

struct cell {
    const char *path, *word;
    int number;
    uint64_t page;
    const char *after;
};

static void all_9_cells_of_the_state_table(void **state)
{
    static const struct cell cells[] = {
        {"pages/5/state", "free\n", EALREADY, 5, "free"},
        {"pages/5/state", "pinned\n", EINVAL, 5, "free"},
        {"pages/6/state", "allocated\n", EALREADY, 6, "allocated"},
        {"pages/7/state", "free\n", EBUSY, 7, "pinned"},
        {"pages/7/state", "pinned\n", EALREADY, 7, "pinned"},
        {"pages/5/state", "allocated\n", 0, 5, "allocated"},
        {"pages/6/state", "pinned\n", 0, 6, "pinned"},
        {"pages/7/state", "allocated\n", 0, 7, "allocated"},
        {"pages/7/state", "free\n", 0, 7, "free"},
    };
    struct mnt *m = *state;

    mount_three_states(m);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        assert_write(cells[i].number, m, cells[i].path, cells[i].word);
        assert_state(m, cells[i].page, cells[i].after);
    }
    mnt_stop(m);
}

static void state_takes_this_very_page_and_not_another(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    assert_write(0, m, "free", "4 5 6\n");
    assert_write(0, m, "pages/5/state", "allocated\n");
    assert_state(m, 4, "free");
    assert_state(m, 5, "allocated");
    assert_state(m, 6, "free");
    expect(m, "6\n4\n20\n", "cat alloc; cat alloc; cat alloc");
    mnt_stop(m);
}

static void state_refuses_reserved_pages_and_other_words(void **state)
{
    static const char *const words[] = {"\n",  "Free\n",   "freed\n", "fre\n",
                                        "0\n", "free x\n", "x\n",     "allocated free\n"};
    struct mnt *m = *state;

    mnt_pages(m, 20);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_write(EINVAL, m, "pages/6/state", words[i]);
    assert_int_equal(m_write_bytes(m, "pages/6/state", "free\0", 5), EINVAL);
    assert_state(m, 6, "allocated");
    for (int id = 0; id < 2; id++) {
        const char *path = id == 0 ? "pages/0/state" : "pages/1/state";

        assert_write(EPERM, m, path, "free\n");
        assert_write(EPERM, m, path, "pinned\n");
        assert_state(m, (uint64_t)id, "allocated");
    }
    assert_write(0, m, "pages/6/state", "  free"); /* blanks around, no LF */
    assert_state(m, 6, "free");
    mnt_stop(m);
}

static void pins_counts_up_and_down(void **state)
{
    struct mnt *m = *state;

    mount_three_states(m);
    assert_string_equal(m_read(m, "pages/7/pins"), "1\n");
    assert_write(0, m, "pages/7/pins", "+1\n");
    assert_write(0, m, "pages/7/pins", "+1");
    assert_string_equal(m_read(m, "pages/7/pins"), "3\n");
    assert_write(0, m, "pages/7/pins", "-1\n");
    assert_write(0, m, "unpin", "7\n");
    assert_string_equal(m_read(m, "pages/7/pins"), "1\n");
    assert_state(m, 7, "pinned");
    assert_write(EBUSY, m, "free", "7\n");
    assert_write(0, m, "pages/7/pins", "-1\n");
    assert_state(m, 7, "allocated");
    assert_write(0, m, "pin", "7 7 7\n");
    assert_write(0, m, "pages/7/pins", "0\n");
    assert_string_equal(m_read(m, "pages/7/pins"), "0\n");
    assert_string_equal(m_read(m, "pages/5/pins"), "0\n");
    assert_write(EINVAL, m, "pages/7/pins", "+2\n");
    assert_write(EINVAL, m, "pages/7/pins", "1\n");
    assert_write(EINVAL, m, "pages/5/pins", "+1\n"); /* free */
    assert_write(EPERM, m, "pages/1/pins", "+1\n");
    mnt_stop(m);
}

/* The way from the shell, with its redirections. */
static void the_shell_does_it_with_echo(void **state)
{
    struct mnt *m = *state;

    mnt_pages(m, 20);
    expect(m, "free\n", "echo free > pages/7/state && cat pages/7/state");
    expect(m, "allocated\n", "echo allocated >> pages/7/state && cat pages/7/state");
    expect(m, "pinned\n", "printf pinned > pages/7/state && cat pages/7/state");
    expect_error(m, "Device or resource busy", "echo free > pages/7/state");
    expect_error(m, "Device or resource busy", "echo 7 > free");
    expect(m, "", "echo 7 > unpin && echo 7 > free");
    expect_error(m, "Operation already in progress", "echo 7 > free");
    expect_error(m, "Operation not permitted", "echo 1 > free");
    expect_error(m, "No such file or directory", "echo 20 > free");
    expect_error(m, "Invalid argument", "echo x > free");
    expect_error(m, "Numerical result out of range", "echo 18446744073709551616 > free");
    mnt_stop(m);
}

static void pins_never_survive_a_remount(void **state)
{
    struct mnt *m = *state;

    mount_three_states(m);
    mnt_restart(m);
    assert_state(m, 5, "free");
    assert_state(m, 6, "allocated");
    assert_state(m, 7, "allocated");
    assert_u64(0, m_number(m, "stats", "pinned_pages"));
    mnt_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOUNT_TEST(all_9_cells_of_the_state_table),
        MOUNT_TEST(state_takes_this_very_page_and_not_another),
        MOUNT_TEST(state_refuses_reserved_pages_and_other_words),
        MOUNT_TEST(pins_counts_up_and_down),
        MOUNT_TEST(the_shell_does_it_with_echo),
        MOUNT_TEST(pins_never_survive_a_remount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
