/* command.h: parsing of everything that is written into the tree.
 *
 * Pure: bytes in, a struct command or an error out; no FUSE, no store. The grammar is
 * what each file's README row says: blanks around and a trailing LF are optional, an
 * empty write and a NUL are PF_E_INVALID, a number over 64 bits is PF_E_RANGE. */
#ifndef PAGEFS_COMMAND_H
#define PAGEFS_COMMAND_H

#include "../core/pf.h"

enum {
    COMMAND_WORDS_SIZE = 48,     /* bytes for what last_error quotes, with the NUL */
    COMMAND_TOKEN_MAX = 41,      /* two 64-bit numbers and a dash */
    COMMAND_ALLOC_MAX = 1 << 24, /* pages one command may allocate: 128 MiB of ids */
    COMMAND_FREE_MAX = 1 << 24,  /* pages a list may name, each as often as it does: */
    COMMAND_PINS_MAX = 1 << 22,  /* it holds up the others for so long, 1 or 2 seconds */
    COMMAND_CUT_UNIT = 512,      /* stdio writes multiples of this: see command_cut() */
    COMMAND_MAX_WRITE_SLACK = 4096, /* the kernel cuts large writes at page borders */
};

enum command_verb {
    COMMAND_FREE, /* ranges */
    COMMAND_PIN,
    COMMAND_UNPIN,
    COMMAND_ALLOC, /* number = pages */
    COMMAND_ALLOC_CONTIGUOUS,
    COMMAND_STATE_FREE, /* page_id, which the caller fills in, here and below */
    COMMAND_STATE_FREE_FORCED,
    COMMAND_STATE_ALLOCATED,
    COMMAND_STATE_PINNED,
    COMMAND_PINS_ADD,
    COMMAND_PINS_REMOVE,
    COMMAND_PINS_CLEAR,
    COMMAND_CHECKSUM,  /* number = the sum */
    COMMAND_MAX_PAGES, /* number, 0 = no limit */
    COMMAND_SYNC,
    COMMAND_CHECKPOINT,
    COMMAND_SHRINK,
    COMMAND_REBUILD_FREELIST,
    COMMAND_CHECK,
    COMMAND_CHECK_CANCEL,
};

struct command {
    enum command_verb verb;
    uint64_t page_id;
    uint64_t number;
    struct pf_range *ranges; /* owned: command_free() */
    size_t range_count;
    char words[COMMAND_WORDS_SIZE]; /* the command as written, or the token at fault */
};

/* Every parser zeroes *out_command first and sets `words` on failure too, so that the
 * caller can always use command_free() and quote it. PF_E_NO_MEMORY: ids only. */
typedef pf_err command_parser(const char *text, size_t length,
                              struct command *out_command);

PF_CHECK command_parser command_parse_free, command_parse_pin, command_parse_unpin;
PF_CHECK command_parser command_parse_alloc;
PF_CHECK command_parser command_parse_state;
PF_CHECK command_parser command_parse_pins;
PF_CHECK command_parser command_parse_checksum;
PF_CHECK command_parser command_parse_max_pages;
PF_CHECK command_parser command_parse_ctl;
PF_CHECK command_parser command_parse_check;

void command_free(struct command *command);

/* True when the text holds nothing but white space. */
bool command_is_blank(const char *text, size_t length);

/* How many bytes at the end of a list of ids may belong to a token that the next write
 * continues: the last token when no white space follows it and the write looks like one
 * piece of a longer text (`written` is a multiple of 512, or within a page of the
 * largest write there is); otherwise 0. */
size_t command_cut(const char *text, size_t length, size_t written, size_t max_write);

#endif
