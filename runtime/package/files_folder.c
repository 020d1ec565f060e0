#include "files_folder.h"

#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "storage.h"
#include "tree_tar.h"
#include "update_ini.h"

/* Every file that update.ini puts in place must be there, and no other. */
static int compare(const struct up_tree_tar *tree, const struct up_update_ini *ini, const char *shown,
                   struct up_error *err)
{
    for (size_t i = 0; i < ini->count; i++) {
        const struct up_update_ini_entry *entry = &ini->entry[i];

        if (entry->operation == UP_FILE_PUT && !up_tree_tar_has(tree, entry->name))
            return up_fail(err, UP_USAGE,
                           "%s/" UP_UPDATE_INI " line %u: name: there is no file %s in the folder", shown,
                           entry->line, entry->name);
    }
    for (size_t i = 1; up_tree_tar_name(tree, i); i++)
        if (!up_update_ini_has_file(ini, up_tree_tar_name(tree, i)))
            return up_fail(err, UP_USAGE, "%s/%s: no line of " UP_UPDATE_INI " adds or upgrades it", shown,
                           up_tree_tar_name(tree, i));
    return 0;
}

static int check(struct up_tree_tar *tree, struct up_storage *storage, const char *dir, const char *shown,
                 struct up_files_blanks *blanks, struct up_error *err)
{
    char path[UP_PATH_SIZE], *text;
    struct up_update_ini ini;
    struct up_error why;
    size_t len;
    int rc;

    if ((size_t)snprintf(path, sizeof path, "%s/" UP_UPDATE_INI, dir) >= sizeof path)
        return up_fail(err, UP_USAGE, "%s: the path is too long", dir);
    rc = up_storage_read_file(storage, path, UP_UPDATE_INI_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    blanks->lines = up_update_ini_blanks(text, &len, blanks->remove);
    rc = up_update_ini_parse(&ini, text, len, &why);
    if (rc < 0)
        rc = up_fail(err, rc == UP_UNTRUSTED ? UP_USAGE : rc, "%s/%s", shown, why.message);
    else
        rc = compare(tree, &ini, shown, err);
    if (rc == 0) /* use the text that was checked, even if the file changes meanwhile */
        rc = up_tree_tar_replace(tree, text, len, err);
    free(text);
    up_update_ini_free(&ini);
    return rc;
}

int up_files_folder_open(struct up_tree_tar **out, struct up_storage *storage, const char *dir,
                         const char *shown, struct up_files_blanks *blanks, struct up_error *err)
{
    struct up_tree_tar *tree;
    int rc = up_tree_tar_open(&tree, storage, dir, err);

    if (rc < 0)
        return rc;
    rc = up_tree_tar_flatten(tree, UP_UPDATE_INI, err);
    if (rc == 0)
        rc = check(tree, storage, dir, shown, blanks, err);
    if (rc < 0)
        up_tree_tar_close(tree);
    else
        *out = tree;
    return rc;
}
