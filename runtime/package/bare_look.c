#include "bare_look.h"

#include <string.h>

#include "error.h"
#include "update_ini.h"

void up_bare_look_limits(struct up_archive_limits *out)
{
    up_archive_reader_limits(out);
    out->entries = UP_UPDATE_INI_LINES_MAX + 2; /* the folder and update.ini */
    out->depth = 2;
    out->any_charset = true;
}

int up_bare_look_take(struct up_bare_look *look, const struct up_archive_entry *entry, const char **name,
                      struct up_error *err)
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
    *name = slash ? slash + 1 : NULL;
    return 0;
}

int up_bare_look_end(const struct up_bare_look *look, struct up_error *err)
{
    if (!look->has_ini)
        return up_fail(err, UP_UNTRUSTED, "has no folder with " UP_UPDATE_INI);
    return 0;
}
