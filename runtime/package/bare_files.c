#include "bare_files.h"

#include <stdio.h>

#include "archive_reader.h"
#include "bare_look.h"
#include "error.h"
#include "storage.h"
#include "tree_tar.h"

static int look_at(struct up_bare_look *look, struct up_archive_reader *reader, struct up_error *err)
{
    struct up_archive_entry entry;
    const char *name;
    int rc = 1;

    while (rc > 0) {
        rc = up_archive_reader_next(reader, &entry, err);
        if (rc > 0 && up_bare_look_take(look, &entry, &name, err) < 0)
            return err->code;
    }
    return rc < 0 ? rc : up_bare_look_end(look, err);
}

/* The archive is read twice: it is checked completely before anything is written. */
static int unpack(struct up_bare_look *look, struct up_storage *storage, const char *archive, const char *dir,
                  struct up_error *err)
{
    struct up_archive_limits limits;
    struct up_archive_reader *reader;
    int rc;

    up_bare_look_limits(&limits, false);
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
    struct up_bare_look look = {.hotfix = false};
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
