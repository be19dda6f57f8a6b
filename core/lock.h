/* lock.h: who else has the database open. Linux; for open.c only. */
#ifndef PF_LOCK_H
#define PF_LOCK_H

#include "pf.h"

/* Take flock and an OFD lock, exclusive or shared, without waiting. PF_E_LOCKED when
 * somebody holds one of them. *out_text: what is held, static. A file system without
 * locks is not an error: the text says so. */
PF_CHECK pf_err lock_take(int fd, bool exclusive, const char **out_text);

enum lock_probe { PROBE_ALONE, PROBE_OTHERS, PROBE_UNKNOWN };

/* Does any other open file description refer to this file? Asked with a write lease,
 * which is given back at once. */
enum lock_probe lock_probe_others(int fd);

/* Find a process that has the file open: "process 17 (sqlite3)"; our own when no other
 * can be seen. */
void lock_name_holder(int fd, char *out, size_t size);

#endif
