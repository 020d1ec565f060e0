#include "source.h"

#include "error.h"
#include "storage.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct file_source {
    struct up_source base; /* first: handed out as the source */
    struct up_storage *storage;
    int file;
    char path[];
};

static long file_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct file_source *f = (struct file_source *)s;
    long long n = f->storage->ops->pread(f->storage, f->file, buf, len < LONG_MAX ? len : LONG_MAX, offset);

    if (n < 0)
        return up_fail(err, UP_WRITE, "%s: %s", f->path, strerror(errno));
    s->received += (uint64_t)n;
    return (long)n;
}

static void file_close(struct up_source *s)
{
    struct file_source *f = (struct file_source *)s;

    f->storage->ops->close(f->storage, f->file);
    free(f);
}

static const struct up_source_ops file_ops = {file_read, NULL, file_close};

/* The size of an open file, found by where reading ends, which also works for links and devices. */
static uint64_t measure(struct up_storage *storage, int file)
{
    uint64_t low = 0, high = 1;
    char byte;

    while (high < (uint64_t)1 << 62 && storage->ops->pread(storage, file, &byte, 1, high - 1) == 1) {
        low = high;
        high *= 2;
    }
    /* The byte at low - 1 is there, that at high - 1 does not. */
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;

        if (storage->ops->pread(storage, file, &byte, 1, middle - 1) == 1)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int refuse(struct up_error *err, const char *path)
{
    return up_fail(err, errno == ENOENT || errno == ENOTDIR ? UP_MISSING : UP_WRITE, "%s: %s", path,
                   strerror(errno));
}

int up_source_file(struct up_source **out, struct up_storage *storage, const char *path, struct up_error *err)
{
    size_t len = strlen(path) + 1;
    struct file_source *f = calloc(1, sizeof *f + len);
    struct up_stat st;

    if (!f)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    memcpy(f->path, path, len);
    f->storage = storage;
    f->base.ops = &file_ops;
    if (storage->ops->stat(storage, path, &st) < 0) {
        free(f);
        return refuse(err, path);
    }
    /* Opening a pipe would block until its other end is opened. */
    if (st.kind != UP_NODE_FILE && st.kind != UP_NODE_LINK && st.kind != UP_NODE_BLOCK) {
        free(f);
        return up_fail(err, UP_MISSING, "%s: %s, not a file", path,
                       st.kind == UP_NODE_DIR ? "a directory" : "a device, pipe or socket");
    }
    f->file = storage->ops->open(storage, path, UP_READ, 0);
    if (f->file < 0) {
        free(f);
        return refuse(err, path);
    }
    f->base.size = st.kind == UP_NODE_FILE ? st.size : measure(storage, f->file);
    *out = &f->base;
    return 0;
}
