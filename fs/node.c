#include "node.h"

#include <string.h>

#include "bulk.h"
#include "render.h"

#define DIRECTORY (S_IFDIR | 0555)
#define FILE_(permissions) (S_IFREG | (permissions))
#define IDS_SYNTAX "expected page ids and ranges such as 4 7 10-19"

/* clang-format off */
static const struct node_row node_table[NODE_KIND_COUNT] = {
    [NODE_ROOT] = {
        .parent = NODE_ROOT, .name = "", .mode = DIRECTORY, .content = NODE_IS_DIRECTORY,
    },
    [NODE_README] = {
        .parent = NODE_ROOT, .name = "README", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .flags = NODE_CONSTANT, .render = render_readme,
        .doc = "this text",
    },
    [NODE_STATUS] = {
        .parent = NODE_ROOT, .name = "status", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_status,
        .doc = "version, mode (rw or ro), reason (why it is ro, or none), source,\n"
               "page_size, journal, lock; one `key value` a line",
        .example = "grep reason status",
    },
    [NODE_HEADER] = {
        .parent = NODE_ROOT, .name = "header", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_header,
        .doc = "the 17 fields of the file's header as they are on disk",
    },
    [NODE_STATS] = {
        .parent = NODE_ROOT, .name = "stats", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_stats,
        .doc = "counts of pages, and of what was done since the mount;\n"
               "`unknown` where a corrupt free list hides the count.\n"
               "free_list_head is the page the next allocation reuses, 0 = none",
        .example = "grep free_pages stats",
    },
    [NODE_STATS_JSON] = {
        .parent = NODE_ROOT, .name = "stats.json", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_stats_json,
        .doc = "the same as one JSON object, null for unknown",
        .example = "jq .free_pages stats.json",
    },
    [NODE_ALLOC] = {
        .parent = NODE_ROOT, .name = "alloc", .mode = FILE_(0600),
        .content = NODE_IS_STREAM, .flags = NODE_ACTION,
        .parse = command_parse_alloc,
        .syntax = "expected a number of pages, or a number and `contiguous`, on a file "
                  "open for reading and writing",
        .doc = "the first read allocates one page, durably, and gives its id.\n"
               "Written on a descriptor open for both, `N` or `N contiguous` allocates N\n"
               "(at most 16777216) at once; reads then give the ids, one a line.\n"
               "Opened with O_NONBLOCK, O_NOFOLLOW or O_NOATIME (cp -r, grep -r): EAGAIN",
        .example = "cat alloc\nexec 3<>alloc; echo 5 >&3; cat <&3; exec 3>&-",
    },
    [NODE_FREE] = {
        .parent = NODE_ROOT, .name = "free", .mode = FILE_(0200),
        .content = NODE_IS_COMMAND, .flags = NODE_CARRIES_TOKENS,
        .parse = command_parse_free, .syntax = IDS_SYNTAX,
        .doc = "gives pages back: ids and ranges, any white space between. One write is\n"
               "one transaction: all of it happens, or nothing",
        .example = "echo 7 10-19 > free",
    },
    [NODE_PIN] = {
        .parent = NODE_ROOT, .name = "pin", .mode = FILE_(0200),
        .content = NODE_IS_COMMAND, .flags = NODE_CARRIES_TOKENS,
        .parse = command_parse_pin, .syntax = IDS_SYNTAX,
        .doc = "pins pages, which are then not freed; a page pinned n times needs n unpins.\n"
               "Pins end with the mount",
        .example = "echo 7 > pin",
    },
    [NODE_UNPIN] = {
        .parent = NODE_ROOT, .name = "unpin", .mode = FILE_(0200),
        .content = NODE_IS_COMMAND, .flags = NODE_CARRIES_TOKENS,
        .parse = command_parse_unpin, .syntax = IDS_SYNTAX,
        .doc = "takes one pin off each page",
        .example = "echo 7 > unpin",
    },
    [NODE_FREELIST] = {
        .parent = NODE_ROOT, .name = "freelist", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .bulk = &bulk_freelist,
        .doc = "ids of the free pages, the next to be handed out first, one a line,\n"
               "right-aligned in 10 columns (20 in files of more than 9000000000 pages)",
        .example = "read id < freelist; echo \"next: $id\"",
    },
    [NODE_LAST_ERROR] = {
        .parent = NODE_ROOT, .name = "last_error", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_last_error,
        .doc = "what the last failing command of this mount was and why; `ok` after a success",
        .example = "echo 0 > free || cat last_error",
    },
    [NODE_PAGES] = {
        .parent = NODE_ROOT, .name = "pages", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY, .flags = NODE_CONSTANT,
        .doc = "one directory a page, by number. ls -l: size 4096 when allocated and 0 when\n"
               "free, sticky bit when pinned, time of the last change",
        .example = "find pages -maxdepth 1 -size 0 | wc -l\ndu -s pages",
    },
    [NODE_PAGE] = {
        .parent = NODE_PAGES, .mode = DIRECTORY, .content = NODE_IS_DIRECTORY,
        .flags = NODE_NEEDS_FREELIST,
    },
    [NODE_STATE] = {
        .parent = NODE_PAGE, .name = "state", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .flags = NODE_NEEDS_FREELIST, .render = render_state,
        .parse = command_parse_state, .syntax = "expected free, allocated or pinned",
        .doc = "free, allocated or pinned. Writing a word changes it: `free` frees an\n"
               "allocated page, `allocated` takes this very page from the free list or drops\n"
               "the pins of a pinned one, `pinned` pins an allocated one",
        .example = "echo free > pages/7/state",
    },
    [NODE_PINS] = {
        .parent = NODE_PAGE, .name = "pins", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .flags = NODE_NEEDS_FREELIST, .render = render_pins,
        .parse = command_parse_pins, .syntax = "expected +1, -1 or 0",
        .doc = "how often the page is pinned; write +1, -1, or 0 to drop all",
        .example = "echo +1 > pages/7/pins",
    },
    [NODE_DATA] = {
        .parent = NODE_PAGE, .name = "data", .mode = FILE_(0600), .content = NODE_IS_DATA,
        .doc = "the page's 4096 bytes (112 for page 0), also of a free page. Only allocated\n"
               "pages can be written, never 0 and 1; a write is atomic",
        .example = "xxd pages/7/data | head -n 3",
    },
    [NODE_OFFSET] = {
        .parent = NODE_PAGE, .name = "offset", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .flags = NODE_CONSTANT, .render = render_offset,
        .doc = "where the page starts in the file, in bytes",
    },
    [NODE_CHECKSUM] = {
        .parent = NODE_PAGE, .name = "checksum", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .flags = NODE_READ_ONLY_OK, .render = render_checksum,
        .parse = command_parse_checksum, .syntax = "expected an XXH3-64 in hex",
        .doc = "xxh3 is the XXH3-64 of the page's bytes; stored and computed are the sum the\n"
               "page carries (trunk pages of the free list do) and what it should be, or `-`;\n"
               "status is ok, mismatch or none. Writing a hex XXH3-64 succeeds when the page\n"
               "has it (EBADMSG otherwise)",
        .example = "cat pages/7/checksum",
    },
};
/* clang-format on */

