/* node.h: the node table, the one place that knows what is in the tree.
 *
 * One row per file kind drives lookup, readdir, getattr, open, read, write and README:
 * adding a file is adding a row (and its renderer or parser). There is no table of
 * inodes: an inode number *is* (page id, kind), so a million pages cost nothing. */
#ifndef PAGEFS_NODE_H
#define PAGEFS_NODE_H

#include <sys/stat.h>

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
    NODE_LAST_ERROR,
    NODE_PAGES,
    NODE_PAGE, /* the directory pages/N */
    NODE_STATE,
    NODE_PINS,
    NODE_DATA,
    NODE_OFFSET,
    NODE_CHECKSUM,
    NODE_KIND_COUNT
};

struct node {
    uint64_t page_id; /* 0 for what belongs to no page */
    enum node_kind kind;
};

/* How a file's content comes about. */
enum node_content {
    NODE_IS_DIRECTORY,
    NODE_IS_TEXT,    /* render() into the open file, and again at each read at offset 0 */
    NODE_IS_BULK,    /* bulk: lines of fixed width, computed by offset */
    NODE_IS_STREAM,  /* alloc: what is read is what was allocated: stream.c */
    NODE_IS_DATA,    /* the bytes of a page */
    NODE_IS_COMMAND, /* only written */
};

enum node_flags {
    NODE_CONSTANT = 1 << 0, /* never changes while mounted: the kernel may cache it */
    NODE_NEEDS_FREELIST = 1 << 1, /* attributes and text need the free list walked */
    NODE_READ_ONLY_OK = 1 << 2,   /* writing changes nothing, so works on any mount */
    NODE_ACTION = 1 << 3,         /* reading does something: see -o hide_actions */
    NODE_CARRIES_TOKENS =
        1 << 4, /* a list of ids that may come in pieces: command_cut() */
};

/* Lines computed by offset. `total_pages` is that at open: it fixes the width. */
struct node_bulk {
    uint64_t (*size)(const struct fsctx *ctx);
    pf_err (*read)(const struct fsctx *ctx, uint64_t total_pages, uint64_t offset,
                   char *buffer, size_t size, size_t *out_length);
};

struct node_row {
    enum node_kind parent;
    mode_t mode;
    enum node_content content;
    unsigned flags;
    const char *name; /* NULL: the name is the page id */
    pf_err (*render)(const struct fsctx *ctx, uint64_t page_id, struct text *out);
    const struct node_bulk *bulk;
    command_parser *parse; /* NULL: not written as text */
    const char *syntax;    /* "expected ...", for last_error */
    const char *doc;       /* for README */
    const char *example;   /* or NULL */
};

struct node_entry {
    struct node node;
    uint64_t cookie; /* where the listing goes on */
    char name[24];
};

/* Ids from here on cannot be told in an inode number; no file can hold such pages. */
#define NODE_PAGE_LIMIT (UINT64_C(1) << 55)
enum { NODE_PATH_SIZE = 48 };

/* NULL when there is no such kind. */
const struct node_row *node_row(enum node_kind kind);

uint64_t node_ino(struct node node);
/* False when no node can have that number. Says nothing about the page's existence. */
bool node_of_ino(uint64_t ino, struct node *out_node);
/* False when the node belongs to a page that is not (or no longer) there. */
bool node_exists(struct node node, uint64_t total_pages);

bool node_child(struct node directory, const char *name, uint64_t total_pages,
                struct node *out_child);
struct node node_parent(struct node node);
/* The entry of a directory that follows `cookie` (0 = the first); false at the end. */
bool node_next(struct node directory, uint64_t cookie, uint64_t total_pages,
               bool hide_actions, struct node_entry *out_entry);
/* The path from the root, without a leading slash, terminated. */
void node_path(struct node node, char out_path[NODE_PATH_SIZE]);

#endif
