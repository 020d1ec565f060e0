#include "files_try.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define BLOCK 4096u /* what a file or a directory takes at least, and a multiple of it */

/* A file system, and what the plan needs there. */
struct room {
    uint64_t device, bytes, files;
    struct up_space free;
};

struct rooms {
    const struct up_files_work *work;
    struct room *room;
    uint32_t count;
};

static struct room *room_of(struct rooms *r, uint64_t device)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->room[i].device == device)
            return &r->room[i];
    r->room[r->count] = (struct room){.device = device};
    return &r->room[r->count++];
}

/* Rounded up to whole blocks, plus one for its name. */
static uint64_t blocks(uint64_t size)
{
    return (size / BLOCK + 2) * BLOCK;
}

static int too_little(const struct up_files_place *p, const struct up_files_op *op, const struct room *room,
                      struct up_error *err)
{
    if (room->bytes > room->free.bytes)
        return up_fail(err, UP_NOSPACE, "root %s: at %s: %llu bytes are needed, %llu are free", p->root,
                       op->name, (unsigned long long)room->bytes, (unsigned long long)room->free.bytes);
    if (room->files > room->free.files)
        return up_fail(err, UP_NOSPACE, "root %s: at %s: %llu files are made, only %llu more can be", p->root,
                       op->name, (unsigned long long)room->files, (unsigned long long)room->free.files);
    return 0;
}

/* Of what was there, as a copy. */
static int take_room_for_old(struct room *room, const struct up_files_place *p, const struct up_files_op *op,
                             struct up_error *err)
{
    uint64_t files, bytes;

    if (up_files_tree_measure(p, op->name, &files, &bytes, err) < 0)
        return err->code;
    room->bytes += bytes + files * blocks(0);
    room->files += files;
    return 0;
}

/* Of both contents in the state, until the plan has ended. */
static int take_room_for_kept(struct rooms *r, const struct up_files_place *p, const struct up_files_op *op,
                              const struct up_files_found *found, struct up_error *err)
{
    struct up_storage *s = p->storage;
    struct up_files_place state;
    struct room *room = NULL;
    struct up_stat st;

    if (up_files_tree_open_at(&state, s, r->work->folder, "", err) < 0)
        return err->code;
    if (s->ops->stat_file(s, state.dir, &st) == 0) {
        room = room_of(r, st.device);
        if (s->ops->space_at(s, state.dir, &room->free) < 0)
            room = NULL;
    }
    if (!room)
        (void)!up_files_tree_failed(&state, "", "space", err);
    up_files_tree_close(&state);
    if (!room)
        return err->code;
    room->bytes += op->kind == UP_FILES_DELETE ? 0 : blocks(op->size);
    room->files++;
    if (up_files_plan_is_step(op) && found->there && take_room_for_old(room, p, op, err) < 0)
        return err->code;
    return too_little(&state, op, room, err);
}

static int take_room(struct rooms *r, const struct up_files_place *p, const struct up_files_op *op,
                     const struct up_files_found *found, struct up_error *err)
{
    struct up_storage *s = p->storage;
    struct up_stat st;
    struct room *room;

    if (s->ops->stat_file(s, p->dir, &st) < 0)
        return up_files_tree_failed(p, "", "stat", err);
    room = room_of(r, st.device);
    if (s->ops->space_at(s, p->dir, &room->free) < 0)
        return up_files_tree_failed(p, "", "space", err);
    if (op->kind != UP_FILES_DELETE) {
        room->bytes += blocks(op->size);
        room->files++;
    }
    if (up_files_plan_is_step(op) && found->there &&
        (room->free.copies || (op->kind == UP_FILES_PUT && r->work->plan->root[op->root].weak)) &&
        take_room_for_old(room, p, op, err) < 0)
        return err->code;
    if (op->kind != UP_FILES_MAKE_DIR && op->kind != UP_FILES_INSIDE_DIR &&
        r->work->plan->root[op->root].weak && take_room_for_kept(r, p, op, found, err) < 0)
        return err->code;
    return too_little(p, op, room, err);
}

int up_files_try_room(const struct up_files_work *w, struct up_error *err)
{
    struct rooms r = {.work = w, .room = calloc(w->plan->op_count + 1, sizeof *r.room)};
    int rc = r.room ? 0 : up_fail(err, UP_INTERNAL, "files: out of memory");

    for (uint32_t n = 0; n < w->plan->op_count && rc == 0; n++) {
        const struct up_files_op *op = &w->plan->op[n];
        /* What lies inside a new directory takes space where the directory does. */
        uint32_t at = up_files_plan_is_step(op) ? n : op->parent;
        struct up_files_found found;
        struct up_files_place p;

        if (up_files_op_find(w, at, false, &found, err) < 0 ||
            up_files_tree_open(&p, w->storage, w->plan, at, err) < 0) {
            rc = err->code;
            break;
        }
        rc = take_room(&r, &p, op, &found, err);
        up_files_tree_close(&p);
    }
    free(r.room);
    return rc;
}

static int make(const struct up_files_place *p, const char *name, struct up_error *err)
{
    int file = p->storage->ops->open_at(p->storage, p->dir, name, UP_WRITE_ONLY_NEW, 0600);

    if (file < 0)
        return up_files_tree_failed(p, name, "create", err);
    p->storage->ops->close(p->storage, file);
    return 0;
}

static int try_folder(const struct up_files_place *p, const struct up_files_plan *plan, uint32_t n,
                      struct up_error *err)
{
    struct up_storage *s = p->storage;
    char part[UP_FILES_TEMPORARY_SIZE], other[UP_FILES_TEMPORARY_SIZE];

