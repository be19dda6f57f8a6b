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
    "ENOENT no such page, EALREADY already in that state (double free), EBUSY pinned,\n"
    "ENOSPC disk or limit, EACCES mode bits, EROFS read-only mount, EUCLEAN corrupt\n"
    "structure, ESTALE file changed behind us, EIO. last_error says it in words.\n"
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
    if (S_ISDIR(mode)) {
        text_str(out, "directory");
        return;
    }
    text_str(out, "0");
    for (unsigned shift = 9; shift > 0; shift -= 3)
        text_u64(out, (mode >> (shift - 3)) & 7);
}

static void put_row(struct text *out, const struct node_row *row)
{
    text_str(out, "\n");
    if (row->parent == NODE_PAGE)
        text_str(out, "pages/N/");
    text_str(out, row->name);
    text_str(out, " (");
    put_mode(out, row->mode);
    text_str(out, ")\n");
    put_lines(out, "    ", row->doc);
    if (row->example != NULL)
        put_lines(out, "        $ ", row->example);
}

pf_err render_readme(const struct fsctx *ctx, uint64_t page_id, struct text *out)
{
    (void)ctx;
    (void)page_id;
    text_str(out, readme_head);
    for (unsigned kind = NODE_ROOT; kind < NODE_KIND_COUNT; kind++) {
        const struct node_row *const row = node_row((enum node_kind)kind);
        if (row->doc != NULL)
            put_row(out, row);
    }
    return PF_OK;
}
