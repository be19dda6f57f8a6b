/* readme.c: README of the mount, made from the node table so that it cannot lag behind.
 */
#include "node.h"
#include "render.h"

static const char readme_head[] =
    "The page allocator of a V3 database file, as files.\n"
    "\n"
    "Numbers are decimal, lines end in LF. One write is one command and one "
    "transaction:\n"
    "it is durable when the write returns, and either all of it happened or nothing.\n"
    "Errors come from write(2): EINVAL syntax, ERANGE number, EPERM reserved page,\n"
    "ENOENT no such page, EALREADY already in that state (double free), EBUSY pinned\n"
    "or in use by the graph, ENXIO data of a free page, EFBIG past the end of a page,\n"
    "ENOSPC disk or limit, EDQUOT quota, EACCES mode bits, EROFS read-only mount,\n"
    "EUCLEAN corrupt structure, ESTALE file changed behind us, EIO. last_error says it\n"
    "in words.\n"
    "Pages 0 and 1 are reserved. Truncating does nothing; fsync makes all of it "
    "durable.\n";

/* `text`, each of its lines behind `indent`. */
static void put_lines(struct text *out, const char *indent, const char *text)
{
    text_str(out, indent);
    for (; *text != '\0'; text++) {
        text_add(out, text, 1);
        if (*text == '\n')
            text_str(out, indent);
    }
    text_str(out, "\n");
}

static void put_mode(struct text *out, mode_t mode)
{
    if (S_ISLNK(mode)) {
        text_str(out, "link");
        return;
    }
    text_str(out, S_ISDIR(mode) ? "directory, 0" : "0");
    for (unsigned shift = 9; shift > 0; shift -= 3)
        text_u64(out, (mode >> (shift - 3)) & 7);
}

static void put_path(struct text *out, enum node_kind kind)
{
    const struct node_row *chain[NODE_DEPTH_MAX];
    size_t depth = 0;

    for (; kind != NODE_ROOT; kind = chain[depth++]->parent)
        chain[depth] = node_row(kind);
    while (depth-- > 0) {
        text_str(out,
                 chain[depth]->name != NULL ? chain[depth]->name : chain[depth]->names);
        if (depth > 0)
            text_str(out, "/");
    }
}

static void put_row(struct text *out, enum node_kind kind)
{
    const struct node_row *const row = node_row(kind);

    text_str(out, "\n");
    put_path(out, kind);
    text_str(out, " (");
    put_mode(out, row->mode);
    text_str(out, ")\n");
    put_lines(out, "    ", row->doc);
    if (row->example != NULL)
        put_lines(out, "        $ ", row->example);
}

pf_err render_readme(const struct fsctx *ctx, uint64_t id, struct text *out)
{
    (void)ctx;
    (void)id;
    text_str(out, readme_head);
    for (enum node_kind kind = NODE_ROOT + 1; kind < NODE_KIND_COUNT; kind++)
        put_row(out, kind);
    return PF_OK;
}
