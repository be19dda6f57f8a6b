/* bench.h: what every group of rows has at hand.
 *
 * A benchmark never judges by the clock: each figure of ours is taken in turns with the
 * one it is compared to, in the same run, and only their ratio counts. A target that is
 * missed is printed; the program fails only when something does not work. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pf.h"

enum { BENCH_PATH = 256 };

struct bench {
    const char *pagefs, *nullfs; /* programs */
    char dir[96];                /* scratch directory on the disk that is measured */
    unsigned pairs;              /* how often two sides take turns */
    double slice;                /* seconds of one turn */
};

/* `name` below the scratch directory. */
void bench_path(const struct bench *b, const char *name, char out_path[BENCH_PATH]);

/* Something does not work: say what, and end with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
/* The same, with the text of errno. */
__attribute__((noreturn, format(printf, 1, 2))) void die_errno(const char *format, ...);
/* die() naming the call unless it returned PF_OK. */
#define must(call) bench_must((call), #call)
void bench_must(pf_err err, const char *call);

double now_seconds(void); /* CLOCK_MONOTONIC */

/* The groups of rows, by file. */
typedef void rows_function(const struct bench *b);
rows_function rows_requests, rows_durable, rows_engine, rows_million, rows_terabyte;
rows_function rows_bulk, rows_data, rows_check;

/* For rows_terabyte, in a process of its own: print by how many kB opening the database,
 * and asking for a page's state if `ask`, makes a process grow. An exit status. */
int memory_main(const char *path, bool ask);

#endif
