/* paths.h: where the database is and whether the mountpoint can be used. */
#ifndef PAGEFS_PATHS_H
#define PAGEFS_PATHS_H

#include <stdbool.h>

/* All of these say what is wrong on stderr and return an exit status; 0 is fine. */

/* Absolute, without symbolic links; freed by the caller. */
int paths_resolve_database(const char *path, char **out_path);
int paths_resolve_mountpoint(const char *path, char **out_path);

/* Is there nothing at `database`, but a journal beside it? */
bool paths_only_journal(const char *database);

/* Both resolved. A mountpoint is an empty directory that does not hide the database. */
int paths_check_mountpoint(const char *mountpoint, const char *database);

/* Does a pagefs mount of this database (resolved) exist, in our mount namespace? */
bool paths_is_mounted(const char *database);
/* Where, freed by the caller; NULL when nowhere that we know. */
char *paths_mountpoint_of(const char *database);

#endif
