/* xxh.h: XXH3, the way that this processor does it fastest. For core only.
 *
 * xxhash as packaged is built for the oldest x86-64. Its dispatcher, where the package
 * has one, finds out about AVX2 and AVX-512 at the first call: 124 ns instead of 556 for
 * a page in the cache. The header gives the names of xxhash.h to the dispatcher's calls.
 */
#ifndef PF_XXH_H
#define PF_XXH_H

#include <xxhash.h>
#ifdef PF_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#endif

#endif
