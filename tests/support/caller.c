#include "caller.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* A preloaded library has no caller to hand it a context. */
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

void caller_find_program(void)
{
    (void)dl_iterate_phdr(note_program, NULL);
}

bool caller_is_program(const void *address)
{
    const uintptr_t at = (uintptr_t)address;

    return at >= program_start && at < program_end;
}

void caller_program_ends(void)
{
    program_end = 0;
}
