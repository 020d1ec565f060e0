/*
 * slot_medium.c -- which medium a slot is, whatever it is called.
 */
#include "slot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

static int look_up(struct up_storage *storage, const char *path, struct up_medium *out, struct up_error *err)
{
    if (storage->ops->medium(storage, path, out) < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: cannot tell what it lies on: %s",
                       path, strerror(errno));
    return 0;
}

int up_slot_identity(struct up_storage *storage, const char *path, char out[UP_IDENTITY_SIZE],
                     struct up_error *err)
{
    struct up_medium m;

    if (look_up(storage, path, &m, err) < 0)
        return err->code;
    snprintf(out, UP_IDENTITY_SIZE, "%s", m.identity);
    return 0;
}

/* Whether a is what b is or lies on. */
static bool lies_on(const struct up_medium *b, const struct up_medium *a)
{
    for (unsigned i = 0; a->count > 0 && i < b->count; i++)
        if (b->on[i].kind == a->on[0].kind && b->on[i].number == a->on[0].number &&
            b->on[i].second == a->on[0].second)
            return true;
    return false;
}

int up_slot_shared(struct up_storage *storage, const char *one, const char *other, struct up_error *err)
{
    struct up_medium a, b;

    if (look_up(storage, one, &a, err) < 0 || look_up(storage, other, &b, err) < 0)
        return err->code;
    return lies_on(&a, &b) || lies_on(&b, &a);
}
