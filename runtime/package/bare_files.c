#include "bare_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "archive_reader.h"
#include "error.h"
#include "storage.h"
#include "tree_tar.h"
#include "update_ini.h"

/* What is known of the archive while its entries are looked at. */
struct look {
    char folder[UP_ARCHIVE_NAME_MAX + 1]; /* "" before the first entry */
    bool has_ini;
};

static void set_limits(struct up_archive_limits *limits)
{
    up_archive_limits_default(limits);
    limits->entries = UP_UPDATE_INI_LINES_MAX + 2; /* the folder and update.ini */
    limits->depth = 2;
    limits->any_charset = true;
}

/* One folder at the top, files in it and nothing below. */
static int take_entry(struct look *look, const struct up_archive_entry *entry, struct up_error *err)
{
    const char *slash = strchr(entry->name, '/');
    size_t len = slash ? (size_t)(slash - entry->name) : strlen(entry->name);

    if (!slash != (entry->kind == UP_ARCHIVE_DIR))
        return up_fail(err, UP_UNTRUSTED, "%s: it must hold one folder with files and nothing else",
                       entry->name);
    if (!look->folder[0])
        memcpy(look->folder, entry->name, len);
    if (strlen(look->folder) != len || memcmp(look->folder, entry->name, len) != 0)
        return up_fail(err, UP_UNTRUSTED, "%s: it must hold one folder, and has %s already", entry->name,
                       look->folder);
    look->has_ini = look->has_ini || (slash && strcmp(slash + 1, UP_UPDATE_INI) == 0);
    return 0;
}

static int look_at(struct look *look, struct up_archive_reader *reader, struct up_error *err)
{
    struct up_archive_entry entry;
    int rc = 1;

    while (rc > 0) {
        rc = up_archive_reader_next(reader, &entry, err);
        if (rc > 0 && take_entry(look, &entry, err) < 0)
            return err->code;
    }
    if (rc == 0 && !look->has_ini)
        return up_fail(err, UP_UNTRUSTED, "has no folder with " UP_UPDATE_INI);
    return rc;
}

/* Twice the same archive: looked at as a whole before anything of it is written. */
static int unpack(struct look *look, struct up_storage *storage, const char *archive, const char *dir,
                  struct up_error *err)
{
    struct up_archive_limits limits;
    struct up_archive_reader *reader;
    int rc;

    set_limits(&limits);
    rc = up_archive_reader_open(&reader, storage, archive, &limits, err);
    if (rc < 0)
        return rc;
    rc = look_at(look, reader, err);
    up_archive_reader_close(reader);
    if (rc == 0)
        rc = up_archive_reader_open(&reader, storage, archive, &limits, err);
    if (rc < 0)
        return rc;
    rc = up_archive_reader_extract(reader, storage, dir, NULL, err);
    up_archive_reader_close(reader);
    return rc;
}

int up_bare_files_open(struct up_tree_tar **out, struct up_storage *storage, const char *archive,
                       const char *dir, struct up_files_blanks *blanks, struct up_error *err)
{
    struct look look = {.has_ini = false};
    char folder[UP_PATH_SIZE];
    struct up_error ignored;
    int rc = up_storage_remove_tree(storage, dir, err);

    if (rc < 0)
        return rc;
    rc = unpack(&look, storage, archive, dir, err);
    if (rc < 0) /* a file that is not there is named already */
        return rc == UP_MISSING ? rc : up_fail_in(err, archive);
    if ((size_t)snprintf(folder, sizeof folder, "%s/%s", dir, look.folder) >= sizeof folder)
        rc = up_fail(err, UP_USAGE, "%s: the path is too long", dir);
    else
        rc = up_files_folder_open(out, storage, folder, archive, blanks, err);
    if (rc < 0)
        (void)!up_storage_remove_tree(storage, dir, &ignored);
    return rc;
}
