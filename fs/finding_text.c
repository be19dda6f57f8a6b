#include "finding_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a leaked page should be, and is not, its class says already. */
static bool explains_itself(const struct pf_finding *finding)
{
    return finding->class == PF_FINDING_LEAKED || finding->expected[0] == '\0';
}

void finding_text(const struct pf_finding *finding, char out[FINDING_TEXT_SIZE])
{
    const char *const class = pf_finding_class_name(finding->class);
    char pages[96];
    char wrong[sizeof(finding->expected) + sizeof(finding->found) + 32] = "";

    if (finding->page_count == 1)
        snprintf(pages, sizeof(pages), "page %" PRIu64 ": %s", finding->page_id, class);
    else
        snprintf(pages, sizeof(pages),
                 "pages %" PRIu64 "-%" PRIu64 ": %s (%" PRIu64 " pages)",
                 finding->page_id, finding->page_id + (finding->page_count - 1), class,
                 finding->page_count);
    if (!explains_itself(finding))
        snprintf(wrong, sizeof(wrong), ": expected %s, found %s", finding->expected,
                 finding->found);
    snprintf(out, FINDING_TEXT_SIZE, "%s%s%s%s", pages, wrong,
             finding->path[0] != '\0' ? "; reached by " : "", finding->path);
}
