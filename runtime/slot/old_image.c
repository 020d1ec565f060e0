#include "old_image.h"

#include <stdlib.h>

#include "error.h"
#include "slot.h"

struct up_old_image {
    struct up_old old;
    struct up_slot *slot;
};

/* Whatever prevents the use of the old image, a full image does not need it. */
static int unusable(struct up_error *err)
{
    if (err->code == UP_INTERNAL)
        return err->code;
    err->code = UP_INCOMPATIBLE;
    return up_fail_in(err, "the old image");
}

static int read_old(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    return up_old_image_read(context, buf, len, offset, err);
}

int up_old_image_open(struct up_old_image **out, struct up_storage *storage, const char *path, uint64_t size,
                      struct up_error *err)
{
    struct up_old_image *o = calloc(1, sizeof *o);

    if (!o)
        return up_fail(err, UP_INTERNAL, "slot %s: out of memory", path);
    if (up_slot_open(&o->slot, storage, path, UP_SLOT_READ, size, err) < 0) {
        free(o);
        return unusable(err);
    }
    o->old = (struct up_old){.read = read_old, .context = o, .size = size};
    *out = o;
    return 0;
}

void up_old_image_close(struct up_old_image *o)
{
    if (!o)
        return;
    up_slot_close(o->slot);
    free(o);
}

const struct up_old *up_old_image_old(const struct up_old_image *o)
{
    return &o->old;
}

int up_old_image_read(struct up_old_image *o, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    long long n;

    if (offset > o->old.size || len > o->old.size - offset)
        return up_fail(err, UP_INCOMPATIBLE, "the old image: bytes beyond its end are asked for");
    n = up_slot_read(o->slot, buf, len, offset, err);
    if (n < 0)
        return unusable(err);
    if ((size_t)n < len)
        return up_fail(err, UP_INCOMPATIBLE,
                       "the old image: the slot ends at byte %llu, or cannot be read there",
                       (unsigned long long)offset + (unsigned long long)n);
    return 0;
}

void up_old_image_drop_cache(struct up_old_image *o)
{
    struct up_error ignored;

    (void)!up_slot_drop_cache(o->slot, &ignored);
}
