#include "v3file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "scratch.h"

void v3_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void v3_put64(uint8_t *at, uint64_t value)
{
    v3_put32(at, (uint32_t)(value >> 32));
    v3_put32(at + 4, (uint32_t)value);
}

uint32_t v3_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t v3_get64(const uint8_t *at)
{
    return (uint64_t)v3_get32(at) << 32 | v3_get32(at + 4);
}

void v3_header(uint8_t header[V3_HEADER])
{
    static const uint8_t magic[8] = {0x53, 0x51, 0x4C, 0x54, 0x47, 0x46, 0x00, 0x03};

    memset(header, 0, V3_HEADER);
    memcpy(header, magic, sizeof(magic));
    v3_put32(header + V3_AT_VERSION, 4);
    v3_put32(header + V3_AT_FLAGS, 7);
    v3_put32(header + V3_AT_SCHEMA, 1);
    v3_put32(header + V3_AT_PAGE_SIZE, V3_PAGE);
}

uint64_t v3_offset(uint64_t page_id)
{
    return page_id == 0 ? 0 : V3_HEADER + (page_id - 1) * V3_PAGE;
}

uint64_t v3_nominal(uint64_t total_pages)
{
    return v3_offset(total_pages < 2 ? 2 : total_pages);
}

static int open_or_fail(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC, 0644);

    if (fd < 0)
        fail_msg("cannot open %s: %s", path, strerror(errno));
    return fd;
}

void v3_make(const char *path, const uint8_t header[V3_HEADER], uint64_t size)
{
    const int fd = open_or_fail(path, O_WRONLY | O_CREAT | O_EXCL);
    const size_t length = size < V3_HEADER ? (size_t)size : V3_HEADER;

    assert_int_equal(pwrite(fd, header, length, 0), length);
    if (ftruncate(fd, (off_t)size) != 0)
        fail_msg("cannot make a file of %" PRIu64 " bytes: %s", size, strerror(errno));
    close(fd);
}

void v3_make_pages(const char *path, uint64_t total_pages)
{
    uint8_t header[V3_HEADER];

    v3_header(header);
    v3_put64(header + V3_AT_TOTAL, total_pages);
    v3_make(path, header, v3_nominal(total_pages));
}

void v3_make_listed(const char *path)
{
    const uint64_t old_leaves[] = {30, 20, 40}, new_leaves[] = {5, 50};
    uint8_t page[V3_PAGE];

    v3_make_pages(path, 60);
    v3_trunk(page, 11, 0, 3, 0, old_leaves, 3);
    v3_poke(path, v3_offset(11), page, sizeof(page));
    v3_trunk(page, 12, 11, 9, 7, new_leaves, 2);
    v3_poke(path, v3_offset(12), page, sizeof(page));
    v3_poke64(path, V3_AT_FREE_HEAD, 12);
}

void v3_poke(const char *path, uint64_t offset, const void *bytes, size_t length)
{
    const int fd = open_or_fail(path, O_WRONLY);

    assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
    close(fd);
}

void v3_peek(const char *path, uint64_t offset, void *bytes, size_t length)
{
    const int fd = open_or_fail(path, O_RDONLY);

    assert_int_equal(pread(fd, bytes, length, (off_t)offset), length);
    close(fd);
}

void v3_poke64(const char *path, uint64_t offset, uint64_t value)
{
    uint8_t bytes[8];

    v3_put64(bytes, value);
    v3_poke(path, offset, bytes, sizeof(bytes));
}

uint64_t v3_size(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        fail_msg("cannot stat %s: %s", path, strerror(errno));
    return (uint64_t)st.st_size;
}

/* ---- the free list ---- */

static const uint8_t trunk_magic[8] = {'P', 'F', 'T', 'R', 'U', 'N', 'K', 1};

static uint64_t trunk_sum(const uint8_t page[V3_PAGE])
{
    uint8_t copy[V3_PAGE];
    const size_t used = V3_TRUNK_LEAVES + (size_t)8 * v3_get32(page + V3_TRUNK_COUNT);

    memcpy(copy, page, V3_PAGE);
    v3_put64(copy + V3_TRUNK_SUM, 0);
    return XXH3_64bits_withSeed(copy, used, v3_get64(page + V3_TRUNK_SELF));
}

