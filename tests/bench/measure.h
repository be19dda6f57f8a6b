/* measure.h: two sides taking turns, and the table they are reported in.
 *
 * Whatever else the machine does falls on a turn of either side by chance. So there are
 * many short turns, two that follow each other make a pair, the half of the pairs that
 * took longest together is left out, and the rest is judged by medians. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"

/* One turn of one side, about b->slice seconds: nanoseconds per operation. */
typedef double side_function(const struct bench *b, void *side);

struct side {
    side_function *turn;
    void *arg;
};

struct comparison {
    double ours, peer;        /* medians, nanoseconds per operation */
    double ratio;             /* median over the pairs, ours / peer: below 1 is faster */
    double quarter, quarter3; /* its quartiles */
};

/* Ours, the other, the other, ours, ... after one turn of each that does not count. */
struct comparison compare(const struct bench *b, struct side ours, struct side peer);

/* The same work in turns, without anything to compare it to: only `ours` is set. */
struct comparison alone(const struct bench *b, struct side ours);

/* Sorts `values`. */
double median(double *values, size_t count);

/* From the head on, as README.md has it. */
void table_markdown(void);
void table_head(void);
/* What the group is about, above its rows. */
void table_group(const char *title);
/* A row of a comparison. `peer` names the other side. Met when ratio <= target. */
void table_ratio(const char *what, const char *peer, const struct comparison *c,
                 double target);
/* A row of a figure that has a target of its own, in nanoseconds per operation; met when
 * not above. The comparison's ratio is for information, and there is none with a `peer`
 * of NULL. */
void table_nanoseconds(const char *what, const char *peer, const struct comparison *c,
                       double target);
/* The same as a rate: `unit` is what each operation is worth times 10^6, and the target
 * is in them. Met when not below. */
void table_rate(const char *what, const char *peer, const struct comparison *c,
                const char *unit, double target);
/* A row with texts of the caller's. */
void table_text(const char *what, const char *ours, const char *peer, const char *ratio,
                const char *target, bool met);
/* What keeps the next row from its target, and how that is known: a note below the table
 * if it misses. A literal. */
void table_limit(const char *why);
/* A row that was not measured, and why. */
void table_skipped(const char *what, const char *why);
/* Targets met and missed, rows skipped. */
void table_end(void);

#endif
