#include "files_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "error.h"
#include "storage.h"
#include "update_ini.h"

#define MAGIC "MOULTFP2"
#define MAGIC_KEEPS "MOULTFP3" /* the old content stays, and where is said after the head */
#define HEAD (8 + UP_FILES_ID_SIZE + 12)
#define ROOT_SIZE (UP_FILES_HERE_SIZE + 4 + 4)               /* and the path */
#define OP_SIZE (4 + 4 + 4 + 4 + 4 + 8 + UP_SHA256_SIZE + 8) /* and two strings */
#define PROGRAM_SIZE (4 + 4 + 8)                             /* and two strings */
#define WEAK 1u
#define PLAIN 2u
#define STOP 1u
#define START 2u

static int wrong(struct up_error *err, const char *what)
{
    return up_fail(err, UP_INCOMPATIBLE, "plan of files: %s", what);
}

static bool has_content(const struct up_files_op *op)
{
    return op->kind == UP_FILES_PUT || op->kind == UP_FILES_INSIDE;
}

bool up_files_plan_is_step(const struct up_files_op *op)
{
    return op->kind != UP_FILES_INSIDE && op->kind != UP_FILES_INSIDE_DIR;
}

/* One name that is not ours. */
static bool name_fits(const char *name, size_t len)
{
    if (len == 0 || len >= UP_FILES_NAME_SIZE || memchr(name, '/', len))
        return false;
    if (len <= 2 && memcmp(name, "..", len) == 0)
        return false;
    return len < sizeof UP_FILES_TEMPORARY - 1 ||
           memcmp(name, UP_FILES_TEMPORARY, sizeof UP_FILES_TEMPORARY - 1) != 0;
}

/* Names with one '/' between each, or nothing. */
static bool dir_fits(const char *dir)
{
    if (strlen(dir) >= UP_PATH_SIZE)
        return false;
    while (*dir) {
        size_t len = strcspn(dir, "/");

        if (!name_fits(dir, len) || (dir[len] && !dir[len + 1]))
            return false;
        dir += len + (dir[len] == '/');
    }
    return true;
}

static int check_root(const struct up_files_plan *plan, uint32_t i, struct up_error *err)
{
    const char *path = plan->root[i].path;

    if (*path != '/' || !path[1] || !dir_fits(path + 1))
        return wrong(err, "a root is no absolute path");
    for (uint32_t n = 0; n < i; n++)
        if (strcmp(plan->root[n].path, path) == 0)
            return wrong(err, "two roots are the same");
    return 0;
}

static int check_op(const struct up_files_plan *plan, uint32_t i, struct up_error *err)
{
    const struct up_files_op *op = &plan->op[i], *parent;

    if (op->kind < UP_FILES_PUT || op->kind > UP_FILES_DELETE)
        return wrong(err, "an operation is of no known kind");
    if (op->root >= plan->root_count || !name_fits(op->name, strlen(op->name)) || !dir_fits(op->dir))
        return wrong(err, "an operation names no place below a root");
    if (op->mode > 07777 || (!has_content(op) && (op->size || op->content)))
        return wrong(err, "an operation has what its kind has not");
    if (up_files_plan_is_step(op))
        return op->parent == 0 ? 0 : wrong(err, "an operation has a parent");
    if (op->parent >= i)
        return wrong(err, "an operation comes before its directory");
    parent = &plan->op[op->parent];
    if (parent->kind != UP_FILES_MAKE_DIR || parent->root != op->root)
        return wrong(err, "an operation lies in no new directory");
    return 0;
}

/* A word that no command takes for an option. */
static bool program_name_fits(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@+-");

    return !name[len] && *name != '-' && name_fits(name, len);
}

static int check_program(const struct up_files_plan *plan, uint32_t i, struct up_error *err)
{
    const struct up_files_program *p = &plan->program[i];

    if (p->root >= plan->root_count || !program_name_fits(p->name) || !dir_fits(p->dir))
        return wrong(err, "a program is no name below a root");
    if (!p->stop && !p->start)
        return wrong(err, "a program is neither stopped nor started");
    for (uint32_t n = 0; n < i; n++)
        if (plan->program[n].root == p->root && strcmp(plan->program[n].name, p->name) == 0 &&
            strcmp(plan->program[n].dir, p->dir) == 0)
            return wrong(err, "two programs are the same");
    return 0;
}

