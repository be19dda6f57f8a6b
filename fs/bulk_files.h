/* bulk_files.h: the bulk files there are. */
#ifndef PAGEFS_BULK_FILES_H
#define PAGEFS_BULK_FILES_H

#include "bulk.h"

extern const struct bulk bulk_freelist;    /* bulk_freelist.c */
extern const struct bulk bulk_pages_tsv;   /* bulk_pages.c */
extern const struct bulk bulk_pages_jsonl; /* bulk_pages.c */
extern const struct bulk bulk_map;         /* bulk_map.c */
extern const struct bulk bulk_runs;        /* bulk_runs.c */
extern const struct bulk bulk_diff;        /* bulk_diff.c */

/* Bytes of the lines of `map` that show the first `pages` pages. */
uint64_t bulk_map_bytes(const struct bulk_source *source, uint64_t pages);

#endif
