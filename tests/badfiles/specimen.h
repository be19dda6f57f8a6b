/* specimen.h: a database and what lies beside it, in memory, to be broken and laid out in
 * a directory.
 *
 * Everything is made from core/FORMAT.md with support/v3file.h, which shares no code with
 * core; only the journals are real ones, left behind by a process that ended without
 * closing its store. */
#ifndef BAD_SPECIMEN_H
#define BAD_SPECIMEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bad_kind {
    BAD_NONE, /* there is no such file */
    BAD_REGULAR,
    BAD_SYMLINK, /* to a regular file with these bytes */
    BAD_DANGLING,
    BAD_FIFO,
    BAD_DIRECTORY,
    BAD_OTHER_OWNER, /* needs root; otherwise like BAD_REGULAR */
    BAD_UNREADABLE,  /* mode 0 */
    BAD_HARD_LINK,   /* it has a second name */
};

struct bad_file {
    enum bad_kind kind;
    uint8_t *bytes; /* `length` of them */
    size_t length;
    uint64_t size; /* at least length: a hole behind the bytes */
};

enum bad_side { BAD_DB, BAD_JOURNAL, BAD_WAL, BAD_META, BAD_SIDES };

struct specimen {
    char name[128];
    struct bad_file file[BAD_SIDES];
};

/* What specimens start from. */
enum base {
    BASE_LIST,    /* 30 pages, two blocks of free ones, no graph */
    BASE_GRAPH,   /* the sample `small` and eight free pages behind it */
    BASE_EDGES,   /* the sample synth39 with its .v3edgemeta */
    BASE_BLOCKS,  /* 1,300 pages, three blocks, the older two full */
    BASE_HOT,     /* 30 pages as they were before a journal that must be replayed */
    BASE_APPLIED, /* and after it */
    BASE_COUNT
};

enum { LIST_PAGES = 30, LIST_NEWEST = 20, LIST_OLDEST = 5 };

/* Make the bases, in this directory for what needs one. */
void bases_make(const char *directory);
void bases_free(void);
/* A copy of a base, without a name. */
void specimen_from(struct specimen *s, enum base base);
void specimen_clear(struct specimen *s);
/* Give a file these bytes. */
void bad_set(struct bad_file *file, const void *bytes, size_t length);
/* Make it longer, with zeros, or shorter. */
void bad_resize(struct bad_file *file, uint64_t size);
/* The bytes of a page of the database; NULL when they are not all there. */
uint8_t *bad_page(struct specimen *s, uint64_t page_id);

/* Where the i-th record of a journal begins; its length when there is none. */
size_t journal_record(const struct bad_file *journal, unsigned i);
/* Give the header, or the record at `at`, the sum that it needs now. */
void journal_sum_header(struct bad_file *journal);
void journal_sum_record(struct bad_file *journal, size_t at);

/* Write it into an empty directory, as db.v3 and so on. */
void specimen_lay_out(const struct specimen *s, const char *directory);

/* ---- which there are ---- */

/* How many are made by hand. */
unsigned curated_count(void);
void curated_make(unsigned index, struct specimen *out);
/* The index of one by its name; curated_count() when there is none. */
unsigned curated_find(const char *name);
/* One of endlessly many, by its seed. */
void seeded_make(uint64_t seed, struct specimen *out);

#endif