/* Whether `path`, "<dir>/<name>" of b, is a's or lies below it. */
static bool covers(const struct up_files_op *a, const struct up_files_op *b)
{
    size_t dir = strlen(a->dir), name = strlen(a->name);
    const char *rest = b->dir;

    if (a->root != b->root || strncmp(rest, a->dir, dir) != 0)
        return false;
    rest += dir;
    if (dir > 0 && *rest && *rest++ != '/')
        return false;
    if (!*rest)
        return strcmp(a->name, b->name) == 0;
    return strncmp(rest, a->name, name) == 0 && (rest[name] == '/' || !rest[name]);
}

/* The path of a file may not be the directory of another, either. */
static int check_apart(const struct up_files_plan *plan, struct up_error *err)
{
    for (uint32_t i = 0; i < plan->op_count; i++)
        for (uint32_t n = 0; n < plan->op_count; n++)
            if (i != n && up_files_plan_is_step(&plan->op[i]) && up_files_plan_is_step(&plan->op[n]) &&
                covers(&plan->op[i], &plan->op[n]))
                return wrong(err, "two operations meet at one name");
    return 0;
}

static int check(const struct up_files_plan *plan, struct up_error *err)
{
    if (plan->root_count == 0 || plan->root_count > UP_FILES_ROOTS || plan->op_count == 0 ||
        plan->op_count > UP_FILES_OPS || plan->program_count > UP_FILES_PROGRAMS)
        return wrong(err, "too few or too many roots, operations or programs");
    if (up_files_plan_keeps(plan) && !dir_fits(plan->keep))
        return wrong(err, "the old content stays at no place below the state");
    for (uint32_t i = 0; i < plan->root_count; i++)
        if (check_root(plan, i, err) < 0)
            return err->code;
    for (uint32_t i = 0; i < plan->op_count; i++)
        if (check_op(plan, i, err) < 0)
            return err->code;
    for (uint32_t i = 0; i < plan->program_count; i++)
        if (check_program(plan, i, err) < 0)
            return err->code;
    return check_apart(plan, err);
}

static size_t encoded_size(const struct up_files_plan *plan)
{
    size_t size = HEAD + (up_files_plan_keeps(plan) ? 4 + strlen(plan->keep) + 1 : 0);

    for (uint32_t i = 0; i < plan->root_count; i++)
        size += ROOT_SIZE + strlen(plan->root[i].path) + 1;
    for (uint32_t i = 0; i < plan->op_count; i++)
        size += OP_SIZE + strlen(plan->op[i].dir) + strlen(plan->op[i].name) + 2;
    for (uint32_t i = 0; i < plan->program_count; i++)
        size += PROGRAM_SIZE + strlen(plan->program[i].dir) + strlen(plan->program[i].name) + 2;
    return size;
}

static uint8_t *put_bytes(uint8_t *at, const void *from, size_t len)
{
    memcpy(at, from, len);
    return at + len;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    return put_bytes(at, text, strlen(text) + 1);
}

static uint8_t *put_place(uint8_t *at, const char *dir, const char *name)
{
    up_put32(at, (uint32_t)strlen(dir) + 1);
    up_put32(at + 4, (uint32_t)strlen(name) + 1);
    return put_text(put_text(at + 8, dir), name);
}

static uint8_t *put_root(uint8_t *at, const struct up_files_root *root)
{
    at = put_bytes(at, root->here, UP_FILES_HERE_SIZE);
    up_put32(at, (root->weak ? WEAK : 0) | (root->plain ? PLAIN : 0));
    up_put32(at + 4, (uint32_t)strlen(root->path) + 1);
    return put_text(at + 8, root->path);
}

static uint8_t *put_op(uint8_t *at, const struct up_files_op *op)
{
    up_put32(at, op->kind);
    up_put32(at + 4, op->root);
    up_put32(at + 8, op->parent);
    up_put32(at + 12, op->mode);
    up_put32(at + 16, op->content);
    up_put64(at + 20, op->size);
    at = put_bytes(at + 28, op->digest, UP_SHA256_SIZE);
    return put_place(at, op->dir, op->name);
}

