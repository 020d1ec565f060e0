/*
 * supervisor_alone.c -- a device without a script. It takes files and cores; what runs is
 * not ours, but a release is tried all the same.
 */
#include <stdio.h>

#include "error.h"
#include "supervisor_private.h"

#define LOOK_EVERY_MS 1000   /* between two looks at the programs on trial */
#define COMES_BACK_MS 60000u /* that a service manager has, to start one again */

bool up_supervisor_has_script(const struct up_supervisor *s)
{
    return !s->config->no_script && (!s->device || up_device_generation(s->device) > 0);
}

bool up_supervisor_release_runs(const struct up_supervisor *s)
{
    return up_child_running(s->script) || s->alone.up;
}

static bool is_tried(const struct up_supervisor *s)
{
    return s->alone.up && up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s);
}

uint64_t up_supervisor_alone_due(const struct up_supervisor *s)
{
    return is_tried(s) ? s->alone.look_at : UINT64_MAX;
}

void up_supervisor_alone_end(struct up_supervisor *s)
{
    s->alone.up = false;
    s->alone.ended_at = 0;
    up_files_alive_free(&s->alone.programs);
}

void up_supervisor_alone_begin(struct up_supervisor *s)
{
    up_supervisor_alone_end(s);
    s->started[0] = s->overlays[0] = '\0';
    s->alone.up = true;
    s->alone.look_at = up_supervisor_now(s) + LOOK_EVERY_MS;
    up_supervisor_say(s, "release %s runs without a script%s",
                      is_tried(s) ? up_device_state(s->device)->tx.pair.release
                                  : up_device_state(s->device)->slot[up_device_running(s->device)].release,
                      is_tried(s) ? ", on trial" : "");
    up_supervisor_tell_script(s);
}

/* At the programs of the plan that is open. */
static int look_at_plan(struct up_supervisor *s, enum up_files_life *life, struct up_error *err)
{
    const struct up_files_hands hands = up_config_hands(s->config, s->running);
    struct up_files files;
    int rc;

    *life = UP_FILES_LIVE;
    if (up_files_open(&files, s->storage, s->config->state, err) < 0)
        return err->code;
    rc = up_files_alive_look(&s->alone.programs, &files, &hands, life, err);
    up_files_close(&files);
    return rc;
}

static int look(struct up_supervisor *s, enum up_files_life *life, struct up_error *err)
{
    *life = UP_FILES_LIVE;
    return up_device_state(s->device)->tx.plan.known ? look_at_plan(s, life, err) : 0;
}

void up_supervisor_alone_forget(struct up_supervisor *s)
{
    up_files_alive_free(&s->alone.programs);
}

int up_supervisor_alone_look(struct up_supervisor *s, struct up_error *err)
{
    enum up_files_life life;

    return look_at_plan(s, &life, err) < 0 || life != UP_FILES_LIVE ? err->code : 0;
}

/* The time to confirm begins again, and with it what was said of the release. */
static void begin_again(struct up_supervisor *s)
{
    s->lacks_cloud = s->vouched = false;
    up_supervisor_tell_script(s);
}

static void note_end(struct up_supervisor *s, const struct up_error *why)
{
    struct up_error err;

    s->alone.ended_at = up_supervisor_now(s);
    snprintf(s->alone.why, sizeof s->alone.why, "%.*s", UP_WHY_SIZE - 1, why->message);
    up_supervisor_say(s, "on trial: %s", s->alone.why);
    if (up_device_trial_failed(s->device, s->alone.why, &err) < 0)
        up_supervisor_warn("trial", &err);
    begin_again(s);
}

/* Look at the programs, and note what became of them. Errors: UP_DEFERRED one ended, and may run again;
 * UP_WRITE it cannot be told. */
static int look_now(struct up_supervisor *s, struct up_error *err)
{
    uint64_t now = up_supervisor_now(s), patience = s->config->files.start[0] ? COMES_BACK_MS : 0;
    enum up_files_life life;

    s->alone.look_at = now + LOOK_EVERY_MS;
    if (look(s, &life, err) < 0)
        return err->code;
    if (life == UP_FILES_ENDED && s->alone.ended_at == 0)
        note_end(s, err);
    if (life == UP_FILES_ENDED && now - s->alone.ended_at >= patience)
        up_supervisor_intend(s, UP_INTENT_ROLLBACK, s->alone.why);
    if (life == UP_FILES_ENDED)
        return err->code;
    if (life == UP_FILES_LIVE && s->alone.ended_at == 0)
        return 0;
    if (life == UP_FILES_LIVE)
        (void)!up_fail(err, UP_DEFERRED, "%s, and runs again", s->alone.why);
    s->alone.ended_at = 0;
    up_supervisor_say(s, "on trial: %s", err->message);
    begin_again(s);
    return err->code;
}

void up_supervisor_look_after_alone(struct up_supervisor *s)
{
    struct up_error err;

    if (is_tried(s) && up_supervisor_now(s) >= s->alone.look_at && look_now(s, &err) == UP_WRITE)
        up_supervisor_warn("trial", &err);
}

int up_supervisor_alone_lively(struct up_supervisor *s, struct up_error *err)
{
    if (!is_tried(s))
        return up_fail(err, UP_DEFERRED, "the start of the release is not checked yet; confirm again");
    return look_now(s, err);
}

void up_supervisor_alone_vouched(struct up_supervisor *s)
{
    struct up_error ignored;

    /* What ended before is not held against who speaks now. */
    s->vouched = is_tried(s) && (look_now(s, &ignored) == 0 || s->alone.ended_at == 0);
    if (s->vouched)
        up_supervisor_tell_script(s);
}
