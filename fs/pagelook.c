#include "pagelook.h"

#include <string.h>

static enum pagelook look_of_type(const char *type)
{
    if (strcmp(type, "blob") == 0)
        return PAGELOOK_BLOB;
    if (strstr(type, "-internal") != NULL || strstr(type, "-leaf") != NULL)
        return PAGELOOK_INDEX;
    return strncmp(type, "node", 4) == 0 ? PAGELOOK_NODE : PAGELOOK_EDGE;
}

static enum pagelook look_of_use(const struct pf_page_use *use)
{
    if (use->bad)
        return PAGELOOK_BAD;
    if (use->crossed)
        return PAGELOOK_CROSSED;
    if (use->used)
        return look_of_type(use->type);
    return use->leaked ? PAGELOOK_LEAKED : PAGELOOK_ALLOCATED;
}

enum pagelook pagelook_of(pf_store *store, uint64_t page_id, const struct pf_page *page)
{
    struct pf_page_use use;

    if (page_id < PF_FIRST_PAGE)
        return PAGELOOK_RESERVED;
    if (page->state == PF_STATE_FREE)
        return page->trunk ? PAGELOOK_TRUNK : PAGELOOK_FREE;
    /* asked first, the cheap question saves a fifth of reading `map` */
    if (!pf_graph_known(store) || pf_page_use_get(store, page_id, &use) != PF_OK)
        return PAGELOOK_ALLOCATED;
    return look_of_use(&use);
}

const char *pagelook_type(pf_store *store, const struct pf_page_use *use)
{
    return use->known || !pf_has_graph(store) ? use->type : NULL;
}
