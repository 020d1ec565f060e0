#include "script_archive.h"

#include <string.h>

#include "error.h"

void up_script_archive_begin(struct up_script_archive *a, uint64_t size)
{
    memset(a, 0, sizeof *a);
    a->size = size;
}

/* Names rise, so those that begin with another one follow it at once: the
 * members that the last name begins with are all that can still be a parent. */
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

/* A whole header came: of a member, or the first block of the end mark. */
static int take_header(struct up_script_archive *a, struct up_error *err)
{
    struct up_tar_entry entry;
    int more = up_tar_get(&entry, a->header, err);

    a->filled = 0;
    if (more < 0)
        return more;
    if (more == 0) {
        a->ended = true;
        if (a->size - a->at != UP_TAR_END - UP_TAR_BLOCK)
            return up_fail(err, UP_UNTRUSTED, "script: bytes after the end mark");
        return 0;
    }
    if (a->size - a->at < up_tar_padded(entry.size))
        return up_fail(err, UP_UNTRUSTED, "script: member %s is cut short", entry.name);
    a->content = entry.size;
    a->padding = up_tar_padded(entry.size) - entry.size;
    return take_member(a, &entry, err);
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static int take_zeros(const uint8_t *bytes, size_t len, struct up_error *err)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return up_fail(err, UP_UNTRUSTED, "script: bytes where the archive must have zeros");
    return 0;
}

int up_script_archive_feed(struct up_script_archive *a, const uint8_t *bytes, size_t len,
                           struct up_error *err)
{
    while (len > 0) {
        size_t n = len;
        int rc = 0;

        if (a->content > 0) {
            n = least(a->content, len);
            a->content -= n;
        } else if (a->padding > 0) {
            n = least(a->padding, len);
            a->padding -= n;
            rc = take_zeros(bytes, n, err);
        } else if (a->ended) {
            rc = take_zeros(bytes, n, err);
        } else {
            n = least(sizeof a->header - a->filled, len);
            memcpy(a->header + a->filled, bytes, n);
            a->filled += n;
        }
        a->at += n;
        if (rc == 0 && a->filled == sizeof a->header)
            rc = take_header(a, err);
        if (rc < 0)
            return rc;
        bytes += n;
        len -= n;
    }
    return 0;
}

int up_script_archive_end(const struct up_script_archive *a, struct up_error *err)
{
    if (a->at != a->size || !a->ended)
        return up_fail(err, UP_UNTRUSTED, "script: the archive ends without its end mark");
    if (!a->has_main)
        return up_fail(err, UP_UNTRUSTED, "script: has no main.lua");
    return 0;
}
