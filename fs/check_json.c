/* check_json.c: the report of a check as one JSON object, a line for each finding. Its
 * keys, in this order: findings, summary; with --repair also repair and, after one,
 * again; advice or error; exit_status. A summary is null when the check was not ended. */
#include "check_output.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes of the UTF-8 character that begins here; 0: it is none. */
static size_t character_at(const unsigned char *text)
{
    static const struct {
        unsigned char first, last;   /* lead bytes */
        unsigned char second, until; /* what may follow them: no overlong, no surrogate */
        size_t length;
    } forms[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last)
            continue;
        for (size_t k = 1; k < forms[i].length; k++)
            if (text[k] < (k == 1 ? forms[i].second : 0x80) ||
                text[k] > (k == 1 ? forms[i].until : 0xbf))
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* Core speaks ASCII; file names are whatever they are. */
static void put_string(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    (void)fputc('"', stdout);
    while (*at != '\0') {
        const size_t length = character_at(at);
        if (length == 0 && (*at < ' ' || *at == 0x7f))
            (void)printf("\\u%04x", *at);
        else if (length == 0)
            (void)fputs("\\ufffd", stdout);
        else
            (void)printf("%s%.*s", *at == '"' || *at == '\\' ? "\\" : "", (int)length,
                         (const char *)at);
        at += length == 0 ? 1 : length;
    }
    (void)fputc('"', stdout);
}

static void put_member(const char *name, const char *value)
{
    (void)printf(", \"%s\": ", name);
    put_string(value);
}

static void put_number(const char *name, uint64_t value)
{
    (void)printf(", \"%s\": %" PRIu64, name, value);
}

static void put_bool(const char *name, bool value)
{
    (void)printf(", \"%s\": %s", name, value ? "true" : "false");
}

/* Begin the next element of an array. */
static void put_comma(struct check_output *out)
{
    (void)fputs(out->comma ? ",\n" : "\n", stdout);
    out->comma = true;
}

static void begin(struct check_output *out)
{
    (void)out;
    (void)fputc('{', stdout);
}

static void check_begin(struct check_output *out)
{
    out->comma = false;
    (void)printf("%s\"findings\": [", out->repairing ? ",\n\"again\": {" : "");
}

static void finding(struct check_output *out, const struct pf_finding *finding)
{
    put_comma(out);
    (void)printf("{\"page\": %" PRIu64, finding->page_id);
    put_number("pages", finding->page_count);
    put_member("class", pf_finding_class_name(finding->class));
    put_member("expected", finding->expected);
    put_member("found", finding->found);
    put_member("path", finding->path);
    (void)fputc('}', stdout);
}

static void put_summary(const struct pf_check_summary *summary)
{
    (void)printf("{\"total_pages\": %" PRIu64, summary->total_pages);
    put_number("file_pages", summary->file_pages);
    put_number("right_total", summary->right_total);
    put_number("in_use", summary->in_use);
    put_number("free", summary->free_pages);
    put_number("leaked", summary->leaked);
    put_number("nodes", summary->nodes);
    put_number("edges", summary->edges);
    put_number("pages_read", summary->pages_read);
    put_bool("walked", summary->walked);
    put_bool("graph_intact", summary->graph_intact);
    put_bool("free_list_intact", summary->free_list_intact);
    put_number("finding_count", summary->finding_count);
    (void)fputs(", \"by_class\": {", stdout);
    for (unsigned class = 0; class < PF_FINDING_CLASS_COUNT; class ++)
        (void)printf("%s\"%s\": %" PRIu64, class > 0 ? ", " : "",
                     pf_finding_class_name((pf_finding_class) class),
                     summary->findings[class]);
    (void)fputs("}}", stdout);
}

static void check_end(struct check_output *out, const struct pf_check_summary *summary)
{
    (void)fputs("],\n\"summary\": ", stdout);
    if (summary != NULL)
        put_summary(summary);
    else
        (void)fputs("null", stdout);
    if (out->repairing)
        (void)fputc('}', stdout);
}

static void repair_begin(struct check_output *out)
{
    out->comma = false;
    (void)printf(",\n\"repair\": {\"dry_run\": %s, \"changes\": [",
                 out->dry_run ? "true" : "false");
}

static void change(struct check_output *out, const char *change)
{
    put_comma(out);
    put_string(change);
}

static void repair_end(struct check_output *out, const struct pf_repair_result *result)
{
    (void)fputc(']', stdout);
    put_bool("done", result != NULL && !out->dry_run);
    if (result != NULL) {
        put_number("freed_pages", result->freed_pages);
        put_number("dropped_pages", result->dropped_pages);
    }
    (void)fputc('}', stdout);
}

static void end(struct check_output *out, const char *advice, const char *error,
                int status)
{
    (void)out;
    (void)fputs(",\n", stdout);
    (void)printf("\"%s\": ", advice != NULL ? "advice" : "error");
    put_string(advice != NULL ? advice : error);
    (void)printf(",\n\"exit_status\": %d}\n", status);
}

const struct check_format check_json = {
    .begin = begin,
    .check_begin = check_begin,
    .finding = finding,
    .check_end = check_end,
    .repair_begin = repair_begin,
    .change = change,
    .repair_end = repair_end,
    .end = end,
};