    up_files_plan_temporary(plan, n, UP_FILES_OLD_PART, part);
    up_files_plan_temporary(plan, n, UP_FILES_TRIED, other);
    if (make(p, part, err) < 0)
        return err->code;
    if (s->ops->link_at(s, p->dir, part, other) == 0) {
        /* If two names are one file, renaming one to the other does nothing. */
        if (up_files_tree_unlink(p, part, err) < 0 || make(p, part, err) < 0)
            return err->code;
    } else if (!up_files_tree_has_no_links(errno)) {
        return up_files_tree_failed(p, other, "link", err);
    } else if (!plan->root[plan->op[n].root].weak) {
        return up_fail(err, UP_INCOMPATIBLE,
                       "root %s: %s in it takes no hard link (%s), and the root is not weak", p->root,
                       *p->folder ? p->folder : "a file", strerror(errno));
    } else if (make(p, other, err) < 0) {
        return err->code;
    }
    return up_files_tree_rename(p, part, other, err) < 0 ? err->code : up_files_tree_unlink(p, other, err);
}

static bool same_folder(const struct up_files_op *a, const struct up_files_op *b)
{
    return up_files_plan_is_step(a) && up_files_plan_is_step(b) && a->root == b->root &&
           strcmp(a->dir, b->dir) == 0;
}

static bool first_in_folder(const struct up_files_plan *plan, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (same_folder(&plan->op[i], &plan->op[n]))
            return false;
    return true;
}

/* A name that the file system cannot have need not be deleted. But of two names of one thing not both can
 * be. */
static int try_name(const struct up_files_place *inside, const struct up_files_op *op, struct up_error *err)
{
    struct up_storage *s = inside->storage;
    int file = s->ops->open_at(s, inside->dir, op->name, UP_WRITE_ONLY_NEW, 0600);

    if (file >= 0) {
        s->ops->close(s, file);
        return 0;
    }
    if (errno == EEXIST)
        return up_fail(err, UP_INCOMPATIBLE,
                       "%s/%s%s%s: is the same name as that of another line on this file system",
                       inside->root, inside->folder, *inside->folder ? "/" : "", op->name);
    return op->kind == UP_FILES_DELETE ? 0
                                       : up_files_tree_failed(inside, op->name, "a name that cannot be", err);
}

/* Whether the file system takes all names that the plan has in this folder, and tells them apart. */
static int try_names(const struct up_files_place *p, const struct up_files_plan *plan, uint32_t n,
                     struct up_error *err)
{
    struct up_storage *s = p->storage;
    struct up_files_place inside = {s, -1, p->root, p->folder, false};
    char ours[UP_FILES_TEMPORARY_SIZE];
    int rc = 0;

    up_files_plan_temporary(plan, n, UP_FILES_TRIED, ours);
    if (s->ops->mkdir_at(s, p->dir, ours, 0700) < 0)
        return up_files_tree_failed(p, ours, "mkdir", err);
    inside.dir = s->ops->open_dir(s, p->dir, ours, true);
    if (inside.dir < 0)
        return up_files_tree_failed(p, ours, "open", err);
    for (uint32_t i = n; i < plan->op_count && rc == 0; i++)
        if (same_folder(&plan->op[n], &plan->op[i]))
            rc = try_name(&inside, &plan->op[i], err);
    up_files_tree_close(&inside);
    return rc < 0 ? rc : up_files_tree_remove(p, ours, err);
}

struct spelling {
    const char *name;
    bool found;
};

static int compare(void *user, const char *name, enum up_node_kind kind)
{
    struct spelling *s = user;

    (void)kind;
    s->found = strcmp(name, s->name) == 0;
    return s->found;
}

/* The target would get the plan's spelling, and keep it when the tree is put back. */
static int try_spelling(const struct up_files_place *p, const char *name, struct up_error *err)
{
    struct spelling s = {.name = name};

    if (p->storage->ops->list_at(p->storage, p->dir, compare, &s) < 0)
        return up_files_tree_failed(p, "", "list", err);
    if (s.found)
        return 0;
    return up_fail(err, UP_INCOMPATIBLE,
                   "%s/%s%s%s: is there in another spelling, and this file system does not tell them apart",
                   p->root, p->folder, *p->folder ? "/" : "", name);
}

int up_files_try(const struct up_files_place *p, const struct up_files_plan *plan, uint32_t n, bool there,
                 struct up_error *err)
{
    int rc = try_folder(p, plan, n, err);

    if (rc == 0 && first_in_folder(plan, n))
        rc = try_names(p, plan, n, err);
    return rc == 0 && there ? try_spelling(p, plan->op[n].name, err) : rc;
}

int up_files_try_again(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    char name[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place p;
    int rc = 0;

    if (!up_files_plan_is_step(&w->plan->op[n]) || !first_in_folder(w->plan, n))
        return 0;
    if (up_files_tree_open(&p, w->storage, w->plan, n, err) < 0)
        return err->code;
    for (unsigned i = UP_FILES_OLD_PART; i <= UP_FILES_TRIED && rc == 0; i++) { /* of one that was cut */
        up_files_plan_temporary(w->plan, n, (enum up_files_plan_temporary)i, name);
        rc = up_files_tree_remove(&p, name, err);
    }
    if (rc == 0)
        rc = try_folder(&p, w->plan, n, err);
    up_files_tree_close(&p);
    return rc;
}
