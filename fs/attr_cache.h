/* attr_cache.h: the pages whose attributes the kernel may believe for a moment.
 *
 * `ls -l pages` and find would otherwise ask twice for each page: once with the listing
 * and once again for the same answer. So listings and lookups let the kernel keep what
 * they tell about pages/N for a second, note that here, and whoever changes a page takes
 * the permission back right before the change is acknowledged.
 *
 * One gap is left, which the kernel leaves: an answer that it has received, but not yet
 * looked at, about a page that it did not know before, is not reached by this, and stays
 * good for its second. Locks itself. */
#ifndef PAGEFS_ATTR_CACHE_H
#define PAGEFS_ATTR_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct fuse_session;
struct attr_cache;

struct attr_cache *attr_cache_new(void); /* NULL: out of memory */
void attr_cache_free(struct attr_cache *cache);

/* Seconds for which the attributes of this page may be kept: call it before they are
 * looked up, so that no change falls between. */
double attr_cache_grant(struct attr_cache *cache, uint64_t page_id);
/* Pages first .. last have changed: the kernel has to ask again. */
void attr_cache_drop(struct attr_cache *cache, struct fuse_session *session,
                     uint64_t first, uint64_t last);

#endif
