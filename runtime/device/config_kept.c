#include "config_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage.h"

#define TEXT_MOST ((size_t)1 << 20) /* bytes; a configuration has some hundred lines */

void up_config_kept_read(struct up_config_text *t, struct up_storage *s, const char *path)
{
    *t = (struct up_config_text){0};
    (void)!up_storage_read_file(s, path, TEXT_MOST, &t->bytes, &t->len,
                                NULL); /* without bytes when it fails */
}

void up_config_kept_free(struct up_config_text *t)
{
    free(t->bytes);
    *t = (struct up_config_text){0};
}

int up_config_kept_path(const char *path, char *out, size_t size, struct up_error *err)
{
    if ((size_t)snprintf(out, size, "%s.good", path) >= size)
        return up_fail(err, UP_USAGE, "%s: path too long", path);
    return 0;
}

/* What is kept; without bytes if nothing is. */
static void read_kept(struct up_config_text *t, struct up_storage *s, const char *path)
{
    char name[UP_PATH_SIZE];

    *t = (struct up_config_text){0};
    if (up_config_kept_path(path, name, sizeof name, NULL) == 0)
        up_config_kept_read(t, s, name);
}

static bool equal(const struct up_config_text *a, const struct up_config_text *b)
{
    return a->bytes && b->bytes && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool up_config_kept_differs(struct up_storage *s, const char *path, const struct up_config_text *t)
{
    struct up_config_text kept;
    bool differs;

    read_kept(&kept, s, path);
    differs = kept.bytes && !equal(&kept, t);
    up_config_kept_free(&kept);
    return differs;
}

int up_config_kept_write(struct up_storage *s, const char *path, const struct up_config_text *t,
                         struct up_error *err)
{
    struct up_config_text kept;
    char name[UP_PATH_SIZE];
    struct up_stat st;
    bool same;

    read_kept(&kept, s, path);
    same = equal(&kept, t);
    up_config_kept_free(&kept);
    if (!t->bytes || same)
        return 0;
    if (up_config_kept_path(path, name, sizeof name, err) < 0)
        return err->code;
    if (s->ops->stat(s, path, &st) < 0)
        return up_fail(err, UP_WRITE, "%s: cannot be looked at", path);
    return up_storage_write_file(s, name, t->bytes, t->len, st.mode & 0777, err);
}
