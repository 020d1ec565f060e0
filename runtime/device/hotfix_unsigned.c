/*
 * hotfix_unsigned.c -- a hotfix that nobody signed: where it is made (bare_package.h),
 * and how its folder says what it is.
 *
 * In the place of a signature its folder has `unsigned`: the SHA-256 of the bytes that
 * came, in hex. The manifest beside it was made here, with a sequence that does not count.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "device_private.h"
#include "digest.h"
#include "error.h"
#include "hotfix_private.h"
#include "package.h"

#define MARK "unsigned"
#define DIGITS 64
#define ANY_SEQUENCE 1 /* a manifest has one */

static const char *in(const char *folder, const char *name, char path[UP_PATH_SIZE])
{
    size_t len = strlen(folder);

    if (len + strlen(name) + 2 > UP_PATH_SIZE)
        abort();
    memcpy(path, folder, len);
    path[len] = '/';
    strcpy(path + len + 1, name);
    return path;
}

int up_hotfix_bare(const struct up_device *d, char *buf, size_t len, struct up_error *err)
{
    char above[UP_PATH_SIZE];

    up_device_path(d, "hotfix", above, sizeof above);
    if (up_storage_make_dir(d->storage, above, UP_HOTFIX_FOLDER_MODE, err) < 0 ||
        up_hotfix_bare_end(d, err) < 0)
        return err->code;
    return up_storage_make_dir(d->storage, up_device_path(d, "hotfix/" UP_HOTFIX_BARE, buf, len), 0700, err);
}

int up_hotfix_bare_end(const struct up_device *d, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    return up_storage_remove_tree(d->storage, up_device_path(d, "hotfix/" UP_HOTFIX_BARE, path, sizeof path),
                                  err);
}

int up_hotfix_keep_unsigned(const struct up_device *d, const struct up_manifest *m, const char *folder,
                            struct up_error *err)
{
    struct up_manifest *copy = malloc(sizeof *copy);
    char path[UP_PATH_SIZE], hex[DIGITS + 1], *text = NULL;
    size_t len;
    int rc;

    if (!copy)
        return up_fail(err, UP_INTERNAL, "hotfix: out of memory");
    *copy = *m;
    copy->sequence = ANY_SEQUENCE;
    up_hex(m->digest, sizeof m->digest, hex);
    rc = up_manifest_format(copy, &text, &len, err);
    if (rc == 0)
        rc = up_storage_write_file(d->storage, in(folder, "manifest.json", path), text, len, 0644, err);
    if (rc == 0)
        rc = up_storage_write_file(d->storage, in(folder, MARK, path), hex, DIGITS, 0644, err);
    free(text);
    free(copy);
    return rc;
}

int up_hotfix_is_unsigned(const struct up_device *d, const char *folder, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    if (d->storage->ops->stat(d->storage, in(folder, MARK, path), &st) == 0)
        return 1;
    return errno == ENOENT ? 0 : up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
}

static int read_digest(const struct up_device *d, const char *folder, uint8_t digest[32],
                       struct up_error *err)
{
    char path[UP_PATH_SIZE], *text;
    size_t len;
    int rc;

    if (up_storage_read_file(d->storage, in(folder, MARK, path), DIGITS, &text, &len, err) < 0)
        return err->code;
    rc = len == DIGITS && up_unhex(text, digest, 32) == 0
             ? 0
             : up_fail(err, UP_UNTRUSTED, "%s: holds no SHA-256 in hexadecimal", path);
    free(text);
    return rc;
}

int up_hotfix_load_unsigned(const struct up_device *d, const char *folder, struct up_manifest *m,
                            struct up_error *err)
{
    char path[UP_PATH_SIZE], *text;
    uint8_t digest[32];
    size_t len;
    int rc;

    if (read_digest(d, folder, digest, err) < 0 ||
        up_storage_read_file(d->storage, in(folder, "manifest.json", path), UP_MANIFEST_MAX, &text, &len,
                             err) < 0)
        return err->code;
    rc = up_manifest_parse(m, text, len, err);
    free(text);
    if (rc < 0)
        return rc;
    memcpy(m->digest, digest, sizeof m->digest);
    m->sequence = up_manifest_sequence_unsigned(digest);
    if (!up_manifest_part(m, UP_HOTFIX))
        return up_fail(err, UP_UNTRUSTED, "%s: no hotfix", path);
    return up_package_check_index(d->storage, folder, up_manifest_part(m, UP_HOTFIX), err);
}
