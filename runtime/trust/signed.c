#include "signed.h"

#include "error.h"
#include "storage.h"

#include <stdio.h>
#include <stdlib.h>

int up_signed_load(char **text, size_t *len, char comment[UP_TRUSTED_COMMENT_MAX], struct up_storage *storage,
                   const struct up_keyring *ring, const char *path, size_t limit, struct up_error *err)
{
    char beside[UP_PATH_SIZE], *sig = NULL;
    size_t sig_len;
    int rc;

    if ((size_t)snprintf(beside, sizeof beside, "%s.minisig", path) >= sizeof beside)
        return up_fail(err, UP_USAGE, "%s: path too long", path);
    rc = up_storage_read_file(storage, path, limit, text, len, err);
    if (rc < 0)
        return rc;
    rc = up_storage_read_file(storage, beside, UP_MINISIG_MAX, &sig, &sig_len, err);
    if (rc == 0 && up_keyring_verify(ring, *text, *len, sig, sig_len, comment, err) < 0)
        rc = up_fail_in(err, path);
    free(sig);
    if (rc < 0)
        free(*text);
    return rc;
}
