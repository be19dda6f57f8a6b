/* syscall_filter.h: the part of sandbox.h that is seccomp. */
#ifndef PAGEFS_SYSCALL_FILTER_H
#define PAGEFS_SYSCALL_FILTER_H

/* Refuse, from now on and in all threads to come, the system calls that a daemon which is
 * mounted has no use for. PR_SET_NO_NEW_PRIVS is set. Where it cannot be done, it is not.
 */
void syscall_filter_install(void);

#endif
