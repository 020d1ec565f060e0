#include "files_programs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files_executable.h"
#include "files_ran.h"
#include "files_tree.h"
#include "files_twin.h"
#include "log.h"

#define LOOK_MS 50 /* between two looks at what was asked to end */

/* Going on stops what the plan names; going back also what it started. */
static bool is_stopped(const struct up_files_program *p, bool back)
{
    return p->stop || (back && p->start);
}

static void say(const struct up_error *err)
{
    up_log("files: %s (%s)", err->message, up_code_word(err->code));
}

bool up_files_program_starts_here(const struct up_files *f)
{
    static const uint8_t none[UP_SHA256_SIZE];
    struct up_error ignored;
    char boot[37];

    return memcmp(f->stage.ran, none, sizeof none) != 0 && up_files_this_boot(f, boot, &ignored) == 0 &&
           strcmp(boot, f->stage.boot_id) == 0;
}

/* Fills `list`, which has room for every program. Its number, or an error. */
static int find_ran(const struct up_files *f, const struct up_files_hands *hands, bool back,
                    struct up_files_ran *list, struct up_error *err)
{
    struct up_files_executable e;
    int count = 0, runs;

    for (uint32_t n = 0; n < f->plan.program_count; n++) {
        if (!is_stopped(&f->plan.program[n], back))
            continue;
        if (up_files_executable(&e, f, n, err) < 0)
            return err->code;
        list[count].program = n;
        runs = up_files_executable_runs(hands, &e, &list[count].as, err);
        if (runs < 0)
            return runs;
        if (e.script) /* nothing tells; a command will start it again */
            list[count].as = (struct up_running){.owner = e.st.owner, .group = e.st.group};
        count += runs > 0 || e.script;
    }
    return count;
}

/* Durable before the first stop. */
static int note_ran(struct up_files *f, const struct up_files_hands *hands, bool back, struct up_error *err)
{
    struct up_files_stage next = f->stage;
    struct up_files_ran *list;
    uint8_t *bytes;
    size_t len;
    int count, rc;

    if (f->plan.program_count == 0 || up_files_program_starts_here(f))
        return 0;
    list = calloc(f->plan.program_count, sizeof *list);
    if (!list)
        return up_fail(err, UP_INTERNAL, "programs of files: out of memory");
    count = find_ran(f, hands, back, list, err);
    rc = count < 0 ? count : up_files_ran_encode(list, (uint32_t)count, &bytes, &len, err);
    free(list);
    if (rc < 0)
        return rc;
    rc = up_files_twin_write(f->storage, f->folder, bytes, len, next.ran, err);
    free(bytes);
    if (rc < 0 || up_files_this_boot(f, next.boot_id, err) < 0 ||
        up_files_stage_write(&f->record, &next, err) < 0)
        return err->code;
    f->stage = next;
    return 0;
}

/* What ran, into a list that the caller frees; NULL if it was not noted in this boot. */
static struct up_files_ran *read_ran(const struct up_files *f, uint32_t *count)
{
    struct up_files_ran *list = NULL;
    struct up_error err;
    char *bytes;
    size_t len;

    *count = 0;
    if (!up_files_program_starts_here(f))
        return NULL;
    if (up_files_twin_read(f->storage, f->folder, f->stage.ran, UP_FILES_RAN_LIMIT, &bytes, &len, &err) < 0) {
        say(&err);
        return NULL;
    }
    if (up_files_ran_decode(&list, count, &f->plan, (const uint8_t *)bytes, len, &err) < 0) {
        say(&err);
        list = NULL;
        *count = 0;
    }
    free(bytes);
    return list;
}

/* 1 a process still runs one of them, and err names it; 0 none does; or an error. `kill`: end them. */
static int still_runs(const struct up_files *f, const struct up_files_hands *hands, bool back, bool kill,
                      struct up_error *err)
{
    struct up_files_executable e;
    struct up_running p;
    int left = 0, runs;

    for (uint32_t n = 0; n < f->plan.program_count; n++) {
        if (!is_stopped(&f->plan.program[n], back))
            continue;
        if (up_files_executable(&e, f, n, err) < 0)
            return err->code;
        runs = up_files_executable_runs(hands, &e, &p, err);
        if (runs < 0)
            return runs;
        if (runs == 0)
            continue;
        if (kill)
            up_files_executable_kill(hands, &e);
        (void)!up_fail(err, UP_WRITE, "%s: process %ld runs it and does not end", e.path, p.pid);
        left = 1;
    }
    return left;
}

