#include "onefault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

void onefault_say(struct onefault *t, const char *what)
{
    t->judge.where = t->run.where;
    judge_say(&t->judge, "%s", what);
    t->judge.where = NULL;
}

/* ---- after a failure ---- */

void onefault_judge_second(struct onefault *t, const char *when)
{
    const struct run *run = &t->run;
    const struct model *allowed[RUN_STATES];

    for (size_t i = 0; i < run->state_count; i++)
        allowed[i] = &run->states[i];
    judge_crashes(&t->judge, &t->second, 3, allowed, run->state_count, when);
}

/* After a power cut the journal matters: the database may lack what is in it. */
static void fail_opens(struct onefault *t)
{
    struct fd_image image = {0};
    struct arena *arena = arena_new();

    crash_begin(&t->crash, &t->run.disk, t->kind->crashes, t->run.disk.changes);
    while (crash_next(&t->crash) && !judge_is_done(&t->judge)) {
        crash_keep(&t->crash, arena, &image);
        t->kind->fail_opens(t, &image);
    }
    fd_image_clear(&image);
    arena_delete(arena);
}

/* Close what is left, let nothing fail, cut the power, open: false = a violation. */
static bool go_on(struct onefault *t)
{
    struct run *run = &t->run;

    if (run->store != NULL) {
        t->kind->check_stopped(t);
        (void)pf_close(run->store); /* calls may still fail */
        run->store = NULL;
    }
    t->kind->disarm(t);
    run->expect_cut = false;
    run_judge(run, 6);
    if (t->kind->wants_failing_opens(t))
        fail_opens(t);
    return !judge_is_done(&t->judge) && run_open(run);
}

/* A refused operation: the store works on, in the state before. */
static bool nothing_happened(struct onefault *t)
{
    const struct model *before = &t->run.states[0];
    char why[512], text[600];

    t->run.state_count = 1;
    if (judge_match(&t->judge, &t->run.disk, &before, 1, why, sizeof(why)) >= 0)
        return true;
    snprintf(text, sizeof(text), "refused, but: %s", why);
    onefault_say(t, text);
    return false;
}

/* False: do not go on. */
static bool after_failure(struct onefault *t)
{
    t->kind->check_failure(t);
    if (t->run.store != NULL && pf_writable(t->run.store)) {
        t->refused++;
        if (t->plan.forever) /* it would be refused for ever */
            t->kind->disarm(t);
        return nothing_happened(t);
    }
    t->latched++;
    return go_on(t);
}

/* ---- one plan ---- */

/* False: do not go on. */
static bool operate(struct onefault *t, char letter, bool *failed)
{
    const uint64_t faults_before = t->kind->faults(t);

    switch (script_operation(&t->run, letter)) {
    case RUN_DONE:
        t->kind->check_success(t, letter, faults_before);
        return true;
    case RUN_INVALID:
        if (t->kind->faults(t) > 0)
            t->kind->disarm(t); /* all of a group was refused */
        return true;
    case RUN_FAILED:
        break;
    }
    *failed = true;
    return after_failure(t);
}

bool onefault_play(struct onefault *t, const struct fault_plan *plan)
{
    struct run *run = &t->run;
    const char *letters = script_part(plan->part);
    bool failed = false, more = true;

    t->plan = *plan;
    snprintf(t->judge.label, sizeof(t->judge.label),
             "PF_CRASH_FAULT=\"%" PRIu64 " %u %" PRIu64 " %d %d %d\"", plan->seed,
             plan->part, plan->call, plan->forever, plan->error, (int)plan->applied);
    if (!script_begin(&t->script, run, plan->part))
        return false;
    run->expect_cut = true;
    t->kind->arm(t);
    for (size_t i = 0; more && letters[i] != '\0' && !judge_is_done(&t->judge); i++) {
        snprintf(run->where, sizeof(run->where), "operation %zu (%c)", i + 1, letters[i]);
        more = operate(t, letters[i], &failed);
    }
    const bool happened = failed || t->kind->faults(t) > 0;
    t->kind->disarm(t);
    run_end(run);
    t->points += happened;
    t->unnoticed += happened && !failed;
    return happened;
}

/* ---- all plans ---- */

static void play_script(struct onefault *t, uint64_t seed)
{
    if (!script_prepare(&t->script, &t->run, seed))
        return;
    for (unsigned part = 0; part < SCRIPT_PARTS && !judge_is_done(&t->judge); part++)
        t->kind->play_part(t, seed, part);
    script_clear(&t->script);
}

static void play_only(struct onefault *t, const char *text)
{
    struct fault_plan plan = {0};
    int forever = 0, applied = 0;

    assert_int_equal(sscanf(text, "%" SCNu64 " %u %" SCNu64 " %d %d %d", &plan.seed,
                            &plan.part, &plan.call, &forever, &plan.error, &applied),
                     6);
    assert_in_range(plan.part, 0, SCRIPT_PARTS - 1);
    plan.forever = forever != 0;
    plan.applied = (enum fd_applied)applied;
    if (script_prepare(&t->script, &t->run, plan.seed))
        (void)onefault_play(t, &plan);
    script_clear(&t->script);
}

void onefault_init(struct onefault *t, const struct fault_kind *kind)
{
    memset(t, 0, sizeof(*t));
    t->kind = kind;
    judge_init(&t->judge);
    t->judge.checks = 0;
    run_init(&t->run, &t->judge);
    t->run.journal_size = t->judge.journal_size = SCRIPT_JOURNAL;
    t->arena = arena_new();
    faultdisk_init(&t->second, t->arena);
    crash_init(&t->crash);
}

void onefault_clear(struct onefault *t)
{
    run_clear(&t->run);
    crash_clear(&t->crash);
    faultdisk_clear(&t->second);
    arena_delete(t->arena);
    judge_clear(&t->judge);
}

void onefault_test(const struct fault_kind *kind)
{
    const char *only = getenv("PF_CRASH_FAULT");
    struct onefault t;

    onefault_init(&t, kind);
    if (only != NULL)
        play_only(&t, only);
    else
        for (uint64_t seed = 1; seed <= kind->seeds; seed++)
            play_script(&t, seed);
    print_message("#= %s: %" PRIu64 " points of a script of %d operations, %" PRIu64
                  " failures latched, %" PRIu64 " operations refused, %" PRIu64
                  " not noticed; %" PRIu64 " opens failed after a failure\n",
                  kind->name, t.points, SCRIPT_OPERATIONS, t.latched, t.refused,
                  t.unnoticed, t.opens);
    const unsigned violations = t.judge.violations;
    const bool enough = t.points > 0;
    onefault_clear(&t);
    if (violations > 0)
        fail_msg("%u violations", violations);
    assert_true(enough);
}
