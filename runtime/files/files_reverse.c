#include "files_reverse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "files_named.h"
#include "files_tree.h"

#define KEPT 0x80000000u /* of a content: 1 bit, number of the kept one, number of its operation */

#define TARGET_SIZE (2 * UP_PATH_SIZE + UP_FILES_NAME_SIZE)

/* The target of a step; what is mounted below a root may be a root by itself in another plan. */
static void path_of(const struct up_files_plan *plan, const struct up_files_op *op, char out[TARGET_SIZE])
{
    snprintf(out, TARGET_SIZE, "%s/%s%s%s", plan->root[op->root].path, op->dir, *op->dir ? "/" : "",
             op->name);
}

static int find_root(struct up_files_plan *plan, struct up_storage *s, const struct up_files_root *root,
                     uint32_t *out, struct up_error *err)
{
    *out = up_files_named_root(s, plan, root->path);
    if (*out < plan->root_count)
        return 0;
    if (plan->root_count == UP_FILES_ROOTS)
        return up_fail(err, UP_NOSPACE, "plan of files: more than %d roots", UP_FILES_ROOTS);
    plan->root[plan->root_count++] = *root;
    return 0;
}

/* What an earlier one reversed at the name of `it`; `own` are the plan's. NULL: nothing does; *left: nothing is to be
 * done, since the plan changes that name, or makes or deletes a folder above it. */
static struct up_files_op *find(struct up_files_plan *plan, uint32_t own, const struct up_files_op *it,
                                bool *left)
{
    char path[TARGET_SIZE], other[TARGET_SIZE];

    *left = false;
    path_of(plan, it, path);
    for (uint32_t i = 0; i < plan->op_count; i++) {
        if (!up_files_plan_is_step(&plan->op[i]))
            continue;
        path_of(plan, &plan->op[i], other);
        *left = i < own && up_files_named_is_below(path, other);
        if (*left || strcmp(path, other) == 0)
            return &plan->op[i];
    }
    return NULL;
}

/* 1 its folder is there, 0 it is not, or an error. */
static int has_folder(const struct up_files_kept *k, const struct up_files_op *op, struct up_error *err)
{
    struct up_files_place place;
    int rc = up_files_tree_open_at(&place, k->storage, k->plan.root[op->root].path, op->dir, err);

    if (rc < 0)
        return rc == UP_MISSING ? 0 : rc;
    up_files_tree_close(&place);
    return 1;
}

static int reverse_op(struct up_files_plan *plan, uint32_t own, const struct up_files_kept *k,
                      uint32_t number, uint32_t n, struct up_error *err)
{
    const struct up_files_op *op = &k->plan.op[n];
    const struct up_files_found *was = &k->found[n];
    struct up_files_op it = {
        .kind = was->there ? UP_FILES_PUT : UP_FILES_DELETE, .dir = op->dir, .name = op->name};
    struct up_files_op *at;
    bool left;
    int there = up_files_plan_is_step(op) ? has_folder(k, op, err) : 0;

    if (there <= 0)
        return there;
    if (find_root(plan, k->storage, &k->plan.root[op->root], &it.root, err) < 0)
        return err->code;
    at = find(plan, own, &it, &left);
    if (left)
        return 0;
    if (!at && plan->op_count == UP_FILES_OPS)
        return up_fail(err, UP_NOSPACE, "plan of files: more than %d operations", UP_FILES_OPS);
    if (!at)
        at = &plan->op[plan->op_count++];
    if (was->there) {
        it.mode = was->st.mode & 07777;
        it.content = KEPT | number * UP_FILES_OPS | n;
        it.size = was->st.size;
        memcpy(it.digest, was->digest, sizeof it.digest);
    }
    *at = it;
    return 0;
}

static bool has_program(const struct up_files_plan *plan, uint32_t root, const struct up_files_program *p)
{
    for (uint32_t i = 0; i < plan->program_count; i++)
        if (plan->program[i].root == root && strcmp(plan->program[i].dir, p->dir) == 0 &&
            strcmp(plan->program[i].name, p->name) == 0)
            return true;
    return false;
}

/* What was stopped before runs again after it; what was only started goes. */
static int reverse_program(struct up_files_plan *plan, const struct up_files_kept *k,
                           const struct up_files_program *p, struct up_error *err)
{
    uint32_t root;

    if (find_root(plan, k->storage, &k->plan.root[p->root], &root, err) < 0)
        return err->code;
    if (has_program(plan, root, p))
        return 0;
    if (plan->program_count == UP_FILES_PROGRAMS)
        return up_fail(err, UP_NOSPACE, "plan of files: more than %d programs", UP_FILES_PROGRAMS);
    plan->program[plan->program_count] = *p;
    plan->program[plan->program_count].root = root;
    plan->program[plan->program_count].stop = true;
    plan->program[plan->program_count++].start = p->stop;
    return 0;
}

int up_files_reverse(struct up_files_plan *plan, const struct up_files_reverse *reverse, struct up_error *err)
{
    uint32_t own = plan->op_count;
    int rc = 0;

    for (uint32_t i = 0; i < reverse->count; i++) {
        const struct up_files_kept *k = &reverse->kept[i];

        for (uint32_t n = 0; n < k->plan.op_count && rc == 0; n++)
            rc = reverse_op(plan, own, k, i, n, err);
        for (uint32_t n = 0; n < k->plan.program_count && rc == 0; n++)
            rc = reverse_program(plan, k, &k->plan.program[n], err);
    }
    return rc;
}

static int open_content(void *user, uint32_t content)
{
    const struct up_files_reverse *r = user;
    uint32_t number = (content & ~KEPT) / UP_FILES_OPS;

    return content & KEPT && number < r->count ? up_files_kept_file(&r->kept[number], content % UP_FILES_OPS)
                                               : -1;
}

static long long read_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                              struct up_error *err)
{
    const struct up_files_reverse *r = user;
    struct up_storage *s;
    long long got = -1;
    int file;

    if (!(content & KEPT))
        return r->own.read(r->own.user, content, buf, len, offset, err);
    s = r->kept[0].storage;
    file = open_content(user, content);
    if (file >= 0)
        got = s->ops->pread(s, file, buf, len, offset);
    if (got < 0)
        (void)!up_fail(err, UP_WRITE, "files: what was kept of a hotfix: %s", strerror(errno));
    if (file >= 0)
        s->ops->close(s, file);
    return got < 0 ? err->code : got;
}

struct up_files_source up_files_reverse_source(struct up_files_reverse *reverse)
{
    return (struct up_files_source){reverse, read_content, open_content};
}
