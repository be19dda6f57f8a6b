#include "overtake.h"

/* Writes go to neighbours, mostly, or to the same page again. */
static bool join(struct pf_range *range, const struct pf_range *written)
{
    const uint64_t end = range->first + range->count;
    if (written->first < range->first || written->first > end)
        return false;
    const uint64_t written_end = written->first + written->count;
    if (written_end > end)
        range->count = written_end - range->first;
    return true;
}

void overtake_note(struct overtake *overtake, const struct pf_range *written)
{
    for (size_t i = 0; i < overtake->count; i++)
        if (join(&overtake->ranges[i], written))
            return;
    if (overtake->count < OVERTAKE_RANGES)
        overtake->ranges[overtake->count++] = *written;
    else
        overtake->overflow = true;
}

bool overtake_reaches(struct walk *walk, const struct pf_range *range,
                      uint64_t *out_page_id)
{
    return walk_next(walk, range->first, out_page_id) &&
           *out_page_id - range->first < range->count;
}

bool overtake_hits(const struct overtake *overtake, struct walk *walk)
{
    uint64_t page_id;
    bool hits = overtake->overflow;
    for (size_t i = 0; i < overtake->count && !hits; i++)
        hits = overtake_reaches(walk, &overtake->ranges[i], &page_id);
    return hits;
}
