/* node_table.c: what is in the tree: one row a file kind. */
#include "node.h"

#include "bulk_files.h"
#include "render.h"

#define DIRECTORY (S_IFDIR | 0555)
#define FILE_(permissions) (S_IFREG | (permissions))
#define IDS_SYNTAX "expected page ids and ranges such as 4 7 10-19"
#define NEEDS_GRAPH (NODE_NEEDS_LIST | NODE_NEEDS_GRAPH)
#define NEEDS_ALL_PAGES (NODE_NEEDS_LIST | NODE_NEEDS_WALK)

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
        .doc = "version, mode (rw, ro, or scratch: changes stay in memory), reason (why it\n"
               "is ro, or none), source, page_size, journal, lock; one `key value` a line",
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
        .too_many = "a number is too large, or all ranges together: 16777216 pages at most",
        .doc = "gives pages back: ids and ranges, any white space between. One write is\n"
               "one transaction: all of it happens, or nothing. A page that the graph reaches\n"
               "is refused (EBUSY); the first free waits for a walk of the graph, if any.\n"
               "At most 16777216 pages at once (ERANGE)",
        .example = "echo 7 10-19 > free",
    },
    [NODE_PIN] = {
        .parent = NODE_ROOT, .name = "pin", .mode = FILE_(0200),
        .content = NODE_IS_COMMAND, .flags = NODE_CARRIES_TOKENS,
        .parse = command_parse_pin, .syntax = IDS_SYNTAX,
        .too_many = "a number is too large, or all ranges together: 4194304 pages at most",
        .doc = "pins pages, which are then not freed; a page pinned n times needs n unpins.\n"
               "Pins end with the mount. At most 4194304 at once (ERANGE)",
        .example = "echo 7 > pin",
    },
    [NODE_UNPIN] = {
        .parent = NODE_ROOT, .name = "unpin", .mode = FILE_(0200),
        .content = NODE_IS_COMMAND, .flags = NODE_CARRIES_TOKENS,
        .parse = command_parse_unpin, .syntax = IDS_SYNTAX,
        .too_many = "a number is too large, or all ranges together: 4194304 pages at most",
        .doc = "takes one pin off each page, at most 4194304 at once (ERANGE)",
        .example = "echo 7 > unpin",
    },
    [NODE_FREELIST] = {
        .parent = NODE_ROOT, .name = "freelist", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .bulk = &bulk_freelist,
        .to_read = NODE_NEEDS_LIST | NODE_NEEDS_DISK,
        .doc = "ids of the free pages, the next to be handed out first, one a line,\n"
               "right-aligned in 10 columns (20 in files of more than 9000000000 pages)",
        .example = "read id < freelist; echo \"next: $id\"",
    },
    [NODE_PAGES_TSV] = {
        .parent = NODE_ROOT, .name = "pages.tsv", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .bulk = &bulk_pages_tsv, .to_read = NODE_NEEDS_LIST,
        .doc = "a header line, then one line a page: id, state, pins, type (`-` until\n"
               "the graph was walked), offset; columns of fixed width, right-aligned, a tab between",
        .example = "awk '$2 == \"pinned\" {print $1}' pages.tsv",
    },
    [NODE_PAGES_JSONL] = {
        .parent = NODE_ROOT, .name = "pages.jsonl", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .flags = NODE_MAY_LACK_SIZE, .bulk = &bulk_pages_jsonl,
        .to_read = NODE_NEEDS_LIST | NODE_NEEDS_DISK,
        .doc = "one JSON object a page and line: the same, used_by (null when not used) and\n"
               "checksum (null when the page cannot be read); blanks make the lines equally\n"
               "long. Reads every page of the file",
        .example = "jq -c 'select(.checksum.status == \"mismatch\")' pages.jsonl",
    },
    [NODE_MAP] = {
        .parent = NODE_ROOT, .name = "map", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .bulk = &bulk_map, .to_read = NODE_NEEDS_LIST,
        .doc = "a character a page, 64 a line behind the id of the first: H header,\n"
               "R reserved, # allocated, . free, T trunk (free, lists other free pages),\n"
               "P pinned, blank past the end; once the graph was walked (see type) also\n"
               "L leaked, X cross-linked or dangling, ! bad",
        .example = "head map",
    },
    [NODE_MAP_SVG] = {
        .parent = NODE_ROOT, .name = "map.svg", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .flags = NODE_MAY_LACK_SIZE, .render = render_map_svg,
        .to_stat = NEEDS_ALL_PAGES, .to_read = NEEDS_ALL_PAGES,
        .doc = "the same as a picture for a web browser; in large files a cell is many pages.\n"
               "Once the graph was walked it also tells trees, nodes, edges and blobs apart",
    },
    [NODE_RUNS] = {
        .parent = NODE_ROOT, .name = "runs", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .flags = NODE_MAY_LACK_SIZE, .bulk = &bulk_runs,
        .to_stat = NEEDS_ALL_PAGES, .to_read = NEEDS_ALL_PAGES,
        .doc = "runs of pages in equal state, one a line: start, end (the last page), count,\n"
               "state; right-aligned columns",
        .example = "grep free runs | sort -n -k 3 | tail -n 1    # the longest free run",
    },
    [NODE_RUNS_HISTOGRAM] = {
        .parent = NODE_ROOT, .name = "runs.histogram", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_histogram, .size = render_histogram_size,
        .to_read = NEEDS_ALL_PAGES,
        .doc = "free runs by length, in powers of two: a header line, then from, to, how many\n"
               "runs, pages in them. The last line tells how many free pages lie at the end of\n"
               "the file: `shrink` gives these back",
        .example = "tail -n 1 runs.histogram",
    },
    [NODE_EVENTS] = {
        .parent = NODE_ROOT, .name = "events", .mode = FILE_(0444),
        .content = NODE_IS_LOG,
        .doc = "what was done and refused, one line each: number, microseconds since 1970,\n"
               "operation, page or first-last or `-`, pid and command of who opened the file,\n"
               "`ok` or an errno. `?`: not known. The last MiB is kept; a read of bytes that are\n"
               "gone gives `lost N`, N bytes, and goes on at the oldest kept",
        .example = "tail -f events\ngrep ' alloc ' events",
    },
    [NODE_LAST_ERROR] = {
        .parent = NODE_ROOT, .name = "last_error", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_last_error,
        .doc = "what the last failing command of this mount was and why; `ok` after a success",
        .example = "echo 0 > free || cat last_error",
    },
    [NODE_CTL] = {
        .parent = NODE_ROOT, .name = "ctl", .mode = FILE_(0200),
        .content = NODE_IS_COMMAND, .parse = command_parse_ctl,
        .syntax = "expected sync, checkpoint, shrink or rebuild-freelist",
        .doc = "sync: make everything durable, also with -o sync=none. checkpoint: bring the\n"
               "journal into the file (happens by itself after a second without commands).\n"
               "shrink: give the free pages at the end of the file back to the file system.\n"
               "rebuild-freelist: put the free list in order, the lowest page first, so that\n"
               "the end of the file falls free",
        .example = "echo shrink > ctl",
    },
    [NODE_LIMITS] = {
        .parent = NODE_ROOT, .name = "limits", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY,
        .doc = "what can be limited",
    },
    [NODE_MAX_PAGES] = {
        .parent = NODE_LIMITS, .name = "max_pages", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .render = render_max_pages,
        .parse = command_parse_max_pages, .syntax = "expected a number of pages, or max",
        .doc = "the file does not grow over so many pages (ENOSPC), or `max`. Free pages are\n"
               "handed out whatever the limit. Also -o max_pages=N",
        .example = "echo 5000 > limits/max_pages",
    },
    [NODE_CHECK] = {
        .parent = NODE_ROOT, .name = "check", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY,
        .doc = "a check of the whole file; changes nothing, and others go on meanwhile",
    },
    [NODE_CHECK_ACTION] = {
        .parent = NODE_CHECK, .name = "action", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .flags = NODE_READ_ONLY_OK,
        .render = render_check_action,
        .parse = command_parse_check, .syntax = "expected check or cancel",
        .doc = "what runs: check, or idle. Write check to begin (EBUSY when one runs), cancel\n"
               "to end it. A check finds what the graph uses as well: see leaked and bad",
        .example = "echo check > check/action\n"
                   "while grep -q check check/action; do cat check/progress; sleep 1; done",
    },
    [NODE_CHECK_PROGRESS] = {
        .parent = NODE_CHECK, .name = "progress", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_check_progress,
        .doc = "done / total, in pages; total grows a little",
    },
    [NODE_CHECK_FINDINGS] = {
        .parent = NODE_CHECK, .name = "findings", .mode = FILE_(0444),
        .content = NODE_IS_FINDINGS, .to_read = NODE_NEEDS_DISK,
        .doc = "what the check has found so far, one a line, with the path from the root of a\n"
               "tree to the page. At the end the pages that changed meanwhile are named:\n"
               "what is said about them may be half old",
        .example = "cat check/findings",
    },
    [NODE_CHECK_COUNT] = {
        .parent = NODE_CHECK, .name = "count", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_check_count,
        .doc = "how many findings; 0 is what one wants, when a check has ended",
    },
    [NODE_SNAPSHOTS] = {
        .parent = NODE_ROOT, .name = "snapshots", .mode = S_IFDIR | 0755,
        .content = NODE_IS_DIRECTORY,
        .syntax = "expected a name without control characters",
        .no_space = "snapshots may take 64 MiB in all: rmdir one",
        .doc = "mkdir keeps the states of all pages as they are now, in memory; rmdir forgets\n"
               "them. Works on read-only mounts too",
        .example = "mkdir snapshots/before",
    },
    [NODE_SNAPSHOT] = {
        .parent = NODE_SNAPSHOTS, .names = "NAME", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY, .doc = "one snapshot",
    },
    [NODE_SNAPSHOT_STATS] = {
        .parent = NODE_SNAPSHOT, .name = "stats", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_snapshot_stats,
        .doc = "stats as they were",
    },
    [NODE_SNAPSHOT_DIFF] = {
        .parent = NODE_SNAPSHOT, .name = "diff", .mode = FILE_(0444),
        .content = NODE_IS_BULK, .bulk = &bulk_diff,
        .to_stat = NEEDS_ALL_PAGES, .to_read = NEEDS_ALL_PAGES,
        .doc = "every page whose state differs now: id, what it was, what it is (`none`: there\n"
               "was or is no such page); right-aligned columns",
        .example = "awk '$3 == \"allocated\"' snapshots/before/diff    # came and stayed",
    },
    [NODE_PINNED] = {
        .parent = NODE_ROOT, .name = "pinned", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY, .doc = "links to the pinned pages",
        .example = "ls pinned",
    },
    [NODE_PINNED_PAGE] = {
        .parent = NODE_PINNED, .names = "N", .mode = S_IFLNK | 0777,
        .content = NODE_IS_LINK, .next = pf_pinned_next,
        .doc = "leads to pages/N as long as the page is pinned",
    },
    [NODE_LEAKED] = {
        .parent = NODE_ROOT, .name = "leaked", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY,
        .doc = "links to the pages that are neither free nor reached by the graph; filled by\n"
               "a walk of the graph: read the type of a page, or write check to check/action.\n"
               "Pages that you have allocated yourself are among them",
        .example = "cat pages/1/type; ls leaked",
    },
    [NODE_LEAKED_PAGE] = {
        .parent = NODE_LEAKED, .names = "N", .mode = S_IFLNK | 0777,
        .content = NODE_IS_LINK, .next = pf_leaked_next, .doc = "leads to pages/N",
    },
    [NODE_BAD] = {
        .parent = NODE_ROOT, .name = "bad", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY,
        .doc = "links to the pages of the graph whose contents are wrong, which are used twice,\n"
               "or which refer to pages that are not there; filled likewise",
        .example = "ls bad",
    },
    [NODE_BAD_PAGE] = {
        .parent = NODE_BAD, .names = "N", .mode = S_IFLNK | 0777,
        .content = NODE_IS_LINK, .next = pf_bad_next, .doc = "leads to pages/N",
    },
    [NODE_PAGES] = {
        .parent = NODE_ROOT, .name = "pages", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY, .flags = NODE_CONSTANT,
        .doc = "one directory a page, by number",
        .example = "find pages -maxdepth 1 -size 0 | wc -l\ndu -s pages",
    },
    [NODE_PAGE] = {
        .parent = NODE_PAGES, .names = "N", .mode = DIRECTORY,
        .content = NODE_IS_DIRECTORY, .to_stat = NODE_NEEDS_LIST,
        .doc = "ls -ld: size 4096 when allocated and 0 when free, sticky bit when pinned,\n"
               "time of the last change",
        .example = "ls -ld pages/7",
    },
    [NODE_STATE] = {
        .parent = NODE_PAGE, .name = "state", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .render = render_state,
        .to_stat = NODE_NEEDS_LIST, .to_read = NODE_NEEDS_LIST,
        .parse = command_parse_state, .syntax = "expected free, free!, allocated or pinned",
        .doc = "free, allocated or pinned. Writing a word changes it: `free` frees an\n"
               "allocated page that the graph does not reach (EBUSY), `free!` one that it\n"
               "does reach too, which damages the graph; `allocated` takes this very page from\n"
               "the free list or drops the pins of a pinned one, `pinned` pins an allocated\n"
               "one",
        .example = "echo free > pages/7/state",
    },
    [NODE_PINS] = {
        .parent = NODE_PAGE, .name = "pins", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .render = render_pins,
        .to_stat = NODE_NEEDS_LIST, .to_read = NODE_NEEDS_LIST,
        .parse = command_parse_pins, .syntax = "expected +1, -1 or 0",
        .doc = "how often the page is pinned, holds included; write +1, -1, or 0 to drop all\n"
               "but the holds",
        .example = "echo +1 > pages/7/pins",
    },
    [NODE_HOLD] = {
        .parent = NODE_PAGE, .name = "hold", .mode = FILE_(0400),
        .content = NODE_IS_HOLD, .flags = NODE_ACTION, .to_read = NODE_NEEDS_LIST,
        .doc = "an open file here is one pin, which ends when the last process that has it\n"
               "open closes it or dies. Reads give nothing. A free page: ENOENT",
        .example = "exec 3< pages/7/hold",
    },
    [NODE_DATA] = {
        .parent = NODE_PAGE, .name = "data", .mode = FILE_(0600),
        .content = NODE_IS_DATA, .to_read = NODE_NEEDS_DISK,
        .doc = "the page's 4096 bytes (112 for page 0), also of a free page. Only allocated\n"
               "pages can be written, never 0 and 1; a write is atomic",
        .example = "xxd pages/7/data | head -n 3",
    },
    [NODE_TYPE] = {
        .parent = NODE_PAGE, .name = "type", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_type,
        .to_stat = NEEDS_GRAPH, .to_read = NEEDS_GRAPH,
        .doc = "what the page is: header reserved node-internal node-leaf node edge-internal\n"
               "edge-leaf edge edge-packed edge-chain blob free trunk, or unknown: nothing\n"
               "that the graph reaches. The first that asks waits for a walk of the graph,\n"
               "and can be interrupted (EINTR)",
        .example = "cat pages/*/type | sort | uniq -c",
    },
    [NODE_USED_BY] = {
        .parent = NODE_PAGE, .name = "used_by", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .render = render_used_by,
        .to_stat = NEEDS_GRAPH, .to_read = NEEDS_GRAPH,
        .doc = "the path from the root of a tree to the page, or none",
        .example = "cat pages/7/used_by",
    },
    [NODE_OFFSET] = {
        .parent = NODE_PAGE, .name = "offset", .mode = FILE_(0444),
        .content = NODE_IS_TEXT, .flags = NODE_CONSTANT, .render = render_offset,
        .doc = "where the page starts in the file, in bytes",
    },
    [NODE_CHECKSUM] = {
        .parent = NODE_PAGE, .name = "checksum", .mode = FILE_(0644),
        .content = NODE_IS_TEXT, .flags = NODE_READ_ONLY_OK, .render = render_checksum,
        .to_stat = NODE_NEEDS_DISK, .to_read = NODE_NEEDS_DISK,
        .parse = command_parse_checksum, .syntax = "expected an XXH3-64 in hex",
        .doc = "xxh3 is the XXH3-64 of the page's bytes; stored and computed are the sum the\n"
               "page carries (trunk pages of the free list do) and what it should be, or `-`;\n"
               "status is ok, mismatch or none. Writing a hex XXH3-64 succeeds when the page\n"
               "has it (EBADMSG otherwise)",
        .example = "cat pages/7/checksum",
    },
};
/* clang-format on */

const struct node_row *node_row(enum node_kind kind)
{
    return &node_table[kind];
}
