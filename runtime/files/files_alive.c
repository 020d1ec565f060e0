#include "files_alive.h"

#include <stdlib.h>

#include "error.h"
#include "files_executable.h"

#define ENDED -1

/* What became of a program whose first process was `before` and is `now`. */
static enum up_files_life judge(long before, long now, bool first, const struct up_files_hands *hands)
{
    if (now == 0)
        return before != 0 || (first && !hands->start) ? UP_FILES_ENDED : UP_FILES_LIVE;
    return before == now || before == 0 ? UP_FILES_LIVE : UP_FILES_AGAIN;
}

static int look_at(struct up_files_alive *a, uint32_t n, bool first, const struct up_files *f,
                   const struct up_files_hands *hands, enum up_files_life *life, struct up_error *err)
{
    struct up_files_executable e;
    struct up_running p = {.pid = 0};
    enum up_files_life found;
    struct up_error why;

    if (up_files_executable(&e, f, n, &why) < 0 || up_files_executable_runs(hands, &e, &p, &why) < 0) {
        *err = why;
        return why.code;
    }
    if (e.script)
        return 0;
    found = judge(a->pid[n], p.pid, first, hands);
    if (found == UP_FILES_ENDED)
        a->pid[n] = ENDED;
    else
        a->pid[n] = p.pid;
    if (found <= *life)
        return 0;
    *life = found;
    (void)!up_fail(err, UP_DEFERRED, "the program %s %s", e.path,
                   found == UP_FILES_ENDED ? "has ended" : "ended and was started again");
    return 0;
}

int up_files_alive_look(struct up_files_alive *a, const struct up_files *f,
                        const struct up_files_hands *hands, enum up_files_life *life, struct up_error *err)
{
    bool first = !a->pid;

    *life = UP_FILES_LIVE;
    if (f->stage.step != UP_FILES_SWITCHED || f->plan.program_count == 0 || !up_files_program_starts_here(f))
        return 0;
    if (first) {
        a->pid = calloc(f->plan.program_count, sizeof *a->pid);
        if (!a->pid)
            return up_fail(err, UP_INTERNAL, "programs of files: out of memory");
        a->count = f->plan.program_count;
    }
    for (uint32_t n = 0; n < a->count && n < f->plan.program_count; n++)
        if (f->plan.program[n].start && look_at(a, n, first, f, hands, life, err) < 0)
            return err->code;
    return 0;
}

void up_files_alive_free(struct up_files_alive *a)
{
    free(a->pid);
    *a = (struct up_files_alive){0};
}
