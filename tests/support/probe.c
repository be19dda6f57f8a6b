/* probe.c: preloaded into the daemon, tries at the first sync of a file, which is long
 * after the start, what a daemon that was taken over would try. Says how it went, one
 * line each, in the file that PF_TEST_PROBE names, which it opens before main(). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int report = -1;
static atomic_flag done = ATOMIC_FLAG_INIT;

__attribute__((constructor)) static void prepare(void)
{
    const char *const path = getenv("PF_TEST_PROBE");

    if (path != NULL)
        report = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

static void say(const char *what, long result)
{
    dprintf(report, "%s %s\n", what, result >= 0 ? "works" : strerrorname_np(errno));
}

static void say_open(const char *what, const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC, 0600);

    say(what, fd);
    if (fd >= 0)
        close(fd);
}

static void probe_files(void)
{
    char path[512];
    const char *const directory = getenv("PF_TEST_PROBE_DIRECTORY");

    say_open("passwd", "/etc/passwd", O_RDONLY);
    say_open("new-file", "/tmp/pf-probe", O_RDWR | O_CREAT);
    say_open("proc", "/proc/self/status", O_RDONLY);
    say_open("memory", "/proc/self/mem", O_RDWR);
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)getppid());
    say_open("environment", path, O_RDONLY);
    snprintf(path, sizeof(path), "%s/probe", directory != NULL ? directory : "");
    say_open("beside", path, O_RDWR | O_CREAT);
    unlink(path);
    say("directory", mkdir(path, 0700));
    say("link", symlink("/etc/passwd", path));
}

static void probe_calls(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    pid_t child;

    say("inet", socket(AF_INET, SOCK_STREAM, 0));
    say("unix", socket(AF_UNIX, SOCK_DGRAM, 0));
    child = fork();
    if (child == 0)
        _exit(0);
    say("fork", child);
    say("exec", execv("/bin/true", arguments));
    say("mount", mount("none", "/mnt", "tmpfs", 0, NULL));
    say("namespace", unshare(CLONE_NEWUSER));
    say("kill", kill(getppid(), 0));
    say("setuid", setuid(12345));
    say("bpf", syscall(SYS_bpf, 0, NULL, 0));
}

int fdatasync(int fd)
{
    int (*real)(int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    if (report != -1 && !atomic_flag_test_and_set(&done)) {
        probe_files();
        probe_calls();
    }
    return real(fd);
}
