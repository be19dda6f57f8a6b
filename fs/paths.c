#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "mountinfo.h"
#include "options.h"

/* ---- mounts ---- */

static bool is_of_database(const struct mountinfo *line, const char *database)
{
    return strcmp(line->type, "fuse.pagefs") == 0 && strcmp(line->source, database) == 0;
}

/* One that fusermount3 may be told to remove. */
static bool is_fuse_at_point(const struct mountinfo *line, const char *point)
{
    return strncmp(line->type, "fuse", 4) == 0 && strcmp(line->point, point) == 0;
}

/* `unknown` when there is no way to tell. *out_point is freed by the caller; NULL: is not
 * wanted. */
static bool any_mount(bool (*is_wanted)(const struct mountinfo *line, const char *what),
                      const char *what, bool unknown, char **out_point)
{
    FILE *const file = fopen("/proc/self/mountinfo", "re");
    struct mountinfo parsed;
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    if (file == NULL)
        return unknown;
    while (!found && getline(&line, &size, file) > 0)
        found = mountinfo_parse(line, &parsed) && /* unreachable: false, as of today */
                is_wanted(&parsed, what);
    if (found && out_point != NULL)
        *out_point = strdup(parsed.point);
    free(line);
    (void)fclose(file);
    return found;
}

bool paths_is_mounted(const char *database)
{
    return any_mount(is_of_database, database, true,
                     NULL); /* then nobody waits for its end */
}

char *paths_mountpoint_of(const char *database)
{
    char *point = NULL;

    any_mount(is_of_database, database, false, &point);
    return point;
}

/* ---- the database ---- */

bool paths_only_journal(const char *database)
{
    struct stat stat_buffer;
    char *journal = NULL;

    if (lstat(database, &stat_buffer) == 0 || errno != ENOENT ||
        asprintf(&journal, "%s-journal", database) == -1)
        return false;
    const bool found = lstat(journal, &stat_buffer) == 0;
    free(journal);
    return found;
}

int paths_resolve_database(const char *path, char **out_path)
{
    *out_path = realpath(path, NULL);
    if (*out_path != NULL)
        return 0;
    const int error = errno;
    if (error == ENOENT && paths_only_journal(path))
        message(path, "no such file, but its journal is there: bring the database back "
                      "to where the journal is");
    else if (error == ENOENT)
        message(path, "no such file: pagefs create makes one");
    else if (error == ENOTCONN)
        message(path, "in a mount whose daemon died: unmount that first");
    else
        message(path, "%s", strerror(error));
    return EXIT_SYSTEM;
}

/* ---- mountpoints ---- */

/* As a word for a shell. NULL: out of memory. */
static char *quote(const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_./+:@%,-";

    if (path[strspn(path, plain)] == '\0')
        return strdup(path);
    char *const word = malloc(4 * strlen(path) + 3);
    char *to = word;
    if (word == NULL)
        return NULL;
    *to++ = '\'';
    for (; *path != '\0'; path++) {
        if (*path == '\'') /* end the quotes, a quote by itself, begin again */
            to = stpcpy(to, "'\\'");
        *to++ = *path;
    }
    *to++ = '\'';
    *to = '\0';
    return word;
}

/* `root` is what is to be removed. */
static int already_mounted(const char *path, const char *root, const char *what)
{
    char *const word = quote(root);

    message(path, "%s: fusermount3 -u %s removes it", what, word != NULL ? word : root);
    free(word);
    return EXIT_REFUSED;
}

/* Without its last part, in place; false when there is no more than one. */
static bool cut_last_part(char *path)
{
    char *const slash = strrchr(path, '/');

    if (slash == NULL || slash == path)
        return false;
    *slash = '\0';
    return true;
}

/* As realpath(), of as much of the path as can be followed into a dead mount. NULL: no
 * way to tell. */
static char *resolve_dead(const char *path)
{
    char *const part = strdup(path);
    char *resolved = NULL;
    char link[32];
    int fd = -1;

    while (part != NULL && (fd = open(part, O_PATH | O_CLOEXEC)) == -1 &&
           cut_last_part(part)) {
    }
    free(part);
    if (fd == -1)
        return NULL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    resolved = calloc(1, PATH_MAX);
    if (resolved != NULL && readlink(link, resolved, PATH_MAX - 1) == -1)
        *resolved = '\0';
    close(fd);
    return resolved;
}

/* fusermount3 takes neither what is below a mount nor a symbolic link to it. */
static int dead_mount(const char *path)
{
    char *const root = resolve_dead(path);
    bool found = root != NULL && any_mount(is_fuse_at_point, root, false, NULL);

    while (!found && root != NULL && cut_last_part(root))
        found = any_mount(is_fuse_at_point, root, false, NULL);
    const int status = already_mounted(path, found ? root : path,
                                       "a mount whose daemon died is still there");
    free(root);
    return status;
}

static int bad_mountpoint(const char *path, int error)
{
    if (error == ENOTCONN)
        return dead_mount(path);
    if (error == ENOENT)
        message(path, "no such directory: mkdir it first");
    else if (error == ENOTDIR)
        message(path, "not a directory: name an empty one to mount on");
    else
        message(path, "cannot be mounted on: %s", strerror(error));
    return EXIT_REFUSED;
}

int paths_resolve_mountpoint(const char *path, char **out_path)
{
    *out_path = realpath(path, NULL);
    return *out_path != NULL ? 0 : bad_mountpoint(path, errno);
}

/* Is `path` inside of `directory`? Both resolved. */
static bool is_inside(const char *path, const char *directory)
{
    const size_t length = strlen(directory);

    if (strcmp(directory, "/") == 0)
        return true;
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* 0: it is; -1: it is not; otherwise an errno. */
static int check_empty(const char *path)
{
    DIR *const dir = opendir(path);
    const struct dirent *entry;

    if (dir == NULL)
        return errno;
    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry != NULL && is_dot(entry->d_name));
    const int error = entry != NULL ? -1 : errno;
    closedir(dir);
    return error;
}

int paths_check_mountpoint(const char *mountpoint, const char *database)
{
    struct stat stat_buffer;

    if (stat(mountpoint, &stat_buffer) != 0)
        return bad_mountpoint(mountpoint, errno);
    if (!S_ISDIR(stat_buffer.st_mode))
        return bad_mountpoint(mountpoint, ENOTDIR);
    if (is_inside(database, mountpoint)) {
        message(mountpoint, "contains the database: mount on another directory");
        return EXIT_REFUSED;
    }
    const int error = check_empty(mountpoint);
    if (error == -1 && any_mount(is_fuse_at_point, mountpoint, false, NULL))
        return already_mounted(mountpoint, mountpoint,
                               "something is mounted there already");
    if (error == -1) {
        message(mountpoint, "not empty: mount on an empty directory");
        return EXIT_REFUSED;
    }
    return error != 0 ? bad_mountpoint(mountpoint, error) : 0;
}
