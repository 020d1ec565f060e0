/*
 * files_open.c -- of files.h: the stage, the plan that it names and what was found are read;
 * and what the other files ask of a handle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files.h"
#include "files_here.h"
#include "files_twin.h"

/* UP_STATELOST: neither copy of what the stage names is intact. */
static int read_plan(struct up_files *f, struct up_error *err)
{
    char *bytes;
    size_t len;
    int rc = up_files_twin_read(f->storage, f->folder, f->stage.plan, UP_FILES_PLAN_LIMIT, &bytes, &len, err);

    if (rc < 0)
        return rc;
    rc = up_files_plan_decode(&f->plan, (const uint8_t *)bytes, len, err);
    free(bytes);
    return rc;
}

static int read_found(struct up_files *f, struct up_error *err)
{
    char *bytes;
    size_t len;
    int rc =
        up_files_twin_read(f->storage, f->folder, f->stage.found, UP_FILES_FOUND_LIMIT, &bytes, &len, err);

    if (rc < 0)
        return rc;
    rc = up_files_found_decode(&f->found, f->plan.op_count, (const uint8_t *)bytes, len, err);
    free(bytes);
    return rc;
}

int up_files_load(struct up_files *f, struct up_error *err)
{
    int rc = 0;

    if (f->stage.step != UP_FILES_NONE)
        rc = read_plan(f, err);
    /* What a switch and its undoing need. A sweep only needs the plan. */
    if (rc == 0 && up_files_stage_is_between(f->stage.step))
        rc = read_found(f, err);
    if (rc == UP_INTERNAL) {
        up_files_close(f);
        return rc;
    }
    f->lost = rc < 0;
    return 0;
}

/* Which of the two plans is the one that is open. */
static void choose_plan(struct up_files *f)
{
    const struct up_files_stage none = {.step = UP_FILES_NONE};

    if (f->below.step == UP_FILES_NONE)
        return;
    f->resumed =
        f->stage.step == UP_FILES_NONE || memcmp(f->stage.plan, f->below.plan, sizeof f->stage.plan) == 0;
    if (f->stage.step == UP_FILES_NONE)
        f->stage = f->below;
    if (f->resumed)
        f->below = none;
}

int up_files_open(struct up_files *f, struct up_storage *s, const char *state, struct up_error *err)
{
    memset(f, 0, sizeof *f);
    f->storage = s;
    if (snprintf(f->state, sizeof f->state, "%s", state) >= (int)sizeof f->state ||
        snprintf(f->folder, sizeof f->folder, "%s/files", state) >= (int)sizeof f->folder)
        return up_fail(err, UP_USAGE, "%s: path too long", state);
    if (up_files_stage_init(&f->record, s, f->folder, "stage", err) < 0 ||
        up_files_stage_init(&f->below_record, s, f->folder, "suspended", err) < 0 ||
        up_files_stage_read(&f->record, &f->stage, err) < 0 ||
        up_files_stage_read(&f->below_record, &f->below, err) < 0)
        return err->code;
    choose_plan(f);
    return up_files_load(f, err);
}

void up_files_close(struct up_files *f)
{
    up_files_plan_free(&f->plan);
    free(f->found);
    f->found = NULL;
}

int up_files_claim(int *out, struct up_storage *s, const char *state, struct up_error *err)
{
    char folder[UP_PATH_SIZE];
    bool busy;

    *out = -1;
    if (snprintf(folder, sizeof folder, "%s/files", state) >= (int)sizeof folder)
        return up_fail(err, UP_USAGE, "%s: path too long", state);
    *out = s->ops->open_dir(s, UP_NO_DIR, folder, false);
    if (*out < 0 || s->ops->lock(s, *out) == 0)
        return 0;
    busy = errno == EWOULDBLOCK;
    s->ops->close(s, *out);
    *out = -1;
    return busy ? up_fail(err, UP_BUSY, "files: another process of moult is at them; try again later") : 0;
}

void up_files_let_go(struct up_storage *s, int claim)
{
    if (claim >= 0)
        s->ops->close(s, claim);
}

int up_files_check_plan(const struct up_files *f, const uint8_t *plan, struct up_error *err)
{
    return plan && memcmp(plan, f->stage.plan, sizeof f->stage.plan) != 0
               ? up_fail(err, UP_BUSY, "files: another plan has begun meanwhile; try again later")
               : 0;
}

void up_files_stepped(const struct up_files *f)
{
    if (f->stepped)
        f->stepped(f->watcher);
}

int up_files_unreadable(const struct up_files *f, struct up_error *err)
{
    return up_fail(
        err, UP_STATELOST,
        "files: both copies of %s are unreadable; %smend the files by hand and order `moult settle "
        "--accept`",
        f->plan.op ? "what an update found" : "the plan of an update",
        f->plan.op ? "install a package that names every path of that update, or " : "");
}

int up_files_check_here(const struct up_files *f, struct up_error *err)
{
    return up_files_here_check(f->storage, &f->plan, err);
}

int up_files_this_boot(const struct up_files *f, char out[37], struct up_error *err)
{
    if (f->storage->ops->boot_id(f->storage, out) < 0)
        return up_fail(err, UP_WRITE, "files: the id of this boot cannot be read: %s", strerror(errno));
    return 0;
}
