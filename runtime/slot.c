#include "slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "storage.h"

int up_slot_capacity(struct up_storage *storage, const char *path, uint64_t *out, struct up_error *err)
{
    struct up_stat st = {.kind = UP_NODE_FILE};
    char dir[1024];
    uint64_t free_bytes;

    if (storage->ops->stat(storage, path, &st) < 0 && errno != ENOENT)
        return up_fail(err, UP_WRITE, "slot %s: %s", path, strerror(errno));
    if (st.kind == UP_NODE_BLOCK) {
        *out = st.size;
        return 0;
    }
    if (st.kind != UP_NODE_FILE)
        return up_fail(err, UP_USAGE, "slot %s: neither a regular file nor a block device", path);
    /* The file need not be there yet; its directory must. */
    if (snprintf(dir, sizeof dir, "%s", path) >= (int)sizeof dir || !strrchr(dir, '/'))
        return up_fail(err, UP_USAGE, "slot %s: not an absolute path, or too long", path);
    *strrchr(dir, '/') = '\0';
    if (storage->ops->space(storage, dir[0] ? dir : "/", &free_bytes) < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "slot %s: %s", path, strerror(errno));
    *out = st.size + free_bytes;
    return 0;
}

int up_slot_open(struct up_storage *storage, const char *path, struct up_error *err)
{
    struct up_stat st;
    unsigned flags = UP_CREATE;
    bool fresh = false;
    int mounted, file;

    if (storage->ops->stat(storage, path, &st) == 0) {
        if (st.kind == UP_NODE_BLOCK)
            flags = UP_UPDATE | UP_EXCLUSIVE;
        else if (st.kind != UP_NODE_FILE)
            return up_fail(err, UP_USAGE, "slot %s: neither a regular file nor a block device", path);
        mounted = storage->ops->mounted(storage, path);
        if (mounted < 0)
            return up_fail(err, UP_WRITE, "slot %s: cannot tell whether it is mounted: %s", path,
                           strerror(errno));
        if (mounted)
            return up_fail(err, UP_BUSY, "slot %s: is mounted, and a mounted slot is never written", path);
    } else if (errno == ENOENT) {
        fresh = true;
    } else {
        return up_fail(err, UP_WRITE, "slot %s: %s", path, strerror(errno));
    }
    file = storage->ops->open(storage, path, flags, 0600);
    if (file < 0)
        return up_fail(err, errno == EBUSY ? UP_BUSY : up_code_of_errno(errno, UP_WRITE), "slot %s: open: %s",
                       path, strerror(errno));
    if (fresh && up_storage_sync_parent(storage, path, err) < 0) {
        storage->ops->close(storage, file);
        return err->code;
    }
    return file;
}
