#include "patch.h"

#include "error.h"
#include "patch_private.h"
#include "storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse_errno(const struct up_patch *p, struct up_error *err)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", p->fresh, strerror(errno));
}

int up_patch_new(struct up_patch **out, struct up_storage *storage, const char *path, struct up_error *err)
{
    struct up_patch *p = calloc(1, sizeof *p);

    if (!p)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    p->storage = storage;
    p->file = -1;
    if ((size_t)snprintf(p->out, sizeof p->out, "%s", path) >= sizeof p->out ||
        (size_t)snprintf(p->fresh, sizeof p->fresh, "%s.new", path) >= sizeof p->fresh) {
        free(p);
        return up_fail(err, UP_USAGE, "%.100s...: the path is too long", path);
    }
    *out = p;
    return 0;
}

int up_patch_create(struct up_patch *p, struct up_error *err)
{
    p->file = p->storage->ops->open(p->storage, p->fresh, UP_CREATE, 0644);
    if (p->file < 0 || p->storage->ops->truncate(p->storage, p->file, 0) < 0)
        return refuse_errno(p, err);
    return 0;
}

int up_patch_put(struct up_patch *p, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    if (len > 0 && p->storage->ops->pwrite(p->storage, p->file, data, len, offset) < 0)
        return refuse_errno(p, err);
    return 0;
}

int up_patch_step(struct up_patch *p, struct up_error *err)
{
    int rc;

    if (p->done)
        return 0;
    rc = p->work(p, err);
    if (rc != 0)
        return rc;
    if (p->storage->ops->sync(p->storage, p->file) < 0 ||
        p->storage->ops->rename(p->storage, p->fresh, p->out) < 0)
        return refuse_errno(p, err);
    p->done = true;
    return up_storage_sync_parent(p->storage, p->out, err);
}

void up_patch_progress(const struct up_patch *p, uint64_t *done, uint64_t *total)
{
    p->progress(p, done, total);
}

uint64_t up_patch_size(const struct up_patch *p)
{
    return p->done ? p->size : 0;
}

void up_patch_close(struct up_patch *p)
{
    if (!p)
        return;
    p->release(p);
    if (p->file >= 0) {
        p->storage->ops->close(p->storage, p->file);
        if (!p->done)
            p->storage->ops->unlink(p->storage, p->fresh);
    }
    free(p);
}
