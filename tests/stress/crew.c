#include "crew.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Move the database, which does not exist yet, to a tmpfs. */
static void take_tmpfs(struct crew *c)
{
    snprintf(c->dir, sizeof(c->dir), "/dev/shm/pf-stress-XXXXXX");
    if (mkdtemp(c->dir) != NULL)
        snprintf(c->m->t.db, sizeof(c->m->t.db), "%s/db.v3", c->dir);
    else
        c->dir[0] = '\0';
}

int crew_setup(void **state, size_t shared_size)
{
    struct crew *c = calloc(1, sizeof(*c));
    void *m = NULL;

    if (c == NULL || mnt_setup(&m) != 0)
        return -1;
    c->m = m;
    c->shared_size = shared_size;
    if (shared_size > 0)
        c->shared = mmap(NULL, shared_size, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->shared == MAP_FAILED)
        return -1;
    take_tmpfs(c);
    *state = c;
    return 0;
}

int crew_teardown(void **state)
{
    struct crew *c = *state;
    void *m = c->m;

    for (unsigned i = 0; i < c->count; i++) { /* none is left of a test that passed */
        kill(c->pids[i], SIGKILL);
        waitpid(c->pids[i], NULL, 0);
    }
    const int result = mnt_teardown(&m);
    if (c->dir[0] != '\0')
        scratch_remove(c->dir);
    if (c->shared != NULL)
        munmap(c->shared, c->shared_size);
    free(c);
    return result;
}

void crew_start(struct crew *c, void (*work)(struct crew *c, unsigned number),
                unsigned number)
{
    assert_in_range(c->count, 0, CREW_MOST - 1);
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler goes on with the next test */
        signal(SIGFPE, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        work(c, number);
        _exit(0);
    }
    c->pids[c->count++] = child;
}

static bool reap(struct crew *c, int options)
{
    int status = 0;

    if (waitpid(c->pids[c->count - 1], &status, options) <= 0)
        return false;
    c->count--;
    assert_int_equal(status, 0);
    return true;
}

bool crew_reap(struct crew *c)
{
    return reap(c, WNOHANG);
}

void crew_join(struct crew *c)
{
    while (c->count > 0)
        assert_true(reap(c, 0));
}
