/* The window: the same pages as one by one, in far fewer fetches on the way up. */
#include "scratch.h"
#include "window.h"

#include <string.h>

enum { END_ID = 1000 };

struct source {
    unsigned fetches, pages;
    uint64_t bad_page; /* reading it fails; 0 = none */
};

static pf_err fetch(void *ctx, uint64_t first_id, unsigned count, uint8_t *bytes)
{
    struct source *source = ctx;

    assert_true(first_id < END_ID && count <= END_ID - first_id);
    source->fetches++;
    source->pages += count;
    if (source->bad_page != 0 && source->bad_page >= first_id &&
        source->bad_page < first_id + count)
        return PF_E_IO;
    for (unsigned i = 0; i < count; i++)
        memset(bytes + (size_t)i * PF_PAGE_SIZE, (int)((first_id + i) % 251),
               PF_PAGE_SIZE);
    return PF_OK;
}

static void assert_read(struct window *window, uint64_t page_id)
{
    uint8_t page[PF_PAGE_SIZE];

    assert_ok(window_read(window, page_id, page));
    assert_int_equal(page[0], page_id % 251);
    assert_int_equal(page[PF_PAGE_SIZE - 1], page_id % 251);
}

static void going_up_fetches_each_page_once(void **state)
{
    struct source source = {0};
    struct window *window;

    (void)state;
    assert_ok(window_new(fetch, &source, END_ID, &window));
    for (uint64_t id = 2; id < END_ID; id++)
        assert_read(window, id);
    assert_true(source.fetches <= END_ID / WINDOW_PAGES + 2);
    assert_true(source.pages <= END_ID);
    window_free(window);
}

static void looking_back_leaves_the_window_alone(void **state)
{
    struct source source = {0};
    struct window *window;

    (void)state;
    assert_ok(window_new(fetch, &source, END_ID, &window));
    for (uint64_t id = 300; id < END_ID; id++) {
        assert_read(window, id);
        if (id % 10 == 0)
            assert_read(window, id / 4);
    }
    assert_true(source.pages <= 700 + 70);
    window_free(window);
}

static void any_order_gives_the_right_pages(void **state)
{
    struct source source = {0};
    struct window *window;
    uint64_t rng = 77;

    (void)state;
    assert_ok(window_new(fetch, &source, END_ID, &window));
    for (unsigned i = 0; i < 20000; i++)
        assert_read(window,
                    rng_below(&rng, 2) != 0 ? rng_below(&rng, END_ID) : (i / 3) % END_ID);
    window_free(window);
}

static void an_unreadable_page_spoils_only_itself(void **state)
{
    struct source source = {.bad_page = 500};
    struct window *window;
    uint8_t page[PF_PAGE_SIZE];

    (void)state;
    assert_ok(window_new(fetch, &source, END_ID, &window));
    for (uint64_t id = 2; id < END_ID; id++) {
        if (id == 500)
            assert_pf(PF_E_IO, window_read(window, id, page));
        else
            assert_read(window, id);
    }
    window_free(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(going_up_fetches_each_page_once),
        cmocka_unit_test(looking_back_leaves_the_window_alone),
        cmocka_unit_test(any_order_gives_the_right_pages),
        cmocka_unit_test(an_unreadable_page_spoils_only_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
