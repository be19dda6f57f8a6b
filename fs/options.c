#include "options.h"

#include "fuse_api.h"
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "message.h"
#include "mount_options.h"
#include "version.h"

static const char usage_head[] =
    "usage: pagefs [options] DB MOUNTPOINT\n"
    "       pagefs create DB [PAGES]    make a new database\n"
    "       pagefs stat DB              print its counts and state\n"
    "       pagefs map [--svg] DB       print what each page is\n"
    "       pagefs check [--repair] DB  find everything that is wrong with it\n"
    "\n"
    "Mounts the page allocator of a V3 database file as a directory tree; the file\n"
    "README in it explains the rest. fusermount3 -u MOUNTPOINT ends it.\n"
    "\n"
    "  -f                    stay in the foreground\n"
    "  -d                    the same, and print every request\n"
    "  -s                    accepted: requests are always taken one at a time\n"
    "  -h, --help            print this text; pagefs create -h and so on say more\n"
    "  -V, --version         print the version\n"
    "\n";

static const char usage_tail[] =
    "\n"
    "A database called `create`, `stat`, `map` or `check` is mounted as ./create and so\n"
    "on. Exit status: 0 mounted, 1 usage, 2 system, 32 refused; pagefs check has its "
    "own.\n"
    "More: man pagefs\n";

static int print_help(void)
{
    (void)fputs(usage_head, stdout);
    mount_options_help(stdout);
    (void)fputs(usage_tail, stdout);
    return cli_flush();
}

static int print_version(void)
{
    (void)printf("pagefs %s (libfuse %s)\n", PAGEFS_VERSION, fuse_pkgversion());
    return cli_flush();
}

/* ---- the whole line ---- */

struct line {
    struct options options;
    const char *operands[2];
    int operand_count;
};

static void add_operand(struct line *line, const char *operand)
{
    if (line->operand_count < 2)
        line->operands[line->operand_count] = operand;
    line->operand_count++;
}

static int unknown_switch(const char *word, int letter)
{
    const char name[] = {'-', (char)letter, '\0'};

    message(letter != 0 ? name : word, "unknown option: pagefs -h lists them");
    return EXIT_USAGE;
}

static int parse_switch(int letter, const char *word, struct line *line)
{
    struct options *const o = &line->options;

    switch (letter) {
    case 1: /* mount(8) puts -o last, also where POSIXLY_CORRECT is set */
        add_operand(line, optarg);
        return -1;
    case 'd':
        o->debug = true;
        o->foreground = true;
        return -1;
    case 'f':
        o->foreground = true;
        return -1;
    case 's':
        return -1;
    case 'o':
        return mount_options_parse(optarg, o) ? -1 : EXIT_USAGE;
    case 'h':
        return print_help();
    case 'V':
        return print_version();
    case ':':
        message(word, "needs a value: see pagefs -h");
        return EXIT_USAGE;
    default:
        return unknown_switch(word, optopt);
    }
}

int options_parse(int argc, char **argv, struct options *out_options)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    struct line line = {.options = {.uid = getuid(), .gid = getgid()}};
    int letter;

    opterr = 0; /* our own words */
    while ((letter = getopt_long(argc, argv, "-:fdso:hV", long_options, NULL)) != -1) {
        const int status = parse_switch(letter, argv[optind - 1], &line);
        if (status != -1)
            return status;
    }
    while (optind < argc) /* what follows -- */
        add_operand(&line, argv[optind++]);
    if (line.operand_count != 2) {
        message(NULL, "expected a database and a mountpoint: pagefs [options] DB "
                      "MOUNTPOINT, or pagefs -h");
        return EXIT_USAGE;
    }
    if (!mount_options_check(&line.options))
        return EXIT_USAGE;
    line.options.database = line.operands[0];
    line.options.mountpoint = line.operands[1];
    *out_options = line.options;
    return -1;
}
