/*
 * The tree of files is changed in a helper (files_helper.h), which is watched and killed
 * when it hangs. Each task can be cut anywhere, so another helper takes it up.
 *
 * The supervisor waits for it: meanwhile nothing else may be started or decided. That
 * time counts against nobody, and the service manager hears of us as long as the helper
 * has something to say.
 */
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "error.h"
#include "files.h"
#include "files_helper.h"
#include "processes.h"
#include "supervisor_private.h"

#define HELPERS 3     /* that are tried for a task */
#define TURN_MS 1000u /* the longest wait between two looks */

struct result {
    bool known;
    int code;
    enum up_files_outcome outcome;
};

/* "TASK", or "TASK:" and the digest of the plan that it is for. */
static int start_helper(struct up_supervisor *s, enum up_files_task task, const uint8_t *plan,
                        struct up_error *err)
{
    char word[2 * UP_SHA256_SIZE + 16];
    int n = snprintf(word, sizeof word, "%s%s", up_files_program_task_name(task), plan ? ":" : "");
    const char *argv[] = {s->program, "--files", word, "-c", s->config->path, NULL};

    if (plan)
        up_hex(plan, UP_SHA256_SIZE, word + n);
    return up_child_start(s->helper, argv, up_supervisor_now(s), err);
}

/* "failed OUTCOME CODE MESSAGE" */
static void take_failure(const char *line, struct result *r, struct up_error *err)
{
    const struct up_code_info *info;
    char word[16];
    int outcome, at = 0;

    if (sscanf(line, "failed %d %15s %n", &outcome, word, &at) < 2 || at == 0 || outcome < 0 ||
        outcome > UP_FILES_NOT_STARTED)
        return;
    info = up_code_find(word);
    r->known = true;
    r->outcome = (enum up_files_outcome)outcome;
    r->code = up_fail(err, info ? info->code : UP_INTERNAL, "%s", line + at);
}

static void hear_helper(struct up_supervisor *s, struct result *r, struct up_error *err)
{
    const char *line = up_child_hear(s->helper, up_supervisor_now(s));

    for (; line; line = up_child_hear(s->helper, up_supervisor_now(s))) {
        up_supervisor_tell_alive(s);
        if (strcmp(line, "done") == 0)
            *r = (struct result){true, 0, UP_FILES_DONE};
        else
            take_failure(line, r, err);
    }
}

static void wait_for_helper(struct up_supervisor *s)
{
    struct up_link_watch watch = {.link = up_child_link(s->helper)};
    uint64_t now = up_supervisor_now(s), next = up_child_next_tick(s->helper);
    uint64_t left = next > now ? next - now : 0;

    s->processes->ops->wait(s->processes, &watch, 1, (int)(left < TURN_MS ? left : TURN_MS));
}

/* To its end, by itself or because it hangs. */
static void attend(struct up_supervisor *s, struct result *r, struct up_error *err)
{
    while (!up_child_over(s->helper)) {
        wait_for_helper(s);
        up_supervisor_hear_signals(s);
        hear_helper(s, r, err);
        up_child_tick(s->helper, up_supervisor_now(s));
        if (up_child_waits(s->helper))
            up_supervisor_tell_alive(s);
    }
    hear_helper(s, r, err);
    up_child_reap(s->helper, up_supervisor_now(s));
}

int up_supervisor_tried(const struct up_supervisor *s, struct up_error *err)
{
    const struct up_files_hands hands = up_config_hands(s->config, s->running);
    struct up_files files;
    int rc;

    if (!s->device || !up_device_state(s->device)->tx.plan.known)
        return 0;
    if (up_files_open(&files, s->storage, s->config->state, err) < 0)
        return err->code;
    rc = up_files_program_are_tried(&files, &hands, err);
    up_files_close(&files);
    return rc;
}

int up_supervisor_files(void *supervisor, enum up_files_task task, const uint8_t *plan,
                        enum up_files_outcome *outcome, struct up_error *err)
{
    struct up_supervisor *s = supervisor;
    struct result r = {false, 0, UP_FILES_NOT_SWITCHED};

    *outcome = UP_FILES_NOT_SWITCHED;
    for (int i = 0; i < HELPERS && !r.known; i++) {
        if (start_helper(s, task, plan, err) < 0)
            return err->code;
        attend(s, &r, err);
        if (!r.known)
            up_supervisor_say(s, "files: the helper (%s) %s", up_files_program_task_name(task),
                              up_child_reason(s->helper));
    }
    if (!r.known)
        return up_fail(err, UP_INTERNAL, "files: the helper (%s) %s, %d times",
                       up_files_program_task_name(task), up_child_reason(s->helper), HELPERS);
    *outcome = r.outcome;
    return r.code;
}
