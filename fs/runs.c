#include "runs.h"

pf_err run_at(pf_store *store, uint64_t page_id, struct run *out_run, bool *out_found)
{
    struct run run = {page_id, page_id, PF_STATE_ALLOCATED};
    struct pf_page page;
    uint64_t end = 0;
    pf_err err;

    while ((err = pf_page_run(store, run.end, &page, &end)) == PF_OK) {
        if (run.end == run.start)
            run.state = page.state;
        else if (page.state != run.state)
            break;
        run.end = end;
    }
    if (err != PF_OK && err != PF_E_NO_PAGE)
        return err;
    *out_found = run.end > run.start;
    *out_run = run;
    return PF_OK;
}
