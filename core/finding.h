/* finding.h: what a check can find wrong, as data. Needs no other header of core.
 *
 * Meant to be part of the public API, as err.h is. A finding names a page or a
 * run of pages, a class, what was expected there and what was found, and how
 * the page is reached. FORMAT.md section 8 says what each class means. */
#ifndef PF_FINDING_H
#define PF_FINDING_H

#include <stdint.h>

/* clang-format off */
#define PF_FINDING_CLASSES(X)                                                           \
    X(HEADER,        "header")        /* a header field contradicts the file */         \
    X(TREE,          "tree")          /* a graph page is not what its user needs */     \
    X(CHECKSUM,      "checksum")      /* its sum is wrong, the rest looks sane */       \
    X(DANGLING,      "dangling")      /* referenced, but not in the file */             \
    X(CROSS_LINKED,  "cross-linked")  /* used twice */                                  \
    X(LEAKED,        "leaked")        /* neither reachable nor free */                  \
    X(FREE_BUT_USED, "free-but-used") /* reachable, and on the free list */             \
    X(FREE_LIST,     "free-list")     /* a trunk page is not valid */                   \
    X(JOURNAL,       "journal")       /* the journal was refused */                     \
    X(SIZE,          "size")          /* the file's length contradicts the header */
/* clang-format on */

typedef enum pf_finding_class {
#define PF_FINDING_ENUM(name, text) PF_FINDING_##name,
    PF_FINDING_CLASSES(PF_FINDING_ENUM)
#undef PF_FINDING_ENUM
        PF_FINDING_CLASS_COUNT
} pf_finding_class;

enum {
    PF_PATH_SIZE = 512, /* the longest path of a page, terminator included */
};

struct pf_finding {
    pf_finding_class class;
    uint64_t page_id;    /* dangling: the page that is not there */
    uint64_t page_count; /* pages from page_id on; 1 but for leaked ones */
    uint64_t user_id;    /* the page that refers to page_id, 0 = the header or nobody */
    char expected[128];
    char found[PF_PATH_SIZE + 32];
    char path[PF_PATH_SIZE]; /* "node root 31 > leaf 17 > node 12 > blob", or "" */
};

/* Called while a walk or check runs, from its thread. `finding` lives until it returns.
 */
typedef void (*pf_finding_fn)(void *ctx, const struct pf_finding *finding);

/* "cross-linked" and the like, static storage. */
const char *pf_finding_class_name(pf_finding_class class);

/* Fill in the two sentences, cut to size. For core only. */
void finding_expect(struct pf_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_found(struct pf_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
