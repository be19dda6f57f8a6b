/* alloc.c: allocate a page of a database, durably, and print its id.
 *
 * cc alloc.c $(pkg-config --cflags --libs pagefs) -o alloc && ./alloc db.v3 */
#include <inttypes.h>
#include <stdio.h>

#include <pagefs/pf.h>

int main(int argc, char **argv)
{
    char reason[PF_REASON_SIZE] = "";
    pf_store *store = NULL;
    uint64_t page_id = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: alloc DB\n");
        return 1;
    }
    pf_err err = pf_open(argv[1], NULL, &store, reason);
    if (err == PF_OK) /* NULL: when this returns, the page is ours for ever */
        err = pf_page_alloc(store, &page_id, NULL);
    if (err == PF_OK)
        printf("%" PRIu64 "\n", page_id);
    const pf_err close_err = pf_close(store);
    if (err == PF_OK)
        err = close_err;
    if (err != PF_OK)
        fprintf(stderr, "alloc: %s: %s\n", argv[1],
                reason[0] != '\0' ? reason : pf_err_text(err));
    return err == PF_OK ? 0 : 2;
}
