/*
 * device_clean.c -- remove leftovers, mark what is confirmed.
 */
#include "device_private.h"
#include "error.h"
#include "generation.h"

/* Whether the pair of a slot was confirmed: every pair is, except one that is armed or on trial. */
static bool is_confirmed(const struct up_device *d, unsigned slot)
{
    const struct up_journal_state *s = &d->state;

    if (!s->slot[slot].present || d->provisioning)
        return false;
    return s->phase < UP_ARMING || !up_device_has_core(d) || slot != s->tx.target;
}

/* A start that finds no journal looks for this mark. */
static int mark_confirmed(struct up_device *d, const char *script_dir, struct up_error *err)
{
    for (unsigned i = 0; i < UP_SLOTS; i++) {
        uint32_t n = d->state.slot[i].generation;
        char letters[UP_SLOTS + 1] = "";
        size_t len = 0;

        for (unsigned j = 0; j < UP_SLOTS; j++)
            if (is_confirmed(d, j) && d->state.slot[j].generation == n)
                letters[len++] = (char)('a' + j);
        if (n > 0 && is_confirmed(d, i) && up_generation_mark(d->storage, script_dir, n, letters, err) < 0)
            return err->code;
    }
    return 0;
}

static int clean(struct up_device *d, struct up_error *err)
{
    uint32_t keep[UP_SLOTS + 2];
    char path[UP_PATH_SIZE];
    unsigned count = 0;
    struct up_error why;
    int rc = 0;

    if (d->state.phase == UP_IDLE)
        rc = up_storage_remove_tree(d->storage, up_device_path(d, "tx", path, sizeof path), err);
    for (int i = 0; i < UP_SLOTS; i++)
        if (d->state.slot[i].present && d->state.slot[i].generation)
            keep[count++] = d->state.slot[i].generation;
    if (d->state.phase != UP_IDLE && d->state.tx.generation)
        keep[count++] = d->state.tx.generation;
    if (d->state.tree)
        keep[count++] = d->state.tree;
    if (count == 0 && up_device_lacks_file(d, "script"))
        return rc; /* there never was one */
    up_device_path(d, "script", path, sizeof path);
    /* The link and the mark first: a start that can read nothing else follows
     * them, and must not be led to a half-removed tree. */
    if (up_device_generation(d) > 0 &&
        up_generation_link(d->storage, path, up_device_generation(d), &why) < 0) {
        *err = why;
        rc = why.code;
    }
    if (mark_confirmed(d, path, &why) < 0 || up_generation_clean(d->storage, path, keep, count, &why) < 0) {
        *err = why;
        rc = why.code;
    }
    return rc;
}

void up_device_clean(struct up_device *d)
{
    bool whole;
    struct up_error err;

    d->pending &= ~(unsigned)UP_PENDING_CLEAN;
    if (d->trouble.updates)
        d->trouble.cause = (struct up_error){.code = UP_OK};
    if (d->state.phase == UP_IDLE)
        up_device_forget_count(d);
    if (d->state.phase == UP_IDLE && up_device_end_tree(d, false, &whole, &err) < 0)
        up_device_has_trouble(d, UP_PENDING_CLEAN, whole || up_device_awaits_files(d), &err);
    if (clean(d, &err) < 0)
        up_device_has_trouble(d, UP_PENDING_CLEAN, true, &err);
}
