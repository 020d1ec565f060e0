/*
 * slot_medium.c -- identify a slot's medium, whatever its name.
 */
#include "slot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "slot_link.h"

static int look_up(struct up_storage *storage, const char *path, struct up_medium *out, struct up_error *err)
{
    if (storage->ops->medium(storage, path, out) < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: cannot tell its medium: %s", path,
                       strerror(errno));
    return 0;
}

int up_slot_identity(struct up_storage *storage, const char *path, char out[UP_IDENTITY_SIZE],
                     struct up_error *err)
{
    struct up_medium m;
    int rc = look_up(storage, path, &m, err);

    snprintf(out, UP_IDENTITY_SIZE, "%s", rc < 0 ? "" : m.identity);
    return rc;
}

static bool same(const struct up_medium_part *a, const struct up_medium_part *b)
{
    return a->kind == b->kind && a->number == b->number && a->second == b->second;
}

/* Whether a is b, or what b is on. */
static bool lies_on(const struct up_medium *b, const struct up_medium *a)
{
    for (unsigned i = 0; a->count > 0 && i < b->count; i++)
        if (same(&b->on[i], &a->on[0]))
            return true;
    return false;
}

/* Two loop devices of one file. */
static bool overlap(const struct up_medium *a, const struct up_medium *b)
{
    return a->count > 1 && b->count > 1 && same(&a->on[1], &b->on[1]) && a->from < b->to && b->from < a->to;
}

int up_slot_shared(struct up_storage *storage, const char *one, const char *other, struct up_error *err)
{
    struct up_medium a, b;

    if (look_up(storage, one, &a, err) < 0 || look_up(storage, other, &b, err) < 0)
        return err->code;
    return lies_on(&a, &b) || lies_on(&b, &a) || overlap(&a, &b);
}

/* If a directory above the path is a link, the target of the link counts. */
int up_slot_inside(struct up_storage *storage, const char *path, const char *dir, struct up_error *err)
{
    char above[UP_PATH_SIZE], behind[UP_PATH_SIZE];
    struct up_stat st, top;
    int rc = up_slot_link_follow(storage, dir, behind, &top, err);

    if (rc <= 0)
        return rc;
    snprintf(above, sizeof above, "%s", path);
    for (char *slash = strrchr(above, '/'); slash && slash > above; slash = strrchr(above, '/')) {
        *slash = '\0';
        rc = up_slot_link_follow(storage, above, behind, &st, err);
        if (rc < 0)
            return rc;
        if (rc > 0 && st.device == top.device && st.inode == top.inode)
            return 1;
    }
    return 0;
}

static int refuse_beside_state(struct up_storage *storage, char name, const char *path, const char *state,
                               struct up_error *err)
{
    char node[UP_PATH_SIZE];
    struct up_stat st;
    int rc = up_slot_link_follow(storage, path, node, &st, err);

    if (rc < 0)
        return rc == UP_MISSING ? 0 : rc;
    rc = up_slot_inside(storage, node, state, err);
    if (rc > 0)
        return up_fail(err, UP_USAGE, "slot %c: %s is inside the state, %s", name, path, state);
    if (rc == 0)
        rc = up_slot_shared(storage, path, state, err);
    if (rc > 0)
        return up_fail(err, UP_USAGE, "slot %c: the state, %s, is on %s; it must be outside both slots", name,
                       state, path);
    return rc == UP_MISSING ? 0 : rc;
}

int up_slot_check(struct up_storage *storage, const char *const slot[2], const char *state,
                  struct up_error *err)
{
    int rc;

    for (int i = 0; i < 2; i++)
        if (slot[i] && refuse_beside_state(storage, (char)('a' + i), slot[i], state, err) < 0)
            return err->code;
    if (!slot[0] || !slot[1])
        return 0;
    rc = up_slot_shared(storage, slot[0], slot[1], err);
    if (rc > 0)
        return up_fail(err, UP_USAGE,
                       "slots a and b, %s and %s, are one medium; a core is never changed in place", slot[0],
                       slot[1]);
    return rc == UP_MISSING ? 0 : rc;
}