/* Listings need a cookie for `.` and `..` too; these kinds are never files. */
enum { COOKIE_DOT = 254, COOKIE_DOT_DOT = 255 };
_Static_assert((int)NODE_KIND_COUNT <= (int)COOKIE_DOT, "kinds and cookies share a byte");

const struct node_row *node_row(enum node_kind kind)
{
    const unsigned index = (unsigned)kind;

    return index > NODE_NONE && index < NODE_KIND_COUNT ? &node_table[index] : NULL;
}

/* Kinds that exist once a page. */
static bool kind_has_page(enum node_kind kind)
{
    return kind == NODE_PAGE || node_table[kind].parent == NODE_PAGE;
}

uint64_t node_ino(struct node node)
{
    return node.page_id << 8 | (uint64_t)node.kind;
}

bool node_of_ino(uint64_t ino, struct node *out_node)
{
    const struct node node = {ino >> 8, (enum node_kind)(ino & 0xff)};

    if (node_row(node.kind) == NULL)
        return false;
    if (node.page_id != 0 && !kind_has_page(node.kind))
        return false;
    *out_node = node;
    return true;
}

bool node_exists(struct node node, uint64_t total_pages)
{
    return !kind_has_page(node.kind) ||
           (node.page_id < total_pages && node.page_id < NODE_PAGE_LIMIT);
}

