/* Parts of fs/ that need no mount, with the clock, syslog and the kernel's ear here. */
#include "scratch.h"

#include "attr_cache.h"
#include "columns.h"
#include "finding_text.h"
#include "findings.h"
#include "fuse_api.h"
#include "log.h"
#include "message.h"
#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* What replaces a function of a library has no caller to hand it a context. */
static struct {
    time_t now;         /* of the coarse clock; 0: the real one */
    unsigned told;      /* notices to the kernel */
    uint64_t last_told; /* inode number */
    char logged[256];   /* lines, each with an LF */
} world;

int clock_gettime(clockid_t clock, struct timespec *out)
{
    if (clock != CLOCK_MONOTONIC_COARSE || world.now == 0)
        return (int)syscall(SYS_clock_gettime, clock, out);
    *out = (struct timespec){.tv_sec = world.now};
    return 0;
}

int fuse_lowlevel_notify_inval_inode(struct fuse_session *session, fuse_ino_t ino,
                                     off_t offset, off_t length)
{
    (void)session;
    assert_int_equal(offset, -1); /* attributes only */
    assert_int_equal(length, 0);
    world.told++;
    world.last_told = ino;
    return 0;
}

void syslog(int priority, const char *format, ...)
{
    const size_t length = strlen(world.logged);
    va_list args;

    assert_int_equal(priority, LOG_ERR);
    va_start(args, format);
    vsnprintf(world.logged + length, sizeof(world.logged) - length - 1, format, args);
    va_end(args);
    strcat(world.logged, "\n");
}

/* ---- attr_cache ---- */

static void grants_are_few_and_end_with_time(void **state)
{
    enum { GRANTS = 256, KEPT_SECONDS = 5 };
    struct attr_cache *const cache = attr_cache_new();
    const struct node late = {7000, NODE_PAGE};

    (void)state;
    assert_non_null(cache);
    world.now = 1000;
    for (uint64_t i = 0; i < GRANTS; i++)
        assert_true(attr_cache_grant(cache, 10 + 10 * i) > 0);
    assert_true(attr_cache_grant(cache, 5) == 0); /* there is no room to note it */
    world.now += KEPT_SECONDS;                    /* the kernel may still believe them */
    assert_true(attr_cache_grant(cache, 5) == 0);
    attr_cache_drop(cache, NULL, 0, UINT64_MAX);
    assert_int_equal(world.told, GRANTS);
    world.now++;
    assert_true(attr_cache_grant(cache, late.id) > 0);
    world.told = 0;
    attr_cache_drop(cache, NULL, 0, UINT64_MAX);
    assert_int_equal(world.told, 1);
    assert_u64(node_ino(late), world.last_told);
    attr_cache_free(cache);
    world.now = 0;
}

/* ---- texts ---- */

static void what_is_too_wide_for_its_column_is_cut(void **state)
{
    char line[8] = "-------";

    (void)state;
    assert_ptr_equal(column_word(line, 4, "allocated"), line + 4);
    assert_string_equal(line, "allo---");
    assert_ptr_equal(column_number(line, 3, 12345), line + 3);
    assert_string_equal(line, "123o---");
}

static void messages_stay_in_their_line(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *const file = open_memstream(&text, &length);

    (void)state;
    assert_non_null(file);
    message_put(file, "a\nb\x01\x1f \x7f\xc3\xa9~");
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "a\\nb\\x01\\x1f \\x7f\xc3\xa9~");
    free(text);
}

static void a_finding_without_expectation_is_its_class(void **state)
{
    struct pf_finding finding = {
        .class = PF_FINDING_HEADER, .page_id = 7, .page_count = 1, .found = "x"};
    char text[FINDING_TEXT_SIZE];

    (void)state;
    finding_text(&finding, text);
    assert_string_equal(text, "page 7: header");
    strcpy(finding.expected, "y");
    strcpy(finding.path, "z");
    finding_text(&finding, text);
    assert_string_equal(text, "page 7: header: expected y, found x; reached by z");
}

static void each_line_for_syslog_is_a_message(void **state)
{
    FILE *const own = stderr;

    (void)state;
    log_to_syslog();
    FILE *const log = stderr;
    stderr = own;
    assert_ptr_not_equal(log, own);
    assert_true(fputs("pagefs: one\n", log) >= 0);
    /* what is cut off is not taken from the line before */
    assert_true(fputs("pagefs", log) >= 0 && fflush(log) == 0);
    assert_true(fputs("fuse: two\n", log) >= 0);
    assert_true(fputs("four", log) >= 0 && fflush(log) == 0);
    assert_true(fputs("pagefs: ", log) >= 0 && fflush(log) == 0);
    assert_true(fputs("\n", log) >= 0);
    assert_int_equal(fclose(log), 0);
    assert_string_equal(world.logged, "one\npagefs\nfuse: two\nfour\n\n\n");
}

/* ---- findings ---- */

/* No file can be opened until files_again(). */
static struct rlimit no_more_files(void)
{
    struct rlimit limit;
    const int lowest = dup(STDERR_FILENO);

    assert_true(lowest > 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit less = {(rlim_t)lowest, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    return limit;
}

static void files_again(struct rlimit limit)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Where /tmp takes no file; nothing that was said is lost without a word about it. */
static void without_a_temporary_file_a_mebibyte_of_findings_is_kept(void **state)
{
    enum { LINES = 6000, LINE = 200 };
    const struct rlimit limit = no_more_files();
    struct findings *const findings = findings_new();
    char line[LINE], end[64] = "", expected[64];
    size_t length = 0;

    (void)state;
    assert_non_null(findings);
    assert_pf(PF_E_IO, findings_restart(findings));
    files_again(limit);
    assert_ok(findings_restart(findings));
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < LINES; i++)
        findings_note(findings, line);
    const uint64_t kept = findings_size(findings);
    assert_u64((1 << 20) / LINE * LINE, kept);
    findings_end(findings);
    assert_ok(findings_read(findings, kept, end, sizeof(end) - 1, &length));
    snprintf(expected, sizeof(expected), "no room for %d more lines\n",
             LINES - (1 << 20) / LINE);
    assert_string_equal(end, expected);
    findings_free(findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants_are_few_and_end_with_time),
        cmocka_unit_test(what_is_too_wide_for_its_column_is_cut),
        cmocka_unit_test(messages_stay_in_their_line),
        cmocka_unit_test(a_finding_without_expectation_is_its_class),
        cmocka_unit_test(each_line_for_syslog_is_a_message),
        cmocka_unit_test(without_a_temporary_file_a_mebibyte_of_findings_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
