/* start.c: databases made by hand. */
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "v3file.h"

/* Every byte depends on page and place, none of the first eight looks like a magic. */
static void fill_page(uint8_t *page, uint64_t page_id)
{
    for (size_t i = 0; i < V3_PAGE; i++)
        page[i] = (uint8_t)(0x80 | (page_id * 31 + i * 7 + i / 256));
}

/* Pages 2 .. total - 1 in a scrambled order. */
static uint64_t scrambled(uint64_t index, uint64_t count)
{
    uint64_t step = count * 5 / 8 + 1;

    for (uint64_t a = step, b = count; b != 0;) { /* make step and count coprime */
        const uint64_t rest = a % b;

        a = b;
        b = rest;
        if (b == 0 && a != 1) {
            a = ++step;
            b = count;
        }
    }
    return 2 + index * step % count;
}

static void put_page(struct judge_start *start, uint64_t page_id, const uint8_t *page)
{
    fd_image_write(&start->image, start->arena, 0, page, V3_PAGE, v3_offset(page_id));
}

/* Push the free pages block by block, oldest block first. */
static uint64_t put_list(struct judge_start *start, const struct start_spec *spec)
{
    uint64_t head = 0;
    uint64_t number = 0;

    for (uint64_t at = 0; at < spec->free_pages;) {
        uint8_t page[V3_PAGE], trunk[V3_PAGE];
        uint64_t leaves[V3_BLOCK_LEAVES];
        uint32_t leaf_count = 0;
        const uint64_t id = scrambled(at++, spec->total_pages - 2);

        model_free(&start->model, id);
        while (leaf_count + 1 < spec->block_pages && at < spec->free_pages) {
            leaves[leaf_count] = scrambled(at++, spec->total_pages - 2);
            model_free(&start->model, leaves[leaf_count++]);
        }
        v3_trunk(trunk, id, head, ++number, start->model.depth, leaves, leaf_count);
        fill_page(page, id);
        memcpy(page, trunk, (size_t)V3_TRUNK_LEAVES + 8 * (size_t)leaf_count);
        put_page(start, id, page);
        head = id;
    }
    return head;
}

static struct oracle_source image_source(struct fd_image *image);

void start_make(struct judge_start *start, const struct start_spec *spec)
{
    uint8_t header[V3_HEADER];
    uint64_t total = spec->total_pages < 2 ? 2 : spec->total_pages;
    struct oracle oracle;

    memset(start, 0, sizeof(*start));
    start->name = spec->name;
    start->arena = arena_new();
    start->pool = model_pool_new();
    model_start(&start->model, total);
    for (uint64_t id = 2; id < total; id++) {
        uint8_t *page = model_pool_page(start->pool);

        fill_page(page, id);
        if (id + 1 == total)
            memset(page + V3_PAGE - spec->missing_bytes, 0, (size_t)spec->missing_bytes);
        model_set_page(&start->model, id, page);
        put_page(start, id, page);
    }
    v3_header(header);
    v3_put64(header + V3_AT_FREE_HEAD, put_list(start, spec));
    v3_put64(header + V3_AT_TOTAL, spec->total_pages);
    fd_image_write(&start->image, start->arena, 0, header, V3_HEADER, 0);
    if (spec->total_pages >= 2)
        fd_image_resize(&start->image, start->arena, 0,
                        v3_nominal(total) - spec->missing_bytes);
    fd_image_rehash(&start->image);

    const struct oracle_source source = image_source(&start->image);
    oracle_init(&oracle);
    if (!oracle_read(&oracle, &source))
        abort(); /* the start itself is wrong */
    model_note_trunks(&start->model, &oracle);
    oracle_clear(&oracle);
    start->plain = must_calloc((size_t)total, 1);
    for (uint64_t id = 1; id < total; id++) {
        uint8_t bytes[8];

        source.read(source.context, oracle_page_offset(id), bytes, sizeof(bytes));
        start->plain[id] = !oracle_is_trunk_magic(bytes);
    }
}

static void read_image(void *context, uint64_t offset, void *bytes, size_t length)
{
    fd_image_read(context, 0, bytes, length, offset);
}

static struct oracle_source image_source(struct fd_image *image)
{
    return (struct oracle_source){
        .read = read_image, .context = image, .size = image->size[0]};
}

void start_clear(struct judge_start *start)
{
    model_clear(&start->model);
    fd_image_clear(&start->image);
    free(start->plain);
    arena_delete(start->arena);
    model_pool_delete(start->pool);
    memset(start, 0, sizeof(*start));
}