static uint8_t *put_program(uint8_t *at, const struct up_files_program *p)
{
    up_put32(at, p->root);
    up_put32(at + 4, (p->stop ? STOP : 0) | (p->start ? START : 0));
    return put_place(at + 8, p->dir, p->name);
}

int up_files_plan_encode(const struct up_files_plan *plan, uint8_t **out, size_t *len, struct up_error *err)
{
    uint8_t *at;

    if (check(plan, err) < 0)
        return err->code;
    *len = encoded_size(plan);
    if (*len > UP_FILES_PLAN_LIMIT)
        return up_fail(err, UP_NOSPACE, "plan of files: %zu bytes, at most %u", *len, UP_FILES_PLAN_LIMIT);
    *out = malloc(*len);
    if (!*out)
        return up_fail(err, UP_INTERNAL, "plan of files: out of memory");
    at = put_bytes(*out, up_files_plan_keeps(plan) ? MAGIC_KEEPS : MAGIC, 8);
    at = put_bytes(at, plan->id, UP_FILES_ID_SIZE);
    up_put32(at, plan->root_count);
    up_put32(at + 4, plan->op_count);
    up_put32(at + 8, plan->program_count);
    at += 12;
    if (up_files_plan_keeps(plan)) {
        up_put32(at, (uint32_t)strlen(plan->keep) + 1);
        at = put_text(at + 4, plan->keep);
    }
    for (uint32_t i = 0; i < plan->root_count; i++)
        at = put_root(at, &plan->root[i]);
    for (uint32_t i = 0; i < plan->op_count; i++)
        at = put_op(at, &plan->op[i]);
    for (uint32_t i = 0; i < plan->program_count; i++)
        at = put_program(at, &plan->program[i]);
    return 0;
}

struct reader {
    const uint8_t *at;
    size_t left;
};

/* The next `len` bytes, or NULL. */
static const uint8_t *take(struct reader *r, size_t len)
{
    const uint8_t *at = r->at;

    if (len > r->left)
        return NULL;
    r->at += len;
    r->left -= len;
    return at;
}

/* A string of `len` bytes that ends where it says, or NULL. */
static const char *take_text(struct reader *r, uint32_t len)
{
    const uint8_t *text = len > 0 ? take(r, len) : NULL;

    return text && memchr(text, '\0', len) == text + len - 1 ? (const char *)text : NULL;
}

static bool take_root(struct reader *r, struct up_files_root *root)
{
    const uint8_t *at = take(r, ROOT_SIZE);

    if (!at || up_get32(at + UP_FILES_HERE_SIZE) > (WEAK | PLAIN))
        return false;
    memcpy(root->here, at, UP_FILES_HERE_SIZE);
    root->weak = up_get32(at + UP_FILES_HERE_SIZE) & WEAK;
    root->plain = up_get32(at + UP_FILES_HERE_SIZE) & PLAIN;
    root->path = take_text(r, up_get32(at + UP_FILES_HERE_SIZE + 4));
    return root->path != NULL;
}

static bool take_op(struct reader *r, struct up_files_op *op)
{
    const uint8_t *at = take(r, OP_SIZE);

    if (!at)
        return false;
    op->kind = up_get32(at) <= UP_FILES_DELETE ? (enum up_files_kind)up_get32(at) : 0;
    op->root = up_get32(at + 4);
    op->parent = up_get32(at + 8);
    op->mode = up_get32(at + 12);
    op->content = up_get32(at + 16);
    op->size = up_get64(at + 20);
    memcpy(op->digest, at + 28, UP_SHA256_SIZE);
    op->dir = take_text(r, up_get32(at + 28 + UP_SHA256_SIZE));
    op->name = op->dir ? take_text(r, up_get32(at + 32 + UP_SHA256_SIZE)) : NULL;
    return op->name != NULL;
}

static bool take_program(struct reader *r, struct up_files_program *p)
{
    const uint8_t *at = take(r, PROGRAM_SIZE);

    if (!at || up_get32(at + 4) > (STOP | START))
        return false;
    p->root = up_get32(at);
    p->stop = up_get32(at + 4) & STOP;
    p->start = up_get32(at + 4) & START;
    p->dir = take_text(r, up_get32(at + 8));
    p->name = p->dir ? take_text(r, up_get32(at + 12)) : NULL;
    return p->name != NULL;
}

