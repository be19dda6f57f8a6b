#include "syscall_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#define FILTER_FOREIGN 0x40000000 /* numbers from here on: the x32 calls */
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#define FILTER_FOREIGN 0x40000000 /* none */
#endif

/* LeakSanitizer stops the other threads with ptrace. */
#if defined(__SANITIZE_ADDRESS__)
#define FILTER_TRACING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FILTER_TRACING 1
#endif
#endif
#ifndef FILTER_TRACING
#define FILTER_TRACING 0
#endif

#ifdef FILTER_ARCH

static const int refused[] = {
    /* other programs */
    SYS_execve,
    SYS_execveat,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
#if !FILTER_TRACING
    SYS_ptrace,
#endif
    /* mounts and namespaces */
    SYS_mount,
    SYS_umount2,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    /* files other than by path */
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_fanotify_init,
    /* the kernel and the machine */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_acct,
    SYS_syslog,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_vhangup,
    SYS_personality,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
};

enum {
    REFUSED = sizeof(refused) / sizeof(refused[0]),
    PER_CALL = 2,
    REST = 40,
    NEW_NAMESPACE = (int)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                          CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP),
};

struct program {
    struct sock_filter steps[REFUSED * PER_CALL + REST];
    unsigned short length;
};

static void add(struct program *p, struct sock_filter step)
{
    p->steps[p->length++] = step;
}

static struct sock_filter load(size_t offset)
{
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Go on with the next step when it is so, else skip `otherwise` steps. */
static struct sock_filter unless_equal_skip(uint32_t value, uint8_t otherwise)
{
    return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise);
}

static struct sock_filter answer(uint32_t action)
{
    return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
}

static struct sock_filter fail(int error)
{
    return answer(SECCOMP_RET_ERRNO | (uint32_t)error);
}

/* Leaves the number of the call in the accumulator. */
static void add_architecture(struct program *p)
{
    add(p, load(offsetof(struct seccomp_data, arch)));
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0));
    add(p, fail(ENOSYS));
    add(p, load(offsetof(struct seccomp_data, nr)));
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FILTER_FOREIGN, 0, 1));
    add(p, fail(ENOSYS));
}

/* The low half of the first argument, of this call only. Both architectures are
 * little-endian. */
static void add_with_first_argument(struct program *p, int call, struct sock_filter test,
                                    int error)
{
    add(p, unless_equal_skip((uint32_t)call, 4));
    add(p, load(offsetof(struct seccomp_data, args[0])));
    add(p, test); /* true: allowed */
    add(p, fail(error));
    add(p, answer(SECCOMP_RET_ALLOW));
}

static struct sock_filter allowed_if_equal(uint32_t value)
{
    return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
}

/* A new thread shares its memory and makes no namespace; clone3() hides what it does, and
 * without it clone() is called. */
static void add_threads(struct program *p)
{
    add(p, unless_equal_skip(SYS_clone3, 1));
    add(p, fail(ENOSYS));
    add(p, unless_equal_skip(SYS_clone, 5));
    add(p, load(offsetof(struct seccomp_data, args[0])));
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
                                        (uint32_t)NEW_NAMESPACE, 1, 0));
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_VM, 1, 0));
    add(p, fail(EPERM));
    add(p, answer(SECCOMP_RET_ALLOW));
}

void syscall_filter_install(void)
{
    struct program p = {.length = 0};

    add_architecture(&p);
    for (size_t i = 0; i < REFUSED; i++) {
        add(&p, unless_equal_skip((uint32_t)refused[i], 1));
        add(&p, fail(EPERM));
    }
    add_with_first_argument(&p, SYS_socket, allowed_if_equal(AF_UNIX), EAFNOSUPPORT);
    add_with_first_argument(&p, SYS_kill, allowed_if_equal((uint32_t)getpid()), EPERM);
    add_with_first_argument(&p, SYS_tgkill, allowed_if_equal((uint32_t)getpid()), EPERM);
    add_threads(&p);
    add(&p, answer(SECCOMP_RET_ALLOW));
    const struct sock_fprog program = {.len = p.length, .filter = p.steps};
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#else

void syscall_filter_install(void)
{
}

#endif
