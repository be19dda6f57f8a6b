#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "message.h"
#include "options.h"

int paths_resolve_database(const char *path, char **out_path)
{
    *out_path = realpath(path, NULL);
    if (*out_path != NULL)
        return 0;
    if (errno == ENOENT)
        message(path, "no such file: pagefs create makes one");
    else
        message(path, "%s", strerror(errno));
    return EXIT_SYSTEM;
}

static int bad_mountpoint(const char *path, int error)
{
    if (error == ENOTCONN)
        message(path,
                "a mount whose daemon died is still there: fusermount3 -u %s removes it",
                path);
    else if (error == ENOENT)
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
    if (error == -1) {
        message(mountpoint, "not empty: mount on an empty directory");
        return EXIT_REFUSED;
    }
    return error != 0 ? bad_mountpoint(mountpoint, error) : 0;
}

/* ---- /proc/self/mountinfo ---- */

/* In place: \040 and the like. */
static void unescape(char *field)
{
    char *to = field;

    for (const char *from = field; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
            from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* "... - TYPE SOURCE OPTIONS": is it ours? */
static bool line_is_ours(char *line, const char *database)
{
    char *const separator = strstr(line, " - ");
    char *rest = NULL;

    if (separator == NULL)
        return false;
    const char *const type = strtok_r(separator + 3, " ", &rest);
    char *const source = strtok_r(NULL, " \n", &rest);
    if (type == NULL || source == NULL || strcmp(type, "fuse.pagefs") != 0)
        return false;
    unescape(source);
    return strcmp(source, database) == 0;
}

bool paths_is_mounted(const char *database)
{
    FILE *const file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    if (file == NULL)
        return true; /* cannot know: then nobody waits for it to end */
    while (!found && getline(&line, &size, file) > 0)
        found = line_is_ours(line, database);
    free(line);
    (void)fclose(file);
    return found;
}
