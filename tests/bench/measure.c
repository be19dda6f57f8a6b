#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_PAIRS = 1000, FIGURE_BYTES = 48 };

static unsigned rows_met, rows_missed, rows_skipped;

enum { MAX_NOTES = 64 };

static bool markdown;
static const char *limit; /* of the next row, NULL: nothing is known */
static const char *notes[MAX_NOTES];
static unsigned note_count;

/* ---- taking turns ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return count % 2 != 0 ? values[count / 2]
                          : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct pair {
    double ours, peer;
};

static int by_length(const void *a, const void *b)
{
    const struct pair *const x = a, *const y = b;
    const double x_length = x->ours + x->peer, y_length = y->ours + y->peer;

    return (x_length > y_length) - (x_length < y_length);
}

static struct comparison judge(struct pair *pairs, size_t count)
{
    double ours[MAX_PAIRS], peer[MAX_PAIRS], ratios[MAX_PAIRS];

    qsort(pairs, count, sizeof(*pairs), by_length);
    count = (count + 1) / 2; /* the quieter half */
    for (size_t i = 0; i < count; i++) {
        ours[i] = pairs[i].ours;
        peer[i] = pairs[i].peer;
        ratios[i] = pairs[i].ours / pairs[i].peer;
    }
    const double ratio = median(ratios, count);
    return (struct comparison){
        .ratio = ratio,
        .quarter = ratios[count / 4],
        .quarter3 = ratios[count - 1 - count / 4],
        .ours = median(ours, count),
        .peer = median(peer, count),
    };
}

struct comparison compare(const struct bench *b, struct side ours, struct side peer)
{
    const unsigned count = b->pairs < MAX_PAIRS ? b->pairs : MAX_PAIRS;
    struct pair pairs[MAX_PAIRS];

    ours.turn(b, ours.arg);
    peer.turn(b, peer.arg);
    for (unsigned i = 0; i < count; i++) {
        /* neither side always comes first */
        if (i % 2 == 0)
            pairs[i].ours = ours.turn(b, ours.arg);
        pairs[i].peer = peer.turn(b, peer.arg);
        if (i % 2 != 0)
            pairs[i].ours = ours.turn(b, ours.arg);
    }
    return judge(pairs, count);
}

struct comparison alone(const struct bench *b, struct side ours)
{
    const unsigned count = b->pairs < MAX_PAIRS ? b->pairs : MAX_PAIRS;
    struct pair pairs[MAX_PAIRS];

    ours.turn(b, ours.arg);
    for (unsigned i = 0; i < count; i++)
        pairs[i] = (struct pair){.ours = ours.turn(b, ours.arg)};
    return judge(pairs, count);
}

/* ---- the table ---- */

static void print_row(const char *what, const char *ours, const char *peer,
                      const char *ratio, const char *target, const char *met)
{
    (void)printf(markdown ? "| %s | %s | %s | %s | %s | %s |\n"
                          : "%-44s %12s  %-27s %-18s %-14s %s\n",
                 what, ours, peer, ratio, target, met);
    (void)fflush(stdout);
}

void table_markdown(void)
{
    markdown = true;
}

void table_limit(const char *why)
{
    limit = why;
}

/* Three digits. */
static int decimals_of(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

static void put_time(char out[FIGURE_BYTES], double nanoseconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;

    while (nanoseconds >= 1000 && unit < 3) {
        nanoseconds /= 1000;
        unit++;
    }
    (void)snprintf(out, FIGURE_BYTES, "%.*f %s", decimals_of(nanoseconds), nanoseconds,
                   units[unit]);
}

static void put_rate(char out[FIGURE_BYTES], double nanoseconds, const char *unit)
{
    const double rate = 1000 / nanoseconds;

    (void)snprintf(out, FIGURE_BYTES, "%.*f %s/s", decimals_of(rate), rate, unit);
}

void table_head(void)
{
    print_row("what", "ours", "limit or peer", "ratio (quartiles)", "target", "met");
    if (markdown)
        (void)puts("|---|---:|---:|---:|---:|---|");
}

void table_group(const char *title)
{
    (void)printf(markdown ? "| **%s** | | | | | |\n" : "\n%s\n", title);
}

/* What the last column says: a row that misses its target, which note says why. */
static const char *judge_row(bool met)
{
    static char text[FIGURE_BYTES];
    const char *const why = limit;
    unsigned i = 0;

    limit = NULL;
    if (met) {
        rows_met++;
        return "yes";
    }
    rows_missed++;
    while (i < note_count && notes[i] != why)
        i++;
    if (why == NULL || i == MAX_NOTES)
        return "NO";
    if (i == note_count)
        notes[note_count++] = why;
    (void)snprintf(text, sizeof(text), "NO (%u)", i + 1);
    return text;
}

/* `unit` NULL: as times, otherwise as rates. */
static void print_comparison(const char *what, const char *peer,
                             const struct comparison *c, const char *unit,
                             const char *target, bool met)
{
    char ours_text[FIGURE_BYTES], peer_figure[FIGURE_BYTES];
    char peer_text[2 * FIGURE_BYTES] = "-", ratio[FIGURE_BYTES] = "-";

    if (unit == NULL)
        put_time(ours_text, c->ours);
    else
        put_rate(ours_text, c->ours, unit);
    if (peer != NULL) {
        if (unit == NULL)
            put_time(peer_figure, c->peer);
        else
            put_rate(peer_figure, c->peer, unit);
        (void)snprintf(peer_text, sizeof(peer_text), "%s %s", peer_figure, peer);
        (void)snprintf(ratio, sizeof(ratio), "%.2f (%.2f-%.2f)", c->ratio, c->quarter,
                       c->quarter3);
    }
    print_row(what, ours_text, peer_text, ratio, target, judge_row(met));
}

void table_ratio(const char *what, const char *peer, const struct comparison *c,
                 double target)
{
    char text[FIGURE_BYTES];

    (void)snprintf(text, sizeof(text), "<= %.2f", target);
    print_comparison(what, peer, c, NULL, text, c->ratio <= target);
}

void table_nanoseconds(const char *what, const char *peer, const struct comparison *c,
                       double target)
{
    char text[FIGURE_BYTES + 4], time[FIGURE_BYTES];

    put_time(time, target);
    (void)snprintf(text, sizeof(text), "<= %s", time);
    print_comparison(what, peer, c, NULL, text, c->ours <= target);
}

void table_rate(const char *what, const char *peer, const struct comparison *c,
                const char *unit, double target)
{
    char text[FIGURE_BYTES];

    (void)snprintf(text, sizeof(text), ">= %.0f %s/s", target, unit);
    print_comparison(what, peer, c, unit, text, 1000 / c->ours >= target);
}

void table_text(const char *what, const char *ours, const char *peer, const char *ratio,
                const char *target, bool met)
{
    print_row(what, ours, peer, ratio, target, judge_row(met));
}

void table_skipped(const char *what, const char *why)
{
    rows_skipped++;
    limit = NULL;
    (void)printf(markdown ? "| %s | %s | skipped: %s | | | |\n"
                          : "%-44s %12s  skipped: %s\n",
                 what, "-", why);
}

void table_end(void)
{
    (void)putchar('\n');
    for (unsigned i = 0; i < note_count; i++)
        (void)printf("%u. %s\n", i + 1, notes[i]);
    if (note_count > 0)
        (void)putchar('\n');
    (void)printf("%u targets met, %u missed, %u rows skipped\n", rows_met, rows_missed,
                 rows_skipped);
}
