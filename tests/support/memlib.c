/* memlib.c: LD_PRELOAD library, see memlib.h. */
#include "memlib.h"
#include "caller.h"
#include "shared_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* glibc's own names for what is interposed here: dlsym() would allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* A preloaded library has no caller to hand it a context. */
static struct memory_control *control;

__attribute__((constructor)) static void start(void)
{
    size_t size = 0;
    struct memory_control *const shared =
        shared_file_open(getenv(MEMORY_ENVIRONMENT), sizeof(*shared), &size);

    if (shared == NULL)
        return;
    caller_find_program();
    control = shared;
    atomic_store(&control->working, 1);
}

static bool fails(const void *caller)
{
    if (control == NULL || !caller_is_program(caller))
        return false;
    const unsigned long number = atomic_fetch_add(&control->calls, 1) + 1;
    if (number != atomic_load(&control->fail_at))
        return false;
    atomic_fetch_add(&control->failures, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