bool node_child(struct node directory, const char *name, uint64_t total_pages,
                struct node *out_child)
{
    struct node child = {directory.page_id, NODE_NONE};

    if (directory.kind == NODE_PAGES) {
        child.kind = NODE_PAGE;
        if (decimal_parse(name, strlen(name), &child.page_id) != PF_OK ||
            !node_exists(child, total_pages))
            return false;
        *out_child = child;
        return true;
    }
    for (unsigned kind = NODE_ROOT + 1; kind < NODE_KIND_COUNT; kind++) {
        const struct node_row *const row = &node_table[kind];
        if (row->parent == directory.kind && strcmp(row->name, name) == 0) {
            child.kind = (enum node_kind)kind;
            *out_child = child;
            return true;
        }
    }
    return false;
}

struct node node_parent(struct node node)
{
    const enum node_kind parent = node_table[node.kind].parent;

    return (struct node){kind_has_page(parent) ? node.page_id : 0, parent};
}

static void entry_name(struct node_entry *entry)
{
    const char *const name = node_table[entry->node.kind].name;

    if (name == NULL)
        entry->name[decimal_format(entry->node.page_id, entry->name)] = '\0';
    else
        memcpy(entry->name, name, strlen(name) + 1);
}

static bool next_page(uint64_t page_id, uint64_t total_pages, struct node_entry *out)
{
    const struct node page = {page_id, NODE_PAGE};

    if (!node_exists(page, total_pages))
        return false;
    *out = (struct node_entry){.node = page, .cookie = node_ino(page)};
    entry_name(out);
    return true;
}

static bool next_row(struct node directory, unsigned kind, bool hide_actions,
                     struct node_entry *out)
{
    for (; kind < NODE_KIND_COUNT; kind++) {
        const struct node_row *const row = &node_table[kind];
        if (row->parent != directory.kind || (hide_actions && row->flags & NODE_ACTION))
            continue;
        const struct node child = {directory.page_id, (enum node_kind)kind};
        *out = (struct node_entry){.node = child, .cookie = node_ino(child)};
        entry_name(out);
        return true;
    }
    return false;
}

bool node_next(struct node directory, uint64_t cookie, uint64_t total_pages,
               bool hide_actions, struct node_entry *out_entry)
{
    if (cookie == 0) {
        *out_entry = (struct node_entry){directory, COOKIE_DOT, "."};
        return true;
    }
    if (cookie == COOKIE_DOT) {
        *out_entry = (struct node_entry){node_parent(directory), COOKIE_DOT_DOT, ".."};
        return true;
    }
    if (directory.kind == NODE_PAGES)
        return next_page(cookie == COOKIE_DOT_DOT ? 0 : (cookie >> 8) + 1, total_pages,
                         out_entry);
    return next_row(directory,
                    cookie == COOKIE_DOT_DOT ? NODE_ROOT + 1
                                             : (unsigned)(cookie & 0xff) + 1,
                    hide_actions, out_entry);
}

void node_path(struct node node, char out_path[NODE_PATH_SIZE])
{
    const char *const name = node_table[node.kind].name;
    struct text path = {out_path, 0, NODE_PATH_SIZE, false};

    if (kind_has_page(node.kind)) {
        text_str(&path, "pages/");
        text_u64(&path, node.page_id);
        if (name != NULL)
            text_str(&path, "/");
    }
    if (name != NULL)
        text_str(&path, name);
    out_path[path.length] = '\0';
}
