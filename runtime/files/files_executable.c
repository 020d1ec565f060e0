#include "files_executable.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "files_tree.h"

#define WORDS 64 /* of a command, its end included */

int up_files_executable_is_script(const struct up_files_place *p, const char *name, bool *out,
                                  struct up_error *err)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_READ, 0), rc;
    char head[2];
    long long got;

    if (file < 0)
        return up_files_tree_failed(p, name, "open", err);
    got = s->ops->pread(s, file, head, sizeof head, 0);
    rc = got < 0 ? up_files_tree_failed(p, name, "read", err) : 0;
    s->ops->close(s, file);
    *out = got == 2 && head[0] == '#' && head[1] == '!';
    return rc;
}

int up_files_executable(struct up_files_executable *e, const struct up_files *f, uint32_t n,
                        struct up_error *err)
{
    const struct up_files_program *p = &f->plan.program[n];
    const char *root = f->plan.root[p->root].path;
    struct up_files_place place;
    int rc;

    memset(e, 0, sizeof *e);
    e->name = p->name;
    if (snprintf(e->path, sizeof e->path, "%s/%s%s%s", root, p->dir, *p->dir ? "/" : "", p->name) >=
        (int)sizeof e->path)
        return up_fail(err, UP_INCOMPATIBLE, "%s/%s/%s: path too long", root, p->dir, p->name);
    rc = up_files_tree_open_at(&place, f->storage, root, p->dir, err);
    if (rc < 0)
        return rc == UP_MISSING ? 0 : rc;
    rc = up_files_tree_look(&place, p->name, &e->st, err);
    if (rc > 0) {
        e->link = e->st.kind == UP_NODE_LINK;
        e->there = e->st.kind == UP_NODE_FILE;
    }
    if (e->there)
        rc = up_files_executable_is_script(&place, p->name, &e->script, err);
    up_files_tree_close(&place);
    return rc < 0 ? rc : 0;
}

struct search {
    struct up_running *out;
    bool found;
};

/* Prefer the process that is the parent of the others: that one was started, and started them. */
static int note_process(void *user, const struct up_running *p)
{
    struct search *search = user;

    if (!search->found || search->out->parent == p->pid)
        *search->out = *p;
    search->found = true;
    return 0;
}

int up_files_executable_runs(const struct up_files_hands *hands, const struct up_files_executable *e,
                             struct up_running *out, struct up_error *err)
{
    struct up_running_table *t = hands->running;
    struct search search = {out, false};

    if (!e->there || e->script)
        return 0;
    if (t->ops->each(t, &e->st, note_process, &search) < 0)
        return up_fail(err, UP_WRITE, "%s: cannot tell which processes run it: %s", e->path, strerror(errno));
    return search.found;
}

/* The words of a command with {name} and {path} replaced. */
static int run_command(const struct up_files_hands *hands, const char *const *command,
                       const struct up_files_executable *e, struct up_error *err)
{
    struct up_running_table *t = hands->running;
    char *argv[WORDS];
    size_t n = 0;
    int status;

    for (; command[n]; n++) {
        if (n == WORDS - 1)
            return up_fail(err, UP_USAGE, "%s: command %s has more than %d words", e->path, argv[0],
                           WORDS - 1);
        argv[n] = (char *)command[n];
        if (strcmp(command[n], "{name}") == 0)
            argv[n] = (char *)e->name;
        else if (strcmp(command[n], "{path}") == 0)
            argv[n] = (char *)e->path;
    }
    argv[n] = NULL;
    status = t->ops->run(t, argv);
    if (status < 0)
        return up_fail(err, UP_WRITE, "%s: command %s: %s", e->path, argv[0],
                       errno == ETIMEDOUT ? "takes too long" : strerror(errno));
    if (status > 0)
        return up_fail(err, UP_WRITE, "%s: command %s exited with code %d", e->path, argv[0], status);
    return 0;
}

struct signal {
    struct up_running_table *table;
    const struct up_stat *file;
    int number;
};

static int send_signal(void *user, const struct up_running *p)
{
    struct signal *signal = user;

    signal->table->ops->signal(signal->table, p->pid, signal->file, signal->number);
    return 0;
}

static void signal_each(const struct up_files_hands *hands, const struct up_files_executable *e, int number)
{
    struct signal signal = {hands->running, &e->st, number};

    (void)hands->running->ops->each(hands->running, &e->st, send_signal, &signal);
}

int up_files_executable_ask_to_end(const struct up_files_hands *hands, const struct up_files_executable *e,
                                   struct up_error *err)
{
    int rc;

    if (!e->there)
        return 0;
    if (hands->stop) {
        rc = run_command(hands, hands->stop, e, err);
        return e->script ? rc : 0;
    }
    if (!e->script)
        signal_each(hands, e, SIGTERM);
    return 0;
}

void up_files_executable_kill(const struct up_files_hands *hands, const struct up_files_executable *e)
{
    signal_each(hands, e, SIGKILL);
}

int up_files_executable_start(const struct up_files_hands *hands, const struct up_files_executable *e,
                              const struct up_running *as, struct up_error *err)
{
    struct up_running_table *t = hands->running;
    struct up_running owner = {.owner = e->st.owner, .group = e->st.group}, other;
    int rc;

    if (!e->there)
        return up_fail(err, UP_WRITE, "%s: cannot be started: there is no such file", e->path);
    rc = up_files_executable_runs(hands, e, &other, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (hands->start)
        return run_command(hands, hands->start, e, err);
    snprintf(owner.folder, sizeof owner.folder, "%.*s", (int)(strrchr(e->path, '/') - e->path), e->path);
    if (t->ops->start(t, e->path, as ? as : &owner) < 0)
        return up_fail(err, UP_WRITE, "%s: cannot be started: %s", e->path, strerror(errno));
    return 0;
}
