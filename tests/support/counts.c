/* counts.c: linked into the programs of a coverage run only (scripts/coverage), so that
 * what runs inside the daemon's sandbox is counted as well.
 *
 * A program writes its counts when it ends. Landlock would keep the daemon from the files
 * that they are in, so here the kernel is not asked to put it into force; all that leads
 * there runs. And _exit(), by which the helper ends, and raise(), by which a command that
 * was interrupted twice does, write counts first. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* gcc's, clang's */
extern void __gcov_dump(void) __attribute__((weak));
extern int __llvm_profile_write_file(void) __attribute__((weak));

enum { ARGUMENTS = 6 };

static long next_syscall(long number, const long a[ARGUMENTS])
{
    long (*next)(long call, ...);
    void *const found = dlsym(RTLD_NEXT, "syscall");

    memcpy(&next, &found, sizeof(next));
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Weak: calllib.so, into which this is linked as well, has its own. */
__attribute__((weak)) long syscall(long number, ...)
{
    long arguments[ARGUMENTS];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < ARGUMENTS; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    return number == SYS_landlock_restrict_self ? 0 : next_syscall(number, arguments);
}

/* Whose calls and allocations a preloaded library lets fail: not those of who counts. */
static void no_more_failures(void)
{
    void (*program_ends)(void);
    void *const found = dlsym(RTLD_DEFAULT, "caller_program_ends");

    if (found == NULL)
        return;
    memcpy(&program_ends, &found, sizeof(program_ends));
    program_ends();
}

/* atexit() comes before gcov's destructor. */
__attribute__((constructor)) static void at_exit(void)
{
    (void)atexit(no_more_failures);
}

static void write_counts(void)
{
    no_more_failures();
    if (__gcov_dump != NULL)
        __gcov_dump();
    if (__llvm_profile_write_file != NULL)
        (void)__llvm_profile_write_file();
}

int raise(int number)
{
    int (*next)(int number);
    void *const found = dlsym(RTLD_NEXT, "raise");

    write_counts();
    memcpy(&next, &found, sizeof(next));
    return next(number);
}

void _exit(int status)
{
    write_counts();
    const long arguments[ARGUMENTS] = {status};
    for (;;)
        (void)next_syscall(SYS_exit_group, arguments);
}
