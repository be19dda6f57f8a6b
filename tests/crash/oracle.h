/* oracle.h: what a database file holds, by somebody who never saw core/.
 *
 * Written from core/FORMAT.md alone; shares no code with core. Reads through a callback,
 * so that it costs what the free list costs and not what the file does. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oracle_source {
    /* Bytes behind the end read as zeros. */
    void (*read)(void *context, uint64_t offset, void *bytes, size_t length);
    void *context;
    uint64_t size;
};

struct oracle_trunk {
    uint64_t page_id;
    uint32_t leaf_count;
};

struct oracle {
    uint64_t total_pages; /* at least 2 */
    uint64_t *free_ids;   /* in the order in which they will be handed out */
    size_t free_count;
    struct oracle_trunk *trunks; /* newest first */
    size_t trunk_count;
    char finding[256]; /* the rule that is broken, in words */

    uint8_t *seen; /* a bit a page */
    size_t free_room, trunk_room, seen_room;
};

void oracle_init(struct oracle *oracle);
void oracle_clear(struct oracle *oracle);
/* Read the header and the whole free list. False: a rule of FORMAT.md is broken, and
 * `finding` says which. May be called again and again with one `oracle`. */
bool oracle_read(struct oracle *oracle, const struct oracle_source *source);
/* After oracle_read(): is there a page that is no trunk and yet looks like one? `plain`
 * (a byte for each of the first `plain_count` pages) names pages that do not. */
bool oracle_finds_stale_trunk(struct oracle *oracle, const struct oracle_source *source,
                              const uint8_t *plain, uint64_t plain_count);
/* Do these bytes begin like a trunk? */
bool oracle_is_trunk_magic(const uint8_t *bytes);
uint64_t oracle_page_offset(uint64_t page_id);
uint64_t oracle_nominal_size(uint64_t total_pages);

/* ---- the journal, FORMAT.md section 5 ---- */

enum oracle_verdict {
    ORACLE_NOTHING, /* no journal, or nothing in it */
    ORACLE_REPLAY,
    ORACLE_REFUSE,
};

struct oracle_replay {
    enum oracle_verdict verdict;
    uint64_t size; /* of the database afterwards */
    uint64_t record_count, last_lsn;
    struct oracle_sector { /* what is to be written, unordered */
        uint64_t number;
        const uint8_t *content; /* in the journal's bytes */
    } * sectors;
    size_t sector_count, sector_room;
    char why[256];
};

void oracle_replay_clear(struct oracle_replay *replay);
/* What must become of `database` with this journal beside it. */
void oracle_replay(struct oracle_replay *replay, const struct oracle_source *database,
                   const uint8_t *journal, size_t length);

#endif
