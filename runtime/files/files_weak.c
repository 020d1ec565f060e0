#include "files_weak.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "error.h"
#include "files_tree.h"

bool up_files_weak_at(const struct up_files_work *w, uint32_t n)
{
    const struct up_files_op *op = &w->plan->op[n];

    if (!w->plan->root[op->root].weak)
        return false;
    if (op->kind == UP_FILES_PUT)
        return !w->found || !w->found[n].there || w->found[n].st.kind == UP_NODE_FILE;
    return op->kind == UP_FILES_DELETE && w->found && w->found[n].there &&
           w->found[n].st.kind == UP_NODE_FILE;
}

bool up_files_weak_is_cut(const struct up_stat *st)
{
    return st->kind == UP_NODE_FILE && st->size == 0;
}

static const uint8_t *digest_of(const struct up_files_work *w, uint32_t n, bool new_content)
{
    return new_content ? w->plan->op[n].digest : w->found[n].digest;
}

void up_files_weak_kept_name(const struct up_files_work *w, uint32_t n, bool new_content,
                             char out[UP_FILES_WEAK_KEPT_SIZE])
{
    char id[2 * UP_FILES_ID_SIZE + 1];

    up_hex(w->plan->id, UP_FILES_ID_SIZE, id);
    snprintf(out, UP_FILES_WEAK_KEPT_SIZE, "%s-%u.%s", id, (unsigned)n, new_content ? "new" : "old");
}

static int is_in(const struct up_files_place *p, const char *name, const uint8_t *digest,
                 struct up_error *err)
{
    uint8_t found[UP_SHA256_SIZE];
    struct up_stat st;
    int there = up_files_tree_look(p, name, &st, err);

    if (there <= 0 || st.kind != UP_NODE_FILE)
        return there < 0 ? there : 0;
    if (up_files_tree_digest(p, name, found, err) < 0)
        return err->code;
    return memcmp(found, digest, sizeof found) == 0;
}

int up_files_weak_holds(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                        const char *name, bool new_content, struct up_error *err)
{
    return is_in(p, name, digest_of(w, n, new_content), err);
}

int up_files_weak_is_whole(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                           const char *name, bool new_content, struct up_error *err)
{
    int rc = up_files_weak_holds(w, p, n, name, new_content, err);

    if (rc == UP_WRITE)
        rc = up_files_weak_holds(w, p, n, name, new_content, err);
    return rc == UP_WRITE ? 0 : rc;
}

int up_files_weak_copy(const struct up_files_place *from, const char *name, const struct up_files_place *to,
                       const char *to_name, const uint8_t *digest, struct up_error *err)
{
    struct up_storage *s = to->storage;
    int file, rc;

    if (up_files_tree_remove(to, to_name, err) < 0)
        return err->code;
    file = s->ops->open_at(s, to->dir, to_name, UP_WRITE_ONLY_NEW, 0600);
    if (file < 0)
        return up_files_tree_failed(to, to_name, "create", err);
    rc = up_files_tree_copy(from, name, file, err);
    s->ops->close(s, file);
    if (rc < 0)
        return rc;
    rc = is_in(to, to_name, digest, err);
    if (rc == 0)
        rc = up_fail(err, UP_WRITE, "%s/%s: is not what was to be kept", from->root, name);
    return rc < 0 ? rc : up_files_tree_sync(to, err);
}

/* Under its name only when it is whole: what has that name is not made again. */
static int keep_whole(const struct up_files_place *p, const char *name, const struct up_files_place *state,
                      const char *kept, const uint8_t *digest, struct up_error *err)
{
    char part[UP_FILES_WEAK_KEPT_SIZE + sizeof ".part"];

    snprintf(part, sizeof part, "%s.part", kept);
    if (up_files_weak_copy(p, name, state, part, digest, err) < 0 ||
        up_files_tree_rename(state, part, kept, err) < 0)
        return err->code;
    return up_files_tree_sync(state, err);
}

int up_files_weak_keep(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                       const char *name, bool new_content, struct up_error *err)
{
    const uint8_t *digest = digest_of(w, n, new_content);
    struct up_files_place state;
    char kept[UP_FILES_WEAK_KEPT_SIZE];
    int rc;

    up_files_weak_kept_name(w, n, new_content, kept);
    if (up_files_tree_open_at(&state, w->storage, w->folder, "", err) < 0)
        return err->code;
    rc = is_in(&state, kept, digest, err);
    if (rc == 0)
        rc = keep_whole(p, name, &state, kept, digest, err);
    up_files_tree_close(&state);
    return rc < 0 ? rc : 0;
}

static int write_anew(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                      const char *fresh, bool new_content, struct up_error *err)
{
    struct up_files_place state;
    char kept[UP_FILES_WEAK_KEPT_SIZE];
    int rc;

    up_files_weak_kept_name(w, n, new_content, kept);
    if (up_files_tree_open_at(&state, w->storage, w->folder, "", err) < 0)
        return err->code;
    rc = up_files_weak_copy(&state, kept, p, fresh, digest_of(w, n, new_content), err);
    up_files_tree_close(&state);
    return rc;
}

int up_files_weak_renew(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                        const char *beside, bool new_content, struct up_error *err)
{
    const char *target = w->plan->op[n].name;
    char fresh[UP_FILES_TEMPORARY_SIZE];
    int rc = up_files_weak_is_whole(w, p, n, target, new_content, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = up_files_weak_is_whole(w, p, n, beside, new_content, err);
    if (rc < 0)
        return rc;
    if (rc > 0)
        return up_files_tree_rename(p, beside, target, err);
    up_files_plan_temporary(w->plan, n, UP_FILES_OLD_PART, fresh);
    return write_anew(w, p, n, fresh, new_content, err) < 0 ? err->code
                                                            : up_files_tree_rename(p, fresh, target, err);
}
