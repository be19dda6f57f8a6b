/* node.h: the node table, the one place that knows what is in the tree.
 *
 * One row per file kind (node_table.c) drives lookup, readdir, getattr, open, read, write
 * and README: adding a file is adding a row (and its renderer or parser). There is no
 * table of inodes: an inode number *is* (id, kind), so a million pages cost nothing. */
#ifndef PAGEFS_NODE_H
#define PAGEFS_NODE_H

#include <sys/stat.h>

#include "bulk.h"
#include "command.h"
#include "decimal.h"
#include "fsctx.h"
#include "text.h"

/* Also the order of listings. At most 253: two more serve as readdir cookies. */
enum node_kind {
    NODE_NONE,
    NODE_ROOT, /* inode 1, as FUSE wants it */
    NODE_README,
    NODE_STATUS,
    NODE_HEADER,
    NODE_STATS,
    NODE_STATS_JSON,
    NODE_ALLOC,
    NODE_FREE,
    NODE_PIN,
    NODE_UNPIN,
    NODE_FREELIST,
    NODE_PAGES_TSV,
    NODE_PAGES_JSONL,
    NODE_MAP,
    NODE_MAP_SVG,
    NODE_RUNS,
    NODE_RUNS_HISTOGRAM,
    NODE_EVENTS,
    NODE_LAST_ERROR,
    NODE_CTL,
    NODE_LIMITS,
    NODE_MAX_PAGES,
    NODE_CHECK,
    NODE_CHECK_ACTION,
    NODE_CHECK_PROGRESS,
    NODE_CHECK_FINDINGS,
    NODE_CHECK_COUNT,
    NODE_SNAPSHOTS,
    NODE_SNAPSHOT, /* the directory snapshots/NAME */
    NODE_SNAPSHOT_STATS,
    NODE_SNAPSHOT_DIFF,
    NODE_PINNED,
    NODE_PINNED_PAGE, /* the link pinned/N */
    NODE_LEAKED,
    NODE_LEAKED_PAGE,
    NODE_BAD,
    NODE_BAD_PAGE,
    NODE_PAGES,
    NODE_PAGE, /* the directory pages/N */
    NODE_STATE,
    NODE_PINS,
    NODE_HOLD,
    NODE_DATA,
    NODE_TYPE,
    NODE_USED_BY,
    NODE_OFFSET,
    NODE_CHECKSUM,
    NODE_KIND_COUNT
};

struct node {
    uint64_t id; /* of the page or snapshot it belongs to; 0 where there is none */
    enum node_kind kind;
};

/* How a file's content comes about. */
enum node_content {
    NODE_IS_DIRECTORY,
    NODE_IS_LINK, /* to the page of the same id */
    NODE_IS_TEXT, /* render() into the open file, and again at each read at offset 0 */
    NODE_IS_BULK, /* lines of fixed width, computed by offset: bulk.h */
    NODE_IS_LOG,  /* events.h */
    NODE_IS_FINDINGS, /* findings.h */
    NODE_IS_STREAM,   /* alloc: what is read is what was allocated: stream.h */
    NODE_IS_HOLD,     /* opening it pins the page: hold.h */
    NODE_IS_DATA,     /* the bytes of a page */
    NODE_IS_COMMAND,  /* only written */
};

enum node_flags {
    NODE_CONSTANT = 1 << 0,     /* never changes while mounted: the kernel may cache it */
    NODE_READ_ONLY_OK = 1 << 1, /* writing changes nothing, so works on any mount */
    NODE_ACTION = 1 << 2,       /* reading does something: see -o hide_actions */
    NODE_CARRIES_TOKENS = 1 << 3, /* ids that may come in pieces: command_cut() */
    NODE_MAY_LACK_SIZE = 1 << 4,  /* shows size 0 in files of over a million pages */
};

/* What answering takes that the session loop must not wait for: call.h. */
enum node_needs {
    NODE_NEEDS_LIST = 1 << 0,  /* the free list, walked */
    NODE_NEEDS_DISK = 1 << 1,  /* a few reads of the file */
    NODE_NEEDS_WALK = 1 << 2,  /* a look at every page */
    NODE_NEEDS_GRAPH = 1 << 3, /* a walk of the graph, if there is one: walks.h */
};

struct node_row {
    enum node_kind parent;
    mode_t mode;
    enum node_content content;
    unsigned flags;
    unsigned to_stat, to_read; /* node_needs */
    const char *name;          /* NULL: many of them, see `names` */
    const char *names;         /* what README calls them */
    pf_err (*render)(const struct fsctx *ctx, uint64_t id, struct text *out);
    uint64_t (*size)(const struct fsctx *ctx); /* of the text; NULL: render to know */
    /* of links: the lowest page >= page_id that one leads to */
    bool (*next)(pf_store *store, uint64_t page_id, uint64_t *out_page_id);
    const struct bulk *bulk;
    command_parser *parse; /* NULL: not written as text */
    const char *syntax;    /* "expected ...", for last_error */
    const char *no_space;  /* what ENOSPC means here, for last_error; or NULL */
    const char *too_many;  /* the same for ERANGE */
    const char *doc;       /* for README */
    const char *example;   /* or NULL */
};

struct node_entry {
    struct node node;
    uint64_t cookie; /* where the listing goes on */
    char name[256];
};

/* Ids from here on cannot be told in an inode number; no file can hold such pages. */
#define NODE_PAGE_LIMIT (UINT64_C(1) << 55)
enum { NODE_PATH_SIZE = 48, NODE_DEPTH_MAX = 4 };

const struct node_row *node_row(enum node_kind kind);

uint64_t node_ino(struct node node);
/* False when no node can have that number. Says nothing about the existence of what it
 * belongs to. */
bool node_of_ino(uint64_t ino, struct node *out_node);
/* False when the node belongs to a page, pin or snapshot that is not (or no longer)
 * there. */
bool node_exists(const struct fsctx *ctx, struct node node);
bool node_has_page(struct node node);
bool node_has_snapshot(struct node node);

bool node_child(const struct fsctx *ctx, struct node directory, const char *name,
                struct node *out_child);
struct node node_parent(struct node node);
/* The entry of a directory that follows `cookie` (0 = the first); false at the end. */
bool node_next(const struct fsctx *ctx, struct node directory, uint64_t cookie,
               struct node_entry *out_entry);
/* The path from the root, without a leading slash, terminated; snapshots by number. */
void node_path(struct node node, char out_path[NODE_PATH_SIZE]);

#endif
