#include "checking.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int check_run(struct mnt *m, const char *options)
{
    char command[256];

    snprintf(command, sizeof(command), "\"$PAGEFS\" check %s \"$DB\"", options);
    return sh(m, command);
}

void assert_status(struct mnt *m, int expected, const char *options)
{
    const int status = check_run(m, options);

    if (status != expected)
        fail_msg("check %s: exit status %d, expected %d\n%s%s", options, status, expected,
                 m->out, m->err);
}

void assert_said(const struct mnt *m, const char *part)
{
    if (strstr(m->out, part) == NULL)
        fail_msg("expected \"%s\" in\n%s%s", part, m->out, m->err);
}

/* `key N` in a line of its own. */
void assert_count(const struct mnt *m, const char *key, uint64_t count)
{
    char line[64];

    snprintf(line, sizeof(line), "\n%s %" PRIu64 "\n", key, count);
    assert_said(m, line);
}

void take_sample(struct mnt *m, const char *name)
{
    expect(m, "", "rm -f db.*");
    scratch_copy_sample(&m->t, name);
}

void flip(struct mnt *m, uint64_t offset)
{
    uint8_t byte;

    v3_peek(m->t.db, offset, &byte, 1);
    byte ^= 1;
    v3_poke(m->t.db, offset, &byte, 1);
}
