/* err.h: the one list of everything that can go wrong, with errno and sentence.
 *
 * Part of the public API through pf.h. Adding an error is adding a row: the
 * enum, the translation to errno (used only at the FUSE edge and by callers
 * who want one) and the sentence come from it. */
#ifndef PF_ERR_H
#define PF_ERR_H

/* clang-format off */
#define PF_ERRORS(X)                                                                    \
    /* the file is not something we can open: FORMAT.md section 1 */                    \
    X(SHORT_HEADER,   EUCLEAN,    "not a V3 database: shorter than the 112-byte header") \
    X(MAGIC,          EUCLEAN,    "not a V3 database: wrong magic")                     \
    X(V2,             EUCLEAN,    "this is a V2 file, which is not supported")          \
    X(VERSION,        EUCLEAN,    "not a V3 database: the header's version is not 4")   \
    X(FLAGS,          EUCLEAN,    "the header's flags lack FRAMED_RECORDS or ATOMIC_COMMIT") \
    X(FLAGS_INDEX,    EUCLEAN,    "the header's flags lack BTREE_INDEX")                \
    X(OUTGOING,       EUCLEAN,    "outgoing_cluster_offset lies inside the header")     \
    X(INCOMING,       EUCLEAN,    "incoming_cluster_offset lies before outgoing_cluster_offset") \
    X(FREE_SPACE,     EUCLEAN,    "free_space_offset lies before incoming_cluster_offset") \
    X(PAGE_SIZE,      EUCLEAN,    "page_size is not 4096, 8192 or 16384")               \
    X(HEIGHT,         EUCLEAN,    "btree_height is over 4")                             \
    X(NOT_REGULAR,    EINVAL,     "not a regular file")                                 \
    X(LOCKED,         EBUSY,      "another pagefs has the file open")                   \
    X(NEEDS_WRITE,    EROFS,      "the file cannot be opened for writing")              \
    X(JOURNAL,        EUCLEAN,    "the journal is damaged or not this database's")      \
    X(JOURNAL_READ,   EIO,        "the journal cannot be read")                         \
    /* a page or argument is not what the operation needs */                            \
    X(NO_PAGE,        ENOENT,     "no such page")                                       \
    X(RESERVED,       EPERM,      "pages 0 and 1 are reserved")                         \
    X(ALREADY_FREE,   EALREADY,   "the page is already free")                           \
    X(ALREADY_ALLOC,  EALREADY,   "the page is already allocated")                      \
    X(ALREADY_PINNED, EALREADY,   "the page is already pinned")                         \
    X(NOT_PINNED,     EALREADY,   "the page is not pinned")                             \
    X(PINNED,         EBUSY,      "the page is pinned")                                 \
    X(IN_USE,         EBUSY,      "the graph uses the page")                            \
    X(CHECKING,       EBUSY,      "a check is running already")                         \
    X(HELD,           EBUSY,      "the page is held by an open file")                   \
    X(IS_FREE,        EINVAL,     "the page is free")                                   \
    X(DATA_FREE,      ENXIO,      "the page is free: its data cannot be written")       \
    X(PAST_PAGE,      EFBIG,      "the write starts at or past the end of the page")    \
    X(TOO_MANY_PINS,  EOVERFLOW,  "the pin count is at its maximum")                    \
    X(CHECKSUM,       EBADMSG,    "the page does not have that checksum")               \
    X(INVALID,        EINVAL,     "invalid argument")                                   \
    X(RANGE,          ERANGE,     "the number is too large")                            \
    X(LIMIT,          ENOSPC,     "the limit of pages is reached")                      \
    X(MAX_PAGES,      ENOSPC,     "the format can hold no more pages")                  \
    /* the store cannot go on, or not now */                                            \
    X(READ_ONLY,      EROFS,      "the database is open read-only")                     \
    X(CORRUPT,        EUCLEAN,    "the free list is corrupt")                           \
    X(STALE,          ESTALE,     "the file was changed by someone else")               \
    X(IO,             EIO,        "input/output error")                                 \
    X(NO_SPACE,       ENOSPC,     "no space left on the device")                        \
    X(QUOTA,          EDQUOT,     "disk quota exceeded")                                \
    X(FILE_LIMIT,     EFBIG,      "the file would exceed a size limit")                 \
    X(CANCELLED,      EINTR,      "cancelled")                                          \
    X(CHANGING,       EAGAIN,     "the graph was changed while it was walked")          \
    X(NO_MEMORY,      ENOMEM,     "out of memory")                                      \
    X(NOT_FOUND,      ENOENT,     "no such file")                                       \
    X(EXISTS,         EEXIST,     "the file exists")                                    \
    X(ACCESS,         EACCES,     "permission denied")
/* clang-format on */

typedef enum pf_err {
    PF_OK = 0,
#define PF_ERR_ENUM(name, errno_value, text) PF_E_##name,
    PF_ERRORS(PF_ERR_ENUM)
#undef PF_ERR_ENUM
        PF_ERR_COUNT
} pf_err;

/* The positive errno that stands for `err`; 0 for PF_OK. */
int pf_err_errno(pf_err err);
/* One sentence without a full stop, static storage. */
const char *pf_err_text(pf_err err);
/* "PF_E_LIMIT" and the like, static storage. */
const char *pf_err_name(pf_err err);

#endif
