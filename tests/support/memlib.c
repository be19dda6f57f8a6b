/* memlib.c: LD_PRELOAD library, see memlib.h. */
#include "memlib.h"
#include "shared_file.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* glibc's own names for what is interposed here: dlsym() would allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* A preloaded library has no caller to hand it a context. */
static struct memory_control *control;
static uintptr_t program_start, program_end;

/* The program is the first object. */
static int note_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    program_start = UINTPTR_MAX;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        const uintptr_t end = start + info->dlpi_phdr[i].p_memsz;

        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        program_start = start < program_start ? start : program_start;
        program_end = end > program_end ? end : program_end;
    }
    return 1;
}

__attribute__((constructor)) static void start(void)
{
    size_t size = 0;
    struct memory_control *const shared =
        shared_file_open(getenv(MEMORY_ENVIRONMENT), sizeof(*shared), &size);

    if (shared == NULL)
        return;
    (void)dl_iterate_phdr(note_program, NULL);
    control = shared;
    atomic_store(&control->working, 1);
}

static bool fails(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;

    if (control == NULL || at < program_start || at >= program_end)
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
