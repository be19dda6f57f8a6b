/* fuse_api.h: libfuse, in the version of its interface that we are written for. */
#ifndef PAGEFS_FUSE_API_H
#define PAGEFS_FUSE_API_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#endif
