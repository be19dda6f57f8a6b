/* check_lines.c: the report of a check for people, grep and awk: a finding a line, then
 * lines of `key value`, then a sentence on what to do. */
#include "check_output.h"

#include <inttypes.h>
#include <stdio.h>

#include "finding_text.h"
#include "message.h"

enum { LEAK_LINES = 10000 }; /* a page a line so far, then a run a line */

static void nothing(struct check_output *out)
{
    (void)out;
}

static void check_begin(struct check_output *out)
{
    out->leak_lines = 0;
    if (out->repairing)
        (void)printf("\nchecked again:\n");
}

static void put_finding(const struct pf_finding *finding)
{
    char line[FINDING_TEXT_SIZE];

    finding_text(finding, line);
    message_put(stdout, line);
    (void)fputc('\n', stdout);
}

static void finding(struct check_output *out, const struct pf_finding *finding)
{
    struct pf_finding one = *finding;

    if (finding->class != PF_FINDING_LEAKED ||
        finding->page_count > LEAK_LINES - out->leak_lines) {
        put_finding(finding);
        return;
    }
    one.page_count = 1;
    for (uint64_t i = 0; i < finding->page_count; i++) {
        one.page_id = finding->page_id + i;
        put_finding(&one);
    }
    out->leak_lines += finding->page_count;
}

static void put_classes(const struct pf_check_summary *summary)
{
    const char *before = " (";

    for (unsigned class = 0; class < PF_FINDING_CLASS_COUNT; class ++) {
        if (summary->findings[class] == 0)
            continue;
        (void)printf(
            "%s%s %" PRIu64, before, pf_finding_class_name((pf_finding_class) class),
            class == PF_FINDING_LEAKED ? summary->leaked : summary->findings[class]);
        before = ", ";
    }
    (void)printf("%s\n", before[0] == ',' ? ")" : "");
}

static void check_end(struct check_output *out, const struct pf_check_summary *summary)
{
    (void)out;
    if (summary == NULL)
        return;
    if (summary->finding_count > 0)
        (void)fputc('\n', stdout);
    (void)printf("total_pages %" PRIu64 "\n", summary->total_pages);
    if (summary->walked)
        (void)printf("in_use %" PRIu64 "\nfree %" PRIu64 "\nleaked %" PRIu64
                     "\nnodes %" PRIu64 "\nedges %" PRIu64 "\n",
                     summary->in_use, summary->free_pages, summary->leaked,
                     summary->nodes, summary->edges);
    /* leaked ones count by the page, as the lines do */
    (void)printf("findings %" PRIu64, summary->finding_count -
                                          summary->findings[PF_FINDING_LEAKED] +
                                          summary->leaked);
    put_classes(summary);
}

static void repair_begin(struct check_output *out)
{
    (void)out;
    (void)fputc('\n', stdout);
}

static void change(struct check_output *out, const char *change)
{
    (void)fputs(out->dry_run ? "would: " : "repair: ", stdout);
    message_put(stdout, change);
    (void)fputc('\n', stdout);
}

static void repair_end(struct check_output *out, const struct pf_repair_result *result)
{
    if (result != NULL && result->changes == 0)
        (void)printf("%snothing that can be repaired\n",
                     out->dry_run ? "would: " : "repair: ");
}

static void end(struct check_output *out, const char *advice, const char *error,
                int status)
{
    (void)out;
    (void)error; /* said on stderr */
    (void)status;
    if (advice != NULL) {
        (void)fputc('\n', stdout);
        message_put(stdout, advice);
        (void)fputc('\n', stdout);
    }
}

const struct check_format check_lines = {
    .begin = nothing,
    .check_begin = check_begin,
    .finding = finding,
    .check_end = check_end,
    .repair_begin = repair_begin,
    .change = change,
    .repair_end = repair_end,
    .end = end,
};
