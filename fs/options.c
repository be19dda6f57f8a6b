#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "decimal.h"
#include "message.h"
#include "version.h"

static const char usage_text[] =
    "usage: pagefs [options] DB MOUNTPOINT\n"
    "       pagefs create DB [PAGES]    make a new database\n"
    "       pagefs stat DB              print what stats and status of a mount say\n"
    "\n"
    "Mounts the page allocator of a V3 database file as a directory tree; the file\n"
    "README in it explains the rest. fusermount3 -u MOUNTPOINT ends it.\n"
    "\n"
    "  -f                  stay in the foreground\n"
    "  -d                  the same, and print every request\n"
    "  -s                  accepted: requests are always taken one at a time\n"
    "  -h, -V              print this text, the version\n"
    "  -o rw               read-write, read-only where writing could do harm (default)\n"
    "  -o require_rw       refuse to mount instead\n"
    "  -o ro               change nothing\n"
    "  -o create[=PAGES]   make the database first if there is none\n"
    "  -o max_pages=N      never let the file grow over N pages\n"
    "  -o sync=commit|none wait for the disk at each commit (default), or never\n"
    "  -o hide_actions     do not list alloc, for trees that are walked by machines\n"
    "  -o allow_other      let other users in, as far as the mode bits go\n"
    "  -o uid=N,gid=N,umask=OCTAL  what the files show\n"
    "\n"
    "A database called `create` or `stat` is mounted as ./create. Exit status: 0 "
    "mounted,\n"
    "1 usage, 2 system, 32 refused.\n";

/* ---- -o ---- */

/* What mount(8) and fstab lines pass. Nothing in the tree is a device, a program or
 * setuid, and times are our own, so none of these means anything here. */
static const char *const ignored[] = {
    "dev",        "nodev",       "suid",
    "nosuid",     "exec",        "noexec",
    "atime",      "noatime",     "diratime",
    "nodiratime", "relatime",    "norelatime",
    "async",      "strictatime", "nostrictatime",
    "lazytime",   "nolazytime",  "sync",
    "dirsync",    "auto",        "noauto",
    "user",       "nouser",      "users",
    "nousers",    "owner",       "group",
    "_netdev",    "nofail",      "defaults",
    "silent",     "loud",        "default_permissions",
};

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        if (strcmp(name, ignored[i]) == 0)
            return true;
    }
    return name[0] == 'x' && name[1] == '-'; /* for systemd and friends */
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    return text != NULL && decimal_parse(text, strlen(text), out) == PF_OK && *out <= max;
}

bool options_pages(const char *text, uint64_t *out_pages)
{
    uint64_t pages;

    if (!parse_number(text, UINT64_MAX, &pages) || pages == 1)
        return false;
    *out_pages = pages;
    return true;
}

static bool parse_umask(const char *text, mode_t *out)
{
    unsigned value = 0;

    if (text == NULL || *text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7' || value > 0777)
            return false;
        value = value * 8 + (unsigned)(*text - '0');
    }
    *out = value;
    return value <= 0777;
}

/* The options without a value; false: no such option. */
static bool set_flag(struct options *o, const char *name)
{
    if (strcmp(name, "rw") == 0)
        o->read_only = false;
    else if (strcmp(name, "ro") == 0)
        o->read_only = true;
    else if (strcmp(name, "require_rw") == 0)
        o->require_rw = true;
    else if (strcmp(name, "create") == 0)
        o->create = true;
    else if (strcmp(name, "hide_actions") == 0)
        o->hide_actions = true;
    else if (strcmp(name, "allow_other") == 0)
        o->allow_other = true;
    else
        return is_ignored(name);
    return true;
}

enum value_result { VALUE_OK, VALUE_BAD, VALUE_UNKNOWN };

static enum value_result set_value(struct options *o, const char *name, const char *value)
{
    uint64_t id = 0;
    bool ok;

    if (strcmp(name, "create") == 0) {
        o->create = true;
        ok = options_pages(value, &o->create_pages);
    } else if (strcmp(name, "max_pages") == 0) {
        ok = parse_number(value, UINT64_MAX, &o->max_pages) && o->max_pages != 0;
    } else if (strcmp(name, "sync") == 0) {
        o->no_sync = strcmp(value, "none") == 0;
        ok = o->no_sync || strcmp(value, "commit") == 0;
    } else if (strcmp(name, "uid") == 0) {
        ok = parse_number(value, UINT32_MAX - 1, &id);
        o->uid = (uid_t)id;
    } else if (strcmp(name, "gid") == 0) {
        ok = parse_number(value, UINT32_MAX - 1, &id);
        o->gid = (gid_t)id;
    } else if (strcmp(name, "umask") == 0) {
        ok = parse_umask(value, &o->umask);
    } else {
        return is_ignored(name) ? VALUE_OK : VALUE_UNKNOWN;
    }
    return ok ? VALUE_OK : VALUE_BAD;
}

static bool parse_list(struct options *o, char *list)
{
    char *rest = NULL;

    for (char *name = strtok_r(list, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest)) {
        char *const equals = strchr(name, '=');
        enum value_result result;
        if (equals == NULL) {
            result = set_flag(o, name) ? VALUE_OK : VALUE_UNKNOWN;
        } else {
            *equals = '\0';
            result = set_value(o, name, equals + 1);
        }
        if (result == VALUE_UNKNOWN)
            message(name, "unknown option: pagefs -h lists them");
        else if (result == VALUE_BAD)
            message(name, "bad value \"%s\": see pagefs -h", equals + 1);
        if (result != VALUE_OK)
            return false;
    }
    return true;
}

/* ---- the whole line ---- */

static int print_and_exit(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_SYSTEM : 0;
}

static int check(const struct options *o)
{
    if (o->read_only && o->require_rw) {
        message("require_rw", "contradicts ro: give one of them");
        return EXIT_USAGE;
    }
    if (o->read_only && o->create) {
        message("create", "contradicts ro: make the database with pagefs create DB");
        return EXIT_USAGE;
    }
    return -1;
}

static int parse_switches(int argc, char **argv, struct options *o)
{
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int letter;

    opterr = 0; /* our own words */
    while ((letter = getopt_long(argc, argv, ":fdso:hV", long_options, NULL)) != -1) {
        switch (letter) {
        case 'd':
            o->debug = true;
            o->foreground = true;
            break;
        case 'f':
            o->foreground = true;
            break;
        case 's':
            break;
        case 'o':
            if (!parse_list(o, optarg))
                return EXIT_USAGE;
            break;
        case 'h':
            return print_and_exit(usage_text);
        case 'V':
            return print_and_exit("pagefs " PAGEFS_VERSION "\n");
        case ':':
            message(argv[optind - 1], "needs a value: see pagefs -h");
            return EXIT_USAGE;
        default:
            message(optopt != 0 ? (const char[]){'-', (char)optopt, '\0'}
                                : argv[optind - 1],
                    "unknown option: pagefs -h lists them");
            return EXIT_USAGE;
        }
    }
    return -1;
}

int options_parse(int argc, char **argv, struct options *out_options)
{
    struct options o = {.uid = getuid(), .gid = getgid()};
    int status = parse_switches(argc, argv, &o);

    if (status != -1)
        return status;
    if (argc - optind != 2) {
        message(NULL, "expected a database and a mountpoint: pagefs [options] DB "
                      "MOUNTPOINT, or pagefs -h");
        return EXIT_USAGE;
    }
    o.database = argv[optind];
    o.mountpoint = argv[optind + 1];
    status = check(&o);
    if (status == -1)
        *out_options = o;
    return status;
}
