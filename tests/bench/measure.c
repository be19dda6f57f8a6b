#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_PAIRS = 1000, FIGURE_BYTES = 48 };

static unsigned rows_met, rows_missed, rows_skipped;

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

struct comparison compare(const struct bench *b, struct side ours, struct side peer)
{
    const unsigned pairs = b->pairs < MAX_PAIRS ? b->pairs : MAX_PAIRS;
    double of_ours[MAX_PAIRS], of_peer[MAX_PAIRS], ratios[MAX_PAIRS];

    ours.turn(b, ours.arg);
    peer.turn(b, peer.arg);
    for (unsigned i = 0; i < pairs; i++) {
        /* neither side always comes first */
        if (i % 2 == 0)
            of_ours[i] = ours.turn(b, ours.arg);
        of_peer[i] = peer.turn(b, peer.arg);
        if (i % 2 != 0)
            of_ours[i] = ours.turn(b, ours.arg);
        ratios[i] = of_ours[i] / of_peer[i];
    }
    const struct comparison c = {
        .ratio = median(ratios, pairs),
        .quarter = ratios[pairs / 4],
        .quarter3 = ratios[pairs - 1 - pairs / 4],
        .ours = median(of_ours, pairs),
        .peer = median(of_peer, pairs),
    };
    return c;
}

/* ---- the table ---- */

static void print_row(const char *what, const char *ours, const char *peer,
                      const char *ratio, const char *target, const char *met)
{
    (void)printf("%-46s %11s  %-24s %-18s %-12s %s\n", what, ours, peer, ratio, target,
                 met);
    (void)fflush(stdout);
}

/* Three digits and a unit. */
static void put_time(char out[FIGURE_BYTES], double nanoseconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;

    while (nanoseconds >= 1000 && unit < 3) {
        nanoseconds /= 1000;
        unit++;
    }
    (void)snprintf(out, FIGURE_BYTES, "%.*f %s",
                   nanoseconds < 10    ? 2
                   : nanoseconds < 100 ? 1
                                       : 0,
                   nanoseconds, units[unit]);
}

void table_head(void)
{
    print_row("what", "ours", "limit or peer", "ratio (quartiles)", "target", "met");
}

void table_group(const char *title)
{
    (void)printf("\n%s\n", title);
}

static void count_row(bool met)
{
    if (met)
        rows_met++;
    else
        rows_missed++;
}

static void print_comparison(const char *what, const char *peer,
                             const struct comparison *c, const char *target, bool met)
{
    char ours_text[FIGURE_BYTES], peer_time[FIGURE_BYTES];
    char peer_text[2 * FIGURE_BYTES], ratio[FIGURE_BYTES];

    put_time(ours_text, c->ours);
    put_time(peer_time, c->peer);
    (void)snprintf(peer_text, sizeof(peer_text), "%s %s", peer_time, peer);
    (void)snprintf(ratio, sizeof(ratio), "%.2f (%.2f-%.2f)", c->ratio, c->quarter,
                   c->quarter3);
    count_row(met);
    print_row(what, ours_text, peer_text, ratio, target, met ? "yes" : "NO");
}

void table_ratio(const char *what, const char *peer, const struct comparison *c,
                 double target)
{
    char text[FIGURE_BYTES];

    (void)snprintf(text, sizeof(text), "<= %.2f", target);
    print_comparison(what, peer, c, text, c->ratio <= target);
}

void table_nanoseconds(const char *what, const char *peer, const struct comparison *c,
                       double target)
{
    char text[FIGURE_BYTES], time[FIGURE_BYTES];

    put_time(time, target);
    (void)snprintf(text, sizeof(text), "<= %.11s", time);
    print_comparison(what, peer, c, text, c->ours <= target);
}

void table_text(const char *what, const char *ours, const char *peer, const char *ratio,
                const char *target, bool met)
{
    count_row(met);
    print_row(what, ours, peer, ratio, target, met ? "yes" : "NO");
}

void table_skipped(const char *what, const char *why)
{
    rows_skipped++;
    (void)printf("%-46s %11s  skipped: %s\n", what, "-", why);
}

void table_end(void)
{
    (void)printf("\n%u targets met, %u missed, %u rows skipped\n", rows_met, rows_missed,
                 rows_skipped);
}
