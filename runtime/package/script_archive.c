#include "script_archive.h"

#include <string.h>

#include "error.h"

void up_script_archive_begin(struct up_script_archive *a, uint64_t size)
{
    memset(a, 0, sizeof *a);
    up_tar_reader_begin(&a->tar, "script", size);
}

/* Names ascend, so those below a directory follow it directly: only members
 * whose names are a prefix of the last name can still be a parent. */
static bool has_parent(struct up_script_archive *a, const char *name)
{
    const char *slash = strrchr(name, '/');
    size_t parent = slash ? (size_t)(slash - name) : 0;

    while (a->starts > 0 && strncmp(a->last, name, a->length[a->starts - 1]) != 0)
        a->starts--;
    for (unsigned i = 0; slash && i < a->starts; i++)
        if (a->length[i] == parent)
            return a->directory[i];
    return !slash;
}

static int take_member(struct up_script_archive *a, const struct up_tar_entry *entry, struct up_error *err)
{
    if (strcmp(a->last, entry->name) >= 0)
        return up_fail(err, UP_UNTRUSTED, "script: member %s out of order", entry->name);
    if (!has_parent(a, entry->name))
        return up_fail(err, UP_UNTRUSTED, "script: member %s is below no directory of the archive",
                       entry->name);
    strcpy(a->last, entry->name);
    a->length[a->starts] = (uint16_t)strlen(entry->name);
    a->directory[a->starts++] = entry->directory;
    if (!entry->directory && strcmp(entry->name, "main.lua") == 0)
        a->has_main = true;
    return 0;
}

int up_script_archive_feed(struct up_script_archive *a, const uint8_t *bytes, size_t len,
                           struct up_error *err)
{
    while (len > 0) {
        size_t n;
        int piece = up_tar_reader_take(&a->tar, bytes, len, &n, err);

        if (piece == UP_TAR_MEMBER)
            piece = take_member(a, &a->tar.entry, err);
        if (piece < 0)
            return piece;
        bytes += n;
        len -= n;
    }
    return 0;
}

int up_script_archive_end(const struct up_script_archive *a, struct up_error *err)
{
    if (up_tar_reader_end(&a->tar, err) < 0)
        return err->code;
    if (!a->has_main)
        return up_fail(err, UP_UNTRUSTED, "script: has no main.lua");
    return 0;
}
