#include "mount_options.h"

#include <string.h>

#include "decimal.h"
#include "message.h"

enum option_id {
    OPT_RW,
    OPT_REQUIRE_RW,
    OPT_RO,
    OPT_SCRATCH,
    OPT_CREATE,
    OPT_MAX_PAGES,
    OPT_SYNC,
    OPT_WALK,
    OPT_HIDE_ACTIONS,
    OPT_ALLOW_OTHER,
    OPT_UID,
    OPT_GID,
    OPT_UMASK,
};

static const struct mount_option {
    const char *name;
    const char *value; /* as in help: NULL none, "=..." needed, "[=...]" possible */
    const char *help;
    const char *expected; /* what a value has to be */
    enum option_id id;
} table[] = {
    {"rw", NULL, "read-write; read-only where writing could do harm (default)", NULL,
     OPT_RW},
    {"require_rw", NULL, "refuse to mount instead", NULL, OPT_REQUIRE_RW},
    {"ro", NULL, "change nothing, not even a file beside the database", NULL, OPT_RO},
    {"scratch", NULL, "everything works, in memory only; nothing is kept", NULL,
     OPT_SCRATCH},
    {"create", "[=PAGES]", "make the database first if there is none",
     "a number of pages: 0, or 2 and more", OPT_CREATE},
    {"max_pages", "=N", "never let the file grow over N pages",
     "a number of pages from 2 on", OPT_MAX_PAGES},
    {"sync", "=commit|none", "wait for the disk at each commit (default), or never",
     "commit or none", OPT_SYNC},
    {"walk", NULL, "walk the graph before the mount answers", NULL, OPT_WALK},
    {"hide_actions", NULL, "do not list alloc and hold, for what reads whole trees", NULL,
     OPT_HIDE_ACTIONS},
    {"allow_other", NULL, "let other users in, as far as the modes allow", NULL,
     OPT_ALLOW_OTHER},
    {"uid", "=N", "who owns the files (default: you)", "a numeric user id", OPT_UID},
    {"gid", "=N", "and their group", "a numeric group id", OPT_GID},
    {"umask", "=OCTAL", "mode bits that the files shall not have",
     "an octal number up to 777", OPT_UMASK},
};

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

/* ---- values ---- */

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    return decimal_parse(text, strlen(text), out) == PF_OK && *out <= max;
}

bool options_pages(const char *text, uint64_t *out_pages)
{
    uint64_t pages;

    if (!parse_number(text, UINT64_MAX, &pages) || pages == 1)
        return false;
    *out_pages = pages;
    return true;
}

static bool parse_id(const char *text, uint32_t *out)
{
    uint64_t id;

    if (!parse_number(text, UINT32_MAX - 1, &id)) /* -1 means "no id" to the kernel */
        return false;
    *out = (uint32_t)id;
    return true;
}

static bool parse_umask(const char *text, mode_t *out)
{
    unsigned value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7' || value > 0777)
            return false;
        value = value * 8 + (unsigned)(*text - '0');
    }
    *out = value;
    return value <= 0777;
}

/* `value` is "" where none was given; the table says where that may be. */
static bool set(struct options *o, enum option_id id, const char *value)
{
    switch (id) {
    case OPT_RW:
        o->read_only = false;
        return true;
    case OPT_REQUIRE_RW:
        o->require_rw = true;
        return true;
    case OPT_RO:
        o->read_only = true;
        return true;
    case OPT_SCRATCH:
        o->scratch = true;
        return true;
    case OPT_CREATE:
        o->create = true;
        return *value == '\0' || options_pages(value, &o->create_pages);
    case OPT_MAX_PAGES:
        return parse_number(value, UINT64_MAX, &o->max_pages) && o->max_pages >= 2;
    case OPT_SYNC:
        o->no_sync = strcmp(value, "none") == 0;
        return o->no_sync || strcmp(value, "commit") == 0;
    case OPT_WALK:
        o->walk = true;
        return true;
    case OPT_HIDE_ACTIONS:
        o->hide_actions = true;
        return true;
    case OPT_ALLOW_OTHER:
        o->allow_other = true;
        return true;
    case OPT_UID:
        return parse_id(value, &o->uid);
    case OPT_GID:
        return parse_id(value, &o->gid);
    default: /* OPT_UMASK */
        return parse_umask(value, &o->umask);
    }
}

/* ---- the list ---- */

static const struct mount_option *find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(name, table[i].name) == 0)
            return &table[i];
    }
    return NULL;
}

static bool parse_unknown(const char *name)
{
    if (is_ignored(name))
        return true;
    if (strcmp(name, "remount") == 0)
        message(name, "a mount cannot be changed: unmount it and mount it again");
    else
        message(name, "unknown option: pagefs -h lists them");
    return false;
}

static bool parse_one(struct options *o, const char *name, const char *value)
{
    const struct mount_option *const option = find(name);
    const char *const given = value != NULL ? value : "";

    if (option == NULL || (value == NULL && is_ignored(name)))
        return parse_unknown(name);
    if (value == NULL && option->value != NULL && option->value[0] == '=')
        message(name, "needs a value: %s%s, %s", name, option->value, option->expected);
    else if (value != NULL && option->value == NULL)
        message(name, "takes no value: leave out \"=%s\"", value);
    else if (!set(o, option->id, given))
        message(name, "bad value \"%s\": expected %s", given, option->expected);
    else
        return true;
    return false;
}

bool mount_options_parse(char *list, struct options *options)
{
    char *rest = NULL;

    for (char *name = strtok_r(list, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest)) {
        char *const equals = strchr(name, '=');
        if (equals != NULL)
            *equals = '\0';
        if (!parse_one(options, name, equals != NULL ? equals + 1 : NULL))
            return false;
    }
    return true;
}

bool mount_options_check(const struct options *options)
{
    const struct {
        bool both;
        const char *one, *text;
    } contradictions[] = {
        {options->read_only && options->require_rw, "require_rw",
         "contradicts ro: give one of them"},
        {options->read_only && options->scratch, "scratch",
         "contradicts ro: give one of them"},
        {options->scratch && options->require_rw, "require_rw",
         "contradicts scratch, which writes nothing: give one of them"},
        {options->read_only && options->create, "create",
         "contradicts ro: make the database with pagefs create DB"},
        {options->scratch && options->create, "create",
         "contradicts scratch: make the database with pagefs create DB"},
    };

    for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
        if (contradictions[i].both) {
            message(contradictions[i].one, "%s", contradictions[i].text);
            return false;
        }
    }
    return true;
}

void mount_options_help(FILE *file)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *const value = table[i].value != NULL ? table[i].value : "";
        const int width = 18 - (int)strlen(table[i].name);
        (void)fprintf(file, "  -o %s%-*s %s\n", table[i].name, width, value,
                      table[i].help);
    }
}
