/* cached_pages.h: the pages whose data the kernel may hold in its cache.
 *
 * A `data` file opened read-only is cached (so that it can be mapped); after each commit
 * the kernel is told to drop what it has of such files. Locks itself. */
#ifndef PAGEFS_CACHED_PAGES_H
#define PAGEFS_CACHED_PAGES_H

#include <stdint.h>

#include "../core/pf.h"

struct fuse_session;
struct cached_pages;

struct cached_pages *cached_pages_new(void); /* NULL: out of memory */
void cached_pages_free(struct cached_pages *cached);

/* One more, one less open file of this inode. */
PF_CHECK pf_err cached_pages_add(struct cached_pages *cached, uint64_t ino);
void cached_pages_remove(struct cached_pages *cached, uint64_t ino);

/* Never call this from the session loop: the kernel may first want an answer to a read
 * of the page. */
void cached_pages_invalidate(struct cached_pages *cached, struct fuse_session *session);

#endif
