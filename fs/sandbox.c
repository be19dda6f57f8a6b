#include "sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "syscall_filter.h"

/* newer than the headers of Debian 12 */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

bool sandbox_wanted(void)
{
    const char *const word = getenv("PAGEFS_SANDBOX");

    return word == NULL || strcmp(word, "none") != 0;
}

/* ---- capabilities ---- */

/* The journal gets the owner and mode of the database, and the lease that finds other
 * writers is for owners. */
static uint32_t capabilities_kept(bool writes)
{
    return writes ? 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
                        1U << CAP_LEASE
                  : 0;
}

static void drop_capabilities(bool writes)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &header, data) != 0)
        return;
    data[0].effective &= capabilities_kept(writes);
    data[0].permitted &= capabilities_kept(writes);
    data[1].effective = data[1].permitted = 0;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        data[i].inheritable = 0;
    (void)syscall(SYS_capset, &header, data);
}

/* ---- Landlock ---- */

static uint64_t rights_handled(long version)
{
    const uint64_t first = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* version 1 */

    return first | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
           (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

/* A path that does not exist needs no rule. */
static bool allow(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };

    if (rule.parent_fd == -1)
        return true;
    const long rc =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return rc == 0;
}

/* The directory of the database: the journal is made there, and removed. */
static bool allow_directory(int ruleset, const struct sandbox *sandbox, uint64_t handled)
{
    const uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                            LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
    char *const path = strdup(sandbox->database);
    char *const slash = path != NULL ? strrchr(path, '/') : NULL;
    bool allowed = false;

    if (slash != NULL) {
        slash[1] = '\0';
        allowed = allow(ruleset, path, rights & handled);
    }
    free(path);
    return allowed;
}

/* Without a rule that is needed, no restriction at all. */
static void restrict_files(const struct sandbox *sandbox)
{
    const long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
                                 LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return;
    const struct landlock_ruleset_attr attributes = {.handled_access_fs =
                                                         rights_handled(version)};
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
                                     sizeof(attributes.handled_access_fs), 0);
    if (ruleset == -1)
        return;
    if (allow(ruleset, "/proc",
              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR) &&
        allow(ruleset, "/dev/null",
              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) &&
        (!sandbox->writes ||
         allow_directory(ruleset, sandbox, attributes.handled_access_fs)))
        (void)syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
}

void sandbox_enter(const struct sandbox *sandbox)
{
    tzset(); /* for syslog, which cannot read the file later */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return;
    restrict_files(sandbox);
    drop_capabilities(sandbox->writes);
    syscall_filter_install();
}
