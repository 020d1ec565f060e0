#include "files_make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define EXECUTABLE_MODE 0755
#define FILE_MODE 0644

struct make {
    struct up_files_plan *plan;
    struct up_storage *storage;
    const struct up_files_content *content;
    size_t content_count;
    const struct up_update_ini_entry *entry;
    struct up_error *err;
};

static int refuse(const struct make *m, int code, const char *why)
{
    return up_fail(m->err, code, UP_UPDATE_INI " line %u: %s: %s", m->entry->line, m->entry->path, why);
}

/* The rest of a path that lies below a folder; NULL if it does not. */
static const char *below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (strncmp(path, folder, len) != 0 || (path[len] && path[len] != '/'))
        return NULL;
    return path + len + (path[len] == '/');
}

/* How much of a path below the folder lies before the last mount on it, that one included; 0: there is none. */
static size_t upto_mount(struct up_storage *s, const char *folder, const char *dir)
{
    int at = s->ops->open_dir(s, UP_NO_DIR, folder, false), next;
    size_t found = 0, begin = 0;

    while (at >= 0 && dir[begin]) {
        char name[UP_ENTRY_SIZE];
        size_t len = strcspn(dir + begin, "/");
        struct up_stat st;

        if (len >= sizeof name)
            break;
        memcpy(name, dir + begin, len);
        name[len] = '\0';
        if (s->ops->stat_at(s, at, name, &st) < 0)
            break;
        next = s->ops->open_dir(s, at, name, false);
        s->ops->close(s, at);
        at = next;
        begin += len;
        found = st.mount_point ? begin : found;
        begin += dir[begin] == '/';
    }
    if (at >= 0)
        s->ops->close(s, at);
    return found;
}

/* The root whose path is the first `len` bytes of `dir` below this one; it becomes one of the plan. */
static int add_root(const struct make *m, uint32_t *root, const char *dir, size_t len)
{
    struct up_files_plan *plan = m->plan;
    const struct up_files_root *above = &plan->root[*root];
    struct up_storage *s = m->storage;
    uint32_t i = 0;
    char *path;

    if (!plan->text)
        plan->text = calloc(UP_FILES_ROOTS, UP_PATH_SIZE);
    if (!plan->text)
        return refuse(m, UP_INTERNAL, "out of memory");
    if (plan->root_count == UP_FILES_ROOTS)
        return refuse(m, UP_INCOMPATIBLE, "more roots, with the mounts below them, than a plan holds");
    path = plan->text + (size_t)plan->root_count * UP_PATH_SIZE;
    if (snprintf(path, UP_PATH_SIZE, "%s/%.*s", above->path, (int)len, dir) >= UP_PATH_SIZE)
        return refuse(m, UP_INCOMPATIBLE, "path too long");
    while (i < plan->root_count && strcmp(plan->root[i].path, path) != 0)
        i++;
    if (i == plan->root_count) {
        plan->root[i] = (struct up_files_root){.path = path, .weak = above->weak, .plain = above->plain};
        if (s->ops->random(s, plan->root[i].here, UP_FILES_HERE_SIZE) < 0)
            return refuse(m, UP_INTERNAL, "no random numbers");
        plan->root_count++;
    }
    *root = i;
    return 0;
}

/* What is mounted below a root is a root of the plan: it may be mounted late, too. */
static int find_root(const struct make *m, uint32_t *root, const char **dir)
{
    size_t mount;

    for (uint32_t i = 0; i < m->plan->root_count; i++) {
        *dir = below(m->entry->directory, m->plan->root[i].path);
        *root = i;
        if (!*dir)
            continue;
        mount = upto_mount(m->storage, m->plan->root[i].path, *dir);
        if (mount > 0 && add_root(m, root, *dir, mount) < 0)
            return m->err->code;
        *dir += mount + (mount > 0 && (*dir)[mount] == '/');
        return 0;
    }
    return refuse(m, UP_INCOMPATIBLE, "lies below none of the roots that the configuration names");
}

/* The directory that this lies in is made by an earlier operation, or is there. */
static bool find_parent(const struct make *m, struct up_files_op *op)
{
    for (uint32_t i = 0; i < m->plan->op_count; i++) {
        const struct up_files_op *made = &m->plan->op[i];
        const char *rest = op->dir;

        if (made->kind != UP_FILES_MAKE_DIR || made->root != op->root)
            continue;
        if (*made->dir)
            rest = below(rest, made->dir);
        rest = rest ? below(rest, made->name) : NULL;
        if (!rest)
            continue;
        op->dir = rest;
        op->parent = i;
        op->kind = op->kind == UP_FILES_MAKE_DIR ? UP_FILES_INSIDE_DIR : UP_FILES_INSIDE;
        return true;
    }
    return false;
}

static int find_content(const struct make *m, struct up_files_op *op)
{
    for (size_t i = 0; i < m->content_count; i++) {
        if (strcmp(m->content[i].name, m->entry->name) != 0)
            continue;
        op->content = (uint32_t)i;
        op->size = m->content[i].size;
        memcpy(op->digest, m->content[i].digest, UP_SHA256_SIZE);
        return 0;
    }
    return refuse(m, UP_MISSING, "is not in the package");
}

static int look_failed(const struct make *m)
{
    if (errno == ENOENT)
        return refuse(m, UP_MISSING, "there is no such directory to put it into");
    if (errno == ELOOP || errno == ENOTDIR)
        return refuse(m, UP_INCOMPATIBLE, "a link or a file is on the way to it");
    return refuse(m, UP_WRITE, strerror(errno));
}

