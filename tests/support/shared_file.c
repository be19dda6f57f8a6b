#include "shared_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Closes the descriptor. */
static void *map(int fd, size_t size)
{
    void *const bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    return bytes == MAP_FAILED ? NULL : bytes;
}

void *shared_file_make(const char *path, size_t size)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return NULL;
    if (ftruncate(fd, (off_t)size) == 0)
        return map(fd, size);
    close(fd);
    return NULL;
}

void *shared_file_open(const char *path, size_t least, size_t *out_size)
{
    const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat st;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || (size_t)st.st_size < least) {
        close(fd);
        return NULL;
    }
    *out_size = (size_t)st.st_size;
    return map(fd, *out_size);
}
