#include "graph.h"

#include "edgepage.h"
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t read_sample(const char *name, const char *extension, uint8_t **out_bytes)
{
    const char *data = getenv("PF_TEST_DATA");
    char path[512];
    long size;

    snprintf(path, sizeof(path), "%s/%s.%s", data != NULL ? data : "tests/data", name,
             extension);
    FILE *file = fopen(path, "rb");
    *out_bytes = NULL;
    if (file == NULL)
        return 0;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    *out_bytes = malloc((size_t)size);
    assert_non_null(*out_bytes);
    assert_int_equal(fread(*out_bytes, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return (size_t)size;
}

void image_load(struct image *image, const char *name)
{
    uint8_t *meta;

    memset(image, 0, sizeof(*image));
    image->size = read_sample(name, "v3", &image->bytes);
    if (image->bytes == NULL)
        fail_msg("no sample %s", name);
    image->meta_length = read_sample(name, "v3edgemeta", &meta);
    if (meta != NULL)
        memcpy(image->meta, meta, image->meta_length);
    free(meta);
}

void image_free(struct image *image)
{
    free(image->bytes);
    free(image->trace);
    memset(image, 0, sizeof(*image));
}

static uint64_t offset_of(uint64_t page_id)
{
    return V3_HEADER + (page_id - 1) * V3_PAGE;
}

uint64_t image_append(struct image *image, uint64_t page_count)
{
    const uint64_t first = image_field(image, V3_AT_TOTAL);
    const uint64_t size = offset_of(first + page_count);

    image->bytes = realloc(image->bytes, size);
    assert_non_null(image->bytes);
    memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
    image_set_field(image, V3_AT_TOTAL, first + page_count);
    return first;
}

uint8_t *image_page(struct image *image, uint64_t page_id)
{
    assert_true(page_id >= 1 && offset_of(page_id) + V3_PAGE <= image->size);
    return image->bytes + offset_of(page_id);
}

void image_put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void image_set_field(struct image *image, unsigned offset, uint64_t value)
{
    v3_put64(image->bytes + offset, value);
}

uint64_t image_field(const struct image *image, unsigned offset)
{
    return v3_get64(image->bytes + offset);
}

/* The published rule, with [from, to) taken as zero. */
static uint32_t plain_sum(const uint8_t *page, size_t length, size_t from, size_t to)
{
    uint64_t sum = 0x5A5A5A5A5A5A5A5A;

    for (size_t i = 0; i < length; i++)
        sum ^= (i >= from && i < to ? 0 : page[i]) ^ (uint64_t)i;
    return (uint32_t)sum;
}

void image_sum_index(uint8_t *page)
{
    const size_t count = (size_t)page[10] << 8 | page[11];

    v3_put32(page + 12, plain_sum(page, 32 + 16 * count + 8, 12, 32));
}

void image_sum_node(uint8_t *page)
{
    const size_t used = (size_t)page[18] << 8 | page[19];

    v3_put32(page + 28, plain_sum(page, 32 + used, 28, 32));
}

void image_put_index(struct image *image, uint64_t page_id, bool leaf, unsigned count,
                     const uint64_t *keys, const uint64_t *values, uint64_t next_leaf)
{
    uint8_t *page = image_page(image, page_id);

    memset(page, 0, V3_PAGE);
    v3_put64(page, page_id);
    page[8] = leaf;
    image_put16(page + 10, count);
    for (unsigned i = 0; i < count; i++)
        v3_put64(page + 32 + (size_t)i * (leaf ? 16 : 8), keys[i]);
    for (unsigned i = 0; i < count + !leaf; i++)
        v3_put64(page + 32 + (leaf ? (size_t)i * 16 + 8 : ((size_t)count + i) * 8),
                 values[i]);
    if (leaf)
        v3_put64(page + 32 + (size_t)count * 16, next_leaf);
    image_sum_index(page);
}

void image_set_value(struct image *image, uint64_t leaf_id, unsigned i, uint64_t page_id)
{
    uint8_t *page = image_page(image, leaf_id);

    v3_put64(page + 32 + (size_t)i * 16 + 8, page_id);
    image_sum_index(page);
}

pf_err image_read(void *ctx, uint64_t page_id, uint8_t *page)
{
    struct image *image = ctx;
    const uint64_t offset = offset_of(page_id);

    if (image->trace != NULL && image->reads < image->trace_room)
        image->trace[image->reads] = page_id;
    image->reads++;
    if (image->reads == image->cancel_at)
        atomic_store(&image->cancel, true);
    if (page_id == image->fail_page && page_id != 0)
        return PF_E_IO;
    assert_true(page_id >= 2 &&
                offset < image->size); /* the walk asked for what is there */
    const uint64_t there = image->size - offset;
    memset(page, 0, V3_PAGE);
    memcpy(page, image->bytes + offset, there < V3_PAGE ? there : V3_PAGE);
    return PF_OK;
}

void findings_add(void *ctx, const struct pf_finding *finding)
{
    struct findings *findings = ctx;

    assert_true(memchr(finding->path, '\0', sizeof(finding->path)) != NULL);
    if (findings->count < FINDINGS_KEPT)
        findings->kept[findings->count] = *finding;
    findings->count++;
}

struct check_summary image_check(struct image *image, struct findings *findings,
                                 struct walk **out_walk)
{
    struct check_summary summary;
    struct check_input input = {.read = image_read,
                                .read_ctx = image,
                                .file_bytes = image->size,
                                .edgemeta = image->meta_length > 0 ? image->meta : NULL,
                                .edgemeta_length = image->meta_length,
                                .finding = findings != NULL ? findings_add : NULL,
                                .finding_ctx = findings,
                                .cancel = &image->cancel};

    assert_ok(header_decode(image->bytes, image->size, &input.header));
    if (findings != NULL)
        findings->count = 0;
    assert_ok(check_run(&input, &summary, out_walk));
    return summary;
}

struct walk *image_walk(struct image *image, struct findings *findings)
{
    struct walk *walk = NULL;
    struct walk_input input = {.read = image_read,
                               .read_ctx = image,
                               .file_bytes = image->size,
                               .node_root = image_field(image, V3_AT_NODE_ROOT),
                               .edge_roots = {image_field(image, V3_AT_EDGE_ROOT)},
                               .finding = findings != NULL ? findings_add : NULL,
                               .finding_ctx = findings,
                               .cancel = &image->cancel};

    if (image->meta_length > 0)
        (void)edgemeta_decode(image->meta, image->meta_length, &input.edge_roots[1]);
    if (findings != NULL)
        findings->count = 0;
    assert_ok(walk_run(&input, &walk));
    return walk;
}

const struct pf_finding *findings_get(const struct findings *findings,
                                      pf_finding_class class, uint64_t page_id)
{
    for (size_t i = 0; i < findings->count && i < FINDINGS_KEPT; i++)
        if (findings->kept[i].class == class && findings->kept[i].page_id == page_id)
            return &findings->kept[i];
    findings_print(findings);
    fail_msg("no %s finding about page %" PRIu64, pf_finding_class_name(class), page_id);
    return NULL;
}

void findings_print(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count && i < FINDINGS_KEPT; i++) {
        const struct pf_finding *f = &findings->kept[i];
        print_message("# page %" PRIu64 " (%" PRIu64
                      "): %s: expected %s, found %s (%s)\n",
                      f->page_id, f->page_count, pf_finding_class_name(f->class),
                      f->expected, f->found, f->path);
    }
}

void assert_path(struct walk *walk, uint64_t page_id, const char *expected)
{
    char path[PF_PATH_SIZE];

    walk_path(walk, page_id, path);
    assert_string_equal(path, expected);
}

void assert_use(struct walk *walk, uint64_t page_id, const char *expected)
{
    assert_string_equal(page_use_name(walk_use(walk, page_id, NULL)), expected);
}

void neighbours_add(void *ctx, uint64_t node_id)
{
    struct neighbours *list = ctx;

    assert_true(list->count < sizeof(list->ids) / sizeof(list->ids[0]));
    list->ids[list->count++] = node_id;
}