static int wait_for_end(const struct up_files *f, const struct up_files_hands *hands, bool back,
                        unsigned for_ms, bool kill, struct up_error *err)
{
    int left = still_runs(f, hands, back, kill, err);

    for (unsigned ms = 0; left > 0 && ms < for_ms; ms += LOOK_MS) {
        up_files_stepped(f);
        hands->running->ops->pause(hands->running, LOOK_MS);
        left = still_runs(f, hands, back, kill, err);
    }
    return left;
}

static int stop(const struct up_files *f, const struct up_files_hands *hands, bool back, struct up_error *err)
{
    struct up_files_executable e;
    int left;

    for (uint32_t n = 0; n < f->plan.program_count; n++) {
        if (!is_stopped(&f->plan.program[n], back))
            continue;
        up_files_stepped(f);
        if (up_files_executable(&e, f, n, err) < 0 || up_files_executable_ask_to_end(hands, &e, err) < 0)
            return err->code;
    }
    left = wait_for_end(f, hands, back, UP_FILES_STOP_MS, false, err);
    if (left > 0 && !hands->stop) /* a service manager would start it again */
        left = wait_for_end(f, hands, back, UP_FILES_KILL_MS, true, err);
    return left > 0 ? err->code : left;
}

/* Start what was stopped. Nothing more can be done about a program that does not start. */
static void start_ran(const struct up_files *f, const struct up_files_hands *hands)
{
    uint32_t count;
    struct up_files_ran *list = read_ran(f, &count);
    struct up_files_executable e;
    struct up_error err;

    for (uint32_t i = 0; i < count; i++) {
        up_files_stepped(f);
        if (up_files_executable(&e, f, list[i].program, &err) < 0)
            say(&err);
        else if (e.there && /* it may have been new, and be removed again */
                 up_files_executable_start(hands, &e, *list[i].as.folder ? &list[i].as : NULL, &err) < 0)
            say(&err);
    }
    free(list);
}

static const struct up_running *ran_as(const struct up_files_ran *list, uint32_t count, uint32_t program)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].program == program && *list[i].as.folder)
            return &list[i].as;
    return NULL;
}

static int start_new(const struct up_files *f, const struct up_files_hands *hands, struct up_error *err)
{
    uint32_t count;
    struct up_files_ran *list;
    struct up_files_executable e;
    int rc = 0;

    if (!up_files_program_starts_here(f))
        return 0;
    list = read_ran(f, &count);
    for (uint32_t n = 0; n < f->plan.program_count && rc == 0; n++) {
        if (!f->plan.program[n].start)
            continue;
        up_files_stepped(f);
        rc = up_files_executable(&e, f, n, err);
        if (rc == 0)
            rc = up_files_executable_start(hands, &e, ran_as(list, count, n), err);
    }
    free(list);
    return rc;
}

int up_files_program_go_on(struct up_files *f, const struct up_files_hands *hands,
                           enum up_files_outcome *outcome, struct up_error *err)
{
    *outcome = UP_FILES_NOT_STOPPED;
    if (f->stage.step == UP_FILES_STAGED || f->stage.step == UP_FILES_SWITCHING) {
        if (note_ran(f, hands, false, err) < 0)
            return err->code;
        if (stop(f, hands, false, err) < 0) {
            start_ran(f, hands);
            return err->code;
        }
    }
    *outcome = UP_FILES_NOT_SWITCHED;
    if (up_files_switch(f, err) < 0)
        return err->code;
    *outcome = UP_FILES_NOT_STARTED;
    if (start_new(f, hands, err) < 0)
        return err->code;
    *outcome = UP_FILES_DONE;
    return 0;
}

int up_files_program_go_back(struct up_files *f, const struct up_files_hands *hands, struct up_error *err)
{
    bool changed = up_files_stage_is_between(f->stage.step);

    if (!changed && f->stage.step != UP_FILES_STAGED)
        return 0;
    if (changed && !f->lost && note_ran(f, hands, true, err) < 0)
        say(err);
    if (changed && !f->lost && stop(f, hands, true, err) < 0)
        say(err);
    if (up_files_undo(f, err) < 0)
        return err->code;
    start_ran(f, hands);
    return 0;
}

const char *up_files_program_task_name(enum up_files_task task)
{
    static const char *const names[UP_FILES_TASKS] = {"on", "back", "keep-new", "keep-old", "stage"};

    return names[task];
}