void v3_trunk_sum(uint8_t page[V3_PAGE])
{
    v3_put64(page + V3_TRUNK_SUM, trunk_sum(page));
}

void v3_trunk(uint8_t page[V3_PAGE], uint64_t self, uint64_t next, uint64_t block,
              uint64_t total, const uint64_t *leaves, uint32_t leaf_count)
{
    memset(page, 0, V3_PAGE);
    memcpy(page, trunk_magic, sizeof(trunk_magic));
    v3_put64(page + V3_TRUNK_SELF, self);
    v3_put64(page + V3_TRUNK_NEXT, next);
    v3_put64(page + V3_TRUNK_BLOCK, block);
    v3_put64(page + V3_TRUNK_TOTAL, total);
    v3_put32(page + V3_TRUNK_COUNT, leaf_count);
    for (uint32_t i = 0; i < leaf_count; i++)
        v3_put64(page + V3_TRUNK_LEAVES + 8 * i, leaves[i]);
    v3_trunk_sum(page);
}

struct walk {
    uint64_t *ids;
    size_t count;
    size_t room;
    uint8_t *seen; /* a bit a page */
    size_t trunks;
    uint64_t total_pages;
};

static void walk_add(struct walk *w, uint64_t id)
{
    if (id < 2 || id >= w->total_pages)
        fail_msg("free list: page %" PRIu64 " of %" PRIu64, id, w->total_pages);
    if ((w->seen[id / 8] >> (id % 8) & 1) != 0)
        fail_msg("free list: page %" PRIu64 " is listed twice", id);
    w->seen[id / 8] = (uint8_t)(w->seen[id / 8] | 1U << (id % 8));
    if (w->count == w->room) {
        w->room = w->room * 2 + 64;
        w->ids = realloc(w->ids, w->room * sizeof(*w->ids));
        assert_non_null(w->ids);
    }
    w->ids[w->count++] = id;
}

static void check_trunk(const uint8_t page[V3_PAGE], uint64_t id, uint64_t block_above)
{
    if (memcmp(page, trunk_magic, sizeof(trunk_magic)) != 0)
        fail_msg("free list: page %" PRIu64 " has no trunk magic", id);
    if (v3_get64(page + V3_TRUNK_SELF) != id)
        fail_msg("free list: trunk %" PRIu64 " has a wrong own id", id);
    if (v3_get64(page + V3_TRUNK_BLOCK) >= block_above)
        fail_msg("free list: block number of trunk %" PRIu64 " does not fall", id);
    if (v3_get32(page + V3_TRUNK_COUNT) > V3_BLOCK_LEAVES)
        fail_msg("free list: trunk %" PRIu64 " has too many leaves", id);
    if (v3_get32(page + V3_TRUNK_ZERO) != 0)
        fail_msg("free list: bytes 44..47 of trunk %" PRIu64 " are not zero", id);
    if (v3_get64(page + V3_TRUNK_SUM) != trunk_sum(page))
        fail_msg("free list: wrong sum in trunk %" PRIu64, id);
}

/* A stale head or link must never meet a valid old trunk: what is not in the chain has no
 * trunk magic. */
static void check_stale_trunks(int fd, const struct walk *w)
{
    uint8_t start[16];
    size_t trunks = 0;

    for (uint64_t id = 2; id < w->total_pages; id++)
        trunks +=
            pread(fd, start, sizeof(start), (off_t)v3_offset(id)) == sizeof(start) &&
            memcmp(start, trunk_magic, sizeof(trunk_magic)) == 0 &&
            v3_get64(start + V3_TRUNK_SELF) == id;
    if (trunks != w->trunks)
        fail_msg("free list: %zu trunks, but %zu pages look like one", w->trunks, trunks);
}

