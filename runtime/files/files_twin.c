#include "files_twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "storage.h"

static int path_of(const char *folder, const uint8_t digest[UP_SHA256_SIZE], int i, char out[UP_PATH_SIZE],
                   struct up_error *err)
{
    char hex[2 * UP_SHA256_SIZE + 1];

    up_hex(digest, UP_SHA256_SIZE, hex);
    if (snprintf(out, UP_PATH_SIZE, "%s/%s.%d", folder, hex, i) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "%s: path too long", folder);
    return 0;
}

int up_files_twin_write(struct up_storage *s, const char *folder, const void *data, size_t len,
                        uint8_t digest[UP_SHA256_SIZE], struct up_error *err)
{
    char path[UP_PATH_SIZE];

    up_sha256(data, len, digest);
    for (int i = 0; i < 2; i++)
        if (path_of(folder, digest, i, path, err) < 0 ||
            up_storage_write_file(s, path, data, len, 0600, err) < 0)
            return err->code;
    return 0;
}

int up_files_twin_read(struct up_storage *s, const char *folder, const uint8_t digest[UP_SHA256_SIZE],
                       size_t limit, char **out, size_t *len, struct up_error *err)
{
    uint8_t found[UP_SHA256_SIZE];
    char path[UP_PATH_SIZE];

    for (int i = 0; i < 2; i++) {
        if (path_of(folder, digest, i, path, err) < 0)
            return err->code;
        if (up_storage_read_file(s, path, limit, out, len, err) < 0) {
            if (err->code == UP_INTERNAL)
                return err->code;
            continue;
        }
        up_sha256(*out, *len, found);
        if (memcmp(found, digest, sizeof found) == 0)
            return 0;
        free(*out);
    }
    return up_fail(err, UP_STATELOST, "%s: neither copy can be read", path);
}
