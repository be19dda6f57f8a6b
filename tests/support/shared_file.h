/* shared_file.h: a file that a test and a daemon have mapped: through it the libraries
 * that are preloaded into daemons are told what to do, and tell what was done. */
#ifndef TEST_SHARED_FILE_H
#define TEST_SHARED_FILE_H

#include <stddef.h>

/* A new file of `size` zeros, mapped. NULL: errno says why. */
void *shared_file_make(const char *path, size_t size);
/* All of one that is there. NULL: there is none (`path` may be NULL, as getenv() gives
 * it), or it is shorter than `least`. */
void *shared_file_open(const char *path, size_t least, size_t *out_size);

#endif
