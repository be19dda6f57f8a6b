/* bulk.h: large files of fixed-width lines, computed by offset and never held in memory.
 *
 * Each line is true at the moment it is read. */
#ifndef PAGEFS_BULK_H
#define PAGEFS_BULK_H

#include "node.h"

extern const struct node_bulk bulk_freelist;

#endif
