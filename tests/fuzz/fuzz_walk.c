/* A check of a whole file of anything: it ends, its figures add up, and it reads in
 * proportion to the file. Of its header only the roots, the free list and the total are
 * taken, so that no run ends there. Wrong sums do not stop a walk, so the pages are taken
 * as they are.
 *
 * Input: the file (input.h), then the bytes of a .v3edgemeta, if any. */
#include "check.h"
#include "format.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"

struct file {
    const uint8_t *bytes; /* IMAGE_ROOM of them; zeros behind */
    uint64_t size;
    uint64_t reads;
};

static pf_err file_read(void *ctx, uint64_t page_id, uint8_t *page)
{
    struct file *file = ctx;
    uint64_t offset;

    file->reads++;
    require(pf_page_offset(page_id, &offset) == PF_OK);
    require(page_id >= PF_FIRST_PAGE && offset < file->size);
    memset(page, 0, PF_PAGE_SIZE);
    if (offset <= IMAGE_ROOM - PF_PAGE_SIZE)
        memcpy(page, file->bytes + offset, PF_PAGE_SIZE);
    return PF_OK;
}

static void look_at(void *ctx, const struct pf_finding *finding)
{
    uint64_t *count = ctx;

    (*count)++;
    require(memchr(finding->expected, 0, sizeof(finding->expected)) != NULL);
    require(memchr(finding->found, 0, sizeof(finding->found)) != NULL);
    require(memchr(finding->path, 0, sizeof(finding->path)) != NULL);
    require(finding->page_count > 0);
}

static void check_figures(const struct check_summary *sum, struct walk *walk,
                          const struct file *file, uint64_t findings)
{
    const uint64_t pages =
        sum->total_pages > sum->file_pages ? sum->total_pages : sum->file_pages;
    char path[PF_PATH_SIZE];

    require(sum->complete && sum->finding_count == findings);
    require(sum->in_use + sum->leaked + sum->free_pages ==
            pages + sum->findings[PF_FINDING_FREE_BUT_USED]);
    require(file->reads <= 100 + file->size / 8);
    for (uint64_t id = 0; id < sum->file_pages; id++) {
        const bool used = walk_use(walk, id, NULL) != USE_NONE;

        walk_path(walk, id, path);
        require(used == (path[0] != '\0'));
        require(used == (walk_next_gap(walk, id) != id));
    }
}

static void run(const struct pf_header *header, struct file *file, struct input meta)
{
    struct walk *walk = NULL;
    struct check_summary sum;
    uint64_t findings = 0;
    const struct check_input input = {.read = file_read,
                                      .read_ctx = file,
                                      .header = *header,
                                      .file_bytes = file->size,
                                      .edgemeta = meta.left > 0 ? meta.at : NULL,
                                      .edgemeta_length = meta.left,
                                      .finding = look_at,
                                      .finding_ctx = &findings};

    if (check_run(&input, &sum, &walk) != PF_OK)
        return;
    check_figures(&sum, walk, file, findings);
    walk_free(walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct pf_header fresh;
    struct pf_header header;
    struct image image;
    uint8_t bytes[PF_HEADER_SIZE];

    image_make(&image, &in);
    header_init(&fresh);
    header_encode(&fresh, bytes);
    memcpy(bytes + HDR_EDGE_DATA, image.bytes + HDR_EDGE_DATA, 8);
    memcpy(bytes + HDR_ROOT_INDEX, image.bytes + HDR_ROOT_INDEX, 24);
    if (image.size > 4 * IMAGE_ROOM)
        image.size = 4 * IMAGE_ROOM;
    if (header_decode(bytes, sizeof(bytes), &header) == PF_OK) {
        struct file file = {image.bytes, image.size, 0};

        run(&header, &file, in);
    }
    return 0;
}
