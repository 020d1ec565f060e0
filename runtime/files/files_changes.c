#include "files_changes.h"

#include <stdio.h>
#include <string.h>

#include "printable.h"

#define COUNTS 60 /* bytes that are kept for the counts of what follows */

enum change { REPLACED, ADDED, DELETED, CHANGES, NONE = CHANGES };

struct text {
    char *out;
    size_t len, used;
};

static void append(struct text *t, const char *piece)
{
    size_t len = strlen(piece);

    if (len >= t->len - t->used)
        len = t->len - t->used - 1;
    memcpy(t->out + t->used, piece, len);
    t->used += len;
    t->out[t->used] = '\0';
}

static enum change change_of(const struct up_files *f, uint32_t n)
{
    bool there = f->found[n].there;

    switch (f->plan.op[n].kind) {
    case UP_FILES_PUT:
        return there ? REPLACED : ADDED;
    case UP_FILES_DELETE:
        return there ? DELETED : NONE;
    default:
        return ADDED;
    }
}

/* The target of an operation below its root, as text. */
static void name_of(const struct up_files_plan *plan, uint32_t n, char *out, size_t len)
{
    const struct up_files_op *op = &plan->op[n],
                             *parent = up_files_plan_is_step(op) ? NULL : &plan->op[op->parent];
    const char *pieces[] = {parent ? parent->dir : "", parent ? parent->name : "", op->dir, op->name};
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        bool plain = up_is_printable(pieces[i], strlen(pieces[i]));

        if (*pieces[i] && used > 0 && used < len - 1)
            out[used++] = '/';
        for (const char *p = pieces[i]; *p && used + 4 < len; p++) {
            unsigned char byte = (unsigned char)*p;

            if (plain || (byte >= 0x20 && byte < 0x7f))
                out[used++] = *p;
            else
                used += (size_t)snprintf(out + used, len - used, "\\x%02X", byte);
        }
    }
    out[used] = '\0';
}

static void list(struct text *t, const struct up_files *f, enum change kind)
{
    char name[UP_PATH_SIZE];
    bool first = true;

    for (uint32_t n = 0; n < f->plan.op_count; n++) {
        if (change_of(f, n) != kind)
            continue;
        name_of(&f->plan, n, name, sizeof name);
        if (t->used + strlen(name) + COUNTS >= t->len) {
            append(t, first ? " (..." : ", ...");
            first = false;
            break;
        }
        append(t, first ? " (" : ", ");
        append(t, name);
        first = false;
    }
    append(t, first ? "" : ")");
}

void up_files_changes(const struct up_files *f, char *out, size_t len)
{
    static const char *const words[CHANGES] = {"replaced", "added", "deleted"};
    unsigned count[CHANGES + 1] = {0};
    struct text t = {out, len, 0};
    char piece[40];

    out[0] = '\0';
    if (f->lost || !f->found)
        return;
    for (uint32_t n = 0; n < f->plan.op_count; n++)
        count[change_of(f, n)]++;
    for (unsigned kind = 0; kind < CHANGES; kind++) {
        if (count[kind] == 0)
            continue;
        snprintf(piece, sizeof piece, "%s%u %s", t.used > 0 ? ", " : "files: ", count[kind], words[kind]);
        append(&t, piece);
        list(&t, f, (enum change)kind);
    }
}
