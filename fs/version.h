/* version.h: what -V and `status` say; the build passes the project's version. */
#ifndef PAGEFS_VERSION_H
#define PAGEFS_VERSION_H

#ifndef PAGEFS_VERSION
#define PAGEFS_VERSION "0.1.0"
#endif

#endif