uint64_t *v3_free_list(const char *path, size_t *out_count)
{
    uint8_t header[V3_HEADER];
    uint8_t page[V3_PAGE];
    struct walk w = {0};
    uint64_t block_above = UINT64_MAX;
    uint64_t claimed = 0;
    uint64_t trunk;
    const int fd = open_or_fail(path, O_RDONLY);

    assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
    w.total_pages = v3_get64(header + V3_AT_TOTAL);
    trunk = v3_get64(header + V3_AT_FREE_HEAD);
    w.seen = calloc(1, (size_t)(w.total_pages / 8 + 1));
    assert_non_null(w.seen);
    while (trunk != 0) {
        if (trunk < 2 || trunk >= w.total_pages)
            fail_msg("free list: trunk %" PRIu64 " of %" PRIu64, trunk, w.total_pages);
        assert_int_equal(pread(fd, page, sizeof(page), (off_t)v3_offset(trunk)),
                         sizeof(page));
        check_trunk(page, trunk, block_above);
        if (w.count == 0)
            claimed = v3_get64(page + V3_TRUNK_TOTAL);
        for (uint32_t i = v3_get32(page + V3_TRUNK_COUNT); i > 0; i--)
            walk_add(&w, v3_get64(page + V3_TRUNK_LEAVES + 8 * (i - 1)));
        walk_add(&w, trunk);
        w.trunks++;
        block_above = v3_get64(page + V3_TRUNK_BLOCK);
        trunk = v3_get64(page + V3_TRUNK_NEXT);
    }
    check_stale_trunks(fd, &w);
    close(fd);
    free(w.seen);
    if (claimed != w.count)
        fail_msg("free list: the newest trunk says %" PRIu64 " pages, there are %zu",
                 claimed, w.count);
    *out_count = w.count;
    return w.ids;
}

/* ---- whole files ---- */

void v3_image_read(const char *path, struct v3_image *out_image)
{
    uint8_t page[V3_PAGE];
    const int fd = open_or_fail(path, O_RDONLY);
    struct v3_image image = {.size = v3_size(path)};
    const uint64_t body = image.size > V3_HEADER ? image.size - V3_HEADER : 0;

    image.page_count = 1 + (size_t)((body + V3_PAGE - 1) / V3_PAGE);
    image.hashes = calloc(image.page_count, sizeof(*image.hashes));
    assert_non_null(image.hashes);
    for (size_t id = 0; id < image.page_count; id++) {
        const size_t length = id == 0 ? V3_HEADER : V3_PAGE;
        const ssize_t n = pread(fd, page, length, (off_t)v3_offset(id));

        assert_true(n > 0);
        image.hashes[id] = XXH3_64bits(page, (size_t)n);
        if (id == 0)
            memcpy(image.header, page, V3_HEADER);
    }
    close(fd);
    *out_image = image;
}

void v3_image_free(struct v3_image *image)
{
    free(image->hashes);
    image->hashes = NULL;
}

void v3_assert_original_kept(const struct v3_image *before, const char *path)
{
    struct v3_image after;

    v3_image_read(path, &after);
    for (size_t id = 1; id < before->page_count; id++)
        if (id >= after.page_count || before->hashes[id] != after.hashes[id])
            fail_msg("%s: page %zu changed", path, id);
    /* free_page_list_head and total_pages are ours */
    memcpy(after.header + V3_AT_FREE_HEAD, before->header + V3_AT_FREE_HEAD, 16);
    assert_memory_equal(before->header, after.header, V3_HEADER);
    v3_image_free(&after);
}

size_t v3_image_differences(const struct v3_image *a, const struct v3_image *b)
{
    const size_t common = a->page_count < b->page_count ? a->page_count : b->page_count;
    const size_t longest = a->page_count < b->page_count ? b->page_count : a->page_count;
    size_t differences = longest - common;

    for (size_t id = 0; id < common; id++)
        differences += a->hashes[id] != b->hashes[id];
    return differences;
}

uint64_t v3_hash(const char *path)
{
    uint8_t buffer[65536];
    const int fd = open_or_fail(path, O_RDONLY);
    XXH3_state_t *hash = XXH3_createState();
    uint64_t digest;
    ssize_t n;

    assert_non_null(hash);
    XXH3_64bits_reset(hash);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        XXH3_64bits_update(hash, buffer, (size_t)n);
    assert_int_equal(n, 0);
    close(fd);
    digest = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    return digest;
}
