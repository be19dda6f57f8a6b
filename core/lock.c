#include "lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool lock_conflicts(int errno_value)
{
    return errno_value == EWOULDBLOCK || errno_value == EAGAIN || errno_value == EACCES;
}

/* Two kinds, because programs look for either. */
pf_err lock_take(int fd, bool exclusive, const char **out_text)
{
    struct flock range = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    bool missing = false;
    if (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        if (lock_conflicts(errno))
            return PF_E_LOCKED;
        missing = true;
    }
    if (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        if (lock_conflicts(errno))
            return PF_E_LOCKED;
        missing = true;
    }
    *out_text = missing     ? "none: the file system does not support locks"
                : exclusive ? "exclusive"
                            : "shared";
    return PF_OK;
}

/* The kernel tells a lease holder of conflicting opens by a signal; ours is over before
 * anyone could care, and a signal that ends the process must not come of it. */
enum lock_probe lock_probe_others(int fd)
{
    if (fcntl(fd, F_SETSIG, SIGURG) != 0) /* ignored by default */
        return PROBE_UNKNOWN;
    if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        return PROBE_ALONE;
    }
    return errno == EAGAIN || errno == EBUSY ? PROBE_OTHERS : PROBE_UNKNOWN;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Descriptors of that name only: asking about others could wait for a file system that
 * does not answer, or make its unmount fail. */
static bool has_name(int dir_fd, const char *entry, const char *name)
{
    char target[PATH_MAX];
    const ssize_t n = readlinkat(dir_fd, entry, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *const slash = strrchr(target, '/');
    return slash != NULL && strcmp(slash + 1, name) == 0;
}

static bool process_has_open(const char *pid, const char *name, const struct stat *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    bool found = false;
    const struct dirent *entry;
    while (!found && (entry = readdir(dir)) != NULL) {
        struct stat st;
        found = entry->d_name[0] != '.' && has_name(dirfd(dir), entry->d_name, name) &&
                fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && same_file(&st, file);
    }
    closedir(dir);
    return found;
}

static void process_name(const char *pid, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
    snprintf(out, size, "?");
    FILE *comm = fopen(path, "re");
    if (comm == NULL)
        return;
    if (fgets(out, (int)size, comm) != NULL)
        out[strcspn(out, "\n")] = '\0';
    fclose(comm);
}

static void describe(const char *pid, char *out, size_t size)
{
    char name[32];
    process_name(pid, name, sizeof name);
    snprintf(out, size, "process %.16s (%s)", pid, name);
}

/* Neither this process nor `self` is anybody else. */
void pf_name_holder(int fd, pid_t self_pid, char *out, size_t size)
{
    struct stat file;
    char self[24], me[24], link[40], path[PATH_MAX];
    const char *name = "";
    snprintf(self, sizeof self, "%ld", (long)self_pid);
    snprintf(me, sizeof me, "%ld", (long)getpid());
    DIR *proc = fstat(fd, &file) == 0 ? opendir("/proc") : NULL;
    describe(self, out, size);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
    }
    if (proc == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(proc)) != NULL) {
        const bool is_pid = entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        if (!is_pid || strcmp(entry->d_name, self) == 0 ||
            strcmp(entry->d_name, me) == 0 ||
            !process_has_open(entry->d_name, name, &file))
            continue;
        describe(entry->d_name, out, size);
        break;
    }
    closedir(proc);
}

void lock_name_holder(int fd, char *out, size_t size)
{
    pf_name_holder(fd, getpid(), out, size);
}
