/* secret.c -- check and read a file with a secret. */
#include "secret.h"

#include "error.h"
#include "storage.h"

#include <errno.h>
#include <string.h>

/* Open the file if it is private; a descriptor or a negative code. */
static int open_private(struct up_storage *s, const char *path, struct up_error *err)
{
    int file = s->ops->open(s, path, UP_READ, 0);
    struct up_stat st;
    int rc = 0;

    if (file < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", path, strerror(errno));
    if (s->ops->stat_file(s, file, &st) < 0)
        rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    else if (st.kind != UP_NODE_FILE)
        rc = up_fail(err, UP_USAGE, "%s: holds a secret and must be a regular file", path);
    else if (st.mode & 077)
        rc = up_fail(err, UP_USAGE, "%s: holds a secret and has mode %04o; make it private: chmod 600", path,
                     st.mode & 07777);
    if (rc < 0) {
        s->ops->close(s, file);
        return rc;
    }
    return file;
}

int up_secret_check(struct up_storage *storage, const char *path, struct up_error *err)
{
    int file = open_private(storage, path, err);

    if (file < 0)
        return file;
    storage->ops->close(storage, file);
    return 0;
}

int up_secret_read(struct up_storage *storage, const char *path, char out[UP_SECRET_MAX + 1],
                   struct up_error *err)
{
    char text[UP_SECRET_MAX + 2]; /* room for one byte too many, with the line end */
    int file = open_private(storage, path, err);
    long long n;
    size_t len;

    if (file < 0)
        return file;
    n = storage->ops->pread(storage, file, text, sizeof text, 0);
    if (n < 0)
        up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    storage->ops->close(storage, file);
    if (n < 0)
        return err->code;
    len = (size_t)n;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len < 1 || len > UP_SECRET_MAX)
        return up_fail(err, UP_USAGE, "%s: must hold one line of 1 to %d characters", path, UP_SECRET_MAX);
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return up_fail(err, UP_USAGE, "%s: must hold one line of printable characters without blanks",
                           path);
    memcpy(out, text, len);
    out[len] = '\0';
    return 0;
}