/* Open the folder that the operation works in: a handle, or an error. */
static int open_folder(const struct make *m, const struct up_files_op *op)
{
    struct up_storage *s = m->storage;
    int root = s->ops->open_dir(s, UP_NO_DIR, m->plan->root[op->root].path, false), dir, why;

    if (root < 0)
        return look_failed(m);
    dir = s->ops->open_dir(s, root, op->dir, false);
    why = errno;
    s->ops->close(s, root);
    errno = why;
    return dir < 0 ? look_failed(m) : dir;
}

/* 1 it is an operation; 0 there is nothing to do; or an error. What is to be deleted may appear until then,
 * if its folder exists. */
static int needs_doing(const struct make *m, const struct up_files_op *op)
{
    struct up_storage *s = m->storage;
    int dir = open_folder(m, op), rc = 1;
    struct up_stat st;

    if (dir < 0)
        return op->kind == UP_FILES_DELETE && dir == UP_MISSING ? 0 : dir;
    if (op->kind == UP_FILES_MAKE_DIR && s->ops->stat_at(s, dir, op->name, &st) == 0)
        rc = st.kind == UP_NODE_DIR ? 0
                                    : refuse(m, UP_INCOMPATIBLE, "something that is no directory is there");
    else if (op->kind == UP_FILES_MAKE_DIR && errno != ENOENT)
        rc = look_failed(m);
    s->ops->close(s, dir);
    return rc;
}

static enum up_files_kind kind_of(enum up_file_operation operation)
{
    if (operation == UP_FILE_DELETE)
        return UP_FILES_DELETE;
    return operation == UP_FILE_MKDIR ? UP_FILES_MAKE_DIR : UP_FILES_PUT;
}

static int add(struct make *m)
{
    struct up_files_op *op = &m->plan->op[m->plan->op_count];
    const struct up_update_ini_entry *e = m->entry;
    int rc = 1;

    *op = (struct up_files_op){.kind = kind_of(e->operation), .name = e->name};
    if (op->kind == UP_FILES_MAKE_DIR || (op->kind == UP_FILES_PUT && e->type == UP_FILE_EXECUTABLE))
        op->mode = EXECUTABLE_MODE;
    else if (op->kind == UP_FILES_PUT)
        op->mode = FILE_MODE;
    if (find_root(m, &op->root, &op->dir) < 0 || (e->operation == UP_FILE_PUT && find_content(m, op) < 0))
        return m->err->code;
    if (op->kind == UP_FILES_DELETE || !find_parent(m, op))
        rc = needs_doing(m, op);
    m->plan->op_count += rc > 0;
    return rc < 0 ? rc : 0;
}

/* One line may stop what another one starts. */
static int add_program(struct make *m)
{
    struct up_files_plan *plan = m->plan;
    const struct up_update_ini_entry *e = m->entry;
    struct up_files_program it = {.name = e->name, .stop = e->stop, .start = e->start}, *same;

    if (find_root(m, &it.root, &it.dir) < 0)
        return m->err->code;
    for (uint32_t i = 0; i < plan->program_count; i++) {
        same = &plan->program[i];
        if (same->root != it.root || strcmp(same->dir, it.dir) != 0 || strcmp(same->name, it.name) != 0)
            continue;
        same->stop = same->stop || it.stop;
        same->start = same->start || it.start;
        return 0;
    }
    if (plan->program_count == UP_FILES_PROGRAMS)
        return refuse(m, UP_INCOMPATIBLE, "has too many programs to stop and start for one plan");
    plan->program[plan->program_count++] = it;
    return 0;
}

static int give_ids(struct make *m)
{
    struct up_storage *s = m->storage;
    int rc = s->ops->random(s, m->plan->id, sizeof m->plan->id);

    for (uint32_t i = 0; i < m->plan->root_count && rc == 0; i++)
        rc = s->ops->random(s, m->plan->root[i].here, UP_FILES_HERE_SIZE);
    return rc < 0 ? up_fail(m->err, UP_INTERNAL, "plan of files: no random numbers: %s", strerror(errno)) : 0;
}

int up_files_make(struct up_files_plan *plan, struct up_storage *s, const struct up_update_ini *ini,
                  const struct up_files_content *content, size_t content_count,
                  const struct up_files_root *roots, uint32_t root_count, struct up_error *err)
{
    struct make m = {plan, s, content, content_count, NULL, err};
    int rc;

    memset(plan, 0, sizeof *plan);
    if (root_count > UP_FILES_ROOTS || ini->count > UP_FILES_OPS)
        return up_fail(err, UP_INCOMPATIBLE, "plan of files: at most %d roots and %d lines", UP_FILES_ROOTS,
                       UP_FILES_OPS);
    plan->root_count = root_count;
    for (uint32_t i = 0; i < root_count; i++)
        plan->root[i] = roots[i];
    plan->keep = "";
    plan->op = calloc(UP_FILES_OPS, sizeof *plan->op);
    plan->program = calloc(UP_FILES_PROGRAMS, sizeof *plan->program);
    if (!plan->op || !plan->program) {
        up_files_plan_free(plan);
        return up_fail(err, UP_INTERNAL, "plan of files: out of memory");
    }
    rc = give_ids(&m);
    for (size_t i = 0; i < ini->count && rc == 0; i++) {
        m.entry = &ini->entry[i];
        if (m.entry->operation != UP_FILE_KEEP)
            rc = add(&m);
        if (rc == 0 && (m.entry->stop || m.entry->start))
            rc = add_program(&m);
    }
    if (rc < 0)
        up_files_plan_free(plan);
    return rc;
}
