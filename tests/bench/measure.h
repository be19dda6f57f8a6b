/* measure.h: two sides taking turns, and the table they are reported in. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"

/* One turn of one side: nanoseconds per operation. */
typedef double side_function(const struct bench *b, void *side);

struct side {
    side_function *turn;
    void *arg;
};

struct comparison {
    double ours, peer;        /* medians, nanoseconds per operation */
    double ratio;             /* median over the pairs of turns, ours / peer */
    double quarter, quarter3; /* its quartiles */
};

/* Ours, the other, the other, ours, ... after one turn of each that does not count. */
struct comparison compare(const struct bench *b, struct side ours, struct side peer);

/* Sorts `values`. */
double median(double *values, size_t count);

void table_head(void);
/* What the group is about, above its rows. */
void table_group(const char *title);
/* A row of a comparison. `peer` names the other side. Met when ratio <= target. */
void table_ratio(const char *what, const char *peer, const struct comparison *c,
                 double target);
/* A row of a figure that has a target of its own, in nanoseconds per operation; met when
 * not above. The comparison's ratio is for information. */
void table_nanoseconds(const char *what, const char *peer, const struct comparison *c,
                       double target);
/* A row with texts of the caller's. */
void table_text(const char *what, const char *ours, const char *peer, const char *ratio,
                const char *target, bool met);
/* A row that was not measured, and why. */
void table_skipped(const char *what, const char *why);
/* Targets met and missed, rows skipped. */
void table_end(void);

#endif
