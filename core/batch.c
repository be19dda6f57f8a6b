#include "batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct batch_image *image_at(const struct batch *batch, uint64_t page_id)
{
    const uint64_t *slot = idmap_get(&batch->images, page_id);
    return slot == NULL ? NULL : (struct batch_image *)(uintptr_t)*slot;
}

void batch_clear(struct batch *batch)
{
    size_t cursor = 0;
    struct idmap_slot *slot;
    while ((slot = idmap_each(&batch->images, &cursor)) != NULL)
        free((void *)(uintptr_t)slot->value);
    idmap_clear(&batch->images);
    batch->last_lsn = 0;
}

pf_err batch_prepare(struct batch *batch, uint64_t page_id, size_t length)
{
    struct batch_image *old = image_at(batch, page_id);
    if (old != NULL && old->room >= length)
        return PF_OK;
    if (idmap_reserve(&batch->images, 1) != PF_OK)
        return PF_E_NO_MEMORY;
    struct batch_image *image = malloc(sizeof *image + length);
    if (image == NULL)
        return PF_E_NO_MEMORY;
    image->length = 0;
    image->room = length;
    if (old != NULL) {
        image->length = old->length;
        memcpy(image->bytes, old->bytes, old->length);
        free(old);
    }
    idmap_put(&batch->images, page_id, (uintptr_t)image);
    return PF_OK;
}

void batch_write(struct batch *batch, uint64_t page_id, const uint8_t *bytes,
                 size_t length)
{
    struct batch_image *image = image_at(batch, page_id);
    assert(image != NULL && length <= image->room);
    memcpy(image->bytes, bytes, length);
    if (length > image->length)
        image->length = length;
}

const struct batch_image *batch_get(const struct batch *batch, uint64_t page_id)
{
    const struct batch_image *image = image_at(batch, page_id);
    return image != NULL && image->length > 0 ? image : NULL;
}

void batch_overlay(const struct batch *batch, uint64_t page_id, uint8_t *page)
{
    const struct batch_image *image = batch_get(batch, page_id);
    if (image != NULL)
        memcpy(page, image->bytes, image->length);
}

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

pf_err batch_pages(const struct batch *batch, uint64_t **out_ids, size_t *out_count)
{
    uint64_t *ids = malloc((batch->images.count + 1) * sizeof *ids);
    if (ids == NULL)
        return PF_E_NO_MEMORY;
    size_t n = 0, cursor = 0;
    const struct idmap_slot *slot;
    while ((slot = idmap_each(&batch->images, &cursor)) != NULL)
        if (batch_get(batch, slot->key) != NULL)
            ids[n++] = slot->key;
    qsort(ids, n, sizeof *ids, by_id);
    *out_ids = ids;
    *out_count = n;
    return PF_OK;
}