int up_files_program_do(struct up_files *f, enum up_files_task task, const struct up_files_hands *hands,
                        enum up_files_outcome *outcome, struct up_error *err)
{
    int rc;

    if (task == UP_FILES_ON && hands)
        return up_files_program_go_on(f, hands, outcome, err);
    if (task == UP_FILES_ON)
        rc = up_files_switch(f, err);
    else if (task == UP_FILES_BACK)
        rc = hands ? up_files_program_go_back(f, hands, err) : up_files_undo(f, err);
    else
        rc = up_files_sweep(f, task == UP_FILES_KEEP_NEW, err);
    *outcome = rc < 0 ? UP_FILES_NOT_SWITCHED : UP_FILES_DONE;
    return rc;
}

static int keep_process(void *user, const struct up_running *p)
{
    *(long *)user = p->pid;
    return 1;
}

int up_files_program_are_tried(const struct up_files *f, const struct up_files_hands *hands,
                               struct up_error *err)
{
    for (uint32_t n = 0; f->found && n < f->plan.op_count; n++) {
        const struct up_files_op *op = &f->plan.op[n];
        const struct up_files_found *was = &f->found[n];
        long pid = 0;

        if (op->kind != UP_FILES_PUT || !was->there || was->st.kind != UP_NODE_FILE || !(was->st.mode & 0111))
            continue;
        up_files_stepped(f);
        if (hands->running->ops->each(hands->running, &was->st, keep_process, &pid) < 0)
            return up_fail(err, UP_WRITE, "%s: cannot tell which processes run it: %s", op->name,
                           strerror(errno));
        if (pid > 0)
            return up_fail(err, UP_DEFERRED,
                           "process %ld still runs the old %s/%s%s%s; restart it, or the device", pid,
                           f->plan.root[op->root].path, op->dir, *op->dir ? "/" : "", op->name);
    }
    return 0;
}

/* Whether operation `op` puts program `p` in place. */
static bool is_put_at(const struct up_files_plan *plan, const struct up_files_op *op,
                      const struct up_files_program *p)
{
    const struct up_files_op *parent = &plan->op[op->parent];
    char dir[UP_PATH_SIZE];
    int len;

    if (op->root != p->root || strcmp(op->name, p->name) != 0)
        return false;
    if (op->kind == UP_FILES_PUT)
        return strcmp(op->dir, p->dir) == 0;
    if (op->kind != UP_FILES_INSIDE)
        return false;
    len = snprintf(dir, sizeof dir, "%s%s%s%s%s", parent->dir, *parent->dir ? "/" : "", parent->name,
                   *op->dir ? "/" : "", op->dir);
    return len < (int)sizeof dir && strcmp(dir, p->dir) == 0;
}

/* Whether what will be at the program's place begins with #!. */
static int new_is_script(const struct up_files *f, const struct up_files_program *p, bool *out,
                         struct up_error *err)
{
    char temporary[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place place;
    int rc;

    *out = false;
    for (uint32_t n = 0; n < f->plan.op_count; n++) {
        const struct up_files_op *op = &f->plan.op[n];

        if (!is_put_at(&f->plan, op, p))
            continue;
        up_files_plan_temporary(&f->plan, n, UP_FILES_NEW, temporary);
        if (up_files_tree_open(&place, f->storage, &f->plan, n, err) < 0)
            return err->code;
        rc = up_files_executable_is_script(&place, op->kind == UP_FILES_PUT ? temporary : op->name, out, err);
        up_files_tree_close(&place);
        return rc;
    }
    return 0;
}

int up_files_programs_fit(const struct up_files *f, const struct up_files_hands *hands, struct up_error *err)
{
    struct up_files_executable e;
    bool script;

    for (uint32_t n = 0; n < f->plan.program_count && !(hands->stop && hands->start); n++) {
        if (up_files_executable(&e, f, n, err) < 0 || new_is_script(f, &f->plan.program[n], &script, err) < 0)
            return err->code;
        if (e.script || script)
            return up_fail(
                err, UP_INCOMPATIBLE,
                "%s: begins with #!, so its processes cannot be found; it needs the commands files.stop "
                "and files.start",
                e.path);
        if (e.link && f->plan.program[n].stop)
            return up_fail(
                err, UP_INCOMPATIBLE,
                "%s: is a link, so what runs is another file; its stop needs the commands files.stop "
                "and files.start",
                e.path);
    }
    return 0;
}
