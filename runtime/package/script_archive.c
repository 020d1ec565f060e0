#include "script_archive.h"

#include <string.h>

#include "error.h"
#include "update_ini.h"

void up_script_archive_begin(struct up_script_archive *a, enum up_script_archive_kind kind, uint64_t size)
{
    memset(a, 0, sizeof *a);
    a->kind = kind;
    up_tar_reader_begin(&a->tar, kind == UP_ARCHIVE_OF_SCRIPT ? "script" : "hotfix", size);
}

/* Whether `name`, below lua/, is a module that no hotfix replaces, or below one. */
static bool is_kept(const char *name)
{
    static const char *const kept[] = {"main", "policy", "sys", "update"};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        size_t len = strlen(kept[i]);

        if (strncmp(name, kept[i], len) == 0 &&
            (name[len] == '\0' || name[len] == '/' || strcmp(name + len, ".lua") == 0))
            return true;
    }
    return false;
}

static int check_hotfix(struct up_script_archive *a, const struct up_tar_entry *entry, struct up_error *err)
{
    const char *name = entry->name;

    if (strncmp(name, "files/", 6) == 0) {
        a->has_files = a->has_files || strcmp(name, "files/" UP_UPDATE_INI) == 0;
        return entry->directory ? up_fail(err, UP_UNTRUSTED, "hotfix: %s: files/ must be flat", name) : 0;
    }
    if (strncmp(name, "lua/", 4) == 0 && is_kept(name + 4))
        return up_fail(err, UP_UNTRUSTED,
                       "hotfix: %s: main, policy, sys, update and what is below update stay the release's",
                       name);
    if (strncmp(name, "lua/", 4) == 0) {
        a->has_main = a->has_main || !entry->directory;
        return 0;
    }
    a->has_folder = a->has_folder || strcmp(name, "files") == 0;
    if (strcmp(name, "test.lua") == 0
            ? !entry->directory
            : entry->directory && (strcmp(name, "lua") == 0 || strcmp(name, "files") == 0))
        return 0;
    return up_fail(err, UP_UNTRUSTED, "hotfix: %s: only lua/, files/ and test.lua may be in it", name);
}

static int check_opaque(struct up_script_archive *a, const struct up_tar_entry *entry, struct up_error *err)
{
    a->has_main = !entry->directory && strcmp(entry->name, UP_OPAQUE_NAME) == 0;
    return a->has_main
               ? 0
               : up_fail(err, UP_UNTRUSTED, "hotfix: %s: only " UP_OPAQUE_NAME " may be in it", entry->name);
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
        return up_fail(err, UP_UNTRUSTED, "%s: member %s out of order", a->tar.what, entry->name);
    if (!has_parent(a, entry->name))
        return up_fail(err, UP_UNTRUSTED, "%s: member %s is below no directory of the archive", a->tar.what,
                       entry->name);
    strcpy(a->last, entry->name);
    a->length[a->starts] = (uint16_t)strlen(entry->name);
    a->directory[a->starts++] = entry->directory;
    if (a->kind == UP_ARCHIVE_OF_HOTFIX)
        return check_hotfix(a, entry, err);
    if (a->kind == UP_ARCHIVE_OF_OPAQUE)
        return check_opaque(a, entry, err);
    a->has_main = a->has_main || (!entry->directory && strcmp(entry->name, "main.lua") == 0);
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
    if (a->has_folder && !a->has_files)
        return up_fail(err, UP_UNTRUSTED, "hotfix: files/ has no " UP_UPDATE_INI);
    if (a->has_main || a->has_files)
        return 0;
    if (a->kind == UP_ARCHIVE_OF_SCRIPT)
        return up_fail(err, UP_UNTRUSTED, "script: has no main.lua");
    return up_fail(err, UP_UNTRUSTED, "hotfix: has neither a module below lua/ nor files/" UP_UPDATE_INI);
}
