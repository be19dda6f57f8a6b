/* main.c: which program is it? `pagefs DB MOUNTPOINT`, or a subcommand. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "daemon.h"
#include "message.h"
#include "mount.h"

static const struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"check", cli_check},
    {"create", cli_create},
    {"map", cli_map},
    {"stat", cli_stat},
};

int main(int argc, char **argv)
{
    struct options options;

    if (!daemon_fill_stdio()) {
        message("/dev/null", "%s", strerror(errno)); /* if stderr is open at least */
        return EXIT_SYSTEM;
    }
    (void)signal(SIGXFSZ, SIG_IGN); /* ulimit -f: the write says so */
    /* we would open any file for anybody */
    if (geteuid() != getuid() || getegid() != getgid()) {
        message(NULL, "refuses to run setuid: remove the set-user-ID bit");
        return EXIT_REFUSED;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]);
         i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    }
    const int status = options_parse(argc, argv, &options);
    return status != -1 ? status : mount_run(&options);
}