/* What keeps nothing has the form that a Moult without hotfixes of files reads and writes. */
static bool take_keep(struct reader *r, const uint8_t *magic, const char **keep)
{
    const uint8_t *len;

    *keep = "";
    if (memcmp(magic, MAGIC, 8) == 0)
        return true;
    len = memcmp(magic, MAGIC_KEEPS, 8) == 0 ? take(r, 4) : NULL;
    *keep = len ? take_text(r, up_get32(len)) : NULL;
    return *keep && **keep;
}

static bool take_all(struct up_files_plan *plan, struct reader *r)
{
    const uint8_t *head = take(r, HEAD);

    if (!head || !take_keep(r, head, &plan->keep))
        return false;
    memcpy(plan->id, head + 8, UP_FILES_ID_SIZE);
    plan->root_count = up_get32(head + HEAD - 12);
    plan->op_count = up_get32(head + HEAD - 8);
    plan->program_count = up_get32(head + HEAD - 4);
    if (plan->root_count > UP_FILES_ROOTS || plan->op_count > UP_FILES_OPS ||
        plan->program_count > UP_FILES_PROGRAMS)
        return false;
    for (uint32_t i = 0; i < plan->root_count; i++)
        if (!take_root(r, &plan->root[i]))
            return false;
    for (uint32_t i = 0; i < plan->op_count; i++)
        if (!take_op(r, &plan->op[i]))
            return false;
    for (uint32_t i = 0; i < plan->program_count; i++)
        if (!take_program(r, &plan->program[i]))
            return false;
    return r->left == 0;
}

int up_files_plan_decode(struct up_files_plan *plan, const uint8_t *data, size_t len, struct up_error *err)
{
    struct reader r;
    int rc = 0;

    memset(plan, 0, sizeof *plan);
    if (len > UP_FILES_PLAN_LIMIT)
        return wrong(err, "too large");
    plan->text = malloc(len + 1);
    plan->op = calloc(UP_FILES_OPS, sizeof *plan->op);
    plan->program = calloc(UP_FILES_PROGRAMS, sizeof *plan->program);
    if (!plan->text || !plan->op || !plan->program) {
        up_files_plan_free(plan);
        return up_fail(err, UP_INTERNAL, "plan of files: out of memory");
    }
    memcpy(plan->text, data, len);
    r = (struct reader){(const uint8_t *)plan->text, len};
    if (!take_all(plan, &r))
        rc = wrong(err, "cannot be read");
    else
        rc = check(plan, err);
    if (rc < 0)
        up_files_plan_free(plan);
    return rc;
}

void up_files_plan_free(struct up_files_plan *plan)
{
    free(plan->op);
    free(plan->program);
    free(plan->text);
    memset(plan, 0, sizeof *plan);
}

static void id_text(const struct up_files_plan *plan, char out[2 * UP_FILES_ID_SIZE + 1])
{
    up_hex(plan->id, UP_FILES_ID_SIZE, out);
}

void up_files_plan_temporary(const struct up_files_plan *plan, uint32_t n, enum up_files_plan_temporary which,
                             char out[UP_FILES_TEMPORARY_SIZE])
{
    static const char *const suffix[UP_FILES_TEMPORARIES + 1] = {"new", "old", "old.part", "try", "foreign"};
    char id[2 * UP_FILES_ID_SIZE + 1];

    id_text(plan, id);
    snprintf(out, UP_FILES_TEMPORARY_SIZE, UP_FILES_TEMPORARY "%s-%u.%s", id, n, suffix[which]);
}

void up_files_plan_spare(const struct up_files_plan *plan, char out[UP_FILES_TEMPORARY_SIZE])
{
    char id[2 * UP_FILES_ID_SIZE + 1];

    id_text(plan, id);
    snprintf(out, UP_FILES_TEMPORARY_SIZE, UP_FILES_TEMPORARY "%s.spare", id);
}

void up_files_plan_here(const struct up_files_plan *plan, char out[UP_FILES_TEMPORARY_SIZE])
{
    char id[2 * UP_FILES_ID_SIZE + 1];

    id_text(plan, id);
    snprintf(out, UP_FILES_TEMPORARY_SIZE, UP_FILES_TEMPORARY "%s.here", id);
}
