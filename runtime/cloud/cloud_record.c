/* cloud_record.c -- one small file for each cloud. */
#include "cloud_record.h"

#include "error.h"
#include "storage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

static int path_of(char path[UP_PATH_SIZE], const char *state, const char *name, struct up_error *err)
{
    size_t len = strlen(name);

    if (len < 1 || len > UP_CLOUD_NAME_MAX || name[0] == '.' || strspn(name, NAME_CHARACTERS) != len)
        return up_fail(err, UP_USAGE, "cloud %s: not a valid name", name);
    if (snprintf(path, UP_PATH_SIZE, "%s/cloud/%s", state, name) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "state %.100s...: the path is too long", state);
    return 0;
}

int up_cloud_record_keep(struct up_storage *storage, const char *state, const char *name, const char *text,
                         size_t len, struct up_error *err)
{
    char path[UP_PATH_SIZE], folder[UP_PATH_SIZE];
    int rc = path_of(path, state, name, err);

    if (rc < 0)
        return rc;
    if (len > UP_CLOUD_RECORD_MAX)
        return up_fail(err, UP_USAGE, "cloud %s: %zu bytes, at most %d are kept", name, len,
                       UP_CLOUD_RECORD_MAX);
    snprintf(folder, sizeof folder, "%s/cloud", state);
    rc = up_storage_make_dir(storage, folder, 0700, err);
    return rc < 0 ? rc : up_storage_write_file(storage, path, text, len, 0600, err);
}

int up_cloud_record_read(struct up_storage *storage, const char *state, const char *name, char **out,
                         size_t *len, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int rc = path_of(path, state, name, err);

    *out = NULL;
    return rc < 0 ? rc : up_storage_read_file(storage, path, UP_CLOUD_RECORD_MAX, out, len, err);
}

int up_cloud_record_forget(struct up_storage *storage, const char *state, const char *name,
                           struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int rc = path_of(path, state, name, err);

    if (rc < 0)
        return rc;
    if (storage->ops->unlink(storage, path) < 0)
        return errno == ENOENT ? 0 : up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    return up_storage_sync_parent(storage, path, err);
}
