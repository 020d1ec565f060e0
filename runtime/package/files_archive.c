#include "files_archive.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

void up_files_archive_begin(struct up_files_archive *a, uint64_t size)
{
    memset(a, 0, sizeof *a);
    up_tar_reader_begin(&a->tar, "files", size);
}

void up_files_archive_free(struct up_files_archive *a)
{
    free(a->text);
    free(a->member);
    up_update_ini_free(&a->ini);
    memset(a, 0, sizeof *a);
}

static int take_ini(struct up_files_archive *a, const struct up_tar_entry *entry, struct up_error *err)
{
    if (strcmp(entry->name, UP_UPDATE_INI) != 0)
        return up_fail(err, UP_UNTRUSTED, "files: begins with %s, not with " UP_UPDATE_INI, entry->name);
    if (entry->size == 0 || entry->size > UP_UPDATE_INI_MAX)
        return up_fail(err, UP_UNTRUSTED, "files: " UP_UPDATE_INI " must have 1 to %u bytes",
                       UP_UPDATE_INI_MAX);
    a->text = malloc((size_t)entry->size);
    return a->text ? 0 : up_fail(err, UP_INTERNAL, "files: out of memory");
}

/* Members are named in update.ini and ascend, so there is room for each. */
static int take_file(struct up_files_archive *a, const struct up_tar_entry *entry, struct up_error *err)
{
    struct up_files_member *member = &a->member[a->members];

    if (!up_update_ini_has_file(&a->ini, entry->name))
        return up_fail(err, UP_UNTRUSTED, "files: %s, which " UP_UPDATE_INI " does not name", entry->name);
    if (a->members > 0 && strcmp(member[-1].name, entry->name) >= 0)
        return up_fail(err, UP_UNTRUSTED, "files: member %s out of order", entry->name);
    strcpy(member->name, entry->name);
    member->size = entry->size;
    a->members++;
    return 0;
}

static int take_member(struct up_files_archive *a, const struct up_tar_entry *entry, struct up_error *err)
{
    if (entry->directory || entry->mode != 0644)
        return up_fail(err, UP_UNTRUSTED, "files: member %s must be a file of mode 0644", entry->name);
    return a->text || a->ini.count ? take_file(a, entry, err) : take_ini(a, entry, err);
}

/* Collect the content of update.ini. That of files is not looked at here. */
static int take_content(struct up_files_archive *a, const uint8_t *bytes, size_t len, struct up_error *err)
{
    int rc;

    if (!a->text)
        return 0;
    memcpy(a->text + a->filled, bytes, len);
    a->filled += len;
    if (a->tar.content > 0)
        return 0;
    rc = up_update_ini_parse(&a->ini, a->text, a->filled, err);
    free(a->text);
    a->text = NULL;
    if (rc < 0)
        return rc;
    a->member = calloc(a->ini.count, sizeof *a->member);
    return a->member ? 0 : up_fail(err, UP_INTERNAL, "files: out of memory");
}

int up_files_archive_feed(struct up_files_archive *a, const uint8_t *bytes, size_t len, struct up_error *err)
{
    while (len > 0) {
        size_t n;
        int piece = up_tar_reader_take(&a->tar, bytes, len, &n, err);

        if (piece == UP_TAR_MEMBER)
            piece = take_member(a, &a->tar.entry, err);
        else if (piece == UP_TAR_CONTENT)
            piece = take_content(a, bytes, n, err);
        if (piece < 0)
            return piece;
        bytes += n;
        len -= n;
    }
    return 0;
}

const struct up_files_member *up_files_archive_find(const struct up_files_archive *a, const char *name)
{
    for (size_t i = 0; i < a->members; i++)
        if (strcmp(a->member[i].name, name) == 0)
            return &a->member[i];
    return NULL;
}

int up_files_archive_end(const struct up_files_archive *a, struct up_error *err)
{
    if (up_tar_reader_end(&a->tar, err) < 0)
        return err->code;
    if (a->ini.count == 0)
        return up_fail(err, UP_UNTRUSTED, "files: has no " UP_UPDATE_INI);
    for (size_t i = 0; i < a->ini.count; i++) {
        const struct up_update_ini_entry *entry = &a->ini.entry[i];

        if (entry->operation == UP_FILE_PUT && !up_files_archive_find(a, entry->name))
            return up_fail(err, UP_UNTRUSTED,
                           "files: " UP_UPDATE_INI " line %u: name: there is no file %s in the part",
                           entry->line, entry->name);
    }
    return 0;
}
